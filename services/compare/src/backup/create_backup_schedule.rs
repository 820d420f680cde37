//! Makes a backup schedule.

use domain::access::Capability;
use domain::backup::{Plan, Timing};
use domain::id::{BackupScheduleId, RequestId, TenantId, WorkspaceId};
use serde_json::json;
use server::ambient;
use server::caller::{Caller, User};

use super::authorise;
use crate::answered::{Asked, was_answered_meanwhile};
use crate::audit;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::backup_schedule::Schedule;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CreateBackupSchedule {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// What it is to say.
    pub plan: Plan,
    /// The plan's timing, checked.
    pub timing: Timing,
}

/// Makes it, or returns what the same request made before. It fires from now on.
pub async fn create_backup_schedule(
    state: &State,
    caller: &Caller,
    request: &CreateBackupSchedule,
) -> Result<Schedule> {
    let (workspace, tenant) = (request.workspace_id, request.tenant_id);
    let (user, _) = authorise(state, caller, workspace, tenant, Capability::TenantBackupManage).await?;
    let body = json!({ "tenant_id": tenant, "plan": request.plan });
    let asked = Asked::new(request.request_id, "CreateBackupSchedule", &user.subject, body);
    match insert(state, user, request, &asked).await {
        Err(error) if was_answered_meanwhile(&error) => {
            let mut tx = state.db.workspace(workspace.uuid()).await?;
            asked.answer(&mut tx, workspace).await?.ok_or(error)
        }
        answer => answer,
    }
}

async fn insert(state: &State, user: &User, request: &CreateBackupSchedule, asked: &Asked<'_>) -> Result<Schedule> {
    let (workspace, tenant) = (request.workspace_id, request.tenant_id);
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    if let Some(first) = asked.answer(&mut tx, workspace).await? {
        return Ok(first);
    }
    store::tenant::find(&mut tx, workspace, tenant).await?.ok_or(Error::NotFound)?;
    let now = store::clock(&mut *tx).await?;
    let schedule = Schedule {
        id: BackupScheduleId(ambient::fresh_id()),
        workspace_id: workspace,
        tenant_id: tenant,
        plan: request.plan.clone(),
        version: 1,
        considered_until: now,
        next_fire_at: request.timing.next_after(now),
        created_at: now,
        updated_at: now,
        archived_at: None,
    };
    store::backup_schedule::insert(&mut tx, &schedule, &user.subject).await?;
    asked.remember(&mut tx, workspace, &schedule).await?;
    let detail = json!({ "backup_schedule_id": schedule.id, "plan": schedule.plan });
    audit::put(&mut tx, &audit::changed(user, workspace, Some(tenant), "backup_schedule.created", detail)).await?;
    audit::commit(state, tx).await?;
    Ok(schedule)
}
