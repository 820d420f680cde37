//! Takes a member's role on a tenant away.

use domain::id::{RequestId, TenantId, WorkspaceId};
use serde_json::json;
use server::caller::{Caller, User};

use super::{MANAGE_MEMBERS, hold_membership};
use crate::answered::Asked;
use crate::audit;
use crate::error::Result;
use crate::state::State;
use crate::store;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RemoveTenantRole {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Whose role.
    pub subject: String,
}

/// Makes it so; taking away what nobody holds succeeds.
pub async fn remove_tenant_role(state: &State, caller: &Caller, request: &RemoveTenantRole) -> Result<()> {
    let (workspace, tenant) = (request.workspace_id, request.tenant_id);
    let (user, _) = state.authorise(caller, workspace, &[tenant], &[MANAGE_MEMBERS]).await?;
    let body = json!({ "tenant_id": tenant, "subject": request.subject });
    let asked = Asked::new(request.request_id, "RemoveTenantRole", &user.subject, body);
    let answer = remove(state, user, request, &asked).await;
    asked.settle(state, workspace, answer).await
}

async fn remove(state: &State, user: &User, request: &RemoveTenantRole, asked: &Asked<'_>) -> Result<()> {
    let (workspace, tenant) = (request.workspace_id, request.tenant_id);
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    hold_membership(&mut tx, workspace, user, &[tenant]).await?;
    if let Some(first) = asked.answer(&mut tx, workspace).await? {
        return Ok(first);
    }
    if let Some(previous) = store::tenant_role::remove(&mut tx, workspace, tenant, &request.subject).await? {
        let detail = json!({ "subject": request.subject, "previous_role": previous });
        let removed = audit::changed(user, workspace, Some(tenant), "tenant.role_removed", detail);
        audit::put(&mut tx, &removed).await?;
    }
    asked.remember(&mut tx, workspace, &()).await?;
    audit::commit(state, tx).await
}
