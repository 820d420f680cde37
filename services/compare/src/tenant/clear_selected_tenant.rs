//! Forgets the tenant the caller selected.

use domain::id::{RequestId, WorkspaceId};
use serde_json::json;
use server::caller::Caller;

use crate::answered::Asked;
use crate::error::Result;
use crate::state::State;
use crate::store;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ClearSelectedTenant {
    /// Makes it idempotent: a late repetition does not forget what was selected since.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
}

/// Forgets it; forgetting nothing succeeds.
pub async fn clear_selected_tenant(state: &State, caller: &Caller, request: &ClearSelectedTenant) -> Result<()> {
    let workspace = request.workspace_id;
    let (user, _) = state.authorise(caller, workspace, &[], &[]).await?;
    let asked = Asked::new(request.request_id, "ClearSelectedTenant", &user.subject, json!({}));
    let answer = clear(state, workspace, &user.subject, &asked).await;
    asked.settle(state, workspace, answer).await
}

async fn clear(state: &State, workspace: WorkspaceId, subject: &str, asked: &Asked<'_>) -> Result<()> {
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    if let Some(first) = asked.answer(&mut tx, workspace).await? {
        return Ok(first);
    }
    store::selected_tenant::clear(&mut tx, workspace, subject).await?;
    asked.remember(&mut tx, workspace, &()).await?;
    Ok(tx.commit().await?)
}
