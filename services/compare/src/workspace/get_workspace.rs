//! Returns one workspace to its members.

use domain::id::WorkspaceId;
use server::caller::Caller;

use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::workspace::Workspace;

/// The workspace as the caller sees it. Being listed in it is all that is needed.
pub async fn get_workspace(state: &State, caller: &Caller, workspace: WorkspaceId) -> Result<Workspace> {
    let (user, _) = state.authorise(caller, workspace, &[], &[]).await?;
    let mut conn = state.db.plain().await?;
    store::workspace::find(&mut conn, &user.subject, workspace).await?.ok_or(Error::NotFound)
}
