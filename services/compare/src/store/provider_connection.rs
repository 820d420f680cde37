//! `tenant.provider_connection`: how the provider is reached for a tenant. At most one is in use; replaced ones stay behind as
//! `disabled`. No credential is stored, only where it is found.

use domain::id::{ProviderConnectionId, TenantId, WorkspaceId};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::Result;

/// The connection of a tenant that is in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderConnection {
    /// Its id.
    pub id: ProviderConnectionId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The provider's id of the tenant.
    pub external_tenant_id: String,
    /// How it is reached.
    pub route: Route,
    /// When it was set.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// How the provider is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Base of the API, without a version segment.
    pub base_url: String,
    /// Base of the token authority, without the tenant segment.
    pub authority_url: String,
    /// Application (client) id.
    pub client_id: String,
    /// Where the secret is found.
    pub credential_reference: String,
}

/// The connection in use.
pub async fn find(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
) -> Result<Option<ProviderConnection>> {
    let row = sqlx::query(
        "SELECT c.id, c.base_url, c.authority, c.client_id, c.credential_reference, c.updated_at, t.external_tenant_id
         FROM tenant.provider_connection c
         JOIN tenant.tenant t ON t.workspace_id = c.workspace_id AND t.id = c.tenant_id
         WHERE c.workspace_id = $1 AND c.tenant_id = $2 AND c.state <> 'disabled'",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(ProviderConnection {
            id: ProviderConnectionId(row.try_get("id")?),
            tenant_id: tenant,
            external_tenant_id: row.try_get("external_tenant_id")?,
            route: Route {
                base_url: row.try_get("base_url")?,
                authority_url: row.try_get("authority")?,
                client_id: row.try_get("client_id")?,
                credential_reference: row.try_get("credential_reference")?,
            },
            updated_at: row.try_get("updated_at")?,
        })
    })
    .transpose()
}

/// Puts the connection in use aside, if there is one.
pub async fn disable(conn: &mut PgConnection, workspace: WorkspaceId, tenant: TenantId) -> Result<()> {
    sqlx::query(
        "UPDATE tenant.provider_connection SET state = 'disabled', updated_at = clock_timestamp()
         WHERE workspace_id = $1 AND tenant_id = $2 AND state <> 'disabled'",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .execute(conn)
    .await?;
    Ok(())
}

/// Inserts a connection as the one in use; there must be none (index `provider_connection_one_in_use`).
pub async fn insert(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    id: ProviderConnectionId,
    route: &Route,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO tenant.provider_connection
             (workspace_id, tenant_id, id, base_url, authority, client_id, credential_reference)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(&route.base_url)
    .bind(&route.authority_url)
    .bind(&route.client_id)
    .bind(&route.credential_reference)
    .execute(conn)
    .await?;
    Ok(())
}
