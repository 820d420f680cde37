//! Assignments for the target: only what was assigned directly, groups and filters by name.

use serde_json::{Map, Value};

use super::Obstacle;
use super::map::Names;
use crate::contract::Assignments;
use crate::json::is_folded;
use crate::normal_form::{direct_assignments, filter_rule, group_rule, has_filter, is_annotation};

const GROUP: &str = "groupId";
const FILTER: &str = "deviceAndAppManagementAssignmentFilterId";
const FILTER_TYPE: &str = "deviceAndAppManagementAssignmentFilterType";

pub(super) fn assign(rule: &Assignments, raw: &Value, names: &Names<'_>, obstacles: &mut Vec<Obstacle>) -> Vec<Value> {
    let mut all = Vec::new();
    for one in direct_assignments(raw) {
        let mut safe = Map::new();
        if let Some(target) = one.get("target").and_then(Value::as_object) {
            safe.insert("target".to_owned(), Value::Object(self::target(target, names, obstacles)));
        }
        for key in &rule.keep {
            if let Some(value) = one.get(key).filter(|value| !value.is_null()) {
                safe.insert(key.clone(), without_annotations(value));
            }
        }
        let safe = Value::Object(safe);
        // The same target twice in one set is refused by Graph (DSC #3058).
        if !all.contains(&safe) {
            all.push(safe);
        }
    }
    all
}

fn target(target: &Map<String, Value>, names: &Names<'_>, obstacles: &mut Vec<Obstacle>) -> Map<String, Value> {
    let mut safe = Map::new();
    for (key, value) in target.iter().filter(|(key, value)| !is_annotation(key) && !is_folded(value)) {
        let rule = match key.as_str() {
            GROUP => Some(group_rule()),
            FILTER | FILTER_TYPE if !has_filter(target) => continue,
            FILTER => Some(filter_rule()),
            _ => None,
        };
        let carried = rule.map(|rule| names.carry(&rule, value, rule.path.as_str()));
        match carried {
            None | Some(Ok(None)) => drop(safe.insert(key.clone(), without_annotations(value))),
            Some(Ok(Some(id))) => drop(safe.insert(key.clone(), id.into())),
            Some(Err(obstacle)) => obstacles.push(*obstacle),
        }
    }
    safe
}

fn without_annotations(value: &Value) -> Value {
    match value {
        Value::Array(elements) => elements.iter().map(without_annotations).collect(),
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(key, value)| !is_annotation(key) && !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_annotations(value))).collect())
        }
        other => other.clone(),
    }
}
