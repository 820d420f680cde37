//! Claiming runs and holding them. The clock is the database's alone, and every change of a held run names the fence.

use std::time::Duration;

use domain::id::RunId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::deadline::queued_until;
use super::{Row, read, seen_run};
use crate::error::Result;
use crate::owner::OwnedTypes;
use crate::run::{Lease, SeenRun};

/// A run in the hands of a worker.
#[derive(Debug, Clone)]
pub struct Held {
    pub seen: SeenRun,
    /// How long the lease lasts from each renewal.
    pub ttl: Duration,
    /// Claims in a row, this one included, without an item getting an outcome.
    pub attempts_without_progress: u32,
    /// The limit for those.
    pub max_attempts: u32,
    /// Whether the run's own time is over.
    pub timed_out: bool,
}

impl Held {
    /// Whether its worker is to begin nothing more.
    pub fn is_stopping(&self) -> bool {
        self.timed_out || self.seen.run.cancel_requested_at.is_some()
    }
}

type HeldRow = (Uuid, String, OffsetDateTime, i32, i32, i32, bool);

fn read_held((id, columns, seen_at, ttl_ms, attempts, max_attempts, timed_out): HeldRow) -> Result<Held> {
    Ok(Held {
        seen: read((id, columns, seen_at))?,
        ttl: millis(ttl_ms),
        attempts_without_progress: attempts.unsigned_abs(),
        max_attempts: max_attempts.unsigned_abs(),
        timed_out,
    })
}

fn millis(ttl_ms: i32) -> Duration {
    Duration::from_millis(u64::from(ttl_ms.unsigned_abs()))
}

macro_rules! held_run {
    () => {
        concat!(
            seen_run!(),
            ", r.lease_ttl_ms, r.attempts_without_progress, r.max_attempts,
               operation.deadline_passed(r.run_deadline, r.workspace_id, r.type, r.created_at) "
        )
    };
}

/// Takes up to `limit` queued runs of these types that are due and whose time is not over, oldest first. `ttl` replaces the lease term of the runs.
pub async fn claim(
    connection: &mut PgConnection,
    types: &[&str],
    limit: i64,
    worker: &str,
    ttl: Option<Duration>,
) -> Result<Vec<Held>> {
    let rows: Vec<HeldRow> = sqlx::query_as(concat!(
        // MATERIALIZED: the planner must not run the sub-select once per row of the join and lock more than LIMIT.
        // SKIP LOCKED: claimers do not wait for one another, and nobody gets a row that another one is taking.
        // Type by type: only with one type at a time is run_claimable read in its own order and left after `limit` rows. With
        // type = ANY every claim would read and sort the whole backlog.
        // What is paused: a type everywhere is not asked for at all; the runs of a workspace's pause are parked, out of the
        // index, but for those that were queued beside the pause. ARRAY: read once per type, and never joined with the backlog.
        "WITH due AS MATERIALIZED (
             SELECT q.workspace_id, q.id FROM unnest($1::text[]) AS asked (type)
             CROSS JOIN LATERAL (
                 SELECT workspace_id, id, created_at FROM operation.run
                 WHERE status = 'queued' AND NOT parked AND type = asked.type AND not_before <= clock_timestamp()
                     AND NOT operation.deadline_passed(",
        queued_until!(),
        ", workspace_id, type, created_at)
                     AND workspace_id <> ALL (ARRAY(
                         SELECT p.workspace_id FROM operation.pause p
                         WHERE p.type = asked.type AND p.resumed_at IS NULL))
                 ORDER BY created_at, id LIMIT $2 FOR UPDATE SKIP LOCKED) q
             WHERE NOT EXISTS (
                 SELECT FROM operation.pause p
                 WHERE p.type = asked.type AND p.resumed_at IS NULL
                     AND p.workspace_id = '00000000-0000-0000-0000-000000000000')
             ORDER BY q.created_at, q.id LIMIT $2)
         UPDATE operation.run r SET
             status = 'running', attempt = r.attempt + 1, fence = r.fence + 1,
             attempts_without_progress = r.attempts_without_progress + 1,
             started_at = coalesce(r.started_at, clock_timestamp()), lease_owner = $3,
             lease_ttl_ms = coalesce($4, r.lease_ttl_ms),
             lease_expires_at = clock_timestamp() + coalesce($4, r.lease_ttl_ms) * interval '1 millisecond'
         FROM due WHERE r.workspace_id = due.workspace_id AND r.id = due.id AND r.status = 'queued'
         RETURNING",
        held_run!()
    ))
    .bind(types)
    .bind(limit)
    .bind(worker)
    .bind(ttl.map(|ttl| i32::try_from(ttl.as_millis()).unwrap_or(i32::MAX)))
    .fetch_all(connection)
    .await?;
    let mut claimed = rows.into_iter().map(read_held).collect::<Result<Vec<_>>>()?;
    claimed.sort_by_key(|held| (held.seen.run.created_at, held.seen.run.id));
    Ok(claimed)
}

/// The run behind a lease, held against every other change until the transaction ends. `None`: the lease is lost.
pub async fn hold(connection: &mut PgConnection, lease: Lease, types: &OwnedTypes) -> Result<Option<Held>> {
    let row: Option<HeldRow> = sqlx::query_as(concat!(
        "SELECT",
        held_run!(),
        "FROM operation.run r
         WHERE r.id = $1 AND r.fence = $2 AND r.status = 'running' AND r.type = ANY($3) FOR NO KEY UPDATE"
    ))
    .bind(lease.run.uuid())
    .bind(lease.fence)
    .bind(types.names())
    .fetch_optional(connection)
    .await?;
    row.map(read_held).transpose()
}

/// The run behind a lease, only looked at. `None`: the lease is lost.
pub async fn look(connection: &mut PgConnection, lease: Lease, types: &OwnedTypes) -> Result<Option<SeenRun>> {
    let row: Option<Row> = sqlx::query_as(concat!(
        "SELECT",
        seen_run!(),
        "FROM operation.run r WHERE r.id = $1 AND r.fence = $2 AND r.status = 'running' AND r.type = ANY($3)"
    ))
    .bind(lease.run.uuid())
    .bind(lease.fence)
    .bind(types.names())
    .fetch_optional(connection)
    .await?;
    row.map(read).transpose()
}

/// The run as its holder ended it: the fence of whoever gave it up from outside is a higher one.
pub async fn ended_by(connection: &mut PgConnection, lease: Lease, types: &OwnedTypes) -> Result<Option<SeenRun>> {
    let row: Option<Row> = sqlx::query_as(concat!(
        "SELECT",
        seen_run!(),
        "FROM operation.run r WHERE r.id = $1 AND r.fence = $2 AND r.status = 'completed' AND r.type = ANY($3)"
    ))
    .bind(lease.run.uuid())
    .bind(lease.fence)
    .bind(types.names())
    .fetch_optional(connection)
    .await?;
    row.map(read).transpose()
}

/// A renewed lease.
#[derive(Debug, Clone, Copy)]
pub struct Renewed {
    pub ttl: Duration,
    pub cancel_requested: bool,
    /// The run's time is over: whoever holds it is to stop.
    pub timed_out: bool,
}

/// Prolongs the lease by its term. `None`: it is lost. A lease whose time is over but that nobody has rescued yet is
/// still the holder's: the fence tells, not the clock. A lease is not prolonged any more once the run's time has been over for
/// longer than `grace`: it runs out, and the run ends with it.
pub async fn renew(
    connection: &mut PgConnection,
    lease: Lease,
    types: &OwnedTypes,
    grace: Duration,
    trace: Option<&str>,
) -> Result<Option<Renewed>> {
    let row: Option<(i32, bool, bool)> = sqlx::query_as(
        "UPDATE operation.run SET lease_expires_at = clock_timestamp() + lease_ttl_ms * interval '1 millisecond',
             work_traceparent = coalesce($5, work_traceparent)
         WHERE id = $1 AND fence = $2 AND status = 'running' AND type = ANY($3)
             AND NOT operation.deadline_passed(
                 run_deadline + $4 * interval '1 millisecond', workspace_id, type, created_at)
         RETURNING lease_ttl_ms, cancel_requested_at IS NOT NULL,
             operation.deadline_passed(run_deadline, workspace_id, type, created_at)",
    )
    .bind(lease.run.uuid())
    .bind(lease.fence)
    .bind(types.names())
    .bind(i64::try_from(grace.as_millis()).unwrap_or(i64::MAX))
    .bind(trace)
    .fetch_optional(connection)
    .await?;
    let renewed = |(ttl_ms, cancel_requested, timed_out)| Renewed { ttl: millis(ttl_ms), cancel_requested, timed_out };
    Ok(row.map(renewed))
}

/// Runs whose lease has run out, the longest first, at most `limit`. Only candidates: each is held before it is judged.
pub async fn expired(connection: &mut PgConnection, limit: i64) -> Result<Vec<Lease>> {
    let rows: Vec<(Uuid, i64)> = sqlx::query_as(
        "SELECT id, fence FROM operation.run WHERE status = 'running' AND lease_expires_at < clock_timestamp()
         ORDER BY lease_expires_at LIMIT $1",
    )
    .bind(limit)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(id, fence)| Lease { run: RunId(id), fence }).collect())
}

/// Holds a run whose lease has run out. `None`: somebody else is at it, or it was renewed or ended meanwhile.
pub async fn hold_expired(connection: &mut PgConnection, lease: Lease) -> Result<Option<Held>> {
    let row: Option<HeldRow> = sqlx::query_as(concat!(
        "SELECT",
        held_run!(),
        "FROM operation.run r
         WHERE r.id = $1 AND r.fence = $2 AND r.status = 'running' AND r.lease_expires_at < clock_timestamp()
         FOR NO KEY UPDATE SKIP LOCKED"
    ))
    .bind(lease.run.uuid())
    .bind(lease.fence)
    .fetch_optional(connection)
    .await?;
    row.map(read_held).transpose()
}
