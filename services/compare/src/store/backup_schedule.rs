//! `inventory.backup_schedule`.

use std::collections::BTreeSet;

use domain::backup::{CatchUp, Overlap, Plan, Retention};
use domain::id::{BackupScheduleId, PolicyType, TenantId, WorkspaceId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::{Result, unreadable};

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Which one.
    pub id: BackupScheduleId,
    /// Its workspace.
    pub workspace_id: WorkspaceId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// What it says.
    pub plan: Plan,
    /// Rises with every change.
    pub version: i64,
    /// Times up to this one have been decided about.
    pub considered_until: OffsetDateTime,
    /// When it is due next.
    pub next_fire_at: Option<OffsetDateTime>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
    /// When it was archived.
    pub archived_at: Option<OffsetDateTime>,
}

/// Where a list of schedules goes on: lower-case name, id.
pub type After = (String, BackupScheduleId);

const COLUMNS: &str = "workspace_id, id, tenant_id, name, cron, time_zone, policy_types, catch_up, catch_up_most, overlap, \
                       keep_last, keep_days, version, considered_until, next_fire_at, created_at, updated_at, archived_at, \
                       lower(name COLLATE \"C\") AS sorted_by";

/// Inserts a schedule.
pub async fn insert(conn: &mut PgConnection, schedule: &Schedule, created_by: &str) -> Result<()> {
    let plan = &schedule.plan;
    let (catch_up, most) = stored_catch_up(plan.catch_up);
    sqlx::query(
        "INSERT INTO inventory.backup_schedule
             (workspace_id, id, tenant_id, name, cron, time_zone, policy_types, catch_up, catch_up_most, overlap,
              keep_last, keep_days, version, considered_until, next_fire_at, created_at, updated_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16, $17)",
    )
    .bind(schedule.workspace_id.uuid())
    .bind(schedule.id.uuid())
    .bind(schedule.tenant_id.uuid())
    .bind(&plan.name)
    .bind(&plan.cron)
    .bind(&plan.time_zone)
    .bind(types(plan))
    .bind(catch_up)
    .bind(most)
    .bind(overlap_name(plan.overlap))
    .bind(i32::from(plan.retention.keep_last()))
    .bind(i32::from(plan.retention.keep_days()))
    .bind(schedule.version)
    .bind(schedule.considered_until)
    .bind(schedule.next_fire_at)
    .bind(schedule.created_at)
    .bind(created_by)
    .execute(conn)
    .await?;
    Ok(())
}

/// A schedule of this tenant.
pub async fn find(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    id: BackupScheduleId,
) -> Result<Option<Schedule>> {
    find_locked(conn, workspace, tenant, id, "").await
}

/// The same, locked against other changes.
pub async fn find_for_update(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    id: BackupScheduleId,
) -> Result<Option<Schedule>> {
    find_locked(conn, workspace, tenant, id, "FOR UPDATE").await
}

async fn find_locked(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    id: BackupScheduleId,
    lock: &'static str,
) -> Result<Option<Schedule>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM inventory.backup_schedule WHERE workspace_id = $1 AND tenant_id = $2 AND id = $3 {lock}"
    )))
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(id.uuid())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(read).transpose()
}

/// One page of a tenant's schedules by name.
pub async fn list(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    include_archived: bool,
    after: Option<&After>,
    limit: i64,
) -> Result<Vec<(Schedule, After)>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM inventory.backup_schedule
         WHERE workspace_id = $1 AND tenant_id = $2 AND ($3 OR archived_at IS NULL)
           AND ($4::text IS NULL OR (lower(name COLLATE \"C\"), id) > ($4, $5))
         ORDER BY lower(name COLLATE \"C\"), id LIMIT $6"
    )))
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(include_archived)
    .bind(after.map(|(name, _)| name))
    .bind(after.map(|(_, id)| id.uuid()))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let schedule = read(row)?;
            let after = (row.try_get("sorted_by")?, schedule.id);
            Ok((schedule, after))
        })
        .collect()
}

/// Changes what a schedule that is in use says; false when it is of another version by now.
pub async fn update(conn: &mut PgConnection, changed: &Schedule, version: i64) -> Result<bool> {
    let plan = &changed.plan;
    let (catch_up, most) = stored_catch_up(plan.catch_up);
    let done = sqlx::query(
        "UPDATE inventory.backup_schedule SET
             name = $4, cron = $5, time_zone = $6, policy_types = $7, catch_up = $8, catch_up_most = $9, overlap = $10,
             keep_last = $11, keep_days = $12, considered_until = $13, next_fire_at = $14, updated_at = $15,
             version = version + 1
         WHERE workspace_id = $1 AND id = $2 AND version = $3 AND archived_at IS NULL",
    )
    .bind(changed.workspace_id.uuid())
    .bind(changed.id.uuid())
    .bind(version)
    .bind(&plan.name)
    .bind(&plan.cron)
    .bind(&plan.time_zone)
    .bind(types(plan))
    .bind(catch_up)
    .bind(most)
    .bind(overlap_name(plan.overlap))
    .bind(i32::from(plan.retention.keep_last()))
    .bind(i32::from(plan.retention.keep_days()))
    .bind(changed.considered_until)
    .bind(changed.next_fire_at)
    .bind(changed.updated_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a schedule that is in use; false when it was archived before.
pub async fn archive(conn: &mut PgConnection, workspace: WorkspaceId, id: BackupScheduleId) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE inventory.backup_schedule
         SET archived_at = now(), updated_at = now(), next_fire_at = NULL, version = version + 1
         WHERE workspace_id = $1 AND id = $2 AND archived_at IS NULL",
    )
    .bind(workspace.uuid())
    .bind(id.uuid())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// One schedule of any workspace that is due at this moment and that nobody else is looking at, locked. Needs the scope `system`.
pub async fn take_due(conn: &mut PgConnection, now: OffsetDateTime) -> Result<Option<Schedule>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM inventory.backup_schedule WHERE next_fire_at <= $1
         ORDER BY next_fire_at LIMIT 1 FOR UPDATE SKIP LOCKED"
    )))
    .bind(now)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Remembers up to when a locked schedule was decided about, and when it is due next.
pub async fn advance(
    conn: &mut PgConnection,
    schedule: &Schedule,
    until: OffsetDateTime,
    next: Option<OffsetDateTime>,
) -> Result<()> {
    sqlx::query(
        "UPDATE inventory.backup_schedule SET considered_until = $3, next_fire_at = $4
         WHERE workspace_id = $1 AND id = $2 AND archived_at IS NULL",
    )
    .bind(schedule.workspace_id.uuid())
    .bind(schedule.id.uuid())
    .bind(until)
    .bind(next)
    .execute(conn)
    .await?;
    Ok(())
}

fn types(plan: &Plan) -> Vec<&str> {
    plan.policy_types.iter().map(PolicyType::as_str).collect()
}

/// The stored form (constraints `backup_schedule_catch_up_known` and `backup_schedule_catch_up_agrees`).
fn stored_catch_up(catch_up: CatchUp) -> (&'static str, Option<i32>) {
    match catch_up {
        CatchUp::Skip => ("skip", None),
        CatchUp::Latest => ("latest", None),
        CatchUp::All { most } => ("all", Some(i32::from(most))),
    }
}

/// The stored name (constraint `backup_schedule_overlap_known`).
const fn overlap_name(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Skip => "skip",
        Overlap::Allow => "allow",
    }
}

fn read(row: &PgRow) -> Result<Schedule> {
    let id = BackupScheduleId(row.try_get("id")?);
    let wrong = |column, why: &dyn std::fmt::Display| unreadable("inventory.backup_schedule", column, id, why);
    let number = |column: &'static str| -> Result<u16> {
        let value: i32 = row.try_get(column)?;
        u16::try_from(value).map_err(|_| wrong(column, &value))
    };
    let catch_up = match row.try_get("catch_up")? {
        "skip" => CatchUp::Skip,
        "latest" => CatchUp::Latest,
        "all" => CatchUp::All { most: number("catch_up_most")? },
        other => return Err(wrong("catch_up", &other)),
    };
    let overlap = match row.try_get("overlap")? {
        "skip" => Overlap::Skip,
        "allow" => Overlap::Allow,
        other => return Err(wrong("overlap", &other)),
    };
    let types: Vec<String> = row.try_get("policy_types")?;
    Ok(Schedule {
        id,
        workspace_id: WorkspaceId(row.try_get("workspace_id")?),
        tenant_id: TenantId(row.try_get("tenant_id")?),
        plan: Plan {
            name: row.try_get("name")?,
            cron: row.try_get("cron")?,
            time_zone: row.try_get("time_zone")?,
            policy_types: types.into_iter().map(PolicyType).collect::<BTreeSet<_>>(),
            catch_up,
            overlap,
            retention: Retention::new(number("keep_last")?, number("keep_days")?)
                .map_err(|why| wrong("keep_last", &why))?,
        },
        version: row.try_get("version")?,
        considered_until: row.try_get("considered_until")?,
        next_fire_at: row.try_get("next_fire_at")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        archived_at: row.try_get("archived_at")?,
    })
}
