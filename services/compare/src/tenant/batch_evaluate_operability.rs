//! Answers many questions about tenants at one moment.

use std::collections::{BTreeMap, BTreeSet};

use domain::id::{TenantId, WorkspaceId};
use domain::operability::{Asked, Denied, Lane, Question, Reason, evaluate};
use domain::tenant::TenantFacts;
use server::caller::Caller;

use crate::error::{Error, Result};
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

/// One answer a question, in their order. Whoever may not see one of the tenants gets none.
pub async fn batch_evaluate_operability(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    checks: &[Check],
) -> Result<Vec<Outcome>> {
    let tenants: BTreeSet<TenantId> = checks.iter().map(|check| check.tenant_id).collect();
    let tenants: Vec<TenantId> = tenants.into_iter().collect();
    let (_, actor) = state.authorise(caller, workspace, &tenants, &[]).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let found = store::tenant::find_all(&mut tx, workspace, &store::subject::uuids(tenants)).await?;
    let facts: BTreeMap<TenantId, TenantFacts> = found.iter().map(|tenant| (tenant.id, tenant.facts())).collect();
    let answer = |check: &Check| {
        let Check { lane, question, tenant_id } = *check;
        let tenant = facts.get(&tenant_id).copied();
        match evaluate(&Asked { lane, question, tenant_id, tenant, actor: Some(&actor) }) {
            // Gone since the caller was authorised: absent, and never an answer about it.
            Err(denied) if denied.reason == Reason::NotEntitled => Err(Error::NotFound),
            outcome => Ok(outcome),
        }
    };
    checks.iter().map(answer).collect()
}
