//! Where a run stands in the queue.

use domain::run::RunType;
use domain::run::eta::MOST_AHEAD;
use sqlx::PgConnection;
use time::Duration;

use super::{Row, read, seen_run};
use crate::error::Result;
use crate::run::{Run, SeenRun};

/// What is before a run in the queue of its type, over all workspaces.
#[derive(Debug)]
pub struct QueuePlace {
    /// How many runs that may be claimed were queued before it; no more than [`MOST_AHEAD`] are counted.
    pub ahead: u32,
    /// The one directly before it in its own workspace.
    pub before_it: Option<SeenRun>,
    /// How many other runs of the type are in the hands of workers that live.
    pub others_running: u32,
}

/// The place of a run in the queue.
pub async fn place_of(connection: &mut PgConnection, run: &Run) -> Result<QueuePlace> {
    let (ahead, others_running): (i64, i64) = sqlx::query_as(
        "SELECT
             (SELECT count(*) FROM (SELECT FROM operation.run q
                 WHERE q.status = 'queued' AND NOT q.parked AND q.type = $1 AND (q.created_at, q.id) < ($2, $3)
                     AND q.not_before <= clock_timestamp() LIMIT $4) counted),
             (SELECT count(*) FROM operation.run q
                 WHERE q.status = 'running' AND q.type = $1 AND q.id <> $3 AND q.lease_expires_at >= clock_timestamp())",
    )
    .bind(run.run_type.as_str())
    .bind(run.created_at)
    .bind(run.id.uuid())
    .bind(i64::from(MOST_AHEAD))
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
    let number = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(QueuePlace {
        ahead: number(ahead),
        before_it: before_it.map(read).transpose()?,
        others_running: number(others_running),
    })
}

/// How many runs tell how long one takes.
const SAMPLES: i64 = 20;

/// How long the runs of the type took that were done last, in any workspace, within a week: from the first claim to the end.
pub async fn durations(connection: &mut PgConnection, run_type: RunType) -> Result<Vec<Duration>> {
    let took: Vec<i64> = sqlx::query_scalar(
        "SELECT (extract(epoch FROM completed_at - started_at) * 1000)::bigint FROM operation.run
         WHERE status = 'completed' AND type = $1 AND outcome IN ('succeeded', 'partially_succeeded') AND NOT imported
             AND started_at IS NOT NULL AND coalesce(imported_at, completed_at) > clock_timestamp() - interval '7 days'
         ORDER BY coalesce(imported_at, completed_at) DESC LIMIT $2",
    )
    .bind(run_type.as_str())
    .bind(SAMPLES)
    .fetch_all(connection)
    .await?;
    Ok(took.into_iter().map(Duration::milliseconds).collect())
}
