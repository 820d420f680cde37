//! Compliance: what happens to a device that does not comply. Part of a create, never of an update.

use serde_json::{Map, Value, json};

use crate::ambient;
use crate::call::{Refusal, Reply};
use crate::kinds::RuleName;
use crate::object::Object;
use crate::odata::path::{self, Segment};
use crate::outcome::Outcome;
use crate::scene::{Scene, Verb};

const CHILD: &str = "scheduledActionsForRule";
const ACTIONS: &str = "scheduledActionConfigurations";

pub(crate) fn check(scene: &Scene<'_>, verb: Verb, object: &mut Object) -> Result<(), Refusal> {
    if verb == Verb::Patch {
        return Ok(());
    }
    let sent = object.children.remove(CHILD).unwrap_or_default();
    let rules = adopt(scene, &object.id, sent)?;
    object.children.insert(CHILD.into(), rules);
    Ok(())
}

/// Checks the rules of a body and gives them ids. The service keeps one rule per policy, under the policy's own id and without a
/// name. Most clients send the name `PasswordRequired`; IntuneCD creates with null, so it cannot be required.
fn adopt(scene: &Scene<'_>, policy: &str, sent: Vec<Value>) -> Result<Vec<Value>, Refusal> {
    let mut configurations = Vec::new();
    for rule in sent {
        let Some(Value::Array(actions)) = rule.get(ACTIONS) else {
            return Err(scene.refuse(&format!("Property {ACTIONS} in payload is required and must not be empty.")));
        };
        if actions.is_empty() {
            return Err(scene.refuse(&format!("Property {ACTIONS} in payload is required and must not be empty.")));
        }
        for action in actions {
            configurations.push(adopt_action(scene, action)?);
        }
    }
    let blocks = configurations.iter().filter(|action| action.get("actionType") == Some(&json!("block"))).count();
    if blocks == 0 {
        return Err(scene.refuse("A compliance policy must have an action of type block."));
    }
    Ok(vec![json!({"id": policy, "ruleName": null, ACTIONS: configurations})])
}

fn adopt_action(scene: &Scene<'_>, action: &Value) -> Result<Value, Refusal> {
    let mut action: Map<String, Value> = action.as_object().cloned().unwrap_or_default();
    action.remove("@odata.type");
    let template = action.get("notificationTemplateId").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !template.is_empty() && !ambient::is_zero(&template) && !scene.has("notificationMessageTemplate", &template) {
        return Err(scene.refuse(&format!("Notification message template {template} was not found.")));
    }
    let copies = action.get("notificationMessageCCList").and_then(Value::as_array).into_iter().flatten();
    if let Some(group) = copies.filter_map(Value::as_str).find(|id| !scene.has("group", id)) {
        return Err(scene.refuse(&format!("Group {group} in notificationMessageCCList was not found.")));
    }
    if action.get("actionType").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(scene.refuse("Property actionType in payload is required and must not be empty."));
    }
    action.insert("id".into(), json!(ambient::id()));
    action.entry("gracePeriodHours").or_insert(json!(0));
    if template.is_empty() {
        action.insert("notificationTemplateId".into(), json!("00000000-0000-0000-0000-000000000000"));
    }
    action.entry("notificationMessageCCList").or_insert(json!([]));
    Ok(Value::Object(action))
}

/// `scheduleActionsForRules` and, for Linux, `setScheduledActions`: both replace what is there.
pub(crate) fn act(scene: &Scene<'_>, object: &Object, rest: &[Segment]) -> Option<Result<Outcome, Refusal>> {
    let (action, key) = if scene.kind.has(RuleName::ScheduledActions) {
        ("scheduleActionsForRules", "deviceComplianceScheduledActionForRules")
    } else {
        ("setScheduledActions", "scheduledActions")
    };
    if !matches!(path::names(rest).as_slice(), [name] if name.eq_ignore_ascii_case(action)) {
        return None;
    }
    if scene.call.method != http::Method::POST {
        return Some(Err(Refusal::method()));
    }
    Some(scene.call.list(key).and_then(|sent| {
        let mut changed = object.clone();
        changed.children.insert(CHILD.into(), adopt(scene, &object.id, sent)?);
        scene.stamp_changed(&mut changed);
        Ok(Outcome::put(changed, Reply::empty(200)))
    }))
}
