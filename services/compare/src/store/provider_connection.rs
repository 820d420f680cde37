//! `tenant.provider_connection`: how the provider is reached for a tenant. At most one is in use; replaced ones stay behind as
//! `disabled`. No credential is stored, only where it is found.

use std::collections::BTreeSet;

use domain::id::{PolicyType, ProviderConnectionId, TenantId, WorkspaceId};
use domain::tenant::verification::{Verdict, VerificationState};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::{Result, unreadable};

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
    /// What is known of it.
    #[serde(default)]
    pub verification: Verification,
}

/// What is known of a connection, as of the last time it was tried.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verification {
    /// Whether it works.
    pub state: VerificationState,
    /// Why it does not.
    pub reason: Option<String>,
    /// When it last did.
    #[serde(with = "time::serde::rfc3339::option")]
    pub verified_at: Option<OffsetDateTime>,
    /// The policy types it may not read, by key.
    pub denied_types: Vec<String>,
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
        "SELECT c.id, c.base_url, c.authority, c.client_id, c.credential_reference, c.updated_at, c.state,
                c.state_reason_code, c.verified_at, c.denied_types, t.external_tenant_id
         FROM tenant.provider_connection c
         JOIN tenant.tenant t ON t.workspace_id = c.workspace_id AND t.id = c.tenant_id
         WHERE c.workspace_id = $1 AND c.tenant_id = $2 AND c.state <> 'disabled'",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let id = ProviderConnectionId(row.try_get("id")?);
        let state: &str = row.try_get("state")?;
        Ok(ProviderConnection {
            id,
            tenant_id: tenant,
            external_tenant_id: row.try_get("external_tenant_id")?,
            route: Route {
                base_url: row.try_get("base_url")?,
                authority_url: row.try_get("authority")?,
                client_id: row.try_get("client_id")?,
                credential_reference: row.try_get("credential_reference")?,
            },
            updated_at: row.try_get("updated_at")?,
            verification: Verification {
                state: state.parse().map_err(|why| unreadable("tenant.provider_connection", "state", id, why))?,
                reason: row.try_get("state_reason_code")?,
                verified_at: row.try_get("verified_at")?,
                denied_types: row.try_get("denied_types")?,
            },
        })
    })
    .transpose()
}

/// The policy types the connection in use may not read, as far as is known.
pub async fn denied_types(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
) -> Result<BTreeSet<PolicyType>> {
    let found = find(conn, workspace, tenant).await?;
    let denied = found.map(|connection| connection.verification.denied_types).unwrap_or_default();
    Ok(denied.into_iter().map(PolicyType).collect())
}

/// Whether a connection of another workspace proved that it works with the credential at this place, and is still in use. The
/// transaction must see all workspaces; that there is another one is told to nobody.
pub async fn is_held_elsewhere(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    credential_reference: &str,
) -> Result<bool> {
    // The conditions are those of the index `provider_connection_credential_holder`.
    let held = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM tenant.provider_connection
             WHERE credential_reference = $2 AND workspace_id <> $1 AND verified_at IS NOT NULL AND state <> 'disabled')",
    )
    .bind(workspace.uuid())
    .bind(credential_reference)
    .fetch_one(conn)
    .await?;
    Ok(held)
}

/// What became of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concluded {
    /// It is what is known of the connection now.
    Written,
    /// The connection is no longer the one in use: nothing is said of the one that took its place.
    Replaced,
    /// Another try that began later was written before: what is known is newer.
    Overtaken,
}

/// Writes down what trying the connection proved. `began`: the database's time when the trying began; verdicts are ordered by it,
/// so that a worker that was away for long never undoes what was found out since.
pub async fn conclude(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    id: ProviderConnectionId,
    began: OffsetDateTime,
    verdict: &Verdict,
) -> Result<Concluded> {
    let named = |types: &BTreeSet<PolicyType>| -> Vec<String> { types.iter().map(|one| one.0.clone()).collect() };
    let is_newest: Option<bool> = sqlx::query_scalar(
        // One statement: the row is locked by it, so that of two verdicts at once the second sees what the first wrote.
        "WITH tried AS (
             UPDATE tenant.provider_connection
             SET state = $4, state_reason_code = $5, tried_at = $8,
                 -- Of a type nothing was learned of, what was known stays.
                 denied_types = ARRAY(SELECT unnest($6::text[])
                                      UNION (SELECT unnest(denied_types) INTERSECT SELECT unnest($7::text[])) ORDER BY 1),
                 verified_at = CASE WHEN $4 = 'verified' THEN clock_timestamp() ELSE verified_at END
             WHERE workspace_id = $1 AND tenant_id = $2 AND id = $3 AND state <> 'disabled'
               AND (tried_at IS NULL OR tried_at <= $8)
             RETURNING id)
         SELECT EXISTS (SELECT FROM tried) FROM tenant.provider_connection
         WHERE workspace_id = $1 AND tenant_id = $2 AND id = $3 AND state <> 'disabled'",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(verdict.state.as_str())
    .bind(&verdict.reason)
    .bind(named(&verdict.denied_types))
    .bind(named(&verdict.unknown_types))
    .bind(began)
    .fetch_optional(conn)
    .await?;
    Ok(match is_newest {
        Some(true) => Concluded::Written,
        Some(false) => Concluded::Overtaken,
        None => Concluded::Replaced,
    })
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
