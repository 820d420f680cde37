//! Lists the cached role definitions of a tenant.

use domain::access::{Capability, Need};
use domain::directory::RoleScope;
use domain::id::{TenantId, WorkspaceId};
use server::caller::Caller;
use server::fields::Page;

use super::{Collection, Freshness, freshness};
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::directory_role_definition::{After, CachedRoleDefinition};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RoleDefinitionsAsked {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Only names containing this; empty for all.
    pub name_contains: String,
    /// Only of this scope.
    pub scope: Option<RoleScope>,
    /// Which page.
    pub page: Page<After>,
}

/// One page by name, the token of the next, and of when they are.
pub async fn list_directory_role_definitions(
    state: &State,
    caller: &Caller,
    asked: &RoleDefinitionsAsked,
) -> Result<(Vec<CachedRoleDefinition>, String, Vec<Freshness>)> {
    let (workspace, tenant, page) = (asked.workspace_id, asked.tenant_id, &asked.page);
    let need = Need::OnTenant(tenant, Capability::TenantView);
    state.authorise(caller, workspace, &[tenant], &[need]).await?;
    let (name, after) = (asked.name_contains.as_str(), page.after.as_ref());
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let listed =
        store::directory_role_definition::list(&mut tx, workspace, tenant, name, asked.scope, after, page.fetch());
    let mut rows = listed.await?;
    let freshness = freshness::of(&mut tx, workspace, tenant, &Collection::OF_ROLE_DEFINITIONS).await?;
    let next = page.cut(&mut rows, |row| {
        let entry = &row.role.entry;
        (entry.folded_name.clone(), row.scope.as_str().to_owned(), entry.external_id.0.clone())
    });
    Ok((rows, next, freshness))
}
