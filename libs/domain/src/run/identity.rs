//! When two requests ask for the same run.

use std::collections::BTreeMap;

use serde_json::json;

use crate::id::{Hash, WorkspaceId};
use crate::run::RunType;

/// SHA-256 over what makes a run the run it is: its workspace, its type, and the parts that the type names (a
/// promotion: source, target, selection, plan; a scheduled backup: schedule and intended fire time).
///
/// The order of the parts does not matter and neither does where one ends and the next begins: they are hashed as
/// canonical JSON with sorted keys. What the hash is compared with depends on the type's
/// [`IdentityRule`](crate::run::IdentityRule); a type that is unique per click adds its request id as a part.
pub fn identity_hash<'a>(
    workspace: WorkspaceId,
    run_type: RunType,
    parts: impl IntoIterator<Item = (&'a str, String)>,
) -> Hash {
    // The map sorts the keys, whatever features serde_json's own map is built with.
    let parts: BTreeMap<&str, String> = parts.into_iter().collect();
    Hash::of(json!([workspace, run_type.as_str(), parts]).to_string())
}
