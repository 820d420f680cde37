//! PowerShell's `ConvertTo-Json` writes an array of one as its only element; exports are full of it.

use std::borrow::Cow;

use serde_json::Value;

use super::mark::marked;
use crate::contract::{Contract, RuleBook};

/// The object with an array wherever the contract's rules expect one.
pub(crate) fn straighten<'v>(contract: &Contract, raw: &'v Value) -> Cow<'v, Value> {
    let mut straight = Cow::Borrowed(raw);
    for array in RuleBook::new(contract).arrays() {
        if array.values(&straight).into_iter().any(is_unrolled) {
            array.for_each_mut(straight.to_mut(), &mut |value| {
                if is_unrolled(value) {
                    *value = Value::Array(vec![value.take()]);
                }
            });
        }
    }
    straight
}

fn is_unrolled(value: &Value) -> bool {
    !value.is_array() && !value.is_null() && !matches!(marked(value), Some(("$secret", _)))
}
