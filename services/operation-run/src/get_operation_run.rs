//! GetOperationRun: one run, by its id alone.

use domain::id::{RunId, WorkspaceId};
use domain::run::{ViewerContext, ViewerFacts, viewer_context};
use domain::tenant::Lifecycle;
use server::{Caller, Failure};
use uuid::Uuid;

use crate::Runs;
use crate::error::Result;
use crate::run::SeenRun;
use crate::store;
use crate::store::viewer::Tenants;
use crate::visibility::Visibility;

/// A workspace that nobody is a member of: the nil id is never given.
pub(crate) const NO_WORKSPACE: WorkspaceId = WorkspaceId(Uuid::nil());

/// What is shown of a run.
#[derive(Debug)]
pub struct Shown {
    pub seen: SeenRun,
    pub context: ViewerContext,
    pub tenants: Tenants,
}

/// The run, if the caller may see it, and what the caller should know about its tenant.
pub async fn get(runs: &Runs, caller: &Caller, id: RunId) -> Result<Shown> {
    let user = caller.require_user()?;
    let (seen, visibility) = visible(runs, caller, id).await?;
    let run = &seen.run;
    let mut tx = runs.db.workspace(run.workspace_id.uuid()).await?;
    let mut tenants = store::viewer::tenants(&mut tx, run.workspace_id, &user.subject, run.tenant_id).await?;
    // A memory is checked whenever it is read: what is no longer good counts as nothing, and is not told of.
    tenants.selected = tenants
        .selected
        .filter(|selected| selected.lifecycle == Lifecycle::Active && visibility.may_name(&[selected.id]).is_ok());
    let context = viewer_context(&ViewerFacts {
        run_type: run.run_type,
        status: run.status,
        cancel_requested: run.cancel_requested_at.is_some(),
        tenantless: run.tenant_id.is_none(),
        run_tenant: tenants.of_run.clone(),
        selected: tenants.selected.clone(),
        may_start: run.tenant_id.is_some() && visibility.require(&run.run_type.start_needs(&run.tenants())).is_ok(),
    });
    Ok(Shown { seen, context, tenants })
}

/// The run and its actor's eyes: what every RPC about one run begins with.
///
/// # Errors
/// NOT_FOUND when there is no such run or it is hidden, the same for both; PERMISSION_DENIED when only the capability is
/// missing.
pub(crate) async fn visible(runs: &Runs, caller: &Caller, id: RunId) -> Result<(SeenRun, Visibility)> {
    let user = caller.require_user()?;
    // The link names no workspace: which one it is has to be found across all.
    let mut tx = runs.db.system().await?;
    let seen = store::run::find(&mut tx, id).await?;
    drop(tx);
    // Access is read for a run that does not exist too: a hidden one must not be told from it by the time it takes.
    let workspace = seen.as_ref().map_or(NO_WORKSPACE, |seen| seen.run.workspace_id);
    let visibility = Visibility::of(runs.access.facts(&user.subject, workspace).await?);
    let seen = seen.ok_or_else(Failure::not_found)?;
    visibility.check(&seen.run).map_err(Failure::from)?;
    Ok((seen, visibility))
}
