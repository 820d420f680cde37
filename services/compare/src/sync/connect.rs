//! The way to a tenant's provider.

use domain::id::{ProviderConnectionId, WorkspaceId};
use domain::operability::{Denied, Question, state_allows};
use graph::{Client, Connection, Provider};

use super::Scope;
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::provider_connection::ProviderConnection;

/// Why a tenant's provider cannot be called at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotConnected {
    /// The tenant is not good for it any more.
    #[error(transparent)]
    NotOperable(#[from] Denied),
    /// There is no such tenant any more.
    #[error("the tenant does not exist any more")]
    Gone,
    /// Nothing says any more how its provider is reached.
    #[error("the tenant has no provider connection any more; set one and try again")]
    ConnectionMissing,
    /// What is said cannot be used.
    #[error("the tenant's provider connection cannot be used: {0}")]
    ConnectionInvalid(String),
}

impl NotConnected {
    /// The stable reason.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotOperable(denied) => denied.reason.as_str(),
            Self::Gone => "TENANT_GONE",
            Self::ConnectionMissing => "PROVIDER_CONNECTION_MISSING",
            Self::ConnectionInvalid(_) => "PROVIDER_CONNECTION_INVALID",
        }
    }
}

/// Opens the tenant's provider for what `question` is about. No request is made and no secret is read yet: the credential is resolved when a token is
/// needed, so that one replaced in place is picked up.
pub async fn connect(
    state: &State,
    provider: &Provider,
    scope: Scope,
    question: Question,
) -> Result<std::result::Result<Client, NotConnected>> {
    Ok(connect_named(state, provider, scope, question).await?.map(|(client, _)| client))
}

/// The same, with the connection that was opened.
pub async fn connect_named(
    state: &State,
    provider: &Provider,
    scope: Scope,
    question: Question,
) -> Result<std::result::Result<(Client, ProviderConnectionId), NotConnected>> {
    let mut tx = state.db.workspace(scope.workspace_id.uuid()).await?;
    let tenant = store::tenant::find(&mut tx, scope.workspace_id, scope.tenant_id).await?;
    let connection = store::provider_connection::find(&mut tx, scope.workspace_id, scope.tenant_id).await?;
    drop(tx);
    let Some(tenant) = tenant else { return Ok(Err(NotConnected::Gone)) };
    if let Err(denied) = state_allows(question, tenant.facts()) {
        return Ok(Err(denied.into()));
    }
    // Every question about the provider asks for a connection first.
    let Some(connection) = connection else { return Ok(Err(NotConnected::Gone)) };
    let withheld = is_withheld(state, scope.workspace_id, &connection).await?;
    let opened = open(provider, &connection, withheld).map_err(NotConnected::ConnectionInvalid);
    Ok(opened.map(|client| (client, connection.id)))
}

/// The way back to the provider of a tenant that a run was started in, whatever became of the tenant since: what was begun is
/// finished, and what may still be begun is asked at each item.
pub async fn reconnect(
    state: &State,
    provider: &Provider,
    scope: Scope,
) -> Result<std::result::Result<Client, NotConnected>> {
    let mut tx = state.db.workspace(scope.workspace_id.uuid()).await?;
    let connection = store::provider_connection::find(&mut tx, scope.workspace_id, scope.tenant_id).await?;
    drop(tx);
    let Some(connection) = connection else { return Ok(Err(NotConnected::ConnectionMissing)) };
    let withheld = is_withheld(state, scope.workspace_id, &connection).await?;
    Ok(open(provider, &connection, withheld).map_err(NotConnected::ConnectionInvalid))
}

/// Whether the credential that the connection names is another workspace's. Its own workspace's connections never are: a workspace has a
/// tenant of the provider once.
pub async fn is_withheld(state: &State, workspace: WorkspaceId, connection: &ProviderConnection) -> Result<bool> {
    // Over all workspaces, because whose it is depends on them; nothing but the answer leaves here, and to workers only.
    let mut tx = state.db.system().await?;
    let reference = &connection.route.credential_reference;
    Ok(store::provider_connection::is_held_elsewhere(&mut tx, workspace, reference).await?)
}

fn open(provider: &Provider, connection: &ProviderConnection, withheld: bool) -> std::result::Result<Client, String> {
    let route = &connection.route;
    let credential =
        route.credential_reference.parse().map_err(|why: graph::CredentialReferenceError| why.to_string())?;
    let connection = Connection::new(
        &connection.external_tenant_id,
        &route.client_id,
        credential,
        Some(&route.authority_url),
        Some(&route.base_url),
    );
    let connection = connection.map_err(|why| why.to_string())?;
    let connection = if withheld { connection.withhold() } else { connection };
    provider.client(&connection).map_err(|why| why.to_string())
}
