//! WorkspaceService: workspaces, their members, and the members' roles on tenants.

mod create_workspace;
mod get_my_access;
mod get_workspace;
mod list_workspace_members;
mod list_workspaces;
mod remove_tenant_role;
mod remove_workspace_member;
mod set_tenant_role;
mod set_workspace_member;

pub use create_workspace::{CreateWorkspace, create_workspace};
pub use get_my_access::{Access, get_my_access};
pub use get_workspace::get_workspace;
pub use list_workspace_members::list_workspace_members;
pub use list_workspaces::list_workspaces;
pub use remove_tenant_role::{RemoveTenantRole, remove_tenant_role};
pub use remove_workspace_member::{RemoveWorkspaceMember, remove_workspace_member};
pub use set_tenant_role::{SetTenantRole, set_tenant_role};
pub use set_workspace_member::{SetWorkspaceMember, set_workspace_member};

use domain::access::{ActorFacts, Capability, Need, authorize};
use domain::id::{TenantId, WorkspaceId};
use server::caller::User;
use server::failure::Failure;
use sqlx::PgConnection;

use crate::error::{Error, Result};
use crate::store;
use crate::store::member::Member;

/// The most characters of a name people see.
pub const MAX_NAME_CHARS: usize = 120;
/// The most characters of a subject.
pub const MAX_SUBJECT_CHARS: usize = 255;

/// What changing anybody's access needs.
const MANAGE_MEMBERS: Need = Need::InWorkspace(Capability::WorkspaceMembersManage);

/// A member as the actor may see it: with roles only on tenants the actor is entitled to as well.
async fn member_seen_by(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    subject: &str,
    actor: &ActorFacts,
) -> Result<Member> {
    let tenants = store::subject::uuids(actor.tenant_roles.keys().copied());
    store::member::find(conn, workspace, subject, &tenants).await?.ok_or(Error::NotFound)
}

/// A first answer, as the actor may see it now: repeated later, it shows no tenant that is hidden from the actor meanwhile.
fn seen_now(mut member: Member, actor: &ActorFacts) -> Member {
    member.tenant_roles.retain(|(tenant, _)| actor.is_entitled_to(*tenant));
    member
}

/// Holds the workspace's membership still until the transaction ends, and decides again: of two who change one another's
/// access at the same moment, the later one may have lost the right to since the request was authorised.
async fn hold_membership(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    actor: &User,
    tenants: &[TenantId],
) -> Result<()> {
    store::workspace::lock_membership(tx, workspace).await?;
    let tenant_ids = store::subject::uuids(tenants.iter().copied());
    let present = store::member::find(tx, workspace, &actor.subject, &tenant_ids).await?;
    let facts = present.map(|member| ActorFacts {
        subject: member.subject,
        workspace_role: member.role,
        tenant_roles: member.tenant_roles.into_iter().collect(),
    });
    Ok(authorize(facts.as_ref(), tenants, &[MANAGE_MEMBERS]).map_err(Failure::from)?)
}
