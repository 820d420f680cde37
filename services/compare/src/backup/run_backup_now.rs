//! Starts a backup by hand.

use domain::access::Capability;
use domain::id::RequestId;
use domain::json::canonical_hash;
use domain::operability::Question;
use domain::run::RunType;
use serde_json::json;
use server::caller::Caller;

use super::start::backup_run;
use super::{SchedulePlace, authorise};
use crate::client::Started;
use crate::error::{Error, Result};
use crate::start_reading::start_gated;
use crate::state::State;
use crate::store;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct RunBackupNow {
    /// Makes it idempotent: another one is another backup.
    pub request_id: RequestId,
    /// The schedule.
    pub place: SchedulePlace,
}

/// Starts a backup of what the schedule selects.
pub async fn run_backup_now(state: &State, caller: &Caller, request: RunBackupNow) -> Result<Started> {
    let SchedulePlace { workspace_id: workspace, tenant_id: tenant, schedule_id } = request.place;
    authorise(state, caller, workspace, tenant, Capability::TenantBackupRun).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let found = store::backup_schedule::find(&mut tx, workspace, tenant, schedule_id).await?;
    drop(tx);
    let schedule = found.ok_or(Error::NotFound)?;
    let digest = canonical_hash(&json!(["RunBackupNow", workspace, tenant, schedule_id]));
    if schedule.archived_at.is_some() {
        let earlier = state.operation_runs.earlier(caller, workspace, request.request_id, digest).await?;
        return earlier.ok_or(Error::BackupScheduleArchived);
    }
    let run = backup_run(state, &schedule, RunType::BackupScheduleRunNow, request.request_id, digest, None);
    start_gated(state, caller, run, Question::Backup).await
}
