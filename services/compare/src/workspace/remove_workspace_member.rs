//! Removes a member with every tenant role the member holds in the workspace.

use domain::access::{Capability, Need};
use domain::id::WorkspaceId;
use server::caller::Caller;

use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::member::Change;

/// Makes it so; removing somebody who is no member succeeds.
pub async fn remove_workspace_member(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    subject: &str,
) -> Result<()> {
    let need = Need::InWorkspace(Capability::WorkspaceMembersManage);
    state.authorise(caller, workspace, &[], &[need]).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    store::workspace::lock_membership(&mut tx, workspace).await?;
    if store::member::remove(&mut tx, workspace, subject).await? == Change::LastOwner {
        return Err(Error::LastOwner);
    }
    Ok(tx.commit().await?)
}
