//! Returns a backup set.

use domain::access::Capability;
use domain::id::{RunId, TenantId, WorkspaceId};
use server::caller::Caller;

use super::authorise;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::backup_set::BackupSet;

/// The set that this run made.
pub async fn get_backup_set(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    tenant: TenantId,
    set: RunId,
) -> Result<BackupSet> {
    authorise(state, caller, workspace, tenant, Capability::TenantView).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    store::backup_set::find(&mut tx, workspace, tenant, set).await?.ok_or(Error::NotFound)
}
