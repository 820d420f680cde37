//! Answers many questions about tenants at one moment.

use std::collections::{BTreeMap, BTreeSet};

use domain::id::{TenantId, WorkspaceId};
use domain::operability::{Asked, Denied, Lane, Question, Reason, evaluate, state_allows};
use domain::tenant::TenantFacts;
use server::caller::Caller;

use crate::error::{Error, Result};
use crate::identity::SERVICES;
use crate::state::State;
use crate::store;

/// The most questions of a request.
pub const MAX_CHECKS: usize = 500;

/// One question about one tenant.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// From where it is asked.
    pub lane: Lane,
    /// What is asked.
    pub question: Question,
    /// About which tenant.
    pub tenant_id: TenantId,
}

/// An answer: yes, or why not.
pub type Outcome = std::result::Result<(), Denied>;

/// One answer a question, in their order. Whoever may not see one of the tenants gets none. A worker of ours asks for itself: it was
/// given its run by somebody who was authorised, so it is told what the tenants' states allow, whatever the lane.
pub async fn batch_evaluate_operability(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    checks: &[Check],
) -> Result<Vec<Outcome>> {
    let tenants: BTreeSet<TenantId> = checks.iter().map(|check| check.tenant_id).collect();
    let tenants: Vec<TenantId> = tenants.into_iter().collect();
    let actor = match caller.user {
        Some(_) => Some(state.authorise(caller, workspace, &tenants, &[]).await?.1),
        None => {
            caller.require_service(SERVICES)?;
            None
        }
    };
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let found = store::tenant::find_all(&mut tx, workspace, &store::subject::uuids(tenants)).await?;
    let facts: BTreeMap<TenantId, TenantFacts> = found.iter().map(|tenant| (tenant.id, tenant.facts())).collect();
    let answer = |check: &Check| {
        let Check { lane, question, tenant_id } = *check;
        // Gone since the caller was authorised: absent, and never an answer about it.
        let tenant = facts.get(&tenant_id).copied().ok_or(Error::NotFound)?;
        let Some(actor) = &actor else { return Ok(state_allows(question, tenant)) };
        match evaluate(&Asked { lane, question, tenant_id, tenant: Some(tenant), actor: Some(actor) }) {
            Err(denied) if denied.reason == Reason::NotEntitled => Err(Error::NotFound),
            outcome => Ok(outcome),
        }
    };
    checks.iter().map(answer).collect()
}
