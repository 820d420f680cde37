//! Says what the caller may do.

use domain::access::{ActorFacts, Role};
use domain::id::{TenantId, WorkspaceId};
use server::caller::Caller;
use server::fields::Page;
use std::ops::Bound;

use crate::error::Result;
use crate::state::State;

/// What the caller is in a workspace, with one page of the tenants by id.
#[derive(Debug, Clone)]
pub struct Access {
    /// The `sub`.
    pub subject: String,
    /// The role in the workspace.
    pub role: Role,
    /// Tenants with the role on each.
    pub tenants: Vec<(TenantId, Role)>,
}

/// The caller's own access, and the token of the next tenants. It is what every other request is authorised by.
pub async fn get_my_access(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    page: &Page<TenantId>,
) -> Result<(Access, String)> {
    let (_, ActorFacts { subject, workspace_role, tenant_roles }) =
        state.authorise(caller, workspace, &[], &[]).await?;
    let after = page.after.map_or(Bound::Unbounded, Bound::Excluded);
    let fetch = page.size as usize + 1;
    let mut tenants: Vec<_> =
        tenant_roles.range((after, Bound::Unbounded)).take(fetch).map(|(tenant, role)| (*tenant, *role)).collect();
    let next = page.cut(&mut tenants, |(tenant, _)| *tenant);
    Ok((Access { subject, role: workspace_role, tenants }, next))
}
