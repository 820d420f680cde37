//! Complete onboarding: takes the tenant into service.

use domain::operability::Question;
use domain::tenant::{LifecycleEvent, OnboardingState};
use serde_json::json;
use server::caller::Caller;

use super::lifecycle::move_on;
use super::onboarding::{Begun, Onboarded, OnboardingChange, begin};
use crate::answered::Asked;
use crate::error::Result;
use crate::state::State;

/// Completes it when every checkpoint before is reached; otherwise the refusal says which is open.
pub async fn complete_onboarding(state: &State, caller: &Caller, change: &OnboardingChange) -> Result<Onboarded> {
    let subject = &caller.require_user()?.subject;
    let body = json!({ "onboarding_id": change.onboarding_id, "version": change.version });
    let asked = Asked::new(change.request_id, "CompleteOnboarding", subject, body);
    let answer = complete(state, caller, change, &asked).await;
    asked.settle(state, change.workspace_id, answer).await
}

async fn complete(state: &State, caller: &Caller, change: &OnboardingChange, asked: &Asked<'_>) -> Result<Onboarded> {
    match begin(state, caller, change, &[Question::CompleteOnboarding], asked).await? {
        Begun::Before(first) => Ok(*first),
        Begun::Now(mut open) => {
            move_on(&mut open.tx, &open.held.tenant, LifecycleEvent::CompleteOnboarding).await?;
            open.finish(state, OnboardingState::Completed, "tenant.onboarding_completed", None).await
        }
    }
}
