//! GetOperationRun: one run, by its id alone.

use domain::id::RunId;
use server::{Caller, Failure};

use crate::Runs;
use crate::error::Result;
use crate::run::SeenRun;
use crate::store;
use crate::visibility::Visibility;

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
    let seen = store::run::find(&mut tx, id).await?.ok_or_else(Failure::not_found)?;
    drop(tx);
    let visibility = Visibility::of(runs.access.facts(&user.subject, seen.run.workspace_id).await?);
    visibility.check(&seen.run).map_err(Failure::from)?;
    Ok((seen, visibility))
}
