//! Ends a backup schedule.

use domain::access::Capability;
use serde_json::json;
use server::caller::Caller;

use super::{SchedulePlace, authorise};
use crate::audit;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::backup_schedule::Schedule;

/// Ends it; its sets stay. Ending it again changes nothing. A run that was started before goes on.
pub async fn archive_backup_schedule(state: &State, caller: &Caller, place: SchedulePlace) -> Result<Schedule> {
    let SchedulePlace { workspace_id: workspace, tenant_id: tenant, schedule_id } = place;
    let (user, _) = authorise(state, caller, workspace, tenant, Capability::TenantBackupManage).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let found = store::backup_schedule::find_for_update(&mut tx, workspace, tenant, schedule_id).await?;
    let present = found.ok_or(Error::NotFound)?;
    if !store::backup_schedule::archive(&mut tx, workspace, schedule_id).await? {
        return Ok(present);
    }
    let archived = store::backup_schedule::find(&mut tx, workspace, tenant, schedule_id).await?;
    let detail = json!({ "backup_schedule_id": schedule_id, "name": present.plan.name });
    audit::put(&mut tx, &audit::changed(user, workspace, Some(tenant), "backup_schedule.archived", detail)).await?;
    audit::commit(state, tx).await?;
    archived.ok_or(Error::NotFound)
}
