//! Changes what a backup schedule says.

use domain::access::Capability;
use domain::backup::{Plan, Timing};
use domain::id::RequestId;
use serde_json::json;
use server::caller::{Caller, User};

use super::{SchedulePlace, authorise};
use crate::answered::{Asked, was_answered_meanwhile};
use crate::audit;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::backup_schedule::Schedule;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct UpdateBackupSchedule {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// The schedule.
    pub place: SchedulePlace,
    /// The version that the change is based on.
    pub version: i64,
    /// What it is to say.
    pub plan: Plan,
    /// The plan's timing, checked.
    pub timing: Timing,
}

/// Changes it, or returns what the same request made of it before. The new plan holds from now on: what passed under the old one and
/// was not started is not looked at again.
pub async fn update_backup_schedule(
    state: &State,
    caller: &Caller,
    request: &UpdateBackupSchedule,
) -> Result<Schedule> {
    let SchedulePlace { workspace_id: workspace, tenant_id: tenant, schedule_id } = request.place;
    let (user, _) = authorise(state, caller, workspace, tenant, Capability::TenantBackupManage).await?;
    let body =
        json!({ "tenant_id": tenant, "schedule_id": schedule_id, "version": request.version, "plan": request.plan });
    let asked = Asked::new(request.request_id, "UpdateBackupSchedule", &user.subject, body);
    match change(state, user, request, &asked).await {
        Err(error) if was_answered_meanwhile(&error) => {
            let mut tx = state.db.workspace(workspace.uuid()).await?;
            asked.answer(&mut tx, workspace).await?.ok_or(error)
        }
        answer => answer,
    }
}

async fn change(state: &State, user: &User, request: &UpdateBackupSchedule, asked: &Asked<'_>) -> Result<Schedule> {
    let SchedulePlace { workspace_id: workspace, tenant_id: tenant, schedule_id } = request.place;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    if let Some(first) = asked.answer(&mut tx, workspace).await? {
        return Ok(first);
    }
    let found = store::backup_schedule::find_for_update(&mut tx, workspace, tenant, schedule_id).await?;
    let present = found.ok_or(Error::NotFound)?;
    if present.archived_at.is_some() {
        return Err(Error::BackupScheduleArchived);
    }
    let now = store::clock(&mut *tx).await?.max(present.considered_until);
    let changed = Schedule {
        plan: request.plan.clone(),
        version: present.version + 1,
        considered_until: now,
        next_fire_at: request.timing.next_after(now),
        updated_at: now,
        ..present
    };
    if !store::backup_schedule::update(&mut tx, &changed, request.version).await? {
        return Err(Error::BackupScheduleChanged);
    }
    asked.remember(&mut tx, workspace, &changed).await?;
    let detail = json!({ "backup_schedule_id": schedule_id, "plan": changed.plan });
    audit::put(&mut tx, &audit::changed(user, workspace, Some(tenant), "backup_schedule.updated", detail)).await?;
    audit::commit(state, tx).await?;
    Ok(changed)
}
