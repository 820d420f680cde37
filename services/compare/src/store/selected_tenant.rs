//! `access.selected_tenant`: the tenant each member selected last. It may be stale; whoever reads it asks whether it is.

use domain::id::{TenantId, WorkspaceId};
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::Result;

/// The foreign key that says: the subject is no member of the workspace.
pub const MEMBER_FKEY: &str = "selected_tenant_member_fkey";

/// What somebody selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelectedTenant {
    /// The tenant, whether it is still there or not.
    pub tenant_id: TenantId,
    /// When.
    pub selected_at: OffsetDateTime,
}

/// Remembers it in place of what was selected before. Fails on [`MEMBER_FKEY`] for somebody who is no member.
pub async fn put(conn: &mut PgConnection, workspace: WorkspaceId, subject: &str, tenant: TenantId) -> Result<()> {
    sqlx::query(
        "INSERT INTO access.selected_tenant (workspace_id, subject, tenant_id, selected_at)
         VALUES ($1, $2, $3, clock_timestamp())
         ON CONFLICT ON CONSTRAINT selected_tenant_pkey
         DO UPDATE SET tenant_id = excluded.tenant_id, selected_at = excluded.selected_at",
    )
    .bind(workspace.uuid())
    .bind(subject)
    .bind(tenant.uuid())
    .execute(conn)
    .await?;
    Ok(())
}

/// What this member selected last.
pub async fn find(conn: &mut PgConnection, workspace: WorkspaceId, subject: &str) -> Result<Option<SelectedTenant>> {
    let row = sqlx::query(
        "SELECT tenant_id, selected_at FROM access.selected_tenant WHERE workspace_id = $1 AND subject = $2",
    )
    .bind(workspace.uuid())
    .bind(subject)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let (tenant_id, selected_at) = (TenantId(row.try_get("tenant_id")?), row.try_get("selected_at")?);
        Ok(SelectedTenant { tenant_id, selected_at })
    })
    .transpose()
}

/// Forgets this very selection; false when it was forgotten or replaced before.
pub async fn forget(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    subject: &str,
    selected: &SelectedTenant,
) -> Result<bool> {
    let done = sqlx::query(
        "DELETE FROM access.selected_tenant
         WHERE workspace_id = $1 AND subject = $2 AND tenant_id = $3 AND selected_at = $4",
    )
    .bind(workspace.uuid())
    .bind(subject)
    .bind(selected.tenant_id.uuid())
    .bind(selected.selected_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets whatever this member selected.
pub async fn clear(conn: &mut PgConnection, workspace: WorkspaceId, subject: &str) -> Result<()> {
    sqlx::query("DELETE FROM access.selected_tenant WHERE workspace_id = $1 AND subject = $2")
        .bind(workspace.uuid())
        .bind(subject)
        .execute(conn)
        .await?;
    Ok(())
}
