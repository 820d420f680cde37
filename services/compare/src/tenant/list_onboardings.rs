//! Lists the onboardings of the tenants the caller may see.

use std::collections::{BTreeSet, HashMap};

use domain::access::{Capability, Need};
use domain::id::{TenantId, WorkspaceId};
use domain::tenant::OnboardingState;
use server::caller::Caller;
use server::fields::Page;

use super::onboarding::Onboarded;
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::onboarding::After;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct OnboardingsAsked {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Those in one of these states; empty for all.
    pub states: BTreeSet<OnboardingState>,
    /// Those of this tenant.
    pub tenant_id: Option<TenantId>,
    /// Which page.
    pub page: Page<After>,
}

/// One page, newest first, and the token of the next. What the caller may not see is left out without a word; a tenant asked for
/// by name must be one the caller may see.
pub async fn list_onboardings(
    state: &State,
    caller: &Caller,
    asked: &OnboardingsAsked,
) -> Result<(Vec<Onboarded>, String)> {
    let workspace = asked.workspace_id;
    let needs_of = |tenant| Need::OnTenant(tenant, Capability::TenantView);
    let needs: Vec<Need> = asked.tenant_id.map(needs_of).into_iter().collect();
    let (_, actor) = state.authorise(caller, workspace, asked.tenant_id.as_slice(), &needs).await?;
    let visible =
        |tenant: &TenantId| asked.tenant_id.is_none_or(|wanted| wanted == *tenant) && actor.meets(needs_of(*tenant));
    let tenants = store::subject::uuids(actor.tenant_roles.keys().copied().filter(visible));
    let states: Vec<&str> = OnboardingState::ALL
        .into_iter()
        .filter(|state| asked.states.is_empty() || asked.states.contains(state))
        .map(OnboardingState::as_str)
        .collect();
    let page = &asked.page;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let mut rows =
        store::onboarding::list(&mut tx, workspace, &tenants, &states, page.after.as_ref(), page.fetch()).await?;
    let next = page.cut(&mut rows, |(_, position)| *position);
    let listed = store::subject::uuids(rows.iter().map(|(onboarding, _)| onboarding.tenant_id));
    let tenants: HashMap<TenantId, _> = store::tenant::find_all(&mut tx, workspace, &listed)
        .await?
        .into_iter()
        .map(|tenant| (tenant.id, tenant))
        .collect();
    let with_tenant = |(onboarding, _): (store::onboarding::Onboarding, After)| {
        let tenant = tenants.get(&onboarding.tenant_id)?.clone();
        Some(Onboarded { onboarding, tenant })
    };
    Ok((rows.into_iter().filter_map(with_tenant).collect(), next))
}
