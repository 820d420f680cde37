//! Returns a backup schedule.

use domain::access::Capability;
use server::caller::Caller;

use super::{SchedulePlace, authorise};
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::backup_schedule::Schedule;

/// The schedule, in use or archived.
pub async fn get_backup_schedule(state: &State, caller: &Caller, place: SchedulePlace) -> Result<Schedule> {
    let SchedulePlace { workspace_id: workspace, tenant_id: tenant, schedule_id } = place;
    authorise(state, caller, workspace, tenant, Capability::TenantView).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    store::backup_schedule::find(&mut tx, workspace, tenant, schedule_id).await?.ok_or(Error::NotFound)
}
