//! DirectoryService: a tenant's groups and role definitions, as last read. Lists never call the provider.
//!
//! A sync is started like any operation; [`DirectoryWork`] does it: it reads a collection page by page into its table, and what a
//! whole reading did not see leaves the table.

mod collection;
mod freshness;
mod list_directory_groups;
mod list_directory_role_definitions;
mod read_collection;
mod sync_directory_groups;
mod sync_directory_role_definitions;
mod work;

pub(crate) use collection::Collection;
pub use freshness::Freshness;
pub use list_directory_groups::{GroupsAsked, list_directory_groups};
pub use list_directory_role_definitions::{RoleDefinitionsAsked, list_directory_role_definitions};
pub use sync_directory_groups::sync_directory_groups;
pub use sync_directory_role_definitions::sync_directory_role_definitions;
pub(crate) use work::DirectoryWork;

use domain::id::{RequestId, TenantId, WorkspaceId};
use domain::json::canonical_hash;
use domain::operability::Question;
use domain::run::RunType;
use serde_json::json;
use server::caller::Caller;

use crate::client::{NewItem, NewRun, Started};
use crate::error::Result;
use crate::start_reading::start_gated;
use crate::state::State;

/// A sync that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct DirectorySyncAsked {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
}

/// Starts a sync of these collections. Two syncs of a tenant's same cache are one run while it is active.
async fn sync(
    state: &State,
    caller: &Caller,
    asked: DirectorySyncAsked,
    (run_type, question): (RunType, Question),
    collections: &[Collection],
) -> Result<Started> {
    let DirectorySyncAsked { request_id, workspace_id, tenant_id } = asked;
    state.authorise(caller, workspace_id, &[tenant_id], &question.needs(tenant_id)).await?;
    let run = NewRun {
        run_type,
        request_id,
        workspace_id,
        tenant_id,
        identity: canonical_hash(&json!(run_type.as_str())),
        request_digest: canonical_hash(&json!([run_type.as_str(), workspace_id, tenant_id])),
        context: json!({}),
        items: collections.iter().map(item).collect(),
    };
    start_gated(state, caller, run, question).await
}

fn item(collection: &Collection) -> NewItem {
    NewItem::of_type(collection.key(), collection.label())
}
