//! Adds a member or changes a member's role.

use domain::access::{ActorFacts, Role};
use domain::id::{RequestId, WorkspaceId};
use serde_json::json;
use server::caller::{Caller, User};

use super::{MANAGE_MEMBERS, hold_membership, member_seen_by, seen_now};
use crate::answered::Asked;
use crate::audit;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::member::{Change, Member};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetWorkspaceMember {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Whose membership.
    pub subject: String,
    /// The role from now on.
    pub role: Role,
    /// Name for people; empty leaves the present one.
    pub display_name: String,
}

/// Makes it so. The guard of the last owner stands in the statement, under a lock that orders changes of membership.
pub async fn set_workspace_member(state: &State, caller: &Caller, request: &SetWorkspaceMember) -> Result<Member> {
    let workspace = request.workspace_id;
    let (user, actor) = state.authorise(caller, workspace, &[], &[MANAGE_MEMBERS]).await?;
    let body = json!({ "subject": request.subject, "role": request.role, "display_name": request.display_name });
    let asked = Asked::new(request.request_id, "SetWorkspaceMember", &user.subject, body);
    let answer = set(state, user, &actor, request, &asked).await;
    Ok(seen_now(asked.settle(state, workspace, answer).await?, &actor))
}

async fn set(
    state: &State,
    user: &User,
    actor: &ActorFacts,
    request: &SetWorkspaceMember,
    asked: &Asked<'_>,
) -> Result<Member> {
    let (workspace, subject) = (request.workspace_id, &*request.subject);
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    hold_membership(&mut tx, workspace, user, &[]).await?;
    if let Some(first) = asked.answer(&mut tx, workspace).await? {
        return Ok(first);
    }
    let before = store::member::find(&mut tx, workspace, subject, &[]).await?;
    let change = store::member::put(&mut tx, workspace, subject, request.role, &request.display_name).await?;
    if change == Change::LastOwner {
        return Err(Error::LastOwner);
    }
    let member = member_seen_by(&mut tx, workspace, subject, actor).await?;
    let is_as_before = |before: &Member| (before.role, &before.display_name) == (member.role, &member.display_name);
    if !before.as_ref().is_some_and(is_as_before) {
        let detail = json!({
            "subject": subject,
            "display_name": member.display_name,
            "role": member.role,
            "previous_role": before.map(|before| before.role),
        });
        audit::put(&mut tx, &audit::changed(user, workspace, None, "workspace.member_set", detail)).await?;
    }
    asked.remember(&mut tx, workspace, &member).await?;
    audit::commit(state, tx).await?;
    Ok(member)
}
