//! Returns one tenant to those entitled to it.

use domain::access::{Capability, Need};
use domain::id::{TenantId, WorkspaceId};
use server::caller::Caller;

use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::tenant::Tenant;

/// The tenant.
pub async fn get_tenant(state: &State, caller: &Caller, workspace: WorkspaceId, tenant: TenantId) -> Result<Tenant> {
    let need = Need::OnTenant(tenant, Capability::TenantView);
    state.authorise(caller, workspace, &[tenant], &[need]).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    store::tenant::find(&mut tx, workspace, tenant).await?.ok_or(Error::NotFound)
}
