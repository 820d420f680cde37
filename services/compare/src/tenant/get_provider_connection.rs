//! Returns how the provider is reached for a tenant, without any credential.

use domain::access::{Capability, Need};
use domain::id::{TenantId, WorkspaceId};
use server::caller::Caller;

use crate::error::{Error, Result};
use crate::identity::SERVICES;
use crate::state::State;
use crate::store;
use crate::store::provider_connection::ProviderConnection;

/// The connection in use. For people who manage it, and for our own workers.
pub async fn get_provider_connection(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    tenant: TenantId,
) -> Result<ProviderConnection> {
    if caller.user.is_some() {
        let need = Need::OnTenant(tenant, Capability::ProviderConnectionManage);
        state.authorise(caller, workspace, &[tenant], &[need]).await?;
    } else {
        caller.require_service(SERVICES)?;
    }
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    match store::provider_connection::find(&mut tx, workspace, tenant).await? {
        Some(connection) => Ok(connection),
        None if store::tenant::find(&mut tx, workspace, tenant).await?.is_none() => Err(Error::NotFound),
        None => Err(Error::ProviderConnectionMissing),
    }
}
