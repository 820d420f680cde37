//! Lists the tenants of a workspace the caller is entitled to.

use domain::access::{Capability, Need};
use domain::id::WorkspaceId;
use server::caller::Caller;
use server::fields::Page;

use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::tenant::{After, Tenant};

/// One page by name, and the token of the next. What the caller may not see is left out without a word.
pub async fn list_tenants(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    page: &Page<After>,
) -> Result<(Vec<Tenant>, String)> {
    let (_, actor) = state.authorise(caller, workspace, &[], &[]).await?;
    let visible = |tenant: &_| actor.meets(Need::OnTenant(*tenant, Capability::TenantView));
    let tenants = store::subject::uuids(actor.tenant_roles.keys().copied().filter(|tenant| visible(tenant)));
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let mut rows = store::tenant::list(&mut tx, workspace, &tenants, page.after.as_ref(), page.fetch()).await?;
    let next = page.cut(&mut rows, |(_, position)| position.clone());
    Ok((rows.into_iter().map(|(tenant, _)| tenant).collect(), next))
}
