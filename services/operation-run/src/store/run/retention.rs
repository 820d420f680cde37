//! Runs that leave.

use sqlx::PgConnection;

use crate::error::Result;

/// Removes completed runs that ended, or were brought in, longer ago than `age_ms`, the oldest first, at most `limit`; returns
/// how many that were. What belongs to them goes with them, by the foreign keys.
pub async fn remove_older(connection: &mut PgConnection, age_ms: i64, limit: i64) -> Result<u64> {
    let removed = sqlx::query(
        // SKIP LOCKED: another replica may be at the same.
        "WITH old AS MATERIALIZED (
             SELECT workspace_id, id FROM operation.run
             WHERE status = 'completed'
                 AND coalesce(imported_at, completed_at) < clock_timestamp() - $1 * interval '1 millisecond'
             ORDER BY coalesce(imported_at, completed_at) LIMIT $2 FOR UPDATE SKIP LOCKED)
         DELETE FROM operation.run r USING old WHERE r.workspace_id = old.workspace_id AND r.id = old.id",
    )
    .bind(age_ms)
    .bind(limit)
    .execute(connection)
    .await?;
    Ok(removed.rows_affected())
}
