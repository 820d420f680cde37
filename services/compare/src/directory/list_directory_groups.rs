//! Lists the cached groups of a tenant.

use domain::access::{Capability, Need};
use domain::id::{TenantId, WorkspaceId};
use server::caller::Caller;
use server::fields::Page;

use super::{Collection, Freshness, freshness};
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::directory_group::{After, CachedGroup};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct GroupsAsked {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Only names containing this; empty for all.
    pub name_contains: String,
    /// Which page.
    pub page: Page<After>,
}

/// One page by name, the token of the next, and of when they are.
pub async fn list_directory_groups(
    state: &State,
    caller: &Caller,
    asked: &GroupsAsked,
) -> Result<(Vec<CachedGroup>, String, Vec<Freshness>)> {
    let (workspace, tenant, page) = (asked.workspace_id, asked.tenant_id, &asked.page);
    let need = Need::OnTenant(tenant, Capability::TenantView);
    state.authorise(caller, workspace, &[tenant], &[need]).await?;
    let (name, after) = (asked.name_contains.as_str(), page.after.as_ref());
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let mut rows = store::directory_group::list(&mut tx, workspace, tenant, name, after, page.fetch()).await?;
    let freshness = freshness::of(&mut tx, workspace, tenant, &Collection::OF_GROUPS).await?;
    let next = page.cut(&mut rows, |row| (row.group.entry.folded_name.clone(), row.group.entry.external_id.0.clone()));
    Ok((rows, next, freshness))
}
