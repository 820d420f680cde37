//! Assignments. `/assign` replaces the whole set and its body's key differs by type; types without it take one target at a
//! time.

use domain::contract::{AssignmentStyle, Assignments, Contract};
use domain::payload::Payload;
use reqwest::Method;
use serde_json::{Value, json};

use super::replace;
use crate::client::{Call, Client, Refusal};
use crate::error::GraphError;
use crate::path::Path;

/// Writes the payload's assignments, if it carries any statement about them.
pub(super) async fn assign(
    client: &Client,
    contract: &Contract,
    object: &Path,
    payload: &Payload,
    fresh: bool,
) -> Result<(), GraphError> {
    let (Some(rule), Some(wanted)) = (&contract.assignments, &payload.assignments) else { return Ok(()) };
    match rule.style {
        AssignmentStyle::Replace => {
            let body = json!({ rule.body_key.as_str(): wanted });
            replace(client, &object.below(&rule.path, &[]), &body, &rule.success, fresh).await
        }
        AssignmentStyle::OneByOne => one_by_one(client, rule, object, wanted, fresh).await,
    }
}

/// Adds what is missing before it takes away what is too many, so that nobody is without the policy in between.
async fn one_by_one(
    client: &Client,
    rule: &Assignments,
    object: &Path,
    wanted: &[Value],
    fresh: bool,
) -> Result<(), GraphError> {
    let collection = object.below(&rule.path, &[]);
    let present = if fresh { Vec::new() } else { client.list(&collection).await? };
    for missing in wanted.iter().filter(|wanted| !present.iter().any(|present| same_target(present, wanted))) {
        client
            .call(&Call::write(Method::POST, &collection, missing).settling(fresh))
            .await
            .map_err(Refusal::into_error)?;
    }
    for surplus in present.iter().filter(|present| !wanted.iter().any(|wanted| same_target(present, wanted))) {
        let Some(id) = surplus.get("id").and_then(Value::as_str) else { continue };
        let place = collection.below("{id}", &[("id", id)]);
        client.call(&Call::delete(&place)).await.map_err(Refusal::into_error)?;
    }
    Ok(())
}

/// Equal type, group and collection: what the server adds (`source`, filter defaults) says nothing about the target.
fn same_target(present: &Value, wanted: &Value) -> bool {
    let field = |assignment: &Value, name: &str| {
        let value = assignment.get("target").and_then(|target| target.get(name));
        value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_ascii_lowercase)
    };
    let filter = |assignment: &Value| {
        let id = field(assignment, "deviceAndAppManagementAssignmentFilterId")?;
        let kind = field(assignment, "deviceAndAppManagementAssignmentFilterType")?;
        (kind != "none" && id != "00000000-0000-0000-0000-000000000000").then_some((id, kind))
    };
    ["@odata.type", "groupId", "collectionId"].iter().all(|name| field(present, name) == field(wanted, name))
        && filter(present) == filter(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_compared_without_what_the_server_adds() {
        let zero = "00000000-0000-0000-0000-000000000000";
        let group =
            |id: &str| json!({"target": {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": id}});
        let read = json!({"id": "x", "source": "direct", "target": {
            "@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": "A",
            "deviceAndAppManagementAssignmentFilterId": zero, "deviceAndAppManagementAssignmentFilterType": "none"}});
        assert!(same_target(&read, &group("a")));
        assert!(!same_target(&read, &group("b")));
        let mut filtered = group("a");
        filtered["target"]["deviceAndAppManagementAssignmentFilterId"] = "f".into();
        filtered["target"]["deviceAndAppManagementAssignmentFilterType"] = "include".into();
        assert!(!same_target(&read, &filtered));
    }
}
