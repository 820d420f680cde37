//! Lists the members of a workspace.

use domain::id::WorkspaceId;
use server::caller::Caller;
use server::fields::Page;

use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::member::Member;

/// One page by subject, and the token of the next. Roles on tenants the caller is not entitled to are left out.
pub async fn list_workspace_members(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    page: &Page<String>,
) -> Result<(Vec<Member>, String)> {
    let (_, actor) = state.authorise(caller, workspace, &[], &[]).await?;
    let tenants = store::subject::uuids(actor.tenant_roles.keys().copied());
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let mut rows = store::member::list(&mut tx, workspace, &tenants, page.after.as_deref(), page.fetch()).await?;
    let next = page.cut(&mut rows, |member| member.subject.clone());
    Ok((rows, next))
}
