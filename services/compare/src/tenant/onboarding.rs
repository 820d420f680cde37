//! What the changes of an onboarding have in common: who may, from which version, once per request, and what is written.

use domain::access::{ActorFacts, Need, authorize};
use domain::id::{OnboardingId, RequestId, WorkspaceId};
use domain::operability::{Lane, Question, onboarding_allows};
use domain::tenant::OnboardingState;
use pg::Tx;
use serde::{Deserialize, Serialize};
use serde_json::json;
use server::caller::{Caller, User};
use server::failure::Failure;

use super::lifecycle::ask;
use crate::answered::Asked;
use crate::audit;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::onboarding::{Editor, Onboarding};
use crate::store::tenant::Tenant;

/// An onboarding with its tenant, off which its checkpoints are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onboarded {
    /// The onboarding.
    pub onboarding: Onboarding,
    /// Its tenant.
    pub tenant: Tenant,
}

/// Which onboarding a request changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnboardingChange {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The onboarding.
    pub onboarding_id: OnboardingId,
    /// The version it is made from; `None` takes the onboarding over, whatever its version.
    pub version: Option<i64>,
}

/// How a change begins.
pub(super) enum Begun<'a> {
    /// It was made before: its answer.
    Before(Box<Onboarded>),
    /// It may be made now.
    Now(Box<Open<'a>>),
}

/// A change that may be made: onboarding and tenant are held still until it is finished.
pub(super) struct Open<'a> {
    pub(super) tx: Tx,
    pub(super) actor: ActorFacts,
    pub(super) held: Onboarded,
    pub(super) user: &'a User,
    asked: &'a Asked<'a>,
}

/// Begins a change in the order of answers: what the actor may see and do, what the request got before, and only then
/// what the states of tenant and onboarding allow. All `questions` must be answered with yes.
pub(super) async fn begin<'a>(
    state: &State,
    caller: &'a Caller,
    change: &OnboardingChange,
    questions: &[Question],
    asked: &'a Asked<'a>,
) -> Result<Begun<'a>> {
    let workspace = change.workspace_id;
    let (user, actor) = state.authorise(caller, workspace, &[], &[]).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let tenant = find(&mut tx, change).await?.tenant_id;
    let needs: Vec<Need> = questions.iter().flat_map(|question| question.needs(tenant)).collect();
    authorize(Some(&actor), &[tenant], &needs).map_err(Failure::from)?;
    // Changes of a tenant and of its onboarding happen one after the other; a repeated request waits for the first.
    store::tenant::lock(&mut tx, workspace, tenant).await?;
    if let Some(first) = asked.answer(&mut tx, workspace).await? {
        return Ok(Begun::Before(Box::new(first)));
    }
    let onboarding = find(&mut tx, change).await?;
    let tenant = store::tenant::find(&mut tx, workspace, tenant).await?.ok_or(Error::NotFound)?;
    for question in questions {
        ask(&actor, &tenant, Lane::OnboardingWorkflow, *question)?;
    }
    onboarding_allows(onboarding.state)?;
    if change.version.is_some_and(|version| version != onboarding.version) {
        let (editor_name, version) = (onboarding.editor.name, onboarding.version);
        return Err(Error::OnboardingChanged { editor_name, version });
    }
    Ok(Begun::Now(Box::new(Open { tx, actor, held: Onboarded { onboarding, tenant }, user, asked })))
}

async fn find(tx: &mut Tx, change: &OnboardingChange) -> Result<Onboarding> {
    store::onboarding::find(tx, change.workspace_id, change.onboarding_id).await?.ok_or(Error::NotFound)
}

impl Open<'_> {
    /// Makes the user the editor, moves the onboarding to `next` and commits, with the answer for a repeated request and an
    /// entry for the trail that says `action`.
    pub(super) async fn finish(
        mut self,
        state: &State,
        next: OnboardingState,
        action: &'static str,
        step: Option<&'static str>,
    ) -> Result<Onboarded> {
        let Onboarded { onboarding, tenant } = &self.held;
        let (workspace, tenant) = (tenant.workspace_id, tenant.id);
        let onboarding = store::onboarding::update(&mut self.tx, onboarding, next, &editor(self.user)).await?;
        let tenant = store::tenant::find(&mut self.tx, workspace, tenant).await?.ok_or(Error::NotFound)?;
        let done = Onboarded { onboarding, tenant };
        self.asked.remember(&mut self.tx, workspace, &done).await?;
        let mut told = json!({ "onboarding_id": done.onboarding.id, "version": done.onboarding.version });
        if let Some(step) = step {
            told["step"] = json!(step);
        }
        let tenant = Some(done.tenant.id);
        audit::put(&mut self.tx, &audit::changed(self.user, workspace, tenant, action, told)).await?;
        audit::commit(state, self.tx).await?;
        Ok(done)
    }
}

/// The user as an editor.
pub(super) fn editor(user: &User) -> Editor {
    Editor { subject: user.subject.to_string(), name: user.name.to_string() }
}
