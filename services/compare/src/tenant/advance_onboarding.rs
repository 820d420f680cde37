//! Does one step of an onboarding.

use domain::operability::Question;
use domain::tenant::OnboardingState;
use serde_json::{Value, json};
use server::caller::Caller;

use super::external_id::{is_taken, taken_by};
use super::onboarding::{Begun, Onboarded, OnboardingChange, Open, begin};
use super::set_provider_connection::{permit, put, told};
use crate::answered::Asked;
use crate::audit;
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::provider_connection::Route;
use crate::store::tenant_write::Identity;

/// What is done.
#[derive(Debug, Clone)]
pub enum Step {
    /// It is said anew which tenant it is.
    IdentifyTenant(Identity),
    /// It is said how the provider is reached; made by [`super::checked_route`].
    ConnectProvider(Route),
}

impl Step {
    /// What is asked of the authority.
    const fn questions(&self) -> &'static [Question] {
        match self {
            Step::IdentifyTenant(_) => &[Question::ResumeOnboarding],
            Step::ConnectProvider(_) => &[Question::ResumeOnboarding, Question::ProviderConnectionChange],
        }
    }

    /// The name of its field.
    const fn as_str(&self) -> &'static str {
        match self {
            Step::IdentifyTenant(_) => "identify_tenant",
            Step::ConnectProvider(_) => "connect_provider",
        }
    }

    fn to_json(&self) -> Value {
        let said = match self {
            Step::IdentifyTenant(identity) => identity.to_json(),
            Step::ConnectProvider(route) => json!(route),
        };
        json!([self.as_str(), said])
    }
}

/// Does the step from the version that was seen.
pub async fn advance_onboarding(
    state: &State,
    caller: &Caller,
    change: &OnboardingChange,
    step: &Step,
) -> Result<Onboarded> {
    let subject = &caller.require_user()?.subject;
    let body = json!({ "onboarding_id": change.onboarding_id, "version": change.version, "step": step.to_json() });
    let asked = Asked::new(change.request_id, "AdvanceOnboarding", subject, body);
    let answer = advance(state, caller, change, step, &asked).await;
    asked.settle(state, change.workspace_id, answer).await
}

async fn advance(
    state: &State,
    caller: &Caller,
    change: &OnboardingChange,
    step: &Step,
    asked: &Asked<'_>,
) -> Result<Onboarded> {
    let mut open = match begin(state, caller, change, step.questions(), asked).await? {
        Begun::Before(first) => return Ok(*first),
        Begun::Now(open) => open,
    };
    match step {
        Step::IdentifyTenant(identity) => match identify(&mut open, identity).await {
            // The statement has ended the transaction: who has the id is asked in another one.
            Err(error) if is_taken(&error) => {
                let actor = open.actor;
                drop(open.tx);
                let mut tx = state.db.workspace(change.workspace_id.uuid()).await?;
                let taken = taken_by(&mut tx, &actor, change.workspace_id, &identity.external_tenant_id).await?;
                return Err(taken.unwrap_or(error));
            }
            done => done?,
        },
        Step::ConnectProvider(route) => {
            permit(&state.provider_rules, &open.held.tenant.external_tenant_id, route)?;
            connect(&mut open, route).await?;
        }
    }
    open.finish(state, OnboardingState::InProgress, "tenant.onboarding_advanced", Some(step.as_str())).await
}

async fn identify(open: &mut Open<'_>, identity: &Identity) -> Result<()> {
    let tenant = &open.held.tenant;
    let (workspace, id) = (tenant.workspace_id, tenant.id);
    // The credential of a connection is one of the tenant that it was set for.
    if identity.external_tenant_id != tenant.external_tenant_id {
        store::provider_connection::disable(&mut open.tx, workspace, id).await?;
    }
    Ok(store::tenant_write::identify(&mut open.tx, tenant, identity).await?)
}

async fn connect(open: &mut Open<'_>, route: &Route) -> Result<()> {
    let tenant = &open.held.tenant;
    let before = store::provider_connection::find(&mut open.tx, tenant.workspace_id, tenant.id).await?;
    let before = before.map(|before| before.id);
    let present = put(&mut open.tx, tenant, route).await?;
    if before != Some(present.id) {
        audit::put(&mut open.tx, &told(open.user, tenant, before, &present)).await?;
    }
    Ok(())
}
