//! Lists the tenants of a workspace that belong in a lane for the caller.

use domain::id::{TenantId, WorkspaceId};
use domain::operability::{Lane, lifecycles_listed};
use server::caller::Caller;
use server::fields::Page;

use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::tenant::{After, Tenant};

/// One page by name, and the token of the next. What the caller may not see, or may not do what the lane is for, is left out
/// without a word.
pub async fn list_tenants(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    lane: Lane,
    page: &Page<After>,
) -> Result<(Vec<Tenant>, String)> {
    let (_, actor) = state.authorise(caller, workspace, &[], &[]).await?;
    let question = lane.listing_question();
    let may = |tenant: &TenantId| question.needs(*tenant).into_iter().all(|need| actor.meets(need));
    let tenants = store::subject::uuids(actor.tenant_roles.keys().copied().filter(may));
    let lifecycles: Vec<&str> = lifecycles_listed(lane).map(|lifecycle| lifecycle.as_str()).collect();
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let after = page.after.as_ref();
    let mut rows = store::tenant::list(&mut tx, workspace, &tenants, &lifecycles, after, page.fetch()).await?;
    let next = page.cut(&mut rows, |(_, position)| position.clone());
    Ok((rows.into_iter().map(|(tenant, _)| tenant).collect(), next))
}
