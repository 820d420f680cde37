//! The facts that preflight decides by.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Invalid, SubjectFacts};
use crate::contract::{Child, Contract};
use crate::json::{get, is_folded};
use crate::normal_form::{AssignmentsForm, NormalForm};

pub(super) fn facts(
    contract: &Contract,
    raw: &Value,
    content: &NormalForm,
    assignments: &AssignmentsForm,
) -> SubjectFacts {
    SubjectFacts {
        references: content.references.clone(),
        assignment_references: assignments.references.clone(),
        secrets: content.secrets.clone(),
        immutable: immutable(contract, &content.value),
        provider_default: contract.provider_default.iter().any(|test| test.holds(raw)),
        invalid: invalid(contract, raw),
        complete: contract.children.iter().all(|child| is_complete(child, raw)),
    }
}

fn immutable(contract: &Contract, normal: &Value) -> BTreeMap<String, Value> {
    let value = |path: &crate::json::Path| match path.values(normal).as_slice() {
        [] => None,
        [one] => Some((*one).clone()),
        many => Some(many.iter().map(|value| (*value).clone()).collect()),
    };
    contract.immutable.iter().filter_map(|path| Some((path.as_str().to_owned(), value(path)?))).collect()
}

fn invalid(contract: &Contract, raw: &Value) -> Vec<Invalid> {
    let fault = |path: &str, why: &str| Invalid { path: path.to_owned(), why: why.to_owned() };
    let nameless = get_text(raw, &contract.name_field).is_none();
    let name = nameless.then(|| fault(&contract.name_field, "The policy has no name."));
    let missing = contract.required.iter().filter(|path| path.values(raw).into_iter().all(is_folded));
    let missing = missing.map(|path| fault(path.as_str(), &format!("{path} is required and has no value.")));
    let applying = contract.valid.iter().filter(|rule| rule.when.iter().all(|test| test.holds(raw)));
    let broken = applying.filter(|rule| !rule.test.holds(raw)).map(|rule| fault(rule.test.path.as_str(), &rule.why));
    name.into_iter().chain(missing).chain(broken).collect()
}

fn get_text<'v>(raw: &'v Value, field: &str) -> Option<&'v str> {
    raw.get(field).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// A child with a count is complete when that many elements were read. Truncated reads are the most common fault of
/// tools of this kind (GRAPH section 2, paging), so a difference either way is not trusted.
fn is_complete(child: &Child, raw: &Value) -> bool {
    let Some(count) = child.count_field.as_ref().and_then(|path| get(path, raw)).and_then(Value::as_f64) else {
        return true;
    };
    let read = match raw.get(&child.field) {
        Some(Value::Array(elements)) => elements.len(),
        Some(Value::Object(_)) => 1,
        _ => 0,
    };
    count == read as f64
}
