//! Conditional Access: references must exist now (a location made a moment ago may not be there yet), and some values are refused
//! although reads answer them.

use serde_json::{Value, json};

use crate::call::Refusal;
use crate::object::Object;
use crate::scene::Scene;

/// Words that stand where ids stand.
const LOCATION_WORDS: &[&str] = &["All", "AllTrusted", "00000000-0000-0000-0000-000000000000"];
const USER_LISTS: &[&str] =
    &["includeUsers", "excludeUsers", "includeGroups", "excludeGroups", "includeRoles", "excludeRoles"];

pub(crate) fn check(scene: &Scene<'_>, object: &Object) -> Result<(), Refusal> {
    if !matches!(object.text("state"), Some("enabled" | "disabled" | "enabledForReportingButNotEnforced")) {
        return Err(Refusal::bad_request("1011: Policy state is not valid."));
    }
    let conditions = object.body.get("conditions").unwrap_or(&Value::Null);
    for name in ["applications", "users"] {
        let missing = conditions.get(name).is_none_or(Value::is_null);
        if missing && !(name == "users" && conditions.get("clientApplications").is_some_and(Value::is_object)) {
            return Err(scene.refuse(&format!("1007: Incoming ConditionalAccessPolicy object is null or does not match the schema: conditions.{name} is required.")));
        }
    }
    let users = conditions.get("users").unwrap_or(&Value::Null);
    if let Some(name) = USER_LISTS.iter().find(|name| users.get(**name).is_some_and(Value::is_null)) {
        return Err(scene.refuse(&format!("1007: conditions.users.{name} must not be null.")));
    }
    if object.body.get("sessionControls").and_then(|it| it.get("disableResilienceDefaults")) == Some(&json!(false)) {
        return Err(scene.refuse("1086: disableResilienceDefaults can only be true or null."));
    }
    let controls = ["grantControls", "sessionControls"].map(|name| object.body.get(name).is_some_and(Value::is_object));
    if controls == [false, false] {
        return Err(scene.refuse("1008: A policy must have grant controls or session controls."));
    }
    check_references(scene, object, users)
}

fn check_references(scene: &Scene<'_>, object: &Object, users: &Value) -> Result<(), Refusal> {
    for location in locations(object) {
        if !LOCATION_WORDS.contains(&location) && !scene.has("namedLocation", location) {
            return Err(
                scene.refuse(&format!("1040: NamedLocation with id {location} does not exist in the directory."))
            );
        }
    }
    let groups =
        ["includeGroups", "excludeGroups"].iter().filter_map(|name| users.get(*name)).filter_map(Value::as_array);
    if let Some(group) = groups.flatten().filter_map(Value::as_str).find(|id| !scene.has("group", id)) {
        return Err(
            scene.refuse(&format!("1020: Policy contains invalid groups: {group} does not exist in the directory."))
        );
    }
    match object.body.get("grantControls").and_then(|it| it.get("authenticationStrength")) {
        Some(Value::Object(strength)) if strength.keys().any(|key| key != "id" && key != "@odata.type") => {
            Err(scene.refuse("1033: authenticationStrength must be given by its id alone."))
        }
        _ => Ok(()),
    }
}

/// The named locations of a policy.
pub(crate) fn locations(policy: &Object) -> Vec<&str> {
    let held = policy.body.get("conditions").and_then(|it| it.get("locations"));
    ["includeLocations", "excludeLocations"]
        .iter()
        .filter_map(|name| held?.get(*name)?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}
