//! `inventory.backup_slot`: the times schedules fired for. One row per schedule and time, until it is forgotten.

use std::time::Duration;

use domain::id::{BackupScheduleId, RunId, TenantId, WorkspaceId};
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::Result;

/// A time that a schedule fired for and whose run is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The schedule.
    pub schedule_id: BackupScheduleId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// The time.
    pub fire_at: OffsetDateTime,
}

/// Writes down times of a schedule. A time that was written down before stays as it is.
pub async fn insert(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    schedule: BackupScheduleId,
    times: &[OffsetDateTime],
) -> Result<()> {
    sqlx::query(
        "INSERT INTO inventory.backup_slot (workspace_id, schedule_id, fire_at)
         SELECT $1, $2, fire_at FROM unnest($3::timestamptz[]) AS fire_at
         ON CONFLICT ON CONSTRAINT backup_slot_pkey DO NOTHING",
    )
    .bind(workspace.uuid())
    .bind(schedule.uuid())
    .bind(times)
    .execute(conn)
    .await?;
    Ok(())
}

/// Slots whose runs are to be started, the oldest first, each for this replica alone until `lease` is over: whoever dies over
/// one leaves it to the others. Needs the scope `system`.
pub async fn claim(conn: &mut PgConnection, most: i64, lease: Duration) -> Result<Vec<Slot>> {
    let rows = sqlx::query(
        "UPDATE inventory.backup_slot s SET not_before = clock_timestamp() + $2
         FROM (SELECT workspace_id, schedule_id, fire_at FROM inventory.backup_slot
               WHERE state = 'due' AND not_before <= clock_timestamp()
               ORDER BY fire_at LIMIT $1 FOR UPDATE SKIP LOCKED) due,
              inventory.backup_schedule b
         WHERE (s.workspace_id, s.schedule_id, s.fire_at) = (due.workspace_id, due.schedule_id, due.fire_at)
           AND (b.workspace_id, b.id) = (s.workspace_id, s.schedule_id)
         RETURNING s.workspace_id, s.schedule_id, s.fire_at, b.tenant_id",
    )
    .bind(most)
    .bind(lease)
    .fetch_all(conn)
    .await?;
    let mut slots = rows
        .iter()
        .map(|row| {
            Ok(Slot {
                workspace_id: WorkspaceId(row.try_get("workspace_id")?),
                schedule_id: BackupScheduleId(row.try_get("schedule_id")?),
                tenant_id: TenantId(row.try_get("tenant_id")?),
                fire_at: row.try_get("fire_at")?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    // An UPDATE returns rows in no order.
    slots.sort_by_key(|slot| slot.fire_at);
    Ok(slots)
}

/// The newest time before this one whose run was started.
pub async fn started_before(conn: &mut PgConnection, slot: &Slot) -> Result<Option<OffsetDateTime>> {
    Ok(sqlx::query_scalar(
        "SELECT max(fire_at) FROM inventory.backup_slot
         WHERE workspace_id = $1 AND schedule_id = $2 AND fire_at < $3 AND state = 'started'",
    )
    .bind(slot.workspace_id.uuid())
    .bind(slot.schedule_id.uuid())
    .bind(slot.fire_at)
    .fetch_one(conn)
    .await?)
}

/// The run of a due slot was started; true unless somebody else was faster.
pub async fn mark_started(conn: &mut PgConnection, slot: &Slot, run: RunId) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE inventory.backup_slot SET state = 'started', run_id = $4
         WHERE workspace_id = $1 AND schedule_id = $2 AND fire_at = $3 AND state = 'due'",
    )
    .bind(slot.workspace_id.uuid())
    .bind(slot.schedule_id.uuid())
    .bind(slot.fire_at)
    .bind(run.uuid())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A due slot is passed over for this reason; true unless somebody else was faster.
pub async fn mark_passed_over(conn: &mut PgConnection, slot: &Slot, reason: &str) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE inventory.backup_slot SET state = 'passed_over', reason = $4
         WHERE workspace_id = $1 AND schedule_id = $2 AND fire_at = $3 AND state = 'due'",
    )
    .bind(slot.workspace_id.uuid())
    .bind(slot.schedule_id.uuid())
    .bind(slot.fire_at)
    .bind(reason)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes times further back than `age` that are decided about, at most `limit`, but not the newest of a schedule whose run was
/// started; says how many. Needs the scope `system`.
pub async fn remove_older(conn: &mut PgConnection, age: Duration, limit: i64) -> Result<u64> {
    let removed = sqlx::query(
        "DELETE FROM inventory.backup_slot WHERE (workspace_id, schedule_id, fire_at) IN (
             SELECT s.workspace_id, s.schedule_id, s.fire_at FROM inventory.backup_slot s
             WHERE s.state <> 'due' AND s.fire_at < clock_timestamp() - make_interval(secs => $1)
               AND (s.state <> 'started' OR EXISTS (
                   SELECT FROM inventory.backup_slot later
                   WHERE later.workspace_id = s.workspace_id AND later.schedule_id = s.schedule_id
                     AND later.fire_at > s.fire_at AND later.state = 'started'))
             ORDER BY s.fire_at LIMIT $2
             FOR UPDATE SKIP LOCKED)",
    )
    .bind(age.as_secs_f64())
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(removed.rows_affected())
}
