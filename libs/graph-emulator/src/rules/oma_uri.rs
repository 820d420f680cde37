//! Custom OMA-URI profiles: encrypted values read as `****`, in plain text only one by one, and their references cannot be created.

use serde_json::{Map, Value, json};

use crate::ambient;
use crate::call::{Refusal, Reply};
use crate::object::Object;
use crate::odata::json;
use crate::odata::path::Segment;
use crate::outcome::Outcome;
use crate::scene::{Scene, Verb};

const MASK: &str = "****";

pub(crate) fn check(
    scene: &Scene<'_>,
    verb: Verb,
    object: &mut Object,
    before: Option<&Object>,
    sent: &Map<String, Value>,
) -> Result<(), Refusal> {
    if !sent.contains_key("omaSettings") {
        return Ok(());
    }
    let Some(settings) = object.body.get_mut("omaSettings").and_then(Value::as_array_mut) else { return Ok(()) };
    for setting in settings.iter_mut().filter_map(Value::as_object_mut) {
        let text = |name: &str| setting.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if text("@odata.type").is_none() {
            return Err(Refusal::bad_request(
                "Cannot create an abstract type 'omaSetting': the property '@odata.type' is required.",
            ));
        }
        let Some(uri) = text("omaUri").map(str::to_owned) else {
            return Err(scene.refuse("Property omaUri in payload is required and must not be empty."));
        };
        let known = before.and_then(|before| kept(before, &uri));
        match (text("secretReferenceValueId"), known) {
            (Some(_), _) if verb == Verb::Create => {
                return Err(Refusal::new(400, "NotSupported", "SecretReferenceValueId invalid for create.").nested());
            }
            // An update that names the stored secret keeps it.
            (Some(sent), Some(known)) if known.get("secretReferenceValueId").and_then(Value::as_str) == Some(sent) => {
                setting.clone_from(&known);
            }
            (Some(_), _) => return Err(scene.refuse("SecretReferenceValueId was not found.")),
            (None, _) => encrypt(setting, scene.world.encrypt_oma_strings),
        }
    }
    Ok(())
}

/// The stored setting of the same address.
fn kept(before: &Object, uri: &str) -> Option<Map<String, Value>> {
    let settings = before.body.get("omaSettings")?.as_array()?;
    let same = |setting: &&Value| setting.get("omaUri").and_then(Value::as_str) == Some(uri);
    settings.iter().find(same)?.as_object().cloned()
}

/// A setting that says it is encrypted gets a reference under which its plain text can be read.
fn encrypt(setting: &mut Map<String, Value>, every_text: bool) {
    let kind = json::type_of(setting).unwrap_or_default();
    let is_text = ["omaSettingString", "omaSettingStringXml", "omaSettingBase64"].contains(&kind);
    let secret = setting.get("isEncrypted") == Some(&json!(true)) || (every_text && is_text);
    setting.insert("isEncrypted".into(), json!(secret));
    setting.entry("isReadOnly").or_insert(json!(false));
    setting.insert("secretReferenceValueId".into(), if secret { json!(reference()) } else { Value::Null });
}

fn reference() -> String {
    format!("{}_{}", ambient::id(), ambient::id())
}

/// Exports hold a mask where the plain text was; a stand-in takes its place, so that the value is a secret here too.
pub(crate) fn adopt(body: &mut Map<String, Value>) {
    let settings = body.get_mut("omaSettings").and_then(Value::as_array_mut).into_iter().flatten();
    for setting in settings.filter_map(Value::as_object_mut) {
        if setting.get("isEncrypted") != Some(&json!(true)) {
            continue;
        }
        let named = setting.get("secretReferenceValueId").and_then(Value::as_str).map(str::to_owned);
        let named = named.unwrap_or_else(reference);
        if setting.get("value").and_then(Value::as_str) == Some(MASK) {
            setting.insert("value".into(), json!(format!("plain text of {named}")));
        }
        setting.insert("secretReferenceValueId".into(), json!(named));
    }
}

/// Hides encrypted values.
pub(crate) fn mask(map: &mut Map<String, Value>) {
    let settings = map.get_mut("omaSettings").and_then(Value::as_array_mut).into_iter().flatten();
    for setting in settings.filter_map(Value::as_object_mut) {
        if setting.get("isEncrypted") == Some(&json!(true)) {
            setting.insert("value".into(), json!(MASK));
        }
    }
}

/// `getOmaSettingPlainTextValue(secretReferenceValueId='...')`: a read that needs the right to write.
pub(crate) fn act(scene: &Scene<'_>, object: &Object, rest: &[Segment]) -> Option<Result<Outcome, Refusal>> {
    let [Segment::Call(name, arguments)] = rest else { return None };
    if name.trim_start_matches("microsoft.graph.") != "getOmaSettingPlainTextValue" {
        return None;
    }
    let wanted = arguments.iter().find(|(name, _)| name == "secretReferenceValueId").map(|(_, value)| value.as_str());
    Some(plain_text(scene, object, wanted.unwrap_or_default()))
}

fn plain_text(scene: &Scene<'_>, object: &Object, wanted: &str) -> Result<Outcome, Refusal> {
    if !scene.call.app.holds(&scene.kind.write.iter().collect::<Vec<_>>()) {
        return Err(Refusal::forbidden(&scene.kind.write));
    }
    let settings = object.body.get("omaSettings").and_then(Value::as_array).into_iter().flatten();
    let found = settings
        .filter(|setting| setting.get("secretReferenceValueId").and_then(Value::as_str) == Some(wanted))
        .find_map(|setting| setting.get("value"));
    let Some(value) = found else { return Err(scene.not_found(wanted)) };
    let mut map = Map::new();
    map.insert("value".into(), value.as_str().map_or_else(|| json!(value.to_string()), |text| json!(text)));
    scene.call.context(&mut map, "Edm.String");
    Ok(Outcome::reply(Reply::new(200, Value::Object(map))))
}
