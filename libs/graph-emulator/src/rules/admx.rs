//! Administrative templates: the policy is empty at first, its values are added by an action that binds shipped definitions by
//! absolute address.

use http::Method;
use serde_json::{Map, Value, json};

use crate::ambient;
use crate::call::{Call, Refusal, Reply};
use crate::object::Object;
use crate::odata::json;
use crate::odata::path::{self, Segment};
use crate::outcome::Outcome;
use crate::scene::Scene;
use crate::world::World;

const CHILD: &str = "definitionValues";
const VALUES: &str = "presentationValues";

/// `updateDefinitionValues`, and single writes on `definitionValues`.
pub(crate) fn act(scene: &Scene<'_>, object: &Object, rest: &[Segment]) -> Option<Result<Outcome, Refusal>> {
    let names = path::names(rest);
    match (names.as_slice(), &scene.call.method) {
        (["updateDefinitionValues"], &Method::POST) => Some(update_all(scene, object)),
        ([CHILD], &Method::POST) => Some(add_one(scene, object)),
        ([CHILD, id], &Method::DELETE) => Some(delete_one(scene, object, id)),
        ([CHILD, id], &Method::PATCH) => Some(patch_one(scene, object, id)),
        ([CHILD, id, "definition"], &Method::GET) => Some(read_definition(scene, object, id)),
        _ => None,
    }
}

/// All three lists are applied, or none.
fn update_all(scene: &Scene<'_>, object: &Object) -> Result<Outcome, Refusal> {
    let body = json::clean_map(scene.call.object()?);
    let list = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items.clone()),
        Some(_) => Err(Refusal::bad_request(&format!("The parameter '{name}' must be a collection."))),
    };
    let (added, updated, deleted) = (list("added")?, list("updated")?, list("deletedIds")?);
    let mut changed = object.clone();
    for id in deleted.iter().map(|id| id.as_str().unwrap_or_default()) {
        remove(scene, &mut changed, id)?;
    }
    for value in &updated {
        let id = named(&changed, value)?;
        merge(scene, &mut changed, &id, value)?;
    }
    for value in &added {
        add(scene, &mut changed, value)?;
    }
    scene.stamp_changed(&mut changed);
    Ok(Outcome::put(changed, Reply::empty(204)))
}

fn add_one(scene: &Scene<'_>, object: &Object) -> Result<Outcome, Refusal> {
    let body = Value::Object(json::clean_map(scene.call.object()?));
    let mut changed = object.clone();
    let item = add(scene, &mut changed, &body)?;
    scene.stamp_changed(&mut changed);
    Ok(Outcome::put(changed, Reply::new(201, shown(&item))))
}

fn patch_one(scene: &Scene<'_>, object: &Object, id: &str) -> Result<Outcome, Refusal> {
    let body = Value::Object(json::clean_map(scene.call.object()?));
    let mut changed = object.clone();
    let item = merge(scene, &mut changed, id, &body)?;
    scene.stamp_changed(&mut changed);
    Ok(Outcome::put(changed, Reply::new(200, shown(&item))))
}

fn delete_one(scene: &Scene<'_>, object: &Object, id: &str) -> Result<Outcome, Refusal> {
    let mut changed = object.clone();
    remove(scene, &mut changed, id)?;
    scene.stamp_changed(&mut changed);
    Ok(Outcome::put(changed, Reply::empty(204)))
}

fn read_definition(scene: &Scene<'_>, object: &Object, id: &str) -> Result<Outcome, Refusal> {
    let at = position(object, id).ok_or_else(|| scene.not_found(id))?;
    let stored = object.child(CHILD)[at].as_object().cloned().unwrap_or_default();
    let found = definition_of(scene.world, scene.call, &stored, "definition").ok_or_else(|| scene.not_found(id))?;
    Ok(Outcome::reply(Reply::new(200, found)))
}

fn add(scene: &Scene<'_>, object: &mut Object, sent: &Value) -> Result<Value, Refusal> {
    if !sent.get("enabled").is_some_and(Value::is_boolean) {
        return Err(scene.refuse("Property enabled in payload is required and must not be empty."));
    }
    let (definition, _) = bound(sent, "definition@odata.bind")?;
    if scene.world.catalogue.custom_elsewhere(&scene.call.tenant, &definition) {
        return Err(scene.refuse(&format!("Group policy definition {definition} was not found.")));
    }
    let held = object.children.entry(CHILD.into()).or_default();
    if held.iter().any(|item| item.get("_definition").and_then(Value::as_str) == Some(definition.as_str())) {
        return Err(scene.refuse(&format!("Group policy definition {definition} is configured already.")));
    }
    let now = json!(ambient::stamp(scene.call.now));
    let item = json!({
        "id": ambient::id(),
        "enabled": sent.get("enabled"),
        "configurationType": "policy",
        "createdDateTime": now,
        "lastModifiedDateTime": now,
        "_definition": definition,
        VALUES: values(scene, &definition, sent)?,
    });
    held.push(item.clone());
    Ok(item)
}

fn merge(scene: &Scene<'_>, object: &mut Object, id: &str, sent: &Value) -> Result<Value, Refusal> {
    let at = position(object, id).ok_or_else(|| scene.not_found(id))?;
    let item = &mut object.children.entry(CHILD.into()).or_default()[at];
    let definition = item.get("_definition").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(enabled) = sent.get("enabled") {
        item["enabled"] = enabled.clone();
    }
    for value in values(scene, &definition, sent)? {
        merge_value(item, value);
    }
    item["lastModifiedDateTime"] = json!(ambient::stamp(scene.call.now));
    Ok(item.clone())
}

/// The definition value that an entry of `updated` means: by its id, or by the definition it binds.
fn named(object: &Object, value: &Value) -> Result<String, Refusal> {
    if let Some(id) = value.get("id").and_then(Value::as_str) {
        return Ok(id.to_owned());
    }
    let (definition, _) = bound(value, "definition@odata.bind")?;
    let same = |item: &&Value| item.get("_definition").and_then(Value::as_str) == Some(definition.as_str());
    let found = object.child(CHILD).iter().find(same).and_then(|item| item.get("id")).and_then(Value::as_str);
    Ok(found.unwrap_or_default().to_owned())
}

/// A value for a presentation that has one takes its place and keeps its id; the others stay.
fn merge_value(item: &mut Value, mut value: Value) {
    let Some(held) = item.get_mut(VALUES).and_then(Value::as_array_mut) else { return };
    match held.iter_mut().find(|held| held.get("_presentation") == value.get("_presentation")) {
        Some(held) => {
            value["id"] = held.get("id").cloned().unwrap_or_default();
            *held = value;
        }
        None => held.push(value),
    }
}

fn remove(scene: &Scene<'_>, object: &mut Object, id: &str) -> Result<(), Refusal> {
    let at = position(object, id).ok_or_else(|| scene.not_found(id))?;
    object.children.entry(CHILD.into()).or_default().remove(at);
    Ok(())
}

/// The presentation values of one definition value: typed, and bound to a presentation of that very definition.
fn values(scene: &Scene<'_>, definition: &str, sent: &Value) -> Result<Vec<Value>, Refusal> {
    let mut out = Vec::new();
    for value in sent.get(VALUES).and_then(Value::as_array).into_iter().flatten() {
        let mut item: Map<String, Value> = value.as_object().cloned().unwrap_or_default();
        if json::type_of(&item).is_none() {
            return Err(Refusal::bad_request(
                "Cannot create an abstract type 'groupPolicyPresentationValue': the property '@odata.type' is required.",
            ));
        }
        let (parent, presentation) = bound(value, "presentation@odata.bind")?;
        let Some(presentation) = presentation.filter(|_| parent.eq_ignore_ascii_case(definition)) else {
            return Err(scene.refuse(&format!("The presentation does not belong to definition {definition}.")));
        };
        item.remove("presentation@odata.bind");
        item.insert("id".into(), json!(ambient::id()));
        item.insert("_presentation".into(), json!(presentation));
        out.push(Value::Object(item));
    }
    Ok(out)
}

/// Reads `https://.../groupPolicyDefinitions('id')[/presentations('id')]`.
fn bound(value: &Value, key: &str) -> Result<(String, Option<String>), Refusal> {
    let address = value.get(key).and_then(Value::as_str);
    let Some(address) = address.filter(|text| text.starts_with("https://") || text.starts_with("http://")) else {
        return Err(Refusal::bad_request(&format!("The property '{key}' must be an absolute address.")));
    };
    parse_bound(address).ok_or_else(|| Refusal::bad_request(&format!("The address in '{key}' is not valid.")))
}

/// The definition and, where named, presentation id of an address.
pub(crate) fn parse_bound(address: &str) -> Option<(String, Option<String>)> {
    let segments = path::parse(address);
    let texts: Vec<&str> = segments.iter().map(Segment::text).collect();
    let after = |name: &str| {
        let at = texts.iter().position(|text| text.eq_ignore_ascii_case(name))?;
        texts.get(at + 1).map(|id| id.to_lowercase())
    };
    Some((after("groupPolicyDefinitions")?, after("presentations")))
}

fn position(object: &Object, id: &str) -> Option<usize> {
    let same =
        |item: &Value| item.get("id").and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(id));
    object.child(CHILD).iter().position(same)
}

fn shown(item: &Value) -> Value {
    let mut map = item.as_object().cloned().unwrap_or_default();
    map.retain(|name, _| !name.starts_with('_') && name != VALUES);
    Value::Object(map)
}

/// `$expand=definition` of a definition value.
pub(crate) fn definition_of(world: &World, call: &Call, item: &Map<String, Value>, name: &str) -> Option<Value> {
    let id = item.get("_definition").filter(|_| name.eq_ignore_ascii_case("definition"))?.as_str()?;
    Some(Value::Object(world.catalogue.definition(&call.tenant, id)?.body.clone()))
}

/// `$expand=presentation` of a presentation value.
pub(crate) fn presentation_of(world: &World, call: &Call, item: &Map<String, Value>, name: &str) -> Option<Value> {
    let id = item.get("_presentation").filter(|_| name.eq_ignore_ascii_case("presentation"))?.as_str()?;
    world.catalogue.presentation(&call.tenant, id)
}
