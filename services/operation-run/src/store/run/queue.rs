//! Where a run stands in the queue.

use sqlx::PgConnection;

use super::{Row, read, seen_run};
use crate::error::Result;
use crate::run::{Run, SeenRun};

/// What is before a run in the queue of its type, over all workspaces.
#[derive(Debug)]
pub struct QueuePlace {
    /// Whether runs that may be claimed were queued before it.
    pub ahead: bool,
    /// The one directly before it in its own workspace.
    pub before_it: Option<SeenRun>,
    /// Whether other runs of the type are in the hands of workers that live.
    pub others_running: bool,
}

/// The place of a run in the queue.
pub async fn place_of(connection: &mut PgConnection, run: &Run) -> Result<QueuePlace> {
    let (ahead, others_running): (bool, bool) = sqlx::query_as(
        "SELECT
             EXISTS (SELECT FROM operation.run q
                 WHERE q.status = 'queued' AND NOT q.parked AND q.type = $1 AND (q.created_at, q.id) < ($2, $3)
                     AND q.not_before <= clock_timestamp()),
             EXISTS (SELECT FROM operation.run q
                 WHERE q.status = 'running' AND q.type = $1 AND q.id <> $3 AND q.lease_expires_at >= clock_timestamp())",
    )
    .bind(run.run_type.as_str())
    .bind(run.created_at)
    .bind(run.id.uuid())
    .fetch_one(&mut *connection)
    .await?;
    let before_it: Option<Row> = sqlx::query_as(concat!(
        "SELECT",
        seen_run!(),
        "FROM operation.run r
         WHERE r.workspace_id = $4 AND r.status = 'queued' AND NOT r.parked AND r.type = $1
             AND (r.created_at, r.id) < ($2, $3) AND r.not_before <= clock_timestamp()
         ORDER BY r.created_at DESC, r.id DESC LIMIT 1"
    ))
    .bind(run.run_type.as_str())
    .bind(run.created_at)
    .bind(run.id.uuid())
    .bind(run.workspace_id.uuid())
    .fetch_optional(connection)
    .await?;
    Ok(QueuePlace { ahead, before_it: before_it.map(read).transpose()?, others_running })
}
