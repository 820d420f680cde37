//! `access.audit_outbox`: what the audit trail has yet to be told. Written in the transaction of the change, removed when the
//! trail took it, parked when the trail refuses it for good.

use std::time::Duration;

use domain::id::WorkspaceId;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Result, unreadable};

/// An entry claimed for delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Owed {
    /// Its workspace.
    pub workspace_id: WorkspaceId,
    /// Its id, the same at every delivery.
    pub entry_id: Uuid,
    /// When it was written down: when the change began to be made.
    pub written_at: OffsetDateTime,
    /// How often it was claimed, this time included.
    pub attempts: u32,
    /// The entry, as it was written down.
    pub event: Value,
}

/// Writes entries of a workspace down, each with its id.
pub async fn insert(conn: &mut PgConnection, workspace: WorkspaceId, entries: &[(Uuid, Value)]) -> Result<()> {
    let (ids, events): (Vec<Uuid>, Vec<&Value>) = entries.iter().map(|(id, event)| (*id, event)).unzip();
    sqlx::query(
        "INSERT INTO access.audit_outbox (workspace_id, entry_id, event)
         SELECT $1, entry_id, event FROM unnest($2::uuid[], $3::jsonb[]) AS e (entry_id, event)",
    )
    .bind(workspace.uuid())
    .bind(ids)
    .bind(events)
    .execute(conn)
    .await?;
    Ok(())
}

/// Claims entries that are due, oldest first: nobody else claims them within `lease`. Needs the scope `system`.
pub async fn claim(conn: &mut PgConnection, limit: i64, lease: Duration) -> Result<Vec<Owed>> {
    let rows = sqlx::query(
        "WITH due AS MATERIALIZED (
             SELECT workspace_id, entry_id FROM access.audit_outbox
             WHERE due_at <= clock_timestamp() AND parked_at IS NULL
             ORDER BY due_at, entry_id LIMIT $1
             -- Another replica's claim under way is not waited for.
             FOR UPDATE SKIP LOCKED),
         claimed AS (
             UPDATE access.audit_outbox o
             SET attempts = o.attempts + 1, due_at = clock_timestamp() + make_interval(secs => $2)
             FROM due WHERE o.workspace_id = due.workspace_id AND o.entry_id = due.entry_id
             RETURNING o.workspace_id, o.entry_id, o.attempts, o.event, o.created_at)
         SELECT workspace_id, entry_id, attempts, event, created_at FROM claimed ORDER BY created_at, entry_id",
    )
    .bind(limit)
    .bind(lease.as_secs_f64())
    .fetch_all(conn)
    .await?;
    rows.iter().map(read).collect()
}

/// Removes an entry that was delivered. Needs the scope `system`.
pub async fn remove(conn: &mut PgConnection, owed: &Owed) -> Result<()> {
    sqlx::query("DELETE FROM access.audit_outbox WHERE workspace_id = $1 AND entry_id = $2")
        .bind(owed.workspace_id.uuid())
        .bind(owed.entry_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Has a claimed entry tried again after `delay`, unless somebody else claimed it meanwhile. Needs the scope `system`.
pub async fn postpone(conn: &mut PgConnection, owed: &Owed, delay: Duration) -> Result<()> {
    sqlx::query(
        "UPDATE access.audit_outbox SET due_at = clock_timestamp() + make_interval(secs => $4)
         WHERE workspace_id = $1 AND entry_id = $2 AND attempts = $3",
    )
    .bind(owed.workspace_id.uuid())
    .bind(owed.entry_id)
    .bind(i64::from(owed.attempts))
    .bind(delay.as_secs_f64())
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a claimed entry aside that the trail refuses for what it is, unless somebody else claimed it meanwhile. Needs the scope
/// `system`.
pub async fn park(conn: &mut PgConnection, owed: &Owed, reason: &str) -> Result<()> {
    sqlx::query(
        "UPDATE access.audit_outbox SET parked_at = clock_timestamp(), parked_reason = $4
         WHERE workspace_id = $1 AND entry_id = $2 AND attempts = $3 AND parked_at IS NULL",
    )
    .bind(owed.workspace_id.uuid())
    .bind(owed.entry_id)
    .bind(i64::from(owed.attempts))
    .bind(reason)
    .execute(conn)
    .await?;
    Ok(())
}

/// How the outbox stands: what an operator watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Entries that are still to be delivered.
    pub owed: i64,
    /// How long the oldest of them has waited.
    pub oldest_waits: Duration,
    /// Entries that were refused for good and wait for an operator.
    pub parked: i64,
}

/// How the outbox stands now. It is read whole: it holds little unless something is wrong. Needs the scope `system`.
pub async fn standing(conn: &mut PgConnection) -> Result<Standing> {
    let row = sqlx::query(
        "SELECT count(*) FILTER (WHERE parked_at IS NULL) AS owed, count(*) FILTER (WHERE parked_at IS NOT NULL) AS parked,
             coalesce(greatest(extract(epoch FROM
                 clock_timestamp() - min(created_at) FILTER (WHERE parked_at IS NULL)), 0), 0)::float8 AS oldest
         FROM access.audit_outbox",
    )
    .fetch_one(conn)
    .await?;
    Ok(Standing {
        owed: row.try_get("owed")?,
        oldest_waits: Duration::from_secs_f64(row.try_get("oldest")?),
        parked: row.try_get("parked")?,
    })
}

/// How long until the next entry is due; `None` when there is none. Needs the scope `system`.
pub async fn due_in(conn: &mut PgConnection) -> Result<Option<Duration>> {
    let seconds: Option<f64> = sqlx::query_scalar(
        "SELECT greatest(extract(epoch FROM min(due_at) - clock_timestamp()), 0)::float8 FROM access.audit_outbox
         WHERE parked_at IS NULL",
    )
    .fetch_one(conn)
    .await?;
    Ok(seconds.map(Duration::from_secs_f64))
}

fn read(row: &PgRow) -> Result<Owed> {
    let entry_id = row.try_get("entry_id")?;
    let attempts: i32 = row.try_get("attempts")?;
    Ok(Owed {
        workspace_id: WorkspaceId(row.try_get("workspace_id")?),
        entry_id,
        written_at: row.try_get("created_at")?,
        attempts: u32::try_from(attempts)
            .map_err(|why| unreadable("access.audit_outbox", "attempts", entry_id, why))?,
        event: row.try_get("event")?,
    })
}
