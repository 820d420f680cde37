//! What happens to a run after it was held: progress, back to the queue, cancel, the end. Each function is called with
//! the run locked, names the state it leaves, and changes exactly one row.

use std::time::Duration;

use domain::id::RunId;
use domain::run::counts::FailureLine;
use domain::run::{Failure, RunOutcome};
use sqlx::PgConnection;

use super::super::run_item::Settled;
use super::{Row, read, seen_run};
use crate::error::Result;
use crate::run::SeenRun;

/// Longest message of a line of a failure summary, in characters; the same number is in [`derived_failure_summary`].
const LONGEST_MESSAGE: usize = 500;

/// The failure summary of a run `r`, derived from its items: by reason, the most frequent first; the message is the
/// first in alphabetical order, so that it is stable. The same as `domain::run::failure_summary`, which a test compares.
///
/// Every event of the run and the audit entry of its end repeat it, so it is bounded: from the 31st reason on they are one
/// line, and a message is cut. The items have all of it.
macro_rules! derived_failure_summary {
    () => {
        " (SELECT coalesce(jsonb_agg(jsonb_build_object('code', l.code, 'message', l.message, 'count', l.n)
                   ORDER BY l.place), '[]')
           FROM (SELECT least(f.place, 31) AS place, sum(f.n)::bigint AS n,
                     min(CASE WHEN f.place > 30 THEN 'OTHER_REASONS' ELSE f.reason_code END) AS code,
                     min(CASE WHEN f.place > 30 THEN 'Further reasons; the items tell them.' ELSE f.message END) AS message
                 FROM (SELECT i.reason_code, count(*) AS n,
                           left(min(coalesce(i.message, '') COLLATE \"C\"), 500) AS message,
                           row_number() OVER (ORDER BY count(*) DESC, i.reason_code COLLATE \"C\") AS place
                       FROM operation.run_item i
                       WHERE i.workspace_id = r.workspace_id AND i.run_id = r.id AND i.state IN ('failed', 'skipped')
                       GROUP BY i.reason_code) f
                 GROUP BY least(f.place, 31)) l) "
    };
}

/// Adds what was just settled to the run's counts. Progress resets the attempts, and is a sign of life, unless the run is to
/// stop because its time is over.
pub async fn record_progress(connection: &mut PgConnection, id: RunId, settled: &Settled) -> Result<SeenRun> {
    let row: Row = sqlx::query_as(concat!(
        "UPDATE operation.run r SET
             processed = r.processed + $2 + $3 + $4, succeeded = r.succeeded + $2, failed = r.failed + $3,
             skipped = r.skipped + $4, created = r.created + $5, updated = r.updated + $6, deleted = r.deleted + $7,
             unchanged = r.unchanged + $8,
             failure_summary = CASE WHEN $3 + $4 > 0 THEN",
        derived_failure_summary!(),
        "ELSE r.failure_summary END,
             attempts_without_progress = 0, last_progress_at = clock_timestamp(),
             lease_expires_at = CASE WHEN operation.deadline_passed(r.run_deadline, r.workspace_id, r.type, r.created_at)
                 THEN r.lease_expires_at ELSE clock_timestamp() + r.lease_ttl_ms * interval '1 millisecond' END
         WHERE r.id = $1 AND r.status = 'running' RETURNING",
        seen_run!()
    ))
    .bind(id.uuid())
    .bind(settled.succeeded)
    .bind(settled.failed)
    .bind(settled.skipped)
    .bind(settled.created)
    .bind(settled.updated)
    .bind(settled.deleted)
    .bind(settled.unchanged)
    .fetch_one(connection)
    .await?;
    read(row)
}

/// How a run ends.
#[derive(Debug, Clone)]
pub struct Ending {
    pub outcome: RunOutcome,
    /// A reason of the run itself, shown also when no item has it.
    pub failure: Option<Failure>,
}

/// Ends the run. Counts and failure summary are derived once more from all items; the constraint trigger checks that.
pub async fn complete(connection: &mut PgConnection, id: RunId, ending: &Ending, raise_fence: bool) -> Result<SeenRun> {
    let line = ending.failure.as_ref().map(|failure| FailureLine {
        code: failure.code.clone(),
        message: failure.message.chars().take(LONGEST_MESSAGE).collect(),
        count: 0,
    });
    let row: Row = sqlx::query_as(concat!(
        "WITH tally AS (
             SELECT count(*) FILTER (WHERE i.state <> 'pending') AS processed,
                 count(*) FILTER (WHERE i.state = 'succeeded') AS succeeded,
                 count(*) FILTER (WHERE i.state = 'failed') AS failed,
                 count(*) FILTER (WHERE i.state = 'skipped') AS skipped,
                 count(*) FILTER (WHERE i.effect = 'created') AS created,
                 count(*) FILTER (WHERE i.effect = 'updated') AS updated,
                 count(*) FILTER (WHERE i.effect = 'deleted') AS deleted,
                 count(*) FILTER (WHERE i.effect = 'unchanged') AS unchanged
             FROM operation.run_item i JOIN operation.run k ON k.workspace_id = i.workspace_id AND k.id = i.run_id
             WHERE k.id = $1),
         derived AS (SELECT",
        derived_failure_summary!(),
        "AS summary FROM operation.run r WHERE r.id = $1)
         UPDATE operation.run r SET
             status = 'completed', outcome = $2, completed_at = clock_timestamp(), lease_owner = NULL,
             lease_expires_at = NULL, fence = r.fence + $3,
             processed = t.processed, succeeded = t.succeeded, failed = t.failed, skipped = t.skipped,
             created = t.created, updated = t.updated, deleted = t.deleted, unchanged = t.unchanged,
             failure_summary = d.summary || CASE
                 WHEN $4::jsonb IS NULL OR d.summary @> jsonb_build_array(jsonb_build_object('code', $4 -> 'code'))
                 THEN '[]' ELSE jsonb_build_array($4) END
         FROM tally t, derived d WHERE r.id = $1 AND r.status <> 'completed' RETURNING",
        seen_run!()
    ))
    .bind(id.uuid())
    .bind(ending.outcome.as_str())
    .bind(i64::from(raise_fence))
    .bind(line.map(sqlx::types::Json))
    .fetch_one(connection)
    .await?;
    read(row)
}

/// Puts a running run back into the queue, not to be claimed before `delay` has passed. The fence rises, so that whoever
/// held it is refused from now on. `reason`: UPPER_SNAKE, or empty. `counts_as_attempt`: whether the claim that ends here is
/// one without progress.
pub async fn requeue(
    connection: &mut PgConnection,
    id: RunId,
    delay: Duration,
    reason: &str,
    counts_as_attempt: bool,
) -> Result<SeenRun> {
    let row: Row = sqlx::query_as(concat!(
        "UPDATE operation.run r SET
             status = 'queued', lease_owner = NULL, lease_expires_at = NULL, fence = r.fence + 1,
             not_before = clock_timestamp() + $2 * interval '1 millisecond', release_reason = nullif($4, ''),
             attempts_without_progress = CASE WHEN $3 THEN r.attempts_without_progress
                 ELSE greatest(r.attempts_without_progress - 1, 0) END
         WHERE r.id = $1 AND r.status = 'running' RETURNING",
        seen_run!()
    ))
    .bind(id.uuid())
    .bind(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX))
    .bind(counts_as_attempt)
    .bind(reason)
    .fetch_one(connection)
    .await?;
    read(row)
}

/// Remembers that the run was asked to stop, by whom and why. Survives claims and rescues.
pub async fn request_cancel(
    connection: &mut PgConnection,
    id: RunId,
    subject: &str,
    reason: Option<&str>,
) -> Result<SeenRun> {
    let row: Row = sqlx::query_as(concat!(
        "UPDATE operation.run r SET cancel_requested_at = clock_timestamp(), cancel_requested_by = $2, cancel_reason = $3
         WHERE r.id = $1 AND r.status <> 'completed' AND r.cancel_requested_at IS NULL RETURNING",
        seen_run!()
    ))
    .bind(id.uuid())
    .bind(subject)
    .bind(reason)
    .fetch_one(connection)
    .await?;
    read(row)
}
