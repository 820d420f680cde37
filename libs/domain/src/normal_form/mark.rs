//! The markers of a normal form.

use serde_json::{Value, json};

const MARKERS: &[&str] = &["$ref", "$link", "$secret", "$text", "$json", "$plist", "$bytes"];

/// The marker's name and what it holds, when `value` is one.
pub fn marked(value: &Value) -> Option<(&str, &Value)> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    let (key, inner) = fields.iter().next()?;
    MARKERS.contains(&key.as_str()).then_some((key.as_str(), inner))
}

/// True when the value is a secret's marker.
pub fn is_secret(value: &Value) -> bool {
    matches!(marked(value), Some(("$secret", _)))
}

/// What stands in place of a secret.
pub(crate) fn secret() -> Value {
    json!({ "$secret": true })
}

/// A short text for a value in normal form, for labels.
pub(super) fn plain(value: &Value) -> String {
    match (value, marked(value)) {
        (Value::String(text), _) => text.clone(),
        (_, Some(("$ref", reference))) => {
            let word = ["name", "unresolved"].into_iter().find_map(|key| reference.get(key)).and_then(Value::as_str);
            word.unwrap_or_default().to_owned()
        }
        (_, Some((_, Value::String(inner)))) => inner.clone(),
        _ => crate::json::canonical(value),
    }
}
