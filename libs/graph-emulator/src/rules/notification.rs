//! Notification message templates: the template first, then one message per locale, the default one marked and never unmarked.

use http::Method;
use serde_json::{Map, Value, json};

use crate::ambient;
use crate::call::{Refusal, Reply};
use crate::object::Object;
use crate::odata::json;
use crate::odata::path::{self, Segment};
use crate::outcome::Outcome;
use crate::scene::Scene;

const CHILD: &str = "localizedNotificationMessages";

/// `localizedNotificationMessages`: POST adds, PATCH and DELETE by `<template id>_<locale>`.
pub(crate) fn act(scene: &Scene<'_>, object: &Object, rest: &[Segment]) -> Option<Result<Outcome, Refusal>> {
    let names = path::names(rest);
    match (names.as_slice(), &scene.call.method) {
        ([CHILD], &Method::POST) => Some(add(scene, object)),
        ([CHILD, id], &Method::PATCH) => Some(update(scene, object, id)),
        ([CHILD, id], &Method::DELETE) => Some(remove(scene, object, id)),
        _ => None,
    }
}

fn add(scene: &Scene<'_>, object: &Object) -> Result<Outcome, Refusal> {
    let mut message = json::clean_map(scene.call.object()?);
    for name in ["locale", "subject", "messageTemplate"] {
        if message.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(scene.refuse(&format!("Property {name} in payload is required and must not be empty.")));
        }
    }
    let locale = message.get("locale").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let id = format!("{}_{locale}", object.id);
    if position(object, &id).is_some() {
        return Err(scene.refuse(&format!("A message for locale {locale} exists already.")));
    }
    let first = object.child(CHILD).is_empty();
    let default = message.get("isDefault") == Some(&json!(true)) || first;
    message.remove("@odata.type");
    message.insert("id".into(), json!(id));
    message.insert("locale".into(), json!(locale));
    message.insert("isDefault".into(), json!(default));
    let mut changed = object.clone();
    changed.children.entry(CHILD.into()).or_default().push(Value::Object(message.clone()));
    settle_default(&mut changed, default.then_some(id.as_str()));
    finish(scene, changed, Some((&id, message)))
}

fn update(scene: &Scene<'_>, object: &Object, id: &str) -> Result<Outcome, Refusal> {
    let at = position(object, id).ok_or_else(|| scene.not_found(id))?;
    let sent = json::clean_map(scene.call.object()?);
    let mut changed = object.clone();
    let items = changed.children.entry(CHILD.into()).or_default();
    let Some(message) = items[at].as_object_mut() else { return Err(scene.not_found(id)) };
    if sent.get("isDefault") == Some(&json!(false)) && message.get("isDefault") == Some(&json!(true)) {
        return Err(scene.refuse("isDefault can only be set to true."));
    }
    for name in ["subject", "messageTemplate", "isDefault"] {
        if let Some(value) = sent.get(name) {
            message.insert(name.into(), value.clone());
        }
    }
    let message = message.clone();
    settle_default(&mut changed, (sent.get("isDefault") == Some(&json!(true))).then_some(id));
    finish(scene, changed, Some((id, message)))
}

fn remove(scene: &Scene<'_>, object: &Object, id: &str) -> Result<Outcome, Refusal> {
    let at = position(object, id).ok_or_else(|| scene.not_found(id))?;
    let mut changed = object.clone();
    let removed = changed.children.entry(CHILD.into()).or_default().remove(at);
    if removed.get("isDefault") == Some(&json!(true)) && !changed.child(CHILD).is_empty() {
        return Err(scene.refuse("The default message cannot be deleted while there are others."));
    }
    settle_default(&mut changed, None);
    finish(scene, changed, None)
}

fn position(object: &Object, id: &str) -> Option<usize> {
    let same =
        |item: &Value| item.get("id").and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(id));
    object.child(CHILD).iter().position(same)
}

/// At most one message is the default, and the template names its locale.
pub(crate) fn settle_default(object: &mut Object, chosen: Option<&str>) {
    let items = object.children.entry(CHILD.into()).or_default();
    if let Some(chosen) = chosen {
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            let same = item.get("id").and_then(Value::as_str).is_some_and(|id| id.eq_ignore_ascii_case(chosen));
            item.insert("isDefault".into(), json!(same));
        }
    }
    let default = items.iter().find(|item| item.get("isDefault") == Some(&json!(true)));
    let locale = default.and_then(|item| item.get("locale")).cloned().unwrap_or_default();
    object.body.insert("defaultLocale".into(), locale);
}

fn finish(
    scene: &Scene<'_>,
    mut changed: Object,
    message: Option<(&str, Map<String, Value>)>,
) -> Result<Outcome, Refusal> {
    scene.stamp_changed(&mut changed);
    let reply = match message {
        Some((_, mut message)) => {
            message.insert("lastModifiedDateTime".into(), json!(ambient::stamp(scene.call.now)));
            Reply::new(200, Value::Object(message))
        }
        None => Reply::empty(200),
    };
    Ok(Outcome::put(changed, reply))
}
