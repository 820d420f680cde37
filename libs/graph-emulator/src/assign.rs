//! `POST /{id}/assign`: replaces the whole set of assignments.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::ambient;
use crate::call::{Refusal, Reply};
use crate::object::Object;
use crate::odata::json;
use crate::outcome::Outcome;
use crate::present;
use crate::scene::Scene;

/// Virtual groups behind "all users" and "all devices", as assignment ids name them.
const ALL_USERS: &str = "acacacac-9df4-4c7d-9d50-4ef0226f57a9";
const ALL_DEVICES: &str = "adadadad-808e-44e2-905a-0b7873a8a531";

const FILTER_ID: &str = "deviceAndAppManagementAssignmentFilterId";
const FILTER_TYPE: &str = "deviceAndAppManagementAssignmentFilterType";

pub(crate) fn assign(scene: &Scene<'_>, object: &Object) -> Result<Outcome, Refusal> {
    let Some(how) = &scene.kind.assign else { return Err(Refusal::segment("assign")) };
    let sent = scene.call.list(&how.key)?;
    let mut changed = object.clone();
    changed.assignments = sent.iter().map(|item| stored(scene, object, item)).collect::<Result<_, _>>()?;
    let mut seen = HashSet::new();
    for item in &changed.assignments {
        let id = item.get("id").and_then(Value::as_str).unwrap_or_default();
        if !seen.insert(id.to_owned()) {
            return Err(scene.refuse(&format!("The assignment {id} is contained more than once.")));
        }
    }
    let mut reply = Reply::empty(how.code);
    if how.echo {
        let mut body = Map::new();
        body.insert("value".into(), json!(present::assignments(scene, &changed)));
        let fragment = format!("{}('{}')/assignments", scene.kind.path, object.id);
        scene.call.context(&mut body, &fragment);
        reply = Reply::new(how.code, Value::Object(body));
    }
    Ok(Outcome::put(changed, reply))
}

/// An assignment as it is kept: checked, with an id that its target determines.
fn stored(scene: &Scene<'_>, object: &Object, item: &Value) -> Result<Value, Refusal> {
    let mut item: Map<String, Value> = item.as_object().cloned().unwrap_or_default();
    let Some(Value::Object(mut target)) = item.remove("target") else {
        return Err(Refusal::bad_request("Each assignment must have a target."));
    };
    let kind = json::type_of(&target).unwrap_or_default().to_owned();
    let group = target.get("groupId").and_then(Value::as_str).unwrap_or_default().to_owned();
    let key = match kind.as_str() {
        "groupAssignmentTarget" | "exclusionGroupAssignmentTarget" => {
            if !scene.has("group", &group) {
                return Err(scene.refuse(&format!("Group {group} was not found.")));
            }
            group
        }
        "allLicensedUsersAssignmentTarget" => ALL_USERS.to_owned(),
        "allDevicesAssignmentTarget" => ALL_DEVICES.to_owned(),
        "configurationManagerCollectionAssignmentTarget" => {
            target.get("collectionId").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        "" => {
            return Err(Refusal::bad_request(
                "Cannot create an abstract type 'deviceAndAppManagementAssignmentTarget': the property '@odata.type' is required.",
            ));
        }
        other => {
            return Err(Refusal::bad_request(&format!(
                "The type 'microsoft.graph.{other}' is not assignable to 'microsoft.graph.deviceAndAppManagementAssignmentTarget'."
            )));
        }
    };
    check_filter(scene, &kind, &mut target)?;
    for annotation in ["@odata.type", "sourceId"] {
        item.remove(annotation);
    }
    item.insert("id".into(), json!(format!("{}_{key}", object.id)));
    item.insert("source".into(), json!("direct"));
    item.insert("sourceId".into(), json!(object.id));
    item.insert("target".into(), Value::Object(target));
    Ok(Value::Object(item))
}

/// A filter must exist here, fits no exclusion, and "none" has one stored form whatever form was sent.
fn check_filter(scene: &Scene<'_>, kind: &str, target: &mut Map<String, Value>) -> Result<(), Refusal> {
    let id = target.get(FILTER_ID).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mode = target.get(FILTER_TYPE).and_then(Value::as_str).unwrap_or("none").to_owned();
    if id.is_empty() || ambient::is_zero(&id) || mode == "none" {
        target.insert(FILTER_ID.into(), Value::Null);
        target.insert(FILTER_TYPE.into(), json!("none"));
        return Ok(());
    }
    if kind == "exclusionGroupAssignmentTarget" {
        return Err(scene.refuse("Assignment filters are not supported on exclusion targets."));
    }
    if !scene.has("assignmentFilter", &id) {
        return Err(scene.refuse(&format!("Scope Tags validation failed : Filters {id} were not found.")));
    }
    Ok(())
}
