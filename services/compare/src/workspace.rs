//! WorkspaceService: workspaces, their members, and the members' roles on tenants.

mod create_workspace;
mod get_workspace;
mod list_workspace_members;
mod list_workspaces;
mod remove_tenant_role;
mod remove_workspace_member;
mod set_tenant_role;
mod set_workspace_member;

pub use create_workspace::{CreateWorkspace, create_workspace};
pub use get_workspace::get_workspace;
pub use list_workspace_members::list_workspace_members;
pub use list_workspaces::list_workspaces;
pub use remove_tenant_role::remove_tenant_role;
pub use remove_workspace_member::remove_workspace_member;
pub use set_tenant_role::{SetTenantRole, set_tenant_role};
pub use set_workspace_member::{SetWorkspaceMember, set_workspace_member};

use domain::access::{ActorFacts, Role};
use domain::id::WorkspaceId;
use sqlx::PgConnection;

use crate::error::{Error, Result};
use crate::store;
use crate::store::member::Member;

/// The most characters of a name people see.
pub const MAX_NAME_CHARS: usize = 120;
/// The most characters of a subject.
pub const MAX_SUBJECT_CHARS: usize = 255;

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

/// Whether a change of this role could take the last owner away: then membership is held still first.
fn could_orphan(role: Role) -> bool {
    role != Role::Owner
}
