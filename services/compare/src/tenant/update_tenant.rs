//! Changes what a tenant is called.

use domain::access::{Capability, Need};
use domain::id::{RequestId, TenantId, WorkspaceId};
use serde_json::{Value, json};
use server::caller::{Caller, User};

use crate::answered::Asked;
use crate::audit;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::onboarding::Editor;
use crate::store::tenant::Tenant;
use crate::store::tenant_write::Identity;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct UpdateTenant {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The version the change is made from.
    pub version: i64,
    /// Name for people.
    pub name: String,
    /// Primary domain; may be empty.
    pub domain: String,
    /// Other names it is known by.
    pub aliases: Vec<String>,
}

/// Makes it so, if nobody changed the tenant since the version that was seen. What it is called decides nothing, so it may be
/// changed in any state of life.
pub async fn update_tenant(state: &State, caller: &Caller, request: &UpdateTenant) -> Result<Tenant> {
    let (workspace, tenant) = (request.workspace_id, request.tenant_id);
    let need = Need::OnTenant(tenant, Capability::TenantManage);
    let (user, _) = state.authorise(caller, workspace, &[tenant], &[need]).await?;
    let body = json!({
        "tenant_id": tenant, "version": request.version,
        "name": request.name, "domain": request.domain, "aliases": request.aliases,
    });
    let asked = Asked::new(request.request_id, "UpdateTenant", &user.subject, body);
    let answer = update(state, user, request, &asked).await;
    asked.settle(state, workspace, answer).await
}

async fn update(state: &State, user: &User, request: &UpdateTenant, asked: &Asked<'_>) -> Result<Tenant> {
    let (workspace, id) = (request.workspace_id, request.tenant_id);
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    store::tenant::lock(&mut tx, workspace, id).await?;
    if let Some(first) = asked.answer(&mut tx, workspace).await? {
        return Ok(first);
    }
    let before = store::tenant::find(&mut tx, workspace, id).await?.ok_or(Error::NotFound)?;
    if before.version != request.version {
        return Err(Error::TenantChanged { version: before.version });
    }
    let identity = Identity {
        name: request.name.clone(),
        external_tenant_id: before.external_tenant_id.clone(),
        domain: request.domain.clone(),
        aliases: request.aliases.clone(),
    };
    store::tenant_write::identify(&mut tx, &before, &identity).await?;
    // What an onboarding shows is the tenant's: whoever prepared a step from what was there before is told.
    if let Some(onboarding) = store::onboarding::in_progress(&mut tx, workspace, id).await? {
        let editor = Editor { subject: user.subject.to_string(), name: user.name.to_string() };
        store::onboarding::update(&mut tx, &onboarding, onboarding.state, &editor).await?;
    }
    let after = store::tenant::find(&mut tx, workspace, id).await?.ok_or(Error::NotFound)?;
    asked.remember(&mut tx, workspace, &after).await?;
    let told = json!({ "before": called(&before), "after": called(&after) });
    audit::put(&mut tx, &audit::changed(user, workspace, Some(id), "tenant.updated", told)).await?;
    audit::commit(state, tx).await?;
    Ok(after)
}

fn called(tenant: &Tenant) -> Value {
    json!({ "name": tenant.name, "domain": tenant.domain, "aliases": tenant.aliases })
}
