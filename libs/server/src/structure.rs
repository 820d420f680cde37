//! JSON objects as `google.protobuf.Struct` and back: how contexts, plans and details travel.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::{Map, Number};

use crate::failure::Failure;

/// A JSON object as a message.
///
/// # Errors
/// INTERNAL for anything but an object: what is sent as a Struct is built by our own code.
pub fn to_struct(value: &serde_json::Value) -> Result<Struct, Failure> {
    match value {
        serde_json::Value::Object(fields) => Ok(object(fields)),
        _ => Err(Failure::internal("only a JSON object can travel as google.protobuf.Struct")),
    }
}

/// The JSON object of a message. Whole numbers come back as integers: the wire knows doubles only.
pub fn from_struct(message: &Struct) -> serde_json::Value {
    serde_json::Value::Object(message.fields.iter().map(|(key, value)| (key.clone(), json(value))).collect())
}

fn object(fields: &Map<String, serde_json::Value>) -> Struct {
    Struct { fields: fields.iter().map(|(key, value)| (key.clone(), message(value))).collect() }
}

fn message(value: &serde_json::Value) -> Value {
    let kind = match value {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(value) => Kind::BoolValue(*value),
        serde_json::Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(value) => Kind::StringValue(value.clone()),
        serde_json::Value::Array(values) => Kind::ListValue(ListValue { values: values.iter().map(message).collect() }),
        serde_json::Value::Object(fields) => Kind::StructValue(object(fields)),
    };
    Value { kind: Some(kind) }
}

/// Beyond this a double no longer counts by ones.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

fn json(value: &Value) -> serde_json::Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => serde_json::Value::Null,
        Some(Kind::BoolValue(value)) => (*value).into(),
        Some(Kind::NumberValue(value)) if value.fract() == 0.0 && value.abs() <= LARGEST_EXACT => {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within what a double counts exactly")]
            let whole = *value as i64;
            whole.into()
        }
        Some(Kind::NumberValue(value)) => Number::from_f64(*value).map_or(serde_json::Value::Null, Into::into),
        Some(Kind::StringValue(value)) => value.clone().into(),
        Some(Kind::ListValue(list)) => list.values.iter().map(json).collect(),
        Some(Kind::StructValue(fields)) => from_struct(fields),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_goes_out_comes_back() {
        let value = json!({"a": null, "b": true, "n": 42, "f": 1.5, "s": "x", "l": [1, {"k": "v"}], "o": {}});
        assert_eq!(from_struct(&to_struct(&value).unwrap()), value);
    }

    #[test]
    fn only_objects_travel() {
        assert!(to_struct(&json!([1])).is_err());
    }
}
