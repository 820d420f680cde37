//! From an exported document to a stored object: annotations go, children move to their collections.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Map, Value, json};

use crate::ambient;
use crate::kinds::{Kind, RuleName};
use crate::object::Object;
use crate::odata::json;
use crate::rules::{admx, oma_uri};

pub(crate) fn object(kind: &'static Kind, document: &Map<String, Value>) -> Object {
    let mut body = json::clean_map(document.clone());
    let id = body.remove("id").and_then(|id| id.as_str().map(str::to_owned)).filter(|id| !id.is_empty());
    let id = id.unwrap_or_else(|| derived_id("", document));
    if !kind.polymorphic() {
        body.remove("@odata.type");
    }
    let mut children = BTreeMap::new();
    for child in &kind.children {
        let items = listed(body.remove(&child.name));
        let items = items.into_iter().enumerate().map(|(at, item)| adopted(kind, &child.name, &id, at, item)).collect();
        children.insert(child.name.clone(), items);
    }
    let assignments = listed(body.remove("assignments"));
    let assignments = assignments.into_iter().enumerate().map(|(at, item)| assignment(&id, at, item)).collect();
    if kind.has(RuleName::OmaUri) {
        oma_uri::adopt(&mut body);
    }
    if kind.has(RuleName::SettingsCatalog) {
        let count = children.get("settings").map_or(0, Vec::len);
        body.insert("settingCount".into(), json!(count));
    }
    if let Some(tags) = &kind.scope_tags {
        body.entry(tags.clone()).or_insert(json!(["0"]));
    }
    for (name, value) in &kind.defaults {
        body.entry(name.clone()).or_insert_with(|| value.clone());
    }
    for name in &kind.nulls {
        body.entry(name.clone()).or_insert(Value::Null);
    }
    Object { id, kind: kind.key.clone(), order: 0, body, children, assignments }
}

/// Some tools write a list of one as the item itself.
fn listed(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items,
        Some(Value::Object(item)) => vec![Value::Object(item)],
        _ => Vec::new(),
    }
}

fn adopted(kind: &Kind, child: &str, parent: &str, at: usize, item: Value) -> Value {
    let Value::Object(mut item) = item else { return item };
    if child == "definitionValues" {
        return Value::Object(definition_value(parent, at, item));
    }
    if child == "localizedNotificationMessages" {
        let locale = item.get("locale").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        item.insert("id".into(), json!(format!("{parent}_{locale}")));
    }
    if kind.has(RuleName::SettingsCatalog) && child == "settings" {
        item.insert("id".into(), json!(at.to_string()));
    }
    item.entry("id").or_insert_with(|| json!(seeded_id(&format!("{parent} {child} {at}"))));
    Value::Object(item)
}

/// A definition value as it is kept: bound by ids, the shipped definition remembered where the export brings it.
fn definition_value(parent: &str, at: usize, mut item: Map<String, Value>) -> Map<String, Value> {
    let (definition, _) = reference(&mut item, "definition");
    let values = listed(item.remove("presentationValues"));
    let values: Vec<Value> = values
        .into_iter()
        .enumerate()
        .filter_map(|(position, value)| {
            let Value::Object(mut value) = value else { return None };
            let (_, presentation) = reference(&mut value, "presentation");
            value.entry("id").or_insert_with(|| json!(seeded_id(&format!("{parent} {at} {position}"))));
            value.insert("_presentation".into(), json!(presentation));
            Some(Value::Object(value))
        })
        .collect();
    item.insert("_definition".into(), json!(definition));
    item.insert("presentationValues".into(), json!(values));
    item.entry("configurationType").or_insert(json!("policy"));
    item.entry("id").or_insert_with(|| json!(seeded_id(&format!("{parent} {definition} {at}"))));
    item
}

/// Takes `definition` or `presentation` out of an item, bound or expanded: the definition id and the presentation id.
fn reference(item: &mut Map<String, Value>, name: &str) -> (String, String) {
    let bind = item.remove(&format!("{name}@odata.bind"));
    let bound = bind.as_ref().and_then(Value::as_str).and_then(admx::parse_bound);
    let expanded = item.remove(name).and_then(|value| value.as_object().cloned());
    let own =
        expanded.as_ref().and_then(|body| body.get("id")).and_then(Value::as_str).unwrap_or_default().to_lowercase();
    if let Some(body) = expanded {
        item.insert(format!("_{name}_body"), Value::Object(body));
    }
    match bound {
        Some((definition, presentation)) => (definition, presentation.unwrap_or(own)),
        None => (own.clone(), own),
    }
}

fn assignment(parent: &str, at: usize, item: Value) -> Value {
    let Value::Object(mut item) = item else { return item };
    item.remove("@odata.type");
    item.entry("id").or_insert_with(|| json!(format!("{parent}_{}", seeded_id(&format!("{parent} assignment {at}")))));
    item.entry("source").or_insert(json!("direct"));
    Value::Object(item)
}

/// An id that the content determines: loading the same files again gives the same tenant.
pub(crate) fn derived_id(original: &str, document: &Map<String, Value>) -> String {
    seeded_id(&format!("{original} {}", Value::Object(document.clone())))
}

fn seeded_id(text: &str) -> String {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, text).hash(&mut hasher);
        hasher.finish().to_be_bytes()
    };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&half(1));
    bytes[8..].copy_from_slice(&half(2));
    ambient::id_from(bytes)
}
