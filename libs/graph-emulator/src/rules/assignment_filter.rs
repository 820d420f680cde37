//! Assignment filters: a rule in parentheses, and no delete while an assignment uses the filter.

use serde_json::Value;

use crate::call::Refusal;
use crate::object::Object;
use crate::scene::Scene;

pub(crate) fn check(scene: &Scene<'_>, object: &Object) -> Result<(), Refusal> {
    let rule = object.text("rule").unwrap_or_default();
    let open = rule.matches('(').count();
    if open == 0 || open != rule.matches(')').count() {
        return Err(scene.refuse("The filter rule is not valid: an expression in parentheses is expected."));
    }
    Ok(())
}

pub(crate) fn check_unused(scene: &Scene<'_>, object: &Object) -> Result<(), Refusal> {
    let uses = |assignment: &Value| {
        let filter = assignment.pointer("/target/deviceAndAppManagementAssignmentFilterId").and_then(Value::as_str);
        filter.is_some_and(|filter| filter.eq_ignore_ascii_case(&object.id))
    };
    match scene.tenant.everything().iter().find(|held| held.assignments.iter().any(uses)) {
        Some(policy) => Err(scene.refuse(&format!("The filter is in use by {} {}.", policy.kind, policy.id))),
        None => Ok(()),
    }
}
