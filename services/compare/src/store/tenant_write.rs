//! Changes of `tenant.tenant` while it is held still by [`super::tenant::lock`]. Version and time of change belong to the
//! table's trigger, which also refuses a change of life that there is not.

use domain::id::{TenantId, WorkspaceId};
use domain::tenant::Lifecycle;
use sqlx::PgConnection;

use super::Result;
use super::tenant::Tenant;

/// Which tenant of the provider it is, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name for people.
    pub name: String,
    /// The provider's id of it, in one spelling.
    pub external_tenant_id: String,
    /// Primary domain; may be empty.
    pub domain: String,
    /// Other names it is known by.
    pub aliases: Vec<String>,
}

impl Identity {
    /// As it is part of a request's digest.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name, "external_tenant_id": self.external_tenant_id,
            "domain": self.domain, "aliases": self.aliases,
        })
    }
}

/// Says anew which tenant it is; it must be as it was seen. Runs into [`super::tenant::EXTERNAL_ID_UNIQUE`] when the workspace
/// has another one of this external id.
pub async fn identify(conn: &mut PgConnection, seen: &Tenant, identity: &Identity) -> Result<()> {
    sqlx::query(
        "UPDATE tenant.tenant SET name = $3, external_tenant_id = $4, domain = $5, aliases = $6
         WHERE workspace_id = $1 AND id = $2 AND version = $7 RETURNING id",
    )
    .bind(seen.workspace_id.uuid())
    .bind(seen.id.uuid())
    .bind(&identity.name)
    .bind(&identity.external_tenant_id)
    .bind(&identity.domain)
    .bind(&identity.aliases)
    .bind(seen.version)
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Moves a tenant on in its life; it must be where it is left from.
pub async fn set_lifecycle(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    id: TenantId,
    from: Lifecycle,
    to: Lifecycle,
) -> Result<()> {
    sqlx::query(
        "UPDATE tenant.tenant
         SET lifecycle = $4, archived_at = CASE WHEN $4 = 'archived' THEN clock_timestamp() END
         WHERE workspace_id = $1 AND id = $2 AND lifecycle = $3 RETURNING id",
    )
    .bind(workspace.uuid())
    .bind(id.uuid())
    .bind(from.as_str())
    .bind(to.as_str())
    .fetch_one(conn)
    .await?;
    Ok(())
}
