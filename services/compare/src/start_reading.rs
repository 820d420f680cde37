//! Starting a run that reads a tenant's provider.

use domain::id::{TenantId, WorkspaceId};
use domain::operability::{Question, state_allows};
use server::caller::Caller;

use crate::client::{NewRun, Started};
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;

/// Starts it, for a caller who was authorised before. The run is made by operation-run-service, which decides whether it is a new
/// one; the gates here are about the tenant, and the same for whatever is read of it. A repeated request gets its first answer
/// even when a gate has closed since.
pub(crate) async fn start_reading(state: &State, caller: &Caller, run: NewRun) -> Result<Started> {
    if let Err(closed) = gates(state, run.workspace_id, run.tenant_id).await {
        let earlier =
            state.operation_runs.earlier(caller, run.workspace_id, run.request_id, run.request_digest).await?;
        return earlier.ok_or(closed);
    }
    Ok(state.operation_runs.start(caller, run).await?)
}

async fn gates(state: &State, workspace: WorkspaceId, tenant: TenantId) -> Result<()> {
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let tenant = store::tenant::find(&mut tx, workspace, tenant).await?.ok_or(Error::NotFound)?;
    Ok(state_allows(Question::InventorySync, tenant.facts())?)
}
