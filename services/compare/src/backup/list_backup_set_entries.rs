//! Lists the versions of a backup set.

use domain::access::Capability;
use domain::id::{RunId, TenantId, WorkspaceId};
use server::caller::Caller;
use server::fields::Page;

use super::authorise;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::backup_set::{AfterEntry, Entry};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct EntriesAsked {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The set.
    pub set_id: RunId,
    /// Which page.
    pub page: Page<AfterEntry>,
}

/// One page by policy type and name, and the token of the next.
pub async fn list_backup_set_entries(
    state: &State,
    caller: &Caller,
    asked: &EntriesAsked,
) -> Result<(Vec<Entry>, String)> {
    let (workspace, tenant, page) = (asked.workspace_id, asked.tenant_id, &asked.page);
    authorise(state, caller, workspace, tenant, Capability::TenantView).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    store::backup_set::find(&mut tx, workspace, tenant, asked.set_id).await?.ok_or(Error::NotFound)?;
    let listed = store::backup_set::list_entries(&mut tx, workspace, asked.set_id, page.after.as_ref(), page.fetch());
    let mut rows = listed.await?;
    let next = page
        .cut(&mut rows, |entry| (entry.policy_type.0.clone(), entry.display_name.clone(), entry.external_id.0.clone()));
    Ok((rows, next))
}
