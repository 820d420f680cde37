//! ADMX values: one action adds, updates and deletes. All that are there are deleted and all that are wanted are added, in the
//! same request, so that the policy is never seen empty and a half-known past does not matter.

use domain::contract::{Contract, FollowUp};
use reqwest::Method;
use serde_json::{Value, json};

use super::{body, expected};
use crate::client::{Call, Client, Refusal};
use crate::error::GraphError;
use crate::path::Path;

/// Replaces the definition values of `object` by `wanted`.
pub(super) async fn replace(
    client: &Client,
    contract: &Contract,
    follow_up: &FollowUp,
    object: &Path,
    wanted: Vec<Value>,
    fresh: bool,
) -> Result<(), GraphError> {
    // Read now, not taken from the caller: an earlier attempt may have left values it does not know.
    let present = if fresh { Vec::new() } else { client.list(&object.below(&follow_up.field, &[])).await? };
    let deleted: Vec<&str> = present.iter().filter_map(|value| value.get("id")?.as_str()).collect();
    if deleted.is_empty() && wanted.is_empty() {
        return Ok(());
    }
    let mut body = json!({ "added": wanted, "updated": [], "deletedIds": deleted });
    body::make_binds_absolute(&mut body, client, contract);
    let path = object.below(&follow_up.path, &[]);
    let answer =
        client.call(&Call::write(Method::POST, &path, &body).settling(fresh)).await.map_err(Refusal::into_error)?;
    expected(&answer, &follow_up.success)
}
