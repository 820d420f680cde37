//! Gives an onboarding up.

use domain::operability::Question;
use domain::tenant::{LifecycleEvent, OnboardingState};
use serde_json::json;
use server::caller::Caller;

use super::lifecycle::move_on;
use super::onboarding::{Begun, Onboarded, OnboardingChange, begin};
use crate::answered::Asked;
use crate::error::Result;
use crate::state::State;

/// Cancels it; its tenant goes back to being a draft and keeps what was said about it, its connection included.
pub async fn cancel_onboarding(state: &State, caller: &Caller, change: &OnboardingChange) -> Result<Onboarded> {
    let subject = &caller.require_user()?.subject;
    let body = json!({ "onboarding_id": change.onboarding_id, "version": change.version });
    let asked = Asked::new(change.request_id, "CancelOnboarding", subject, body);
    let answer = cancel(state, caller, change, &asked).await;
    asked.settle(state, change.workspace_id, answer).await
}

async fn cancel(state: &State, caller: &Caller, change: &OnboardingChange, asked: &Asked<'_>) -> Result<Onboarded> {
    match begin(state, caller, change, &[Question::CancelOnboarding], asked).await? {
        Begun::Before(first) => Ok(*first),
        Begun::Now(mut open) => {
            move_on(&mut open.tx, &open.held.tenant, LifecycleEvent::CancelOnboarding).await?;
            open.finish(state, OnboardingState::Cancelled, "tenant.onboarding_cancelled", None).await
        }
    }
}
