//! `inventory.sync`: completed syncs by selection.

use domain::id::{Hash, RunId, TenantId, WorkspaceId};
use sqlx::PgConnection;

use super::Result;

/// Remembers that a run has read its whole selection. Doing so again changes nothing.
pub async fn insert(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    run: RunId,
    selection_hash: Hash,
    partial: bool,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO inventory.sync (workspace_id, tenant_id, run_id, selection_hash, partial)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT ON CONSTRAINT sync_pkey DO NOTHING",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(run.uuid())
    .bind(selection_hash.as_bytes().as_slice())
    .bind(partial)
    .execute(conn)
    .await?;
    Ok(())
}
