//! GetOperationRun: one run, by its id alone.

use domain::id::{RunId, WorkspaceId};
use server::{Caller, Failure};
use uuid::Uuid;

use crate::Runs;
use crate::error::Result;
use crate::run::SeenRun;
use crate::store;
use crate::visibility::Visibility;

/// A workspace that nobody is a member of: the nil id is never given.
pub(crate) const NO_WORKSPACE: WorkspaceId = WorkspaceId(Uuid::nil());

/// The run, if the caller may see it.
pub async fn get(runs: &Runs, caller: &Caller, id: RunId) -> Result<SeenRun> {
    visible(runs, caller, id).await.map(|(seen, _)| seen)
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
