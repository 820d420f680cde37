//! Lists what was last observed in a tenant.

use domain::id::{TenantId, WorkspaceId};
use server::caller::Caller;
use server::fields::Page;

use super::authorise_view;
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::item::{After, Filter, Item};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ItemsAsked {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Only these types; empty for all.
    pub policy_types: Vec<String>,
    /// Only names containing this; empty for all.
    pub name_contains: String,
    /// Also what is missing.
    pub include_missing: bool,
    /// Which page.
    pub page: Page<After>,
}

/// One page by policy type and name, and the token of the next.
pub async fn list_inventory_items(state: &State, caller: &Caller, asked: &ItemsAsked) -> Result<(Vec<Item>, String)> {
    let (workspace, tenant, page) = (asked.workspace_id, asked.tenant_id, &asked.page);
    authorise_view(state, caller, workspace, tenant).await?;
    let filter = Filter {
        policy_types: &asked.policy_types,
        name_contains: &asked.name_contains,
        include_missing: asked.include_missing,
    };
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let mut rows = store::item::list(&mut tx, workspace, tenant, &filter, page.after.as_ref(), page.fetch()).await?;
    let next = page.cut(&mut rows, |(_, position)| position.clone());
    Ok((rows.into_iter().map(|(item, _)| item).collect(), next))
}
