//! Says what a tenant is good for.

use domain::id::WorkspaceId;
use server::caller::Caller;

use super::batch_evaluate_operability::{Check, Outcome, batch_evaluate_operability};
use crate::error::{Error, Result};
use crate::state::State;

/// The answer to one question; whoever may not see the tenant gets none.
pub async fn evaluate_operability(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    check: &Check,
) -> Result<Outcome> {
    let answers = batch_evaluate_operability(state, caller, workspace, std::slice::from_ref(check)).await?;
    answers.into_iter().next().ok_or(Error::NotFound)
}
