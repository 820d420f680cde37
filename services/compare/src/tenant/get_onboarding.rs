//! Returns one onboarding to those who may see its tenant.

use domain::id::{OnboardingId, WorkspaceId};
use domain::operability::{Lane, Question};
use server::caller::Caller;

use super::lifecycle::ask;
use super::onboarding::Onboarded;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;

/// The onboarding, under way or ended.
pub async fn get_onboarding(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    id: OnboardingId,
) -> Result<Onboarded> {
    let (_, actor) = state.authorise(caller, workspace, &[], &[]).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let onboarding = store::onboarding::find(&mut tx, workspace, id).await?.ok_or(Error::NotFound)?;
    let tenant = store::tenant::find(&mut tx, workspace, onboarding.tenant_id).await?.ok_or(Error::NotFound)?;
    ask(&actor, &tenant, Lane::TenantBound, Question::TenantBoundViewability)?;
    Ok(Onboarded { onboarding, tenant })
}
