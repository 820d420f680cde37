//! Returns how the provider is reached for a tenant, without any credential.

use domain::access::{Capability, Need};
use domain::id::{TenantId, WorkspaceId};
use server::caller::Caller;

use crate::error::{Error, Result};
use crate::identity::SERVICES;
use crate::state::State;
use crate::store;
use crate::store::provider_connection::ProviderConnection;
use crate::sync::is_withheld;

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
    let found = store::provider_connection::find(&mut tx, workspace, tenant).await?;
    let exists = found.is_some() || store::tenant::find(&mut tx, workspace, tenant).await?.is_some();
    drop(tx);
    match found {
        // A worker has nothing to open with a secret that is another workspace's.
        Some(connection) if caller.user.is_none() && is_withheld(state, workspace, &connection).await? => {
            Err(Error::ProviderConnectionMissing)
        }
        Some(connection) => Ok(connection),
        None if exists => Err(Error::ProviderConnectionMissing),
        None => Err(Error::NotFound),
    }
}
