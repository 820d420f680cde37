//! Starting a run that reads a tenant's provider.

use domain::id::{TenantId, WorkspaceId};
use domain::operability::{Question, state_allows};
use server::caller::Caller;

use crate::client::{NewRun, Started};
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;

/// Starts it, for a caller who was authorised before. The run is made by operation-run-service, which decides whether it is a new
/// one; the gates here are about the tenant: `question` is what is asked of its state. A repeated request gets its first answer
/// even when a gate has closed since.
pub(crate) async fn start_gated(state: &State, caller: &Caller, run: NewRun, question: Question) -> Result<Started> {
    if let Err(closed) = gates(state, run.workspace_id, run.tenant_id, question).await {
        let earlier =
            state.operation_runs.earlier(caller, run.workspace_id, run.request_id, run.request_digest).await?;
        return earlier.ok_or(closed);
    }
    Ok(state.operation_runs.start(caller, run).await?)
}

async fn gates(state: &State, workspace: WorkspaceId, tenant: TenantId, question: Question) -> Result<()> {
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let tenant = store::tenant::find(&mut tx, workspace, tenant).await?.ok_or(Error::NotFound)?;
    Ok(state_allows(question, tenant.facts())?)
}
