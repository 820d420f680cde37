//! Resume onboarding: takes it over.

use domain::operability::Question;
use domain::tenant::OnboardingState;
use serde_json::json;
use server::caller::Caller;

use super::onboarding::{Begun, Onboarded, OnboardingChange, begin};
use crate::answered::Asked;
use crate::error::Result;
use crate::state::State;

/// Makes the caller its editor; what an earlier editor prepared is refused by its version from now on.
pub async fn resume_onboarding(state: &State, caller: &Caller, change: &OnboardingChange) -> Result<Onboarded> {
    let subject = &caller.require_user()?.subject;
    let body = json!({ "onboarding_id": change.onboarding_id });
    let asked = Asked::new(change.request_id, "ResumeOnboarding", subject, body);
    let answer = resume(state, caller, change, &asked).await;
    asked.settle(state, change.workspace_id, answer).await
}

async fn resume(state: &State, caller: &Caller, change: &OnboardingChange, asked: &Asked<'_>) -> Result<Onboarded> {
    match begin(state, caller, change, &[Question::ResumeOnboarding], asked).await? {
        Begun::Before(first) => Ok(*first),
        Begun::Now(open) => open.finish(state, OnboardingState::InProgress, "tenant.onboarding_resumed", None).await,
    }
}
