//! Entitles a member to a tenant.

use domain::access::{Capability, Need, Role};
use domain::id::{TenantId, WorkspaceId};
use server::caller::Caller;

use super::member_seen_by;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::member::Member;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetTenantRole {
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
    let need = Need::InWorkspace(Capability::WorkspaceMembersManage);
    let (_, actor) = state.authorise(caller, workspace, &[tenant], &[need]).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    store::tenant_role::put(&mut tx, workspace, tenant, &request.subject, request.role).await.map_err(|error| {
        if store::violates(&error, store::tenant_role::MEMBER_FKEY) { Error::NotAMember } else { error.into() }
    })?;
    let member = member_seen_by(&mut tx, workspace, &request.subject, &actor).await?;
    tx.commit().await?;
    Ok(member)
}
