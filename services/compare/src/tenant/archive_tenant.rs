//! Archive: takes a tenant out of service.

use domain::operability::Question;
use domain::tenant::LifecycleEvent;
use server::caller::Caller;

use super::lifecycle::{Kind, LifecycleChange, change};
use crate::error::Result;
use crate::state::State;
use crate::store::tenant::Tenant;

/// An active tenant is archived. Workers look at its state before they begin something: what is begun is finished, the rest is not.
pub async fn archive_tenant(state: &State, caller: &Caller, request: &LifecycleChange) -> Result<Tenant> {
    let kind = Kind {
        method: "ArchiveTenant",
        question: Question::Archive,
        event: LifecycleEvent::Archive,
        action: "tenant.archived",
    };
    change(state, caller, request, &kind).await
}
