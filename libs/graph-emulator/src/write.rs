//! Create, update, replace and delete of a whole object: what all kinds have in common. What is particular lives in `rules`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::ambient;
use crate::call::{Call, Refusal, Reply};
use crate::kinds::{InBody, Kind};
use crate::odata::json;
use crate::outcome::{Change, Outcome};
use crate::present;
use crate::rules;
use crate::world::{Object, Tenant, World};

/// Which write is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Patch,
    Replace,
}

/// Everything a rule may look at.
pub(crate) struct Scene<'a> {
    pub(crate) world: &'a World,
    pub(crate) tenant: &'a Tenant,
    pub(crate) call: &'a Call,
    pub(crate) kind: &'a Kind,
}

impl Scene<'_> {
    /// A refusal in the words of the service that owns the kind.
    pub(crate) fn refuse(&self, message: &str) -> Refusal {
        if self.kind.entra { Refusal::bad_request(message) } else { Refusal::intune(message) }
    }

    /// Whether the tenant has an object of this kind, as readers see it now.
    pub(crate) fn has(&self, kind: &str, id: &str) -> bool {
        crate::kinds::by_key(kind).is_some_and(|kind| self.tenant.view(kind, id, self.call.now).is_some())
    }

    pub(crate) fn not_found(&self, id: &str) -> Refusal {
        not_found(self.kind, id)
    }
}

/// 404 for an object that is not there.
pub(crate) fn not_found(kind: &Kind, id: &str) -> Refusal {
    match (kind.key.as_str(), kind.entra) {
        ("group", _) => Refusal::new(
            404,
            "Request_ResourceNotFound",
            &format!(
                "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
            ),
        ),
        (_, true) => Refusal::new(404, "ResourceNotFound", &format!("{id} does not exist in the directory.")),
        _ => Refusal::new(404, "ResourceNotFound", &format!("Resource not found: {} {id}", kind.odata_type)).nested(),
    }
}

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
    check_scope_tags(scene, &object)?;
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
    check_scope_tags(scene, &object)?;
    stamp_changed(scene, &mut object);
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
    check_scope_tags(scene, &object)?;
    stamp_changed(scene, &mut object);
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

/// Every scope tag of a body must exist in the tenant: ids copied from another tenant are refused, or worse, mean something else.
pub(crate) fn check_scope_tags(scene: &Scene<'_>, object: &Object) -> Result<(), Refusal> {
    let tags = scene.kind.scope_tags.as_ref().and_then(|name| object.body.get(name)).and_then(Value::as_array);
    for tag in tags.into_iter().flatten() {
        let known = tag.as_str().is_some_and(|id| scene.has("roleScopeTag", id));
        if !known {
            let shown = tag.as_str().map_or_else(|| tag.to_string(), str::to_owned);
            return Err(scene.refuse(&format!("Scope Tags validation failed : Scope tag {shown} was not found.")));
        }
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

/// Marks an object as changed now.
pub(crate) fn stamp_changed(scene: &Scene<'_>, object: &mut Object) {
    if let Some(modified) = &scene.kind.modified {
        object.body.insert(modified.clone(), json!(ambient::stamp(scene.call.now)));
    }
    if scene.kind.versioned {
        let version = object.body.get("version").and_then(Value::as_u64).unwrap_or(0);
        object.body.insert("version".into(), json!(version + 1));
    }
}
