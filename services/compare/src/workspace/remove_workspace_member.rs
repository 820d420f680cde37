//! Removes a member with every tenant role the member holds in the workspace.

use domain::id::{RequestId, WorkspaceId};
use serde_json::json;
use server::caller::{Caller, User};
use sqlx::PgConnection;

use super::{MANAGE_MEMBERS, hold_membership};
use crate::answered::Asked;
use crate::audit;
use crate::client::NewAuditEvent;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::member::Change;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RemoveWorkspaceMember {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Who.
    pub subject: String,
}

/// Makes it so; removing somebody who is no member succeeds.
pub async fn remove_workspace_member(state: &State, caller: &Caller, request: &RemoveWorkspaceMember) -> Result<()> {
    let workspace = request.workspace_id;
    let (user, _) = state.authorise(caller, workspace, &[], &[MANAGE_MEMBERS]).await?;
    let body = json!({ "subject": request.subject });
    let asked = Asked::new(request.request_id, "RemoveWorkspaceMember", &user.subject, body);
    let answer = remove(state, user, request, &asked).await;
    asked.settle(state, workspace, answer).await
}

async fn remove(state: &State, user: &User, request: &RemoveWorkspaceMember, asked: &Asked<'_>) -> Result<()> {
    let workspace = request.workspace_id;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    hold_membership(&mut tx, workspace, user, &[]).await?;
    if let Some(first) = asked.answer(&mut tx, workspace).await? {
        return Ok(first);
    }
    let told = remove_and_tell(&mut tx, workspace, user, &request.subject).await?;
    audit::put_all(&mut tx, workspace, &told).await?;
    asked.remember(&mut tx, workspace, &()).await?;
    audit::commit(state, tx).await
}

/// Removes the member, and gives back what there is to tell: the membership, and each role that went with it, so that the
/// trail of a tenant names everybody who lost access to it.
async fn remove_and_tell(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    user: &User,
    subject: &str,
) -> Result<Vec<NewAuditEvent>> {
    let Some(member) = store::member::find(tx, workspace, subject, &[]).await? else { return Ok(Vec::new()) };
    let roles = store::tenant_role::remove_all(tx, workspace, subject).await?;
    if store::member::remove(tx, workspace, subject).await? == Change::LastOwner {
        return Err(Error::LastOwner);
    }
    let left = json!({ "subject": subject, "previous_role": member.role });
    let mut told = vec![audit::changed(user, workspace, None, "workspace.member_removed", left)];
    told.extend(roles.into_iter().map(|(tenant, role)| {
        let lost = json!({ "subject": subject, "previous_role": role, "with_membership": true });
        audit::changed(user, workspace, Some(tenant), "tenant.role_removed", lost)
    }));
    Ok(told)
}
