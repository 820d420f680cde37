//! Adds a member or changes a member's role.

use domain::access::{Capability, Need, Role};
use domain::id::WorkspaceId;
use server::caller::Caller;

use super::{could_orphan, member_seen_by};
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::member::{Change, Member};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetWorkspaceMember {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Whose membership.
    pub subject: String,
    /// The role from now on.
    pub role: Role,
    /// Name for people; empty leaves the present one.
    pub display_name: String,
}

/// Makes it so. The guard of the last owner stands in the statement, under a lock that orders changes of owners.
pub async fn set_workspace_member(state: &State, caller: &Caller, request: &SetWorkspaceMember) -> Result<Member> {
    let workspace = request.workspace_id;
    let need = Need::InWorkspace(Capability::WorkspaceMembersManage);
    let (_, actor) = state.authorise(caller, workspace, &[], &[need]).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    if could_orphan(request.role) {
        store::workspace::lock_membership(&mut tx, workspace).await?;
    }
    let change = store::member::put(&mut tx, workspace, &request.subject, request.role, &request.display_name).await?;
    if change == Change::LastOwner {
        return Err(Error::LastOwner);
    }
    let member = member_seen_by(&mut tx, workspace, &request.subject, &actor).await?;
    tx.commit().await?;
    Ok(member)
}
