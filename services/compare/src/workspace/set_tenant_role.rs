//! Entitles a member to a tenant.

use domain::access::{ActorFacts, Role};
use domain::id::{RequestId, TenantId, WorkspaceId};
use serde_json::json;
use server::caller::{Caller, User};

use super::{MANAGE_MEMBERS, hold_membership, member_seen_by, seen_now};
use crate::answered::Asked;
use crate::audit;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::member::Member;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetTenantRole {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Who.
    pub subject: String,
    /// The role from now on.
    pub role: Role,
}

/// Makes it so. Whoever gives a role on a tenant is entitled to that tenant: nobody hands out what they cannot see.
pub async fn set_tenant_role(state: &State, caller: &Caller, request: &SetTenantRole) -> Result<Member> {
    let (workspace, tenant) = (request.workspace_id, request.tenant_id);
    let (user, actor) = state.authorise(caller, workspace, &[tenant], &[MANAGE_MEMBERS]).await?;
    let body = json!({ "tenant_id": tenant, "subject": request.subject, "role": request.role });
    let asked = Asked::new(request.request_id, "SetTenantRole", &user.subject, body);
    let answer = set(state, user, &actor, request, &asked).await;
    Ok(seen_now(asked.settle(state, workspace, answer).await?, &actor))
}

async fn set(
    state: &State,
    user: &User,
    actor: &ActorFacts,
    request: &SetTenantRole,
    asked: &Asked<'_>,
) -> Result<Member> {
    let (workspace, tenant, subject) = (request.workspace_id, request.tenant_id, &*request.subject);
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    hold_membership(&mut tx, workspace, user, &[tenant]).await?;
    if let Some(first) = asked.answer(&mut tx, workspace).await? {
        return Ok(first);
    }
    let before = store::member::find(&mut tx, workspace, subject, &[tenant.uuid()]).await?;
    let previous = before.ok_or(Error::NotAMember)?.tenant_roles.first().map(|(_, role)| *role);
    store::tenant_role::put(&mut tx, workspace, tenant, subject, request.role).await?;
    if previous != Some(request.role) {
        let detail = json!({ "subject": subject, "role": request.role, "previous_role": previous });
        audit::put(&mut tx, &audit::changed(user, workspace, Some(tenant), "tenant.role_set", detail)).await?;
    }
    let member = member_seen_by(&mut tx, workspace, subject, actor).await?;
    asked.remember(&mut tx, workspace, &member).await?;
    audit::commit(state, tx).await?;
    Ok(member)
}
