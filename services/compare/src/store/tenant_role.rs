//! `access.tenant_role`: who is entitled to which tenant.

use domain::access::Role;
use domain::id::{TenantId, WorkspaceId};
use sqlx::PgConnection;

use super::Result;

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

/// Takes a role away; nothing happens when nobody holds it.
pub async fn remove(conn: &mut PgConnection, workspace: WorkspaceId, tenant: TenantId, subject: &str) -> Result<()> {
    sqlx::query("DELETE FROM access.tenant_role WHERE workspace_id = $1 AND tenant_id = $2 AND subject = $3")
        .bind(workspace.uuid())
        .bind(tenant.uuid())
        .bind(subject)
        .execute(conn)
        .await?;
    Ok(())
}
