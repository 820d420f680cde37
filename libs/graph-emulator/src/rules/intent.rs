//! Legacy endpoint security: an intent is an instance of a template, its settings are also reached by the template's categories, and
//! a setting can be changed but never removed.

use http::Method;
use serde_json::{Value, json};

use crate::ambient;
use crate::call::{Call, Refusal, Reply};
use crate::kinds;
use crate::object::Object;
use crate::odata::json;
use crate::odata::path::{self, Segment};
use crate::outcome::Outcome;
use crate::present;
use crate::scene::Scene;
use crate::shipped;
use crate::world::World;

/// `categories` and `categories/{id}/settings` of one intent.
pub(crate) fn act(scene: &Scene<'_>, object: &Object, rest: &[Segment]) -> Option<Result<Outcome, Refusal>> {
    let names = path::names(rest);
    if let (["updateSettings"], &Method::POST) = (names.as_slice(), &scene.call.method) {
        return Some(update(scene, object));
    }
    let ["categories", rest @ ..] = names.as_slice() else { return None };
    if scene.call.method != Method::GET {
        return Some(Err(Refusal::method()));
    }
    let path = format!("deviceManagement/intents('{}')/categories", object.id);
    let template = object.text("templateId").unwrap_or_default();
    Some(match rest {
        [] => shipped::list(scene.call, vec![shipped::category(template)], &path),
        [asked, "settings"] if asked.eq_ignore_ascii_case(template) => settings(scene, object)
            .and_then(|items| shipped::list(scene.call, items, &format!("{path}('{asked}')/settings"))),
        [asked, "settings"] => Err(shipped::absent(asked)),
        [asked, ..] => Err(Refusal::segment(asked)),
    })
}

fn settings(scene: &Scene<'_>, object: &Object) -> Result<Vec<Value>, Refusal> {
    match scene.kind.child("settings") {
        Some(child) => present::children(scene, object, child, &[], &[]),
        None => Ok(Vec::new()),
    }
}

/// The template of a `POST deviceManagement/templates/{id}/createInstance`, if the call is one.
pub(crate) fn template_to_instantiate<'s>(call: &Call, segments: &'s [Segment]) -> Option<&'s str> {
    let [root, templates, template, action] = segments else { return None };
    let named = |segment: &Segment, name: &str| segment.text().eq_ignore_ascii_case(name);
    let is_one = named(root, "deviceManagement") && named(templates, "templates") && named(action, "createInstance");
    (is_one && call.method == Method::POST).then(|| template.text())
}

/// Makes an intent from a template.
pub(crate) fn create(world: &World, call: &Call, template: &str) -> Result<Outcome, Refusal> {
    let (Some(kind), Some(tenant)) = (kinds::by_key("endpointSecurityIntent"), world.tenant(&call.tenant)) else {
        return Err(shipped::absent(template));
    };
    if !call.app.holds(&kind.write.iter().collect::<Vec<_>>()) {
        return Err(Refusal::forbidden(&kind.write));
    }
    if !world.catalogue.intent_templates().contains(template) {
        return Err(shipped::absent(template));
    }
    let scene = Scene { world, tenant, call, kind };
    let sent = json::clean_map(call.object()?);
    let text = |name: &str| sent.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("displayName").is_empty() {
        return Err(scene.refuse("Property displayName in payload is required and must not be empty."));
    }
    let tags = sent.get("roleScopeTagIds").filter(|tags| tags.as_array().is_some_and(|tags| !tags.is_empty()));
    let body = json!({
        "displayName": text("displayName"),
        "description": text("description"),
        "templateId": template,
        "roleScopeTagIds": tags.cloned().unwrap_or_else(|| json!(["0"])),
        "isMigratingToConfigurationPolicy": null,
    });
    let mut object = Object {
        id: ambient::id(),
        kind: kind.key.clone(),
        order: 0, // set when the change is applied
        body: body.as_object().cloned().unwrap_or_default(),
        children: std::collections::BTreeMap::new(),
        assignments: Vec::new(),
    };
    merge(&mut object, sent.get("settingsDelta"))?;
    scene.check_scope_tags(&object)?;
    scene.stamp_changed(&mut object);
    let shown = present::entity(&scene, &object)?;
    Ok(Outcome::put(object, Reply::new(200, shown)))
}

/// `updateSettings`: the named settings change, the others stay.
fn update(scene: &Scene<'_>, object: &Object) -> Result<Outcome, Refusal> {
    let mut changed = object.clone();
    merge(&mut changed, json::clean_map(scene.call.object()?).get("settings"))?;
    scene.stamp_changed(&mut changed);
    Ok(Outcome::put(changed, Reply::empty(204)))
}

fn merge(object: &mut Object, sent: Option<&Value>) -> Result<(), Refusal> {
    let held = object.children.entry("settings".into()).or_default();
    for setting in sent.and_then(Value::as_array).into_iter().flatten() {
        if setting.get("@odata.type").is_none() {
            return Err(Refusal::bad_request(
                "Cannot create an abstract type 'deviceManagementSettingInstance': the property '@odata.type' is required.",
            ));
        }
        let mut setting = setting.clone();
        match held.iter_mut().find(|held| held.get("definitionId") == setting.get("definitionId")) {
            Some(held) => {
                setting["id"] = held.get("id").cloned().unwrap_or_default();
                *held = setting;
            }
            None => {
                setting["id"] = json!(ambient::id());
                held.push(setting);
            }
        }
    }
    Ok(())
}
