//! The canonical spelling of a JSON value: keys sorted, no white space, one form per number.

use serde_json::{Number, Value};

use crate::id::Hash;

/// Integers up to here are exact in a JSON number of any reader (2^53).
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Writes `value` with sorted keys, no white space and canonical numbers. Two values that are equal as JSON (key order
/// apart, `1.0` the same as `1`) have the same canonical text.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// SHA-256 of the canonical text.
pub fn canonical_hash(value: &Value) -> Hash {
    Hash::of(canonical(value))
}

/// The number in its one form: an integral float becomes an integer, everything else stays.
///
/// Graph's serialisers flip between `1` and `1.0` for the same property.
pub fn canonical_number(number: &Number) -> Number {
    if number.is_i64() || number.is_u64() {
        return number.clone();
    }
    match number.as_f64() {
        Some(float) if float.fract() == 0.0 && float.abs() <= EXACT => Number::from(float as i64),
        _ => number.clone(),
    }
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&canonical_number(number).to_string()),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            // Sorted here and not left to the map's own order, which a feature flag anywhere in the tree could change.
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (position, (key, field)) in fields.into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write(field, out);
            }
            out.push('}');
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if (control as u32) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", control as u32));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_spelling_per_value() {
        for (value, text) in [
            (json!({"b": 1, "a": [true, null, "x"]}), r#"{"a":[true,null,"x"],"b":1}"#),
            (json!({"n": 1.0, "m": -0.0, "f": 0.5}), r#"{"f":0.5,"m":0,"n":1}"#),
            (json!(18_446_744_073_709_551_615u64), "18446744073709551615"),
            (json!("a\"\\\n\u{1}é"), r#""a\"\\\n\u0001é""#),
            (json!({}), "{}"),
        ] {
            assert_eq!(canonical(&value), text);
            assert_eq!(serde_json::from_str::<Value>(&canonical(&value)).map(|v| canonical(&v)).unwrap(), text);
        }
    }
}
