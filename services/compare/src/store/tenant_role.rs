//! `access.tenant_role`: who is entitled to which tenant.

use domain::access::Role;
use domain::id::{TenantId, WorkspaceId};
use sqlx::{PgConnection, Row as _};

use super::{Result, unreadable};

/// The foreign key that says: the subject is no member of the workspace.
pub const MEMBER_FKEY: &str = "tenant_role_member_fkey";

/// Entitles a member to a tenant or changes the role on it. Fails on [`MEMBER_FKEY`] for somebody who is no member.
pub async fn put(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    subject: &str,
    role: Role,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO access.tenant_role AS r (workspace_id, tenant_id, subject, role) VALUES ($1, $2, $3, $4)
         ON CONFLICT ON CONSTRAINT tenant_role_pkey DO UPDATE SET role = excluded.role, updated_at = clock_timestamp()
         WHERE r.role <> excluded.role",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(subject)
    .bind(role.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes a role away; gives back which it was, `None` when nobody held it.
pub async fn remove(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    subject: &str,
) -> Result<Option<Role>> {
    let row = sqlx::query(
        "DELETE FROM access.tenant_role WHERE workspace_id = $1 AND tenant_id = $2 AND subject = $3 RETURNING role",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(subject)
    .fetch_optional(conn)
    .await?;
    row.map(|row| role(row.try_get("role")?, subject)).transpose()
}

/// Takes every role of a member away, and gives back which they were.
pub async fn remove_all(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    subject: &str,
) -> Result<Vec<(TenantId, Role)>> {
    let rows = sqlx::query(
        "DELETE FROM access.tenant_role WHERE workspace_id = $1 AND subject = $2 RETURNING tenant_id, role",
    )
    .bind(workspace.uuid())
    .bind(subject)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((TenantId(row.try_get("tenant_id")?), role(row.try_get("role")?, subject)?))).collect()
}

fn role(text: &str, subject: &str) -> Result<Role> {
    text.parse().map_err(|why| unreadable("access.tenant_role", "role", subject, why))
}
