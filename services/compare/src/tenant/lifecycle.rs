//! Asking the authority about a tenant, and moving it on in its life: what the RPCs that do so have in common.

use domain::access::ActorFacts;
use domain::confirmation::confirm_name;
use domain::id::{RequestId, TenantId, WorkspaceId};
use domain::operability::{Asked, Lane, Question, evaluate};
use domain::tenant::LifecycleEvent;
use serde_json::json;
use server::caller::{Caller, User};
use server::failure::Failure;
use sqlx::PgConnection;

use crate::answered::Asked as Requested;
use crate::audit;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::tenant::Tenant;

/// The answer of the authority about a tenant that was read.
pub(super) fn ask(actor: &ActorFacts, tenant: &Tenant, lane: Lane, question: Question) -> Result<()> {
    let asked = Asked { lane, question, tenant_id: tenant.id, tenant: Some(tenant.facts()), actor: Some(actor) };
    Ok(evaluate(&asked)?)
}

/// Moves a tenant on that is held still and of which the authority said that it may be.
pub(super) async fn move_on(conn: &mut PgConnection, tenant: &Tenant, event: LifecycleEvent) -> Result<()> {
    let Some(next) = tenant.lifecycle.after(event) else {
        let why = format!("{event:?} was allowed to a tenant that is {}", tenant.lifecycle);
        return Err(Failure::internal(why).into());
    };
    Ok(store::tenant_write::set_lifecycle(conn, tenant.workspace_id, tenant.id, tenant.lifecycle, next).await?)
}

/// A confirmed change of a tenant's life.
#[derive(Debug, Clone)]
pub struct LifecycleChange {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// What was repeated.
    pub confirmation: String,
    /// Why, for the audit trail; may be empty.
    pub reason: String,
}

/// A kind of such a change.
pub(super) struct Kind {
    pub(super) method: &'static str,
    pub(super) question: Question,
    pub(super) event: LifecycleEvent,
    pub(super) action: &'static str,
}

/// Makes the change, or returns what the same request changed before. Two at once happen one after the other: the second meets what
/// the first made of the tenant.
pub(super) async fn change(state: &State, caller: &Caller, change: &LifecycleChange, kind: &Kind) -> Result<Tenant> {
    let (workspace, tenant) = (change.workspace_id, change.tenant_id);
    let (user, actor) = state.authorise(caller, workspace, &[tenant], &kind.question.needs(tenant)).await?;
    let body = json!({ "tenant_id": tenant, "confirmation": change.confirmation, "reason": change.reason });
    let asked = Requested::new(change.request_id, kind.method, &user.subject, body);
    let answer = act(state, user, &actor, change, kind, &asked).await;
    asked.settle(state, workspace, answer).await
}

async fn act(
    state: &State,
    user: &User,
    actor: &ActorFacts,
    change: &LifecycleChange,
    kind: &Kind,
    asked: &Requested<'_>,
) -> Result<Tenant> {
    let (workspace, id) = (change.workspace_id, change.tenant_id);
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    store::tenant::lock(&mut tx, workspace, id).await?;
    if let Some(first) = asked.answer(&mut tx, workspace).await? {
        return Ok(first);
    }
    let before = store::tenant::find(&mut tx, workspace, id).await?.ok_or(Error::NotFound)?;
    ask(actor, &before, Lane::TenantBound, kind.question)?;
    confirm_name(&change.confirmation, &before.name)?;
    move_on(&mut tx, &before, kind.event).await?;
    let after = store::tenant::find(&mut tx, workspace, id).await?.ok_or(Error::NotFound)?;
    asked.remember(&mut tx, workspace, &after).await?;
    let told = json!({
        "name": after.name, "reason": change.reason, "from": before.lifecycle, "to": after.lifecycle,
    });
    audit::put(&mut tx, &audit::changed(user, workspace, Some(id), kind.action, told)).await?;
    audit::commit(state, tx).await?;
    Ok(after)
}
