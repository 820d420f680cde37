//! Creates a workspace; its creator is its first owner.

use domain::access::Role;
use domain::id::{RequestId, WorkspaceId};
use serde_json::json;
use server::ambient;
use server::caller::{Caller, User};

use crate::answered::{Asked, was_answered_meanwhile};
use crate::audit;
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::workspace::Workspace;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CreateWorkspace {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// Name of the workspace.
    pub name: String,
}

/// Creates it, or returns what the same request created before.
pub async fn create_workspace(state: &State, caller: &Caller, request: &CreateWorkspace) -> Result<Workspace> {
    let user = caller.require_user()?;
    let asked = Asked::new(
        request.request_id,
        store::request::CREATE_WORKSPACE,
        &user.subject,
        json!({ "name": request.name }),
    );
    if let Some(first) = created(state, &asked).await? {
        return Ok(first);
    }
    match insert(state, user, request, &asked).await {
        Err(error) if was_answered_meanwhile(&error) => created(state, &asked).await?.ok_or(error),
        answer => answer,
    }
}

/// What the same request created before. The scope is the system's because the workspace is what is looked for; the
/// statement asks for the caller's own request only.
async fn created(state: &State, asked: &Asked<'_>) -> Result<Option<Workspace>> {
    asked.created(&mut *state.db.system().await?).await
}

async fn insert(state: &State, user: &User, request: &CreateWorkspace, asked: &Asked<'_>) -> Result<Workspace> {
    let id = WorkspaceId(ambient::fresh_id());
    let mut tx = state.db.workspace(id.uuid()).await?;
    let created_at = store::workspace::insert(&mut tx, id, &request.name).await?;
    store::member::put(&mut tx, id, &user.subject, Role::Owner, &user.name).await?;
    let workspace = Workspace { id, name: request.name.clone(), created_at, caller_role: Role::Owner };
    asked.remember(&mut tx, id, &workspace).await?;
    let created = audit::changed(user, id, None, "workspace.created", json!({ "name": request.name }));
    audit::put(&mut tx, &created).await?;
    audit::commit(state, tx).await?;
    Ok(workspace)
}
