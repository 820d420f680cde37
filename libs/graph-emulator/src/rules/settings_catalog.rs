//! Settings catalog and Linux compliance: the settings are the policy, positions are their ids, secrets never come back.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::ambient;
use crate::call::Refusal;
use crate::object::Object;
use crate::odata::json::{bare_type, walk, walk_mut};
use crate::scene::{Scene, Verb};

const SECRET: &str = "deviceManagementConfigurationSecretSettingValue";
const REFERENCE: &str = "deviceManagementConfigurationReferenceSettingValue";

/// Properties that a replacement may not change: what they say decides which settings exist at all.
const FIXED: &[&str] = &["platforms", "technologies"];

pub(crate) fn check(
    scene: &Scene<'_>,
    verb: Verb,
    object: &mut Object,
    before: Option<&Object>,
) -> Result<(), Refusal> {
    if verb == Verb::Patch {
        return Ok(());
    }
    let template = template_id(&object.body).to_owned();
    if let Some(before) = before {
        let fixed = FIXED.iter().find(|name| before.body.get(**name) != object.body.get(**name));
        if let Some(name) = fixed.copied().or((template_id(&before.body) != template).then_some("templateReference")) {
            return Err(scene.refuse(&format!("Property {name} cannot be changed once the policy exists.")));
        }
    }
    if verb == Verb::Create && scene.world.catalogue.retired(&template) {
        return Err(scene.refuse(&format!("The template {template} is deprecated: new policies cannot be created.")));
    }
    let settings = object.children.entry("settings".into()).or_default();
    if settings.is_empty() {
        return Err(scene.refuse("Property settings in payload is required and must not be empty."));
    }
    let mut seen = HashSet::new();
    for (position, setting) in settings.iter_mut().enumerate() {
        let Some(setting) = setting.as_object_mut() else {
            return Err(Refusal::bad_request("Each setting must be an object."));
        };
        let instance = setting.get("settingInstance");
        check_one(scene, instance)?;
        check_template(scene, &template, instance)?;
        let definition =
            instance.and_then(|it| it.get("settingDefinitionId")).and_then(Value::as_str).unwrap_or_default();
        if !seen.insert(definition.to_owned()) {
            return Err(scene.refuse(&format!("Setting {definition} is contained more than once.")));
        }
        setting.insert("id".into(), json!(position.to_string()));
    }
    let count = settings.len();
    object.body.insert("settingCount".into(), json!(count));
    Ok(())
}

fn template_id(body: &Map<String, Value>) -> &str {
    body.get("templateReference").and_then(|it| it.get("templateId")).and_then(Value::as_str).unwrap_or_default()
}

/// One setting instance with everything inside it: types where they decide the shape, secrets in plain text, references that exist.
pub(crate) fn check_one(scene: &Scene<'_>, instance: Option<&Value>) -> Result<(), Refusal> {
    let Some(instance) = instance.filter(|it| it.is_object()) else {
        return Err(Refusal::bad_request("The property 'settingInstance' is required."));
    };
    let mut fault = None;
    walk(instance, &mut |map| {
        fault = fault.take().or_else(|| refuse_part(scene, map));
    });
    fault.map_or(Ok(()), Err)
}

fn refuse_part(scene: &Scene<'_>, map: &Map<String, Value>) -> Option<Refusal> {
    let kind = map.get("@odata.type").and_then(Value::as_str).map(bare_type);
    if map.contains_key("settingDefinitionId") && !kind.is_some_and(|kind| kind.ends_with("Instance")) {
        return Some(Refusal::bad_request(
            "Cannot create an abstract type 'deviceManagementConfigurationSettingInstance': the property '@odata.type' is required.",
        ));
    }
    let simple = map.get("simpleSettingValue").filter(|value| !value.is_null());
    let collection = map.get("simpleSettingCollectionValue").and_then(Value::as_array).into_iter().flatten();
    if simple.into_iter().chain(collection).any(|value| value.get("@odata.type").is_none()) {
        return Some(Refusal::bad_request(
            "Cannot create an abstract type 'deviceManagementConfigurationSimpleSettingValue': the property '@odata.type' is required.",
        ));
    }
    let value = map.get("value").and_then(Value::as_str).unwrap_or_default();
    if kind == Some(SECRET) && map.get("valueState").and_then(Value::as_str) != Some("notEncrypted") {
        return Some(scene.refuse("Secret setting values must be sent with valueState notEncrypted."));
    }
    if kind == Some(REFERENCE) && !scene.has("reusablePolicySetting", value) {
        return Some(scene.refuse(&format!("Referenced reusable setting {value} was not found.")));
    }
    None
}

/// Template ids inside settings are compared with regard to case.
fn check_template(scene: &Scene<'_>, template: &str, instance: Option<&Value>) -> Result<(), Refusal> {
    let definition = instance.and_then(|it| it.get("settingDefinitionId")).and_then(Value::as_str).unwrap_or_default();
    let sent = instance.and_then(|it| it.pointer("/settingInstanceTemplateReference/settingInstanceTemplateId"));
    let known = scene.world.catalogue.instance_template(template, definition);
    match (sent.and_then(Value::as_str), known) {
        (Some(sent), Some(known)) if sent != known => Err(scene.refuse(&format!(
            "Setting {definition} does not match the template: expected setting instance template {known}, found {sent}."
        ))),
        _ => Ok(()),
    }
}

/// A stored secret leaves as a token that is new on every read.
pub(crate) fn reissue_tokens(value: &mut Value) {
    walk_mut(value, &mut |map| {
        if map.get("@odata.type").and_then(Value::as_str).map(bare_type) == Some(SECRET) {
            map.insert("value".into(), json!(STANDARD.encode([ambient::bytes(), ambient::bytes()].concat())));
            map.insert("valueState".into(), json!("encryptedValueToken"));
        }
    });
}
