//! Protobuf's JSON objects as JSON.

use prost_types::value::Kind;
use serde_json::{Number, Value};

/// A struct as JSON; whole numbers come out as integers, as they were put in.
pub fn of_struct(object: &prost_types::Struct) -> Value {
    Value::Object(object.fields.iter().map(|(name, value)| (name.clone(), of_value(value))).collect())
}

fn of_value(value: &prost_types::Value) -> Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(*value),
        Some(Kind::NumberValue(value)) => number(*value),
        Some(Kind::StringValue(value)) => Value::String(value.clone()),
        Some(Kind::ListValue(list)) => Value::Array(list.values.iter().map(of_value).collect()),
        Some(Kind::StructValue(object)) => of_struct(object),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "only what has no fraction and fits is cast")]
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        return Value::Number((value as i64).into());
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}
