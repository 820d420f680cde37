//! The hash by which captured content is addressed: did anything change that somebody meant?

use serde_json::{Map, Value};

use crate::contract::Contract;
use crate::id::Hash;
use crate::json::{canonical, canonical_hash, canonical_number};
use crate::normal_form::{is_annotation, is_common_noise, is_secret_setting};

/// The hash of an object's raw content without annotations, server-owned fields and secret tokens, which are different
/// at every read. Assignments are content here, in no order. Unlike the normal form's hash it needs no names and keeps
/// the order of collections, so it says whether *this* object changed, not whether two mean the same.
pub fn content_hash(contract: &Contract, raw: &Value) -> Hash {
    let mut content = quiet(raw, true);
    contract.strip.iter().for_each(|path| path.remove(&mut content));
    for rule in &contract.secrets {
        rule.path.for_each_mut(&mut content, &mut |value| *value = Value::Bool(true));
    }
    if let Some(Value::Array(assignments)) = content.get_mut("assignments") {
        assignments.sort_by_cached_key(canonical);
    }
    canonical_hash(&content)
}

fn quiet(value: &Value, top_level: bool) -> Value {
    match value {
        Value::Number(number) => Value::Number(canonical_number(number)),
        Value::Array(elements) => elements.iter().map(|element| quiet(element, false)).collect(),
        Value::Object(fields) => {
            let is_secret = is_secret_setting(fields);
            let mut kept = Map::new();
            for (key, field) in fields.iter().filter(|(key, _)| is_content(key, top_level)) {
                let secret = is_secret && (key == "value" || key == "valueState");
                kept.insert(key.clone(), if secret { Value::Bool(true) } else { quiet(field, false) });
            }
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

fn is_content(key: &str, top_level: bool) -> bool {
    let bind = key.ends_with("@odata.bind");
    (bind || !is_annotation(key)) && (key == "assignments" || !is_common_noise(key, top_level))
}
