//! Lists the backup sets of a tenant.

use domain::access::Capability;
use domain::id::{BackupScheduleId, TenantId, WorkspaceId};
use server::caller::Caller;
use server::fields::Page;

use super::authorise;
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::backup_set::{After, BackupSet};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetsAsked {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Only sets of this schedule.
    pub schedule_id: Option<BackupScheduleId>,
    /// Which page.
    pub page: Page<After>,
}

/// One page, newest first, and the token of the next.
pub async fn list_backup_sets(state: &State, caller: &Caller, asked: &SetsAsked) -> Result<(Vec<BackupSet>, String)> {
    let (workspace, tenant, page) = (asked.workspace_id, asked.tenant_id, &asked.page);
    authorise(state, caller, workspace, tenant, Capability::TenantView).await?;
    let (schedule, after) = (asked.schedule_id, page.after.as_ref());
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let mut rows = store::backup_set::list(&mut tx, workspace, tenant, schedule, after, page.fetch()).await?;
    let next = page.cut(&mut rows, |set| (set.created_at, set.run_id));
    Ok((rows, next))
}
