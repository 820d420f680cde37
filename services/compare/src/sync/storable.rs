//! What the database can keep of an observed object.

use domain::observe::Observation;
use serde_json::Value;

/// The most bytes of a subject key (constraint `item_subject_key_length`: an index entry holds no more).
const MAX_SUBJECT_KEY_BYTES: usize = 2_000;

/// Whether an object can be stored. What cannot is counted, and does not take the others of its page down with it.
pub(super) fn is_storable(raw: &Value, observed: &Observation) -> bool {
    observed.subject_key.as_str().len() <= MAX_SUBJECT_KEY_BYTES && !holds_nul(raw)
}

/// PostgreSQL keeps every text but one with a NUL in it.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(elements) => elements.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(key, field)| key.contains('\0') || holds_nul(field)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_nul_is_found_wherever_it_is() {
        for value in [json!("a\0"), json!([1, ["\0"]]), json!({"a": {"b\0": 1}}), json!({"a": "\0"})] {
            assert!(holds_nul(&value), "{value}");
        }
        assert!(!holds_nul(&json!({"a": ["b", 1, null, {"c": "\n"}]})));
    }

    #[test]
    fn an_endless_name_is_not_stored() {
        let contract = graph::registry().get("roleScopeTag").unwrap();
        let observed = |name: &str| {
            let raw = json!({"id": "1", "displayName": name});
            let observed = domain::observe::observe(contract, &raw, &domain::reference::NameTable::new()).unwrap();
            is_storable(&raw, &observed)
        };
        assert!(observed("Pilot"));
        assert!(!observed(&"x".repeat(2_001)));
    }
}
