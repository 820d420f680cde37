//! Lists what can be done with a tenant, by whoever asks.

use domain::id::{TenantId, WorkspaceId};
use domain::operability::{Offer, Question, offers};
use server::caller::Caller;

use crate::error::{Error, Result};
use crate::state::State;
use crate::store;

/// The whole catalogue, each action enabled or disabled with the reason.
pub async fn list_tenant_actions(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    tenant: TenantId,
) -> Result<Vec<Offer>> {
    let needs = Question::TenantBoundViewability.needs(tenant);
    let (_, actor) = state.authorise(caller, workspace, &[tenant], &needs).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let found = store::tenant::find(&mut tx, workspace, tenant).await?.ok_or(Error::NotFound)?;
    Ok(offers(tenant, found.facts(), &actor))
}
