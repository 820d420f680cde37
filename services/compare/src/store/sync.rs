//! `inventory.sync`: completed syncs by selection.

use domain::id::{Hash, RunId, TenantId, WorkspaceId};
use sqlx::PgConnection;

use super::Result;

/// Remembers that a run has read its whole selection, these policy types. It was partial when the newest reading of one of
/// them is not this run's, or did not see everything. Doing so again changes nothing.
pub async fn insert(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    run: RunId,
    selection_hash: Hash,
    policy_types: &[&str],
) -> Result<()> {
    sqlx::query(
        "INSERT INTO inventory.sync (workspace_id, tenant_id, run_id, selection_hash, partial)
         SELECT $1, $2, $3, $4, count(*) < cardinality($5::text[])
         FROM inventory.coverage
         WHERE workspace_id = $1 AND tenant_id = $2 AND policy_type = ANY ($5) AND run_id = $3 AND state = 'observed'
         ON CONFLICT ON CONSTRAINT sync_pkey DO NOTHING",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(run.uuid())
    .bind(selection_hash.as_bytes().as_slice())
    .bind(policy_types)
    .execute(conn)
    .await?;
    Ok(())
}
