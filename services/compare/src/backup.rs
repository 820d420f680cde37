//! BackupService: schedules, backups by hand, and the sets they leave.
//!
//! [`schedule_backups`] runs on every replica: it writes down the times that schedules fire for, and starts a run for each.
//! [`BackupWork`] works on those runs: it reads the tenant by the same reading as an inventory sync, which captures what changed,
//! and lists the newest versions in the run's backup set.

mod archive_backup_schedule;
mod create_backup_schedule;
pub mod forget;
mod get_backup_schedule;
mod get_backup_set;
mod list_backup_schedules;
mod list_backup_set_entries;
mod list_backup_sets;
mod prune;
mod retry_backup;
mod run_backup_now;
pub mod schedule_backups;
mod start;
mod update_backup_schedule;
mod work;

pub use archive_backup_schedule::archive_backup_schedule;
pub use create_backup_schedule::{CreateBackupSchedule, create_backup_schedule};
pub use get_backup_schedule::get_backup_schedule;
pub use get_backup_set::get_backup_set;
pub use list_backup_schedules::{SchedulesAsked, list_backup_schedules};
pub use list_backup_set_entries::{EntriesAsked, list_backup_set_entries};
pub use list_backup_sets::{SetsAsked, list_backup_sets};
pub use retry_backup::{RetryBackup, retry_backup};
pub use run_backup_now::{RunBackupNow, run_backup_now};
pub use update_backup_schedule::{UpdateBackupSchedule, update_backup_schedule};
pub(crate) use work::BackupWork;

use domain::access::{ActorFacts, Capability, Need};
use domain::id::{BackupScheduleId, TenantId, WorkspaceId};
use server::caller::{Caller, User};

use crate::error::Result;
use crate::state::State;

/// The schedule that a request is about.
#[derive(Debug, Clone, Copy)]
pub struct SchedulePlace {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The schedule.
    pub schedule_id: BackupScheduleId,
}

/// What a capability on the tenant takes.
async fn authorise<'c>(
    state: &State,
    caller: &'c Caller,
    workspace: WorkspaceId,
    tenant: TenantId,
    capability: Capability,
) -> Result<(&'c User, ActorFacts)> {
    state.authorise(caller, workspace, &[tenant], &[Need::OnTenant(tenant, capability)]).await
}
