//! Create, update, replace and delete of a whole object: what all kinds have in common. What is particular lives in `rules`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::ambient;
use crate::call::{Refusal, Reply};
use crate::kinds::InBody;
use crate::object::Object;
use crate::odata::json;
use crate::outcome::{Change, Outcome};
use crate::present;
use crate::rules;
use crate::scene::{Scene, Verb};

/// `POST` on the collection.
pub(crate) fn create(scene: &Scene<'_>) -> Result<Outcome, Refusal> {
    let kind = scene.kind;
    let code = kind.create.ok_or_else(Refusal::method)?;
    let sent = sent(scene, Verb::Create)?;
    for name in kind.name.iter().chain(&kind.required) {
        if sent.get(name).is_none_or(|value| value.is_null() || value.as_str() == Some("")) {
            return Err(scene.refuse(&format!("Property {name} in payload is required and must not be empty.")));
        }
    }
    let mut object = Object {
        id: if kind.key == "roleScopeTag" { scene.tenant.next_scope_tag() } else { ambient::id() },
        kind: kind.key.clone(),
        order: 0, // set when the change is applied
        body: Map::new(),
        children: BTreeMap::new(),
        assignments: Vec::new(),
    };
    fill(scene, &mut object, &sent)?;
    rules::check(scene, Verb::Create, &mut object, None, &sent)?;
    scene.check_scope_tags(&object)?;
    stamp_new(scene, &mut object);
    let shown = present::entity(scene, &object)?;
    let location = format!("{}/{}('{}')", scene.call.base(), kind.path, object.id);
    Ok(Outcome::put(object, Reply::new(code, shown).header("location", location)))
}

/// `PATCH` on one object: named properties change, null clears, the rest stays.
pub(crate) fn patch(scene: &Scene<'_>, before: &Object) -> Result<Outcome, Refusal> {
    let kind = scene.kind;
    let code = kind.patch.ok_or_else(Refusal::method)?;
    let sent = sent(scene, Verb::Patch)?;
    if let Some(name) = kind.patch_reject.iter().find(|name| sent.contains_key(*name)) {
        return Err(scene.refuse(&format!("Property {name} cannot be updated by PATCH.")));
    }
    if kind.polymorphic() && before.body.get("@odata.type") != sent.get("@odata.type") {
        return Err(scene.refuse("The @odata.type in the payload does not match the type of the existing entity."));
    }
    let mut object = before.clone();
    for (name, value) in &sent {
        if !kind.owns(name) && kind.child(name).is_none() {
            object.body.insert(name.clone(), value.clone());
        }
    }
    if let Some(name) = kind
        .name
        .as_ref()
        .filter(|name| object.body.get(*name).is_none_or(|value| value.as_str().is_none_or(str::is_empty)))
    {
        return Err(scene.refuse(&format!("Property {name} in payload is required and must not be empty.")));
    }
    rules::check(scene, Verb::Patch, &mut object, Some(before), &sent)?;
    scene.check_scope_tags(&object)?;
    scene.stamp_changed(&mut object);
    let reply = if code == 204 { Reply::empty(204) } else { Reply::new(code, present::entity(scene, &object)?) };
    Ok(Outcome::put(object, reply))
}

/// `PUT` on one object: the body becomes the object, except for what the server owns, its id and its assignments.
pub(crate) fn replace(scene: &Scene<'_>, before: &Object) -> Result<Outcome, Refusal> {
    let kind = scene.kind;
    let code = kind.put.ok_or_else(Refusal::method)?;
    let sent = sent(scene, Verb::Replace)?;
    for name in kind.name.iter().chain(&kind.required) {
        if sent.get(name).is_none_or(Value::is_null) {
            return Err(scene.refuse(&format!("Property {name} in payload is required and must not be empty.")));
        }
    }
    let mut object = Object { body: Map::new(), children: before.children.clone(), ..before.clone() };
    for (name, value) in &before.body {
        if kind.owns(name) || name == "@odata.type" {
            object.body.insert(name.clone(), value.clone());
        }
    }
    fill(scene, &mut object, &sent)?;
    rules::check(scene, Verb::Replace, &mut object, Some(before), &sent)?;
    scene.check_scope_tags(&object)?;
    scene.stamp_changed(&mut object);
    let reply = if code == 204 { Reply::empty(204) } else { Reply::new(code, present::entity(scene, &object)?) };
    Ok(Outcome::put(object, reply))
}

/// `DELETE` on one object.
pub(crate) fn delete(scene: &Scene<'_>, object: &Object) -> Result<Outcome, Refusal> {
    let code = scene.kind.delete.ok_or_else(Refusal::method)?;
    rules::check_delete(scene, object)?;
    let change = Change::Remove { kind: object.kind.clone(), id: object.id.clone() };
    Ok(Outcome { reply: Reply::empty(code).touching(&object.id), changes: vec![change] })
}

/// The body without annotations, its type and its properties checked against the kind.
fn sent(scene: &Scene<'_>, verb: Verb) -> Result<Map<String, Value>, Refusal> {
    let kind = scene.kind;
    let mut sent = json::clean_map(scene.call.object()?);
    match json::type_of(&sent) {
        None if kind.polymorphic() => {
            return Err(Refusal::bad_request(&format!(
                "Cannot create an abstract type '{}': the property '@odata.type' is required.",
                kind.odata_type
            )));
        }
        Some(name) if !kind.admits(name) => {
            return Err(Refusal::bad_request(&format!(
                "The type 'microsoft.graph.{name}' is not assignable to 'microsoft.graph.{}'.",
                kind.odata_type
            )));
        }
        _ => {}
    }
    if let Some(name) = sent.keys().find(|name| !kind.declares(name)) {
        return Err(Refusal::bad_request(&format!(
            "The property '{name}' does not exist on type 'microsoft.graph.{}'. Make sure to only use property names that are defined by the type.",
            kind.odata_type
        )));
    }
    if !kind.polymorphic() {
        sent.remove("@odata.type");
    }
    if verb == Verb::Create {
        sent.remove("id");
    }
    Ok(sent)
}

/// Moves what a client may set from the body into the object: properties, inline children, defaults.
fn fill(scene: &Scene<'_>, object: &mut Object, sent: &Map<String, Value>) -> Result<(), Refusal> {
    let kind = scene.kind;
    for (name, value) in sent {
        match kind.child(name) {
            Some(child) if child.create == InBody::Stored => {
                let Value::Array(items) = value else {
                    return Err(Refusal::bad_request(&format!("The property '{name}' must be an array.")));
                };
                object.children.insert(child.name.clone(), items.clone());
            }
            Some(child) if child.create == InBody::Ignored => {}
            Some(_) if value.as_array().is_some_and(Vec::is_empty) || value.is_null() => {}
            Some(child) => {
                return Err(scene.refuse(&format!("Property {} cannot be set while creating.", child.name)));
            }
            None if kind.owns(name) => {}
            None => {
                object.body.insert(name.clone(), value.clone());
            }
        }
    }
    for (name, value) in &kind.defaults {
        object.body.entry(name.clone()).or_insert_with(|| value.clone());
    }
    for name in &kind.nulls {
        object.body.entry(name.clone()).or_insert(Value::Null);
    }
    if let Some(tags) = &kind.scope_tags
        && object.body.get(tags).is_none_or(|held| held.as_array().is_none_or(Vec::is_empty))
    {
        // Omitting the scope tags makes Graph add the default one.
        object.body.insert(tags.clone(), json!(["0"]));
    }
    Ok(())
}

fn stamp_new(scene: &Scene<'_>, object: &mut Object) {
    let (kind, now) = (scene.kind, json!(ambient::stamp(scene.call.now)));
    if !kind.undated {
        object.body.insert("createdDateTime".into(), now.clone());
        if let Some(modified) = kind.modified.as_ref().filter(|_| !kind.entra) {
            object.body.insert(modified.clone(), now);
        }
    }
    if kind.versioned {
        object.body.insert("version".into(), json!(1));
    }
}
