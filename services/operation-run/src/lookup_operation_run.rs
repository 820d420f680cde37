//! LookupOperationRun: the run that an earlier start with this request id made or returned, and which of both.

use domain::id::{RequestId, WorkspaceId};
use server::Caller;

use crate::Runs;
use crate::error::{Error, Result};
use crate::owner::{OwnedTypes, owned_types};
use crate::run::SeenRun;
use crate::start_operation_run::{NOBODY, is_started_by_the_system, request_hash};
use crate::store;
use crate::store::start_answer::Started;
use crate::visibility::Visibility;

/// Finds the run and what the start came to. `None` when no start was answered with one, or when it is not the caller's or the user's to see.
/// `digest` empty: what was asked for is not compared.
pub async fn lookup(
    runs: &Runs,
    caller: &Caller,
    workspace: WorkspaceId,
    request: RequestId,
    digest: &[u8],
) -> Result<Option<(SeenRun, Started)>> {
    let types = owned_types(caller)?;
    if caller.user.is_none() && types.any(is_started_by_the_system) {
        return of_the_system(runs, &types, workspace, request, digest).await;
    }
    let user = caller.require_user()?;
    let visibility = Visibility::of(runs.access.facts(&user.subject, workspace).await?);
    visibility.may_name(&[]).map_err(server::Failure::from)?;

    let mut tx = runs.db.workspace(workspace.uuid()).await?;
    let Some(answer) = store::start_answer::find(&mut tx, workspace, request).await? else { return Ok(None) };
    if !digest.is_empty() && answer.request_hash != request_hash(&user.subject, digest) {
        return Err(Error::RequestIdReused);
    }
    let seen = store::run::find(&mut tx, answer.run).await?;
    let seen = seen.filter(|seen| types.contains(seen.run.run_type) && visibility.shows(&seen.run));
    Ok(seen.map(|seen| (seen, answer.started)))
}

/// The same for what the calling service has started by itself.
async fn of_the_system(
    runs: &Runs,
    types: &OwnedTypes,
    workspace: WorkspaceId,
    request: RequestId,
    digest: &[u8],
) -> Result<Option<(SeenRun, Started)>> {
    let mut tx = runs.db.workspace(workspace.uuid()).await?;
    let Some(answer) = store::start_answer::find(&mut tx, workspace, request).await? else { return Ok(None) };
    let seen = store::run::find(&mut tx, answer.run).await?;
    let seen = seen.filter(|seen| types.contains(seen.run.run_type) && seen.run.initiator_subject.is_none());
    if seen.is_some() && !digest.is_empty() && answer.request_hash != request_hash(NOBODY, digest) {
        return Err(Error::RequestIdReused);
    }
    Ok(seen.map(|seen| (seen, answer.started)))
}
