//! Starts the backup of a set that has gaps, again.

use domain::access::Capability;
use domain::backup::SetState;
use domain::id::{RequestId, RunId, TenantId, WorkspaceId};
use domain::json::canonical_hash;
use domain::operability::Question;
use domain::run::RunType;
use serde_json::json;
use server::caller::Caller;

use super::authorise;
use super::start::backup_run;
use crate::client::Started;
use crate::error::{Error, Result};
use crate::start_reading::start_gated;
use crate::state::State;
use crate::store;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct RetryBackup {
    /// Makes it idempotent: another one is another backup.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The set with gaps.
    pub set_id: RunId,
}

/// Starts a backup into a new set of what the set's schedule selects now. One that is still under way may be retried too: whether
/// its run was given up is known elsewhere.
pub async fn retry_backup(state: &State, caller: &Caller, request: RetryBackup) -> Result<Started> {
    let (workspace, tenant) = (request.workspace_id, request.tenant_id);
    authorise(state, caller, workspace, tenant, Capability::TenantBackupRun).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let set = store::backup_set::find(&mut tx, workspace, tenant, request.set_id).await?.ok_or(Error::NotFound)?;
    let found = store::backup_schedule::find(&mut tx, workspace, tenant, set.schedule_id).await?;
    drop(tx);
    let schedule = found.ok_or(Error::NotFound)?;
    let digest = canonical_hash(&json!(["RetryBackup", workspace, tenant, request.set_id]));
    let closed = match (set.state, schedule.archived_at) {
        (SetState::Complete, _) => Some(Error::BackupSetComplete),
        (_, Some(_)) => Some(Error::BackupScheduleArchived),
        (SetState::InProgress | SetState::Partial, None) => None,
    };
    if let Some(closed) = closed {
        let earlier = state.operation_runs.earlier(caller, workspace, request.request_id, digest).await?;
        return earlier.ok_or(closed);
    }
    let mut run = backup_run(state, &schedule, RunType::BackupScheduleRetry, request.request_id, digest, None);
    run.context["retry_of"] = json!(request.set_id);
    start_gated(state, caller, run, Question::Backup).await
}
