//! Queued runs whose time is over. The clock is the database's, and stands still while a run's type is paused.

use domain::id::RunId;
use domain::run::RunType;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Row, names, read, shown_run};
use crate::error::Result;
use crate::run::SeenRun;

/// The deadline that ends a queued run: as the index `run_overdue_in_queue` has it.
macro_rules! queued_until {
    () => {
        " (CASE WHEN started_at IS NULL THEN least(queue_deadline, run_deadline) ELSE run_deadline END) "
    };
}
pub(super) use queued_until;

/// Queued runs whose time is over, the longest first within a type, at most `limit`. Only candidates: each is held before it is
/// judged. What is paused now is passed over: its time is not running out.
pub async fn overdue(connection: &mut PgConnection, limit: i64) -> Result<Vec<RunId>> {
    let rows: Vec<(Uuid,)> = sqlx::query_as(concat!(
        "SELECT q.id FROM unnest($1::text[]) AS asked (type)
         CROSS JOIN LATERAL (
             SELECT id FROM operation.run
             WHERE status = 'queued' AND NOT parked AND type = asked.type
                 AND",
        queued_until!(),
        "<= clock_timestamp() AND operation.deadline_passed(",
        queued_until!(),
        ", workspace_id, type, created_at)
                 AND workspace_id <> ALL (ARRAY(
                     SELECT p.workspace_id FROM operation.pause p WHERE p.type = asked.type AND p.resumed_at IS NULL))
             ORDER BY",
        queued_until!(),
        "LIMIT $2) q
         WHERE NOT EXISTS (
             SELECT FROM operation.pause p
             WHERE p.type = asked.type AND p.resumed_at IS NULL
                 AND p.workspace_id = '00000000-0000-0000-0000-000000000000')
         LIMIT $2"
    ))
    .bind(names(RunType::ALL))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(id,)| RunId(id)).collect())
}

/// Holds a queued run. `None`: somebody else is at it, or it was taken up or ended meanwhile.
pub async fn hold_queued(connection: &mut PgConnection, id: RunId) -> Result<Option<SeenRun>> {
    let row: Option<Row> = sqlx::query_as(concat!(
        "SELECT",
        shown_run!(),
        "FROM operation.run r WHERE r.id = $1 AND r.status = 'queued' FOR NO KEY UPDATE SKIP LOCKED"
    ))
    .bind(id.uuid())
    .fetch_optional(connection)
    .await?;
    row.map(read).transpose()
}
