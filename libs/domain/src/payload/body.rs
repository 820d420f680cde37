//! The bodies a payload is sent as: what a verb's body leaves out, and what a merge must say to remove.

use serde_json::{Value, json};

use super::Payload;
use crate::contract::{Contract, UpdateMethod, Write};
use crate::json::{Path, is_folded};
use crate::normal_form::{is_annotation, is_common_noise};

impl Payload {
    /// The body that creates the object.
    pub fn create_body(&self, contract: &Contract) -> Value {
        let mut body = self.content.clone();
        if let Some(write) = &contract.write {
            omit(&mut body, &write.create.omit);
            if let Some(follow_up) = write.follow_up.as_ref().filter(|follow_up| follow_up.on_create) {
                remove_field(&mut body, &follow_up.field);
            }
        }
        body
    }

    /// The body that makes the object `current_raw` of the target say what the payload says.
    ///
    /// PUT replaces, so what the source lacks is gone by itself. PATCH leaves alone what it does not name, so top-level
    /// properties that the target has and the source lacks are named: as `[]` for collections, else as null.
    pub fn update_body(&self, contract: &Contract, current_raw: &Value) -> Value {
        let mut body = self.content.clone();
        let Some(write) = &contract.write else { return body };
        if write.update.method == UpdateMethod::Patch {
            clear_surplus(contract, write, &mut body, current_raw);
        }
        omit(&mut body, &write.update.omit);
        if let Some(follow_up) = &write.follow_up {
            remove_field(&mut body, &follow_up.field);
        }
        body
    }

    /// What the follow-up request carries, an empty array when the content has none; `None` for types that are written
    /// whole.
    pub fn follow_up(&self, contract: &Contract) -> Option<Value> {
        let follow_up = contract.write.as_ref()?.follow_up.as_ref()?;
        Some(self.content.get(&follow_up.field).cloned().unwrap_or_else(|| json!([])))
    }
}

fn clear_surplus(contract: &Contract, write: &Write, body: &mut Value, current_raw: &Value) {
    let (Value::Object(body), Some(current)) = (body, current_raw.as_object()) else { return };
    let followed = write.follow_up.as_ref().map(|follow_up| follow_up.field.as_str());
    let child = |key: &str| contract.children.iter().any(|child| child.field == key);
    let stripped = |key: &str| contract.strip.iter().any(|path| path.single_field() == Some(key));
    let default = |key: &str, value: &Value| {
        contract.defaults.iter().any(|rule| rule.path.single_field() == Some(key) && rule.value == *value)
    };
    for (key, value) in current {
        let ours = !is_annotation(key) && key != "@odata.type" && !is_common_noise(key, true) && !stripped(key);
        let travels_here = followed != Some(key.as_str()) && !child(key);
        let bound = body.contains_key(&format!("{key}@odata.bind"));
        if ours && travels_here && !bound && !body.contains_key(key) && !is_folded(value) && !default(key, value) {
            body.insert(key.clone(), cleared(key, value));
        }
    }
}

/// How an absent property is written. Scope tags can never be empty: none means Default.
fn cleared(key: &str, value: &Value) -> Value {
    match (key, value) {
        ("roleScopeTagIds" | "roleScopeTags", _) => json!(["0"]),
        (_, Value::Array(_)) => json!([]),
        _ => Value::Null,
    }
}

fn omit(body: &mut Value, paths: &[Path]) {
    paths.iter().for_each(|path| path.remove(body));
}

fn remove_field(body: &mut Value, field: &str) {
    if let Value::Object(fields) = body {
        fields.remove(field);
    }
}
