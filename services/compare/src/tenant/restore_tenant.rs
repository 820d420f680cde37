//! Restore: takes an archived tenant into service again.

use domain::operability::Question;
use domain::tenant::LifecycleEvent;
use server::caller::Caller;

use super::lifecycle::{Kind, LifecycleChange, change};
use crate::error::Result;
use crate::state::State;
use crate::store::tenant::Tenant;

/// An archived tenant is active again.
pub async fn restore_tenant(state: &State, caller: &Caller, request: &LifecycleChange) -> Result<Tenant> {
    let kind = Kind {
        method: "RestoreTenant",
        question: Question::Restore,
        event: LifecycleEvent::Restore,
        action: "tenant.restored",
    };
    change(state, caller, request, &kind).await
}
