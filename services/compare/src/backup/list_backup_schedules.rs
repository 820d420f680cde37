//! Lists the backup schedules of a tenant.

use domain::access::Capability;
use domain::id::{TenantId, WorkspaceId};
use server::caller::Caller;
use server::fields::Page;

use super::authorise;
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::backup_schedule::{After, Schedule};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SchedulesAsked {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Also archived ones.
    pub include_archived: bool,
    /// Which page.
    pub page: Page<After>,
}

/// One page by name, and the token of the next.
pub async fn list_backup_schedules(
    state: &State,
    caller: &Caller,
    asked: &SchedulesAsked,
) -> Result<(Vec<Schedule>, String)> {
    let (workspace, tenant, page) = (asked.workspace_id, asked.tenant_id, &asked.page);
    authorise(state, caller, workspace, tenant, Capability::TenantView).await?;
    let (archived, after) = (asked.include_archived, page.after.as_ref());
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let mut rows = store::backup_schedule::list(&mut tx, workspace, tenant, archived, after, page.fetch()).await?;
    let next = page.cut(&mut rows, |(_, after)| after.clone());
    Ok((rows.into_iter().map(|(schedule, _)| schedule).collect(), next))
}
