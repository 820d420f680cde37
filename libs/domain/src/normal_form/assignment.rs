//! Assignments in their own form: compared only when a selection asks for them, and excluded from content.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::refer::reference_mark;
use super::{Referral, is_annotation, refer, sort_elements};
use crate::contract::{Contract, ReferenceRule};
use crate::id::{Hash, PolicyType};
use crate::json::{Path, canonical_hash, canonical_number, is_folded};
use crate::reference::{NameTable, Reference};

/// Virtual groups that exist in every tenant and in no directory: App protection is assigned to "all users" by the first
/// (GRAPH section 6.10).
const VIRTUAL_GROUPS: &[(&str, &str)] =
    &[("acacacac-9df4-4c7d-9d50-4ef0226f57a9", "All users"), ("adadadad-808e-44e2-905a-0b7873a8a531", "All devices")];

/// "No filter" is null, the zero guid or type `none` (GRAPH section 1.1).
const NO_FILTER: &str = "00000000-0000-0000-0000-000000000000";

/// An object's assignments across tenants.
#[derive(Debug, Clone, PartialEq)]
pub struct AssignmentsForm {
    /// A sorted array of `{"target", "group"?, "filter"?, "filterType"?, ...}`; empty when there are none.
    pub value: Value,
    /// SHA-256 of its canonical JSON.
    pub hash: Hash,
    /// Groups and filters referred to, sorted, each once.
    pub references: Vec<Reference>,
}

/// The assignments of an object. Assignments that come from a policy set belong to the set and are left out.
pub fn assignments_form(contract: &Contract, raw: &Value, names: &NameTable) -> AssignmentsForm {
    let mut references = Vec::new();
    let keep = contract.assignments.as_ref().map(|rule| rule.keep.as_slice());
    let mut forms: Vec<Value> = match keep {
        None => Vec::new(),
        Some(keep) => direct_assignments(raw).map(|one| form(one, keep, names, &mut references)).collect(),
    };
    sort_elements(&mut forms, &[]);
    forms.dedup();
    references.sort();
    references.dedup();
    let value = Value::Array(forms);
    AssignmentsForm { hash: canonical_hash(&value), value, references }
}

/// The assignments made on the object itself.
pub(crate) fn direct_assignments(raw: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    let all = match raw.get("assignments") {
        Some(Value::Array(all)) => all.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    };
    let direct = |one: &&Map<String, Value>| one.get("source").and_then(Value::as_str) != Some("policySets");
    all.iter().filter_map(Value::as_object).filter(direct)
}

/// The rule for the group of a target.
pub(crate) fn group_rule() -> ReferenceRule {
    let fixed = VIRTUAL_GROUPS.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())).collect();
    rule("assignments[].target.groupId", PolicyType::GROUP, fixed, vec![])
}

/// The rule for the filter of a target.
pub(crate) fn filter_rule() -> ReferenceRule {
    let path = "assignments[].target.deviceAndAppManagementAssignmentFilterId";
    rule(path, PolicyType::ASSIGNMENT_FILTER, BTreeMap::new(), vec![NO_FILTER.to_owned()])
}

fn rule(path: &str, kind: &str, fixed: BTreeMap<String, String>, none_values: Vec<String>) -> ReferenceRule {
    let path: Path = path.parse().expect("a constant path parses");
    ReferenceRule { path, kind: kind.into(), when: vec![], sentinels: vec![], none_values, fixed, bind: None }
}

/// True when the target has a filter that filters.
pub(crate) fn has_filter(target: &Map<String, Value>) -> bool {
    let text = |key| target.get(key).and_then(Value::as_str).unwrap_or_default();
    let id = text("deviceAndAppManagementAssignmentFilterId");
    let kind = text("deviceAndAppManagementAssignmentFilterType");
    !id.is_empty() && id != NO_FILTER && !kind.is_empty() && kind != "none"
}

fn form(one: &Map<String, Value>, keep: &[String], names: &NameTable, references: &mut Vec<Reference>) -> Value {
    let mut form = Map::new();
    let empty = Map::new();
    let target = one.get("target").and_then(Value::as_object).unwrap_or(&empty);
    let mut referred = |rule: ReferenceRule, value: &Value| match refer(&rule, value, rule.path.as_str(), names) {
        Referral::To(reference) => {
            let mark = reference_mark(&reference);
            references.push(reference);
            Some(mark)
        }
        Referral::Nothing | Referral::Word => None,
    };
    for (key, value) in target.iter().filter(|(key, value)| !is_annotation(key) && !is_folded(value)) {
        match key.as_str() {
            "@odata.type" => {
                let kind = value.as_str().unwrap_or_default();
                form.insert("target".into(), json!(kind.strip_prefix("#microsoft.graph.").unwrap_or(kind)));
            }
            "groupId" => drop(referred(group_rule(), value).map(|mark| form.insert("group".into(), mark))),
            "deviceAndAppManagementAssignmentFilterId" if has_filter(target) => {
                drop(referred(filter_rule(), value).map(|mark| form.insert("filter".into(), mark)));
            }
            "deviceAndAppManagementAssignmentFilterType" if has_filter(target) => {
                form.insert("filterType".into(), value.clone());
            }
            "deviceAndAppManagementAssignmentFilterId" | "deviceAndAppManagementAssignmentFilterType" => {}
            _ => drop(form.insert(key.clone(), plain(value))),
        }
    }
    for key in keep {
        if let Some(value) = one.get(key).map(plain).filter(|value| !is_folded(value)) {
            form.insert(key.clone(), value);
        }
    }
    Value::Object(form)
}

/// Content of an assignment without annotations and folded fields.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(canonical_number(number)),
        Value::Array(elements) => elements.iter().map(plain).filter(|value| !is_folded(value)).collect(),
        Value::Object(fields) => {
            let kept =
                fields.iter().filter(|(key, _)| !is_annotation(key)).map(|(key, value)| (key.clone(), plain(value)));
            Value::Object(kept.filter(|(_, value)| !is_folded(value)).collect())
        }
        other => other.clone(),
    }
}
