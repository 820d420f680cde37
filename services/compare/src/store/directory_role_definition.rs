//! `inventory.directory_role_definition`: the cached role definitions of a tenant.

use domain::directory::{Entry, RoleDefinition, RoleScope};
use domain::id::{ExternalId, TenantId, WorkspaceId};
use domain::identity::folded_name;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::{Result, containing, unreadable};

/// A cached role definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedRoleDefinition {
    /// Where it applies.
    pub scope: RoleScope,
    /// The role definition.
    pub role: RoleDefinition,
    /// Since when it is known so.
    pub observed_at: OffsetDateTime,
}

/// Where a list of role definitions goes on: folded name, scope, id.
pub type After = (String, String, String);

/// Writes role definitions of one scope that the provider was asked for at `asked_at`. At most one entry per id. What is known
/// since a later moment stays, and what a later whole reading did not see does not come back.
pub async fn upsert(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    scope: RoleScope,
    asked_at: OffsetDateTime,
    roles: &[RoleDefinition],
) -> Result<()> {
    let entries = || roles.iter().map(|role| &role.entry);
    sqlx::query(
        "INSERT INTO inventory.directory_role_definition AS r
             (workspace_id, tenant_id, scope, observed_at, external_id, display_name, folded_name, description, built_in,
              template_id)
         SELECT $1, $2, $3, $5, o.*
         FROM unnest($6::text[], $7::text[], $8::text[], $9::text[], $10::bool[], $11::text[]) AS o
         WHERE NOT EXISTS (SELECT FROM inventory.directory_sync s
                           WHERE s.workspace_id = $1 AND s.tenant_id = $2 AND s.collection = $4 AND s.began_at > $5)
         ON CONFLICT ON CONSTRAINT directory_role_definition_pkey DO UPDATE SET
             (observed_at, display_name, folded_name, description, built_in, template_id)
             = (excluded.observed_at, excluded.display_name, excluded.folded_name, excluded.description,
                excluded.built_in, excluded.template_id)
         WHERE r.observed_at <= excluded.observed_at",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(scope.as_str())
    .bind(scope.collection())
    .bind(asked_at)
    .bind(entries().map(|entry| entry.external_id.as_str()).collect::<Vec<_>>())
    .bind(entries().map(|entry| entry.display_name.as_str()).collect::<Vec<_>>())
    .bind(entries().map(|entry| entry.folded_name.as_str()).collect::<Vec<_>>())
    .bind(entries().map(|entry| entry.description.as_str()).collect::<Vec<_>>())
    .bind(roles.iter().map(|role| role.built_in).collect::<Vec<_>>())
    .bind(roles.iter().map(|role| role.template_id.as_str()).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes what was last seen of a scope before `began_at`, and says how many that were.
pub async fn remove_unseen(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    scope: RoleScope,
    began_at: OffsetDateTime,
) -> Result<u64> {
    let done = sqlx::query(
        "DELETE FROM inventory.directory_role_definition
         WHERE workspace_id = $1 AND tenant_id = $2 AND scope = $3 AND observed_at < $4",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(scope.as_str())
    .bind(began_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// One page of a tenant's role definitions by folded name, scope and id.
pub async fn list(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    name_contains: &str,
    scope: Option<RoleScope>,
    after: Option<&After>,
    limit: i64,
) -> Result<Vec<CachedRoleDefinition>> {
    let rows = sqlx::query(
        "SELECT scope, external_id, display_name, folded_name, description, built_in, template_id, observed_at
         FROM inventory.directory_role_definition
         WHERE workspace_id = $1 AND tenant_id = $2
           AND ($3 = '' OR folded_name LIKE $4)
           AND ($5::text IS NULL OR scope = $5)
           AND ($6::text IS NULL
                OR (folded_name COLLATE \"C\", scope COLLATE \"C\", external_id COLLATE \"C\") > ($6, $7, $8))
         ORDER BY folded_name COLLATE \"C\", scope COLLATE \"C\", external_id COLLATE \"C\" LIMIT $9",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(name_contains)
    .bind(containing(&folded_name(name_contains)))
    .bind(scope.map(RoleScope::as_str))
    .bind(after.map(|(name, ..)| name))
    .bind(after.map(|(_, scope, _)| scope))
    .bind(after.map(|(.., id)| id))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<CachedRoleDefinition> {
    let external_id: String = row.try_get("external_id")?;
    let scope: &str = row.try_get("scope")?;
    let scope = RoleScope::named(scope)
        .ok_or_else(|| unreadable("inventory.directory_role_definition", "scope", &external_id, scope))?;
    Ok(CachedRoleDefinition {
        scope,
        role: RoleDefinition {
            entry: Entry {
                external_id: ExternalId(external_id),
                display_name: row.try_get("display_name")?,
                folded_name: row.try_get("folded_name")?,
                description: row.try_get("description")?,
            },
            built_in: row.try_get("built_in")?,
            template_id: row.try_get("template_id")?,
        },
        observed_at: row.try_get("observed_at")?,
    })
}
