//! Tables `operation.run_event` and `operation.watch_floor`: what watchers follow, written by the triggers of
//! `operation.run`, and how far back it reaches.

use std::sync::OnceLock;

use domain::id::{RunId, WorkspaceId};
use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Error, Result, UnreadableRow};
use crate::run::{Run, SeenRun};
use crate::watch::{Event, EventKind, Position, Snapshot};

#[derive(FromRow)]
struct EventRow {
    xid: i64,
    seq: i64,
    written_by: i64,
    run_id: Uuid,
    rev: i64,
    kind: String,
    at: OffsetDateTime,
    run: String,
}

impl EventRow {
    fn read(self) -> Result<Event> {
        let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| {
            UnreadableRow::new("operation.run_event", format!("{}/{}", self.run_id, self.rev), source)
        };
        let run: Run = serde_json::from_str(&self.run).map_err(|source| unreadable(source.into()))?;
        let kind = match self.kind.as_str() {
            "created" => EventKind::Queued,
            "claimed" => EventKind::Started,
            "released" => EventKind::Requeued,
            "progressed" => EventKind::Progressed,
            "cancel_requested" => EventKind::CancelRequested,
            "completed" | "imported" => EventKind::Completed,
            other => return Err(unreadable(format!("kind is {other:?}").into()).into()),
        };
        Ok(Event {
            position: Position { xid: self.xid, seq: self.seq },
            written_by: self.written_by,
            kind,
            seen: SeenRun { run, seen_at: self.at },
            rendered: OnceLock::new(),
        })
    }
}

/// What is new after a position.
#[derive(Debug)]
pub struct Tail {
    pub events: Vec<Event>,
    /// Everything up to it has been read and is final: the last event, or where the reading began.
    pub head: Position,
    /// The oldest transaction that was still running.
    pub horizon: i64,
    /// Whether transactions are still writing that hold back what was written after them.
    pub held_back: bool,
}

#[derive(FromRow)]
struct TailRow {
    xmin: i64,
    xmax: i64,
    xid: Option<i64>,
    seq: Option<i64>,
    written_by: Option<i64>,
    run_id: Option<Uuid>,
    rev: Option<i64>,
    kind: Option<String>,
    at: Option<OffsetDateTime>,
    run: Option<String>,
}

impl TailRow {
    fn event(self) -> Option<EventRow> {
        Some(EventRow {
            xid: self.xid?,
            seq: self.seq?,
            written_by: self.written_by?,
            run_id: self.run_id?,
            rev: self.rev?,
            kind: self.kind?,
            at: self.at?,
            run: self.run?,
        })
    }
}

/// Prepares a connection that reads the tail: it looks outside transactions, so that looking holds nothing back, and so its
/// scope is set for the session.
pub async fn follow_all_workspaces(connection: &mut PgConnection) -> Result<()> {
    sqlx::query("SELECT set_config('tenantatlas.scope', 'system', false)").execute(connection).await?;
    Ok(())
}

/// Reads what is final after a position, at most `limit` events. One statement, so that events and horizon are of the same
/// snapshot; without a transaction, so that reading holds nothing back.
pub async fn tail(connection: &mut PgConnection, after: Position, limit: i64) -> Result<Tail> {
    let rows: Vec<TailRow> = sqlx::query_as(
        // Everything below xmin has ended; what comes later has a higher xid. So this prefix never changes.
        "WITH horizon AS MATERIALIZED (
             SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin, pg_snapshot_xmax(pg_current_snapshot()) AS xmax)
         SELECT h.xmin::text::bigint AS xmin, h.xmax::text::bigint AS xmax, e.xid::text::bigint AS xid, e.seq,
             e.written_by::text::bigint AS written_by, e.run_id, e.rev, e.kind, e.at, e.run::text AS run
         FROM horizon h LEFT JOIN LATERAL (
             SELECT * FROM operation.run_event e
             WHERE (e.xid, e.seq) > ($1::text::xid8, $2) AND e.xid < h.xmin
             ORDER BY e.xid, e.seq LIMIT $3) e ON true
         ORDER BY e.xid, e.seq",
    )
    .bind(after.xid.to_string())
    .bind(after.seq)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let (xmin, held_back) = (first.xmin, first.xmax > first.xmin);
    let rows: Vec<EventRow> = rows.into_iter().filter_map(TailRow::event).collect();
    // Not `before(xmin)`, although nothing lies in between: transactions that ended without a trace on disk are forgotten by a
    // server that is killed, and it gives their numbers to others, whose events would lie before a head that ran ahead.
    let head = rows.last().map_or(after, |last| Position { xid: last.xid, seq: last.seq });
    Ok(Tail { events: rows.into_iter().filter_map(readable).collect(), head, horizon: xmin, held_back })
}

/// One bad row must not stop everybody's stream: it is told loudly and passed over.
fn readable(row: EventRow) -> Option<Event> {
    match row.read() {
        Ok(event) => Some(event),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "an event cannot be read; watchers will miss it");
            None
        }
    }
}

/// Where new events begin: the newest final event that is kept, or where the kept ones begin. Nothing that is written from now on
/// lies before it.
pub async fn newest(connection: &mut PgConnection) -> Result<Position> {
    let newest: Option<(i64, i64)> = sqlx::query_as(
        "SELECT xid::text::bigint, seq FROM operation.run_event
         WHERE run_event.xid < pg_snapshot_xmin(pg_current_snapshot())
         ORDER BY run_event.xid DESC, run_event.seq DESC LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    match newest {
        Some((xid, seq)) => Ok(Position { xid, seq }),
        None => floor(connection).await,
    }
}

/// Events of a workspace (or of one run of it) after a position and up to another, in order, at most `limit`.
///
/// # Errors
/// [`Error::CursorCompacted`] when what follows the position is no longer kept.
pub async fn between(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    run: Option<RunId>,
    after: Position,
    until: Position,
    limit: i64,
) -> Result<Vec<Event>> {
    let rows: Vec<EventRow> = sqlx::query_as(
        "SELECT xid::text::bigint AS xid, seq, written_by::text::bigint AS written_by, run_id, rev, kind, at,
             run::text AS run
         FROM operation.run_event
         WHERE workspace_id = $1 AND ($2::uuid IS NULL OR run_id = $2)
             AND (xid, seq) > ($3::text::xid8, $4) AND (xid, seq) <= ($5::text::xid8, $6)
         ORDER BY xid, seq LIMIT $7",
    )
    .bind(workspace.uuid())
    .bind(run.map(RunId::uuid))
    .bind(after.xid.to_string())
    .bind(after.seq)
    .bind(until.xid.to_string())
    .bind(until.seq)
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    // Asked after reading: retention raises the floor, commits, and only then removes. If what was read has a hole, the
    // floor is above the position by now.
    if after < floor(connection).await? {
        return Err(Error::CursorCompacted);
    }
    rows.into_iter().map(EventRow::read).collect()
}

/// The oldest position that can be resumed from.
pub async fn floor(connection: &mut PgConnection) -> Result<Position> {
    let (xid, seq): (i64, i64) =
        sqlx::query_as("SELECT xid::text::bigint, seq FROM operation.watch_floor").fetch_one(connection).await?;
    Ok(Position { xid, seq })
}

/// A place in the write-ahead log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPosition(String);

/// The moment that a transaction sees, and a place in the log behind the end of everything it has seen end: before the moment is
/// relied on, [`make_durable`] that far.
pub async fn snapshot(connection: &mut PgConnection) -> Result<(Snapshot, LogPosition)> {
    let (text, log): (String, String) =
        sqlx::query_as("SELECT pg_current_snapshot()::text, pg_current_wal_insert_lsn()::text")
            .fetch_one(connection)
            .await?;
    let snapshot = text.parse().map_err(|source: crate::watch::position::NotASnapshot| {
        UnreadableRow::new("pg_current_snapshot()", &text, source)
    })?;
    Ok((snapshot, LogPosition(log)))
}

/// Sees to it that the log is on disk up to this place. What commits waits for that by itself; a transaction that was rolled
/// back, or wrote nothing, does not. A server that is killed at that moment has never heard of it and gives its number to
/// another one, which a snapshot that saw the first one end would take for seen. Not within a transaction.
pub async fn make_durable(connection: &mut PgConnection, log: &LogPosition) -> Result<()> {
    let durable: bool = sqlx::query_scalar("SELECT pg_current_wal_flush_lsn() >= $1::pg_lsn")
        .bind(&log.0)
        .fetch_one(&mut *connection)
        .await?;
    if !durable {
        // A commit that leaves something behind takes with it all that lies before it.
        sqlx::query("SELECT pg_logical_emit_message(true, 'tenantatlas', '')").execute(connection).await?;
    }
    Ok(())
}

/// Where the event with this revision of the run is, and which transaction wrote it; `None` when it is no longer kept.
pub async fn position_of(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    run: RunId,
    rev: i64,
) -> Result<Option<(Position, i64)>> {
    let row: Option<(i64, i64, i64)> = sqlx::query_as(
        "SELECT xid::text::bigint, seq, written_by::text::bigint FROM operation.run_event
         WHERE workspace_id = $1 AND run_id = $2 AND rev = $3",
    )
    .bind(workspace.uuid())
    .bind(run.uuid())
    .bind(rev)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(xid, seq, written_by)| (Position { xid, seq }, written_by)))
}

/// The run as it was with this revision; `None` when the event is no longer kept.
pub async fn run_at(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    run: RunId,
    rev: i64,
) -> Result<Option<Run>> {
    let columns: Option<String> = sqlx::query_scalar(
        "SELECT run::text FROM operation.run_event WHERE workspace_id = $1 AND run_id = $2 AND rev = $3",
    )
    .bind(workspace.uuid())
    .bind(run.uuid())
    .bind(rev)
    .fetch_optional(connection)
    .await?;
    let read = |columns: String| {
        serde_json::from_str(&columns)
            .map_err(|source| UnreadableRow::new("operation.run_event", format!("{run}/{rev}"), source))
    };
    Ok(columns.map(read).transpose()?)
}

/// The newest position whose events are all older than `age_ms`, up to `limit` events above the floor. `None`: there is
/// nothing old enough. Only final positions count.
pub async fn expired(connection: &mut PgConnection, age_ms: i64, limit: i64) -> Result<Option<Position>> {
    let row: Option<(i64, i64)> = sqlx::query_as(
        // Times are not in the order of positions; the first young event ends the prefix of old ones.
        "WITH oldest AS MATERIALIZED (
             SELECT e.xid, e.seq, e.at FROM operation.run_event e, operation.watch_floor f
             WHERE (e.xid, e.seq) > (f.xid, f.seq) AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
             ORDER BY e.xid, e.seq LIMIT $2),
         young AS (SELECT xid, seq FROM oldest WHERE at > clock_timestamp() - $1 * interval '1 millisecond'
             ORDER BY xid, seq LIMIT 1)
         SELECT o.xid::text::bigint, o.seq FROM oldest o
         WHERE NOT EXISTS (SELECT FROM young y WHERE (o.xid, o.seq) >= (y.xid, y.seq))
         ORDER BY o.xid DESC, o.seq DESC LIMIT 1",
    )
    .bind(age_ms)
    .bind(limit)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(xid, seq)| Position { xid, seq }))
}

/// Raises the floor. To be committed before anything below it is removed: a resume must never find a hole.
pub async fn raise_floor(connection: &mut PgConnection, to: Position) -> Result<()> {
    sqlx::query(
        "UPDATE operation.watch_floor SET xid = $1::text::xid8, seq = $2, moved_at = clock_timestamp()
         WHERE (xid, seq) < ($1::text::xid8, $2)",
    )
    .bind(to.xid.to_string())
    .bind(to.seq)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes the events up to the floor; returns how many.
pub async fn remove_below_floor(connection: &mut PgConnection) -> Result<u64> {
    let removed = sqlx::query(
        "DELETE FROM operation.run_event e USING operation.watch_floor f WHERE (e.xid, e.seq) <= (f.xid, f.seq)",
    )
    .execute(connection)
    .await?;
    Ok(removed.rows_affected())
}
