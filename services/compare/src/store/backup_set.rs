//! `inventory.backup_set` and its entries.

use std::time::Duration;

use domain::backup::{Kept, SetState};
use domain::id::{BackupScheduleId, ExternalId, Hash, PolicyType, PolicyVersionId, RunId, TenantId, WorkspaceId};
use domain::run::RunType;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::{Result, hash, unreadable};

/// A backup set. Its id is that of the run that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSet {
    /// The run, and the set.
    pub run_id: RunId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The schedule it belongs to.
    pub schedule_id: BackupScheduleId,
    /// The run's type.
    pub run_type: String,
    /// Of a scheduled backup, the time it was meant for.
    pub fire_at: Option<OffsetDateTime>,
    /// How far it got.
    pub state: SetState,
    /// How many versions it has.
    pub entry_count: i32,
    /// When it was begun.
    pub created_at: OffsetDateTime,
    /// When it was finished.
    pub completed_at: Option<OffsetDateTime>,
}

/// A version in a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Policy type.
    pub policy_type: PolicyType,
    /// The object's id at the provider.
    pub external_id: ExternalId,
    /// Its name then.
    pub display_name: String,
    /// The version.
    pub version_id: PolicyVersionId,
    /// Its number within the object.
    pub number: i32,
    /// Hash of its content.
    pub content_hash: Hash,
}

/// Where a list of sets goes on: when begun, id.
pub type After = (OffsetDateTime, RunId);
/// Where a list of entries goes on: policy type, name, id at the provider.
pub type AfterEntry = (String, String, String);

const COLUMNS: &str = "id, tenant_id, schedule_id, run_type, fire_at, state, entry_count, created_at, completed_at";

/// Begins a set, or goes on with the one the run has begun before.
pub async fn begin(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    schedule: BackupScheduleId,
    run: RunId,
    run_type: RunType,
    fire_at: Option<OffsetDateTime>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO inventory.backup_set (workspace_id, id, tenant_id, schedule_id, run_type, fire_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT ON CONSTRAINT backup_set_pkey DO NOTHING",
    )
    .bind(workspace.uuid())
    .bind(run.uuid())
    .bind(tenant.uuid())
    .bind(schedule.uuid())
    .bind(run_type.as_str())
    .bind(fire_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts the newest versions of a type's objects into a set, of those that were read wholly at `since` or later, in place of what
/// an earlier attempt put there. Says how many.
pub async fn put_type(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    run: RunId,
    policy_type: &str,
    since: OffsetDateTime,
) -> Result<u64> {
    sqlx::query("DELETE FROM inventory.backup_set_entry WHERE workspace_id = $1 AND set_id = $2 AND policy_type = $3")
        .bind(workspace.uuid())
        .bind(run.uuid())
        .bind(policy_type)
        .execute(&mut *conn)
        .await?;
    let done = sqlx::query(
        "INSERT INTO inventory.backup_set_entry
             (workspace_id, set_id, policy_type, external_id, display_name, version_id)
         SELECT workspace_id, $3, policy_type, external_id, display_name, current_version_id
         FROM inventory.item
         WHERE workspace_id = $1 AND tenant_id = $2 AND policy_type = $4 AND last_observed_at >= $5
           AND missing_since IS NULL AND evidence <> 'incomplete'",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(run.uuid())
    .bind(policy_type)
    .bind(since)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Finishes a set that is in progress. Doing so again changes nothing.
pub async fn conclude(conn: &mut PgConnection, workspace: WorkspaceId, run: RunId, complete: bool) -> Result<()> {
    sqlx::query(
        "UPDATE inventory.backup_set SET
             state = $3, completed_at = now(),
             entry_count = (SELECT count(*) FROM inventory.backup_set_entry WHERE workspace_id = $1 AND set_id = $2)
         WHERE workspace_id = $1 AND id = $2 AND state = 'in_progress'",
    )
    .bind(workspace.uuid())
    .bind(run.uuid())
    .bind(state_name(if complete { SetState::Complete } else { SetState::Partial }))
    .execute(conn)
    .await?;
    Ok(())
}

/// Finishes sets that were begun longer ago than `age` and are in progress still, at most `limit`: with gaps, for nobody will fill them.
/// Says how many. Needs the scope `system`.
pub async fn conclude_abandoned(conn: &mut PgConnection, age: Duration, limit: i64) -> Result<u64> {
    let done = sqlx::query(
        "UPDATE inventory.backup_set s SET
             state = $3, completed_at = now(),
             entry_count = (SELECT count(*) FROM inventory.backup_set_entry e
                            WHERE e.workspace_id = s.workspace_id AND e.set_id = s.id)
         FROM (SELECT workspace_id, id FROM inventory.backup_set
               WHERE state = 'in_progress' AND created_at < clock_timestamp() - make_interval(secs => $1)
               ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED) abandoned
         WHERE (s.workspace_id, s.id) = (abandoned.workspace_id, abandoned.id) AND s.state = 'in_progress'",
    )
    .bind(age.as_secs_f64())
    .bind(limit)
    .bind(state_name(SetState::Partial))
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// A set of this tenant.
pub async fn find(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    run: RunId,
) -> Result<Option<BackupSet>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM inventory.backup_set WHERE workspace_id = $1 AND tenant_id = $2 AND id = $3"
    )))
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(run.uuid())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(read).transpose()
}

/// One page of a tenant's sets, newest first.
pub async fn list(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    schedule: Option<BackupScheduleId>,
    after: Option<&After>,
    limit: i64,
) -> Result<Vec<BackupSet>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM inventory.backup_set
         WHERE workspace_id = $1 AND tenant_id = $2 AND ($3::uuid IS NULL OR schedule_id = $3)
           AND ($4::timestamptz IS NULL OR (created_at, id) < ($4, $5))
         ORDER BY created_at DESC, id DESC LIMIT $6"
    )))
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(schedule.map(BackupScheduleId::uuid))
    .bind(after.map(|(begun, _)| begun))
    .bind(after.map(|(_, run)| run.uuid()))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(read).collect()
}

/// One page of a set's versions, by policy type and name.
pub async fn list_entries(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    run: RunId,
    after: Option<&AfterEntry>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let rows = sqlx::query(
        "SELECT e.policy_type, e.external_id, e.display_name, e.version_id, v.number, v.content_hash
         FROM inventory.backup_set_entry e
         JOIN inventory.policy_version v ON v.workspace_id = e.workspace_id AND v.id = e.version_id
         WHERE e.workspace_id = $1 AND e.set_id = $2
           AND ($3::text IS NULL OR (e.policy_type COLLATE \"C\", e.display_name COLLATE \"C\", e.external_id COLLATE \"C\")
                                    > ($3, $4, $5))
         ORDER BY e.policy_type COLLATE \"C\", e.display_name COLLATE \"C\", e.external_id COLLATE \"C\" LIMIT $6",
    )
    .bind(workspace.uuid())
    .bind(run.uuid())
    .bind(after.map(|(policy_type, ..)| policy_type))
    .bind(after.map(|(_, name, _)| name))
    .bind(after.map(|(.., id)| id))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let version_id = PolicyVersionId(row.try_get("version_id")?);
            Ok(Entry {
                policy_type: PolicyType(row.try_get("policy_type")?),
                external_id: ExternalId(row.try_get("external_id")?),
                display_name: row.try_get("display_name")?,
                version_id,
                number: row.try_get("number")?,
                content_hash: hash(row, "inventory.policy_version", "content_hash", &version_id)?,
            })
        })
        .collect()
}

/// All sets of a schedule, as far as retention asks.
pub async fn of_schedule(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    schedule: BackupScheduleId,
) -> Result<Vec<Kept<RunId>>> {
    let rows = sqlx::query(
        "SELECT id, state, created_at FROM inventory.backup_set WHERE workspace_id = $1 AND schedule_id = $2",
    )
    .bind(workspace.uuid())
    .bind(schedule.uuid())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let id = RunId(row.try_get("id")?);
            Ok(Kept { id, state: state_of(row, id)?, begun_at: row.try_get("created_at")? })
        })
        .collect()
}

/// Removes sets with their entries; no version goes with them.
pub async fn remove(conn: &mut PgConnection, workspace: WorkspaceId, sets: &[RunId]) -> Result<()> {
    let ids: Vec<_> = sets.iter().map(|run| run.uuid()).collect();
    sqlx::query("DELETE FROM inventory.backup_set WHERE workspace_id = $1 AND id = ANY ($2)")
        .bind(workspace.uuid())
        .bind(ids)
        .execute(conn)
        .await?;
    Ok(())
}

fn read(row: &PgRow) -> Result<BackupSet> {
    let run_id = RunId(row.try_get("id")?);
    Ok(BackupSet {
        run_id,
        tenant_id: TenantId(row.try_get("tenant_id")?),
        schedule_id: BackupScheduleId(row.try_get("schedule_id")?),
        run_type: row.try_get("run_type")?,
        fire_at: row.try_get("fire_at")?,
        state: state_of(row, run_id)?,
        entry_count: row.try_get("entry_count")?,
        created_at: row.try_get("created_at")?,
        completed_at: row.try_get("completed_at")?,
    })
}

fn state_of(row: &PgRow, id: RunId) -> Result<SetState> {
    match row.try_get("state")? {
        "in_progress" => Ok(SetState::InProgress),
        "complete" => Ok(SetState::Complete),
        "partial" => Ok(SetState::Partial),
        other => Err(unreadable("inventory.backup_set", "state", id, other)),
    }
}

/// The stored name (constraint `backup_set_state_known`).
const fn state_name(state: SetState) -> &'static str {
    match state {
        SetState::InProgress => "in_progress",
        SetState::Complete => "complete",
        SetState::Partial => "partial",
    }
}
