//! `inventory.directory_sync`: the newest whole reading of each cached collection.

use domain::id::{RunId, TenantId, WorkspaceId};
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::Result;

/// The newest whole reading of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectorySync {
    /// Which collection.
    pub collection: String,
    /// The run that read it.
    pub run_id: RunId,
    /// When it began.
    pub began_at: OffsetDateTime,
    /// How many entries it saw.
    pub observed_count: i32,
}

/// Remembers a whole reading; false when one that began later is remembered already.
pub async fn put(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    new: &DirectorySync,
) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO inventory.directory_sync AS s (workspace_id, tenant_id, collection, run_id, began_at, observed_count)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT ON CONSTRAINT directory_sync_pkey DO UPDATE SET
             run_id = excluded.run_id, began_at = excluded.began_at, observed_count = excluded.observed_count
         WHERE s.began_at <= excluded.began_at",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(&new.collection)
    .bind(new.run_id.uuid())
    .bind(new.began_at)
    .bind(new.observed_count)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The newest whole readings of these collections, as far as there are any.
pub async fn list(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    collections: &[&str],
) -> Result<Vec<DirectorySync>> {
    let rows = sqlx::query(
        "SELECT collection, run_id, began_at, observed_count FROM inventory.directory_sync
         WHERE workspace_id = $1 AND tenant_id = $2 AND collection = ANY ($3)",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(collections)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(DirectorySync {
                collection: row.try_get("collection")?,
                run_id: RunId(row.try_get("run_id")?),
                began_at: row.try_get("began_at")?,
                observed_count: row.try_get("observed_count")?,
            })
        })
        .collect()
}
