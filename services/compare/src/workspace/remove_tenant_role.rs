//! Takes a member's role on a tenant away.

use domain::access::{Capability, Need};
use domain::id::{TenantId, WorkspaceId};
use server::caller::Caller;

use crate::error::Result;
use crate::state::State;
use crate::store;

/// Makes it so; taking away what nobody holds succeeds.
pub async fn remove_tenant_role(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    tenant: TenantId,
    subject: &str,
) -> Result<()> {
    let need = Need::InWorkspace(Capability::WorkspaceMembersManage);
    state.authorise(caller, workspace, &[tenant], &[need]).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    store::tenant_role::remove(&mut tx, workspace, tenant, subject).await?;
    Ok(tx.commit().await?)
}
