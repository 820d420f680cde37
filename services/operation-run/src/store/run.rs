//! Table `operation.run`: finding and listing. What changes a run is in [`start`], [`lease`], [`deadline`] and [`ending`].
//!
//! A row is read as JSON by column name, the form in which events repeat it: there is one reader for both.

pub mod attention;
pub mod deadline;
pub mod ending;
pub mod import;
pub mod lease;
pub mod queue;
pub mod retention;
pub mod start;

use domain::id::{RunId, TenantId, WorkspaceId};
use domain::run::{RunOutcome, RunStatus, RunType};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, UnreadableRow};
use crate::run::{Run, SeenRun};

/// What every query of a run `r` selects; the row type is [`Row`].
macro_rules! seen_run {
    () => {
        " r.id, to_jsonb(r)::text, clock_timestamp() "
    };
}
pub(crate) use seen_run;

/// The same for people, with whether the run's type is paused (a run that waits on purpose does not look stale) and for how long
/// it has been, by which its deadlines have moved.
macro_rules! shown_run {
    () => {
        " r.id, (to_jsonb(r) || CASE WHEN r.status = 'completed' THEN '{}' ELSE jsonb_build_object(
              'paused', r.status = 'queued' AND EXISTS (
                  SELECT FROM operation.pause p
                  WHERE p.workspace_id IN (r.workspace_id, '00000000-0000-0000-0000-000000000000')
                      AND p.type = r.type AND p.resumed_at IS NULL),
              'paused_ms', (extract(epoch FROM operation.paused_time(
                  r.workspace_id, r.type, r.created_at, clock_timestamp())) * 1000)::bigint) END)::text, clock_timestamp() "
    };
}
pub(crate) use shown_run;

/// A selected run: id, columns as JSON, the database's clock.
pub(crate) type Row = (Uuid, String, OffsetDateTime);

/// Reads a selected run.
pub(crate) fn read((id, columns, seen_at): Row) -> Result<SeenRun> {
    let run: Run = serde_json::from_str(&columns).map_err(|source| UnreadableRow::new("operation.run", id, source))?;
    Ok(SeenRun { run, seen_at })
}

/// The run, in the workspace of the transaction.
pub async fn find(connection: &mut PgConnection, id: RunId) -> Result<Option<SeenRun>> {
    let row: Option<Row> = sqlx::query_as(concat!("SELECT", shown_run!(), "FROM operation.run r WHERE r.id = $1"))
        .bind(id.uuid())
        .fetch_optional(connection)
        .await?;
    row.map(read).transpose()
}

/// The run, held against every other change until the transaction ends.
pub async fn lock(connection: &mut PgConnection, id: RunId) -> Result<Option<SeenRun>> {
    let row: Option<Row> = sqlx::query_as(concat!(
        "SELECT",
        seen_run!(),
        // NO KEY: items refer to the run by its key, and inserting or checking those need not wait.
        "FROM operation.run r WHERE r.id = $1 FOR NO KEY UPDATE"
    ))
    .bind(id.uuid())
    .fetch_optional(connection)
    .await?;
    row.map(read).transpose()
}

/// Which runs; an empty list does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub types: Vec<RunType>,
    /// A run matches when it works on one of them or refers to it.
    pub tenants: Vec<TenantId>,
    pub statuses: Vec<RunStatus>,
    pub outcomes: Vec<RunOutcome>,
    pub initiator_subject: Option<String>,
    /// Created at this moment or later.
    pub created_from: Option<OffsetDateTime>,
    /// Created before this moment.
    pub created_before: Option<OffsetDateTime>,
    /// Active, but overdue.
    pub stuck: bool,
    /// Only history of an older system, or only what is not; `None`: both.
    pub imported: Option<bool>,
}

/// What an actor could see at all; the exact decision about each run follows.
#[derive(Debug, Clone)]
pub struct Horizon {
    pub types: Vec<RunType>,
    pub tenants: Vec<TenantId>,
}

/// The place of a run in a list, newest first: by when it was made, or, among completed ones, by when it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListPosition {
    pub at: OffsetDateTime,
    pub id: RunId,
}

impl ListPosition {
    /// The place of this run among all.
    pub fn of(seen: &SeenRun) -> Self {
        Self { at: seen.run.created_at, id: seen.run.id }
    }

    /// The place of this run among those that have ended; `None`: it has not.
    pub fn of_ended(seen: &SeenRun) -> Option<Self> {
        seen.run.completed_at.map(|at| Self { at, id: seen.run.id })
    }
}

/// Whether a run `r` is active but overdue: the same as `domain::run::freshness`, which a test compares.
macro_rules! looks_stale {
    () => {
        " (CASE r.status
             WHEN 'running' THEN r.lease_expires_at < clock_timestamp()
             WHEN 'queued' THEN greatest(r.updated_at, r.not_before) < clock_timestamp() - interval '2 minutes'
                 AND NOT EXISTS (
                     SELECT FROM operation.pause p
                     WHERE p.workspace_id IN (r.workspace_id, '00000000-0000-0000-0000-000000000000')
                         AND p.type = r.type AND p.resumed_at IS NULL)
             ELSE false END) "
    };
}
use looks_stale;

/// The condition of [`Wanted`] and [`Horizon`] on a run `r`, over the parameters $1 to $12.
macro_rules! wanted_within_horizon {
    () => {
        concat!(
            " r.workspace_id = $1
          AND r.type = ANY($2)
          AND (r.tenant_id IS NULL OR r.tenant_id = ANY($3)) AND r.related_tenant_ids <@ $3
          AND (cardinality($4::text[]) = 0 OR r.type = ANY($4))
          AND (cardinality($5::uuid[]) = 0 OR r.tenant_id = ANY($5) OR r.related_tenant_ids && $5)
          AND (cardinality($6::text[]) = 0 OR r.status = ANY($6))
          AND (cardinality($7::text[]) = 0 OR r.outcome = ANY($7))
          AND ($8::text IS NULL OR r.initiator_subject = $8)
          AND ($9::timestamptz IS NULL OR r.created_at >= $9)
          AND ($10::timestamptz IS NULL OR r.created_at < $10)
          AND (NOT $11 OR",
            looks_stale!(),
            ") AND ($12::boolean IS NULL OR r.imported = $12) "
        )
    };
}

/// The place that a list goes on after, the parameters $13 and $14. Compared without an OR, so that the index on it is used
/// whatever plan is cached.
macro_rules! place {
    () => {
        " (coalesce($13::timestamptz, 'infinity'), coalesce($14::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')) "
    };
}

/// Runs after `after`, newest first, at most `limit`.
pub async fn page(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    wanted: &Wanted,
    horizon: &Horizon,
    after: Option<ListPosition>,
    limit: i64,
) -> Result<Vec<SeenRun>> {
    let sql = concat!(
        "SELECT",
        shown_run!(),
        "FROM operation.run r WHERE",
        wanted_within_horizon!(),
        "AND (r.created_at, r.id) <",
        place!(),
        "ORDER BY r.created_at DESC, r.id DESC LIMIT $15"
    );
    fetch(connection, sql, workspace, wanted, horizon, after, limit, None).await
}

/// The active runs, newest first, at most `limit`.
pub async fn active_page(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    wanted: &Wanted,
    horizon: &Horizon,
    after: Option<ListPosition>,
    limit: i64,
) -> Result<Vec<SeenRun>> {
    let sql = concat!(
        "SELECT",
        shown_run!(),
        "FROM operation.run r WHERE r.status <> 'completed' AND",
        wanted_within_horizon!(),
        "AND (r.created_at, r.id) <",
        place!(),
        "ORDER BY r.created_at DESC, r.id DESC LIMIT $15"
    );
    fetch(connection, sql, workspace, wanted, horizon, after, limit, None).await
}

/// The runs that were completed in the snapshot (of `pg_current_snapshot()`) and within the last 24 hours, those that ended
/// last first, at most `limit`. What was imported did not happen here, and is left out.
///
/// A completed run never changes, so this may be asked long after the snapshot was taken, without holding it open: the
/// event with the run's last revision is the one that completed it, and its transaction tells whether the snapshot had
/// seen it. An event that retention has removed is older than any snapshot somebody still reads from.
pub async fn completed_page(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    wanted: &Wanted,
    horizon: &Horizon,
    snapshot: &str,
    after: Option<ListPosition>,
    limit: i64,
) -> Result<Vec<SeenRun>> {
    let sql = concat!(
        "SELECT",
        seen_run!(),
        "FROM operation.run r
         LEFT JOIN operation.run_event e ON e.workspace_id = r.workspace_id AND e.run_id = r.id AND e.rev = r.rev
         WHERE r.status = 'completed' AND NOT r.imported AND (e.rev IS NULL OR pg_visible_in_snapshot(e.written_by, $16::pg_snapshot))
             AND r.completed_at > clock_timestamp() - interval '24 hours' AND",
        wanted_within_horizon!(),
        "AND (r.completed_at, r.id) <",
        place!(),
        "ORDER BY r.completed_at DESC, r.id DESC LIMIT $15"
    );
    fetch(connection, sql, workspace, wanted, horizon, after, limit, Some(snapshot)).await
}

#[allow(clippy::too_many_arguments, reason = "the parameters of one statement, in the order of its placeholders")]
async fn fetch(
    connection: &mut PgConnection,
    sql: &'static str,
    workspace: WorkspaceId,
    wanted: &Wanted,
    horizon: &Horizon,
    after: Option<ListPosition>,
    limit: i64,
    snapshot: Option<&str>,
) -> Result<Vec<SeenRun>> {
    let query = sqlx::query_as(sql)
        .bind(workspace.uuid())
        .bind(names(&horizon.types))
        .bind(uuids(&horizon.tenants))
        .bind(names(&wanted.types))
        .bind(uuids(&wanted.tenants))
        .bind(wanted.statuses.iter().map(|status| status.as_str()).collect::<Vec<_>>())
        .bind(wanted.outcomes.iter().map(|outcome| outcome.as_str()).collect::<Vec<_>>())
        .bind(wanted.initiator_subject.as_deref())
        .bind(wanted.created_from)
        .bind(wanted.created_before)
        .bind(wanted.stuck)
        .bind(wanted.imported)
        .bind(after.map(|after| after.at))
        .bind(after.map(|after| after.id.uuid()))
        .bind(limit);
    let rows: Vec<Row> = match snapshot {
        Some(snapshot) => query.bind(snapshot).fetch_all(connection).await?,
        None => query.fetch_all(connection).await?,
    };
    rows.into_iter().map(read).collect()
}

pub(crate) fn names(types: &[RunType]) -> Vec<&'static str> {
    types.iter().map(|run_type| run_type.as_str()).collect()
}

pub(crate) fn uuids(tenants: &[TenantId]) -> Vec<Uuid> {
    tenants.iter().map(|tenant| tenant.uuid()).collect()
}
