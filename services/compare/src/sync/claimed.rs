//! What every worker of this service reads off a claimed run, and how it says that it cannot go on.

use domain::id::{RunId, TenantId, WorkspaceId};
use pb::operation::{ClaimedItem, ItemState, OperationRun};
use server::failure::Failure;
use worker::WorkError;

use super::Scope;
use crate::error::Error;

/// An item without an outcome.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    /// Which one.
    pub(crate) ordinal: i32,
    /// Its policy type.
    pub(crate) policy_type: String,
}

/// The item, if it has no outcome yet.
pub(crate) fn open(claimed: &ClaimedItem) -> Option<Open> {
    let item = claimed.item.as_ref()?;
    let is_open = item.state() == ItemState::Pending;
    is_open.then(|| Open { ordinal: item.ordinal, policy_type: item.policy_type.clone() })
}

/// Whose run it is.
pub(crate) fn scope_of(run: &OperationRun) -> Result<Scope, WorkError> {
    let unreadable = |_| WorkError::Failed("the run names no workspace and tenant that can be read".to_owned());
    Ok(Scope {
        workspace_id: run.workspace_id.parse::<WorkspaceId>().map_err(unreadable)?,
        tenant_id: run.tenant_id.parse::<TenantId>().map_err(unreadable)?,
        run_id: run.run_id.parse::<RunId>().map_err(unreadable)?,
    })
}

/// The database is what can be away here; a defect is one of this release, and another try would meet it again.
pub(crate) fn away(error: Error) -> WorkError {
    let failure = Failure::from(error);
    let text =
        format!("{failure}: {}", std::error::Error::source(&failure).map(ToString::to_string).unwrap_or_default());
    match failure.category() {
        server::Category::Unavailable => WorkError::Away(text),
        _ => WorkError::Failed(text),
    }
}
