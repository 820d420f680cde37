//! Remembers a tenant as the one the caller works with.

use domain::access::ActorFacts;
use domain::id::{RequestId, TenantId, WorkspaceId};
use domain::operability::{Asked as Question, Lane, Question::SelectorEligibility, evaluate};
use serde_json::json;
use server::caller::Caller;

use crate::answered::Asked;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::tenant::Tenant;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SelectTenant {
    /// Makes it idempotent: a late repetition does not undo what was selected since.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
}

/// Remembers it, if it may be selected.
pub async fn select_tenant(state: &State, caller: &Caller, request: &SelectTenant) -> Result<Tenant> {
    let (workspace, tenant) = (request.workspace_id, request.tenant_id);
    let needs = SelectorEligibility.needs(tenant);
    let (user, actor) = state.authorise(caller, workspace, &[tenant], &needs).await?;
    let asked = Asked::new(request.request_id, "SelectTenant", &user.subject, json!({ "tenant_id": tenant }));
    let answer = select(state, &actor, request, &asked).await;
    asked.settle(state, workspace, answer).await
}

async fn select(state: &State, actor: &ActorFacts, request: &SelectTenant, asked: &Asked<'_>) -> Result<Tenant> {
    let (workspace, tenant_id) = (request.workspace_id, request.tenant_id);
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    if let Some(first) = asked.answer(&mut tx, workspace).await? {
        return Ok(first);
    }
    // What is decided holds until it is remembered.
    store::tenant::lock(&mut tx, workspace, tenant_id).await?;
    let found = store::tenant::find(&mut tx, workspace, tenant_id).await?.ok_or(Error::NotFound)?;
    evaluate(&Question {
        lane: Lane::ActiveSelector,
        question: SelectorEligibility,
        tenant_id,
        tenant: Some(found.facts()),
        actor: Some(actor),
    })?;
    store::selected_tenant::put(&mut tx, workspace, &actor.subject, tenant_id).await.map_err(left_meanwhile)?;
    asked.remember(&mut tx, workspace, &found).await?;
    tx.commit().await?;
    Ok(found)
}

/// Whoever is a member no longer finds no workspace either.
fn left_meanwhile(error: store::StoreError) -> Error {
    if store::violates(&error, store::selected_tenant::MEMBER_FKEY) { Error::NotFound } else { error.into() }
}
