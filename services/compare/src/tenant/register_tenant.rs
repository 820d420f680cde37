//! Brings an established tenant under management.

use domain::access::{Capability, Need, Role};
use domain::id::{RequestId, TenantId, WorkspaceId};
use domain::tenant::Lifecycle;
use serde_json::json;
use server::ambient;
use server::caller::{Caller, User};

use crate::answered::Asked;
use crate::audit;
use crate::client::NewAuditEvent;
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::tenant::{NewTenant, Tenant};
use crate::tenant::external_id::{is_taken, taken_by};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RegisterTenant {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Name for people.
    pub name: String,
    /// The provider's id, in one spelling.
    pub external_tenant_id: String,
    /// Primary domain; may be empty.
    pub domain: String,
    /// Other names it is known by.
    pub aliases: Vec<String>,
}

/// Registers it, or returns what the same request registered before. The caller becomes its owner.
pub async fn register_tenant(state: &State, caller: &Caller, request: &RegisterTenant) -> Result<Tenant> {
    let workspace = request.workspace_id;
    let need = Need::InWorkspace(Capability::TenantOnboardingManage);
    let (user, actor) = state.authorise(caller, workspace, &[], &[need]).await?;
    let body = json!({
        "name": request.name, "external_tenant_id": request.external_tenant_id, "domain": request.domain,
        "aliases": request.aliases,
    });
    let asked = Asked::new(request.request_id, "RegisterTenant", &user.subject, body);
    let answer = insert(state, user, request, &asked).await;
    match asked.settle(state, workspace, answer).await {
        // Somebody registered it between our look and our insert; perhaps this very request on another connection.
        Err(error) if is_taken(&error) => {
            let mut tx = state.db.workspace(workspace.uuid()).await?;
            match asked.answer(&mut tx, workspace).await? {
                Some(first) => Ok(first),
                None => Err(taken_by(&mut tx, &actor, workspace, &request.external_tenant_id).await?.unwrap_or(error)),
            }
        }
        answer => answer,
    }
}

async fn insert(state: &State, user: &User, request: &RegisterTenant, asked: &Asked<'_>) -> Result<Tenant> {
    let workspace = request.workspace_id;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    if let Some(first) = asked.answer(&mut tx, workspace).await? {
        return Ok(first);
    }
    let id = TenantId(ambient::fresh_id());
    let new = NewTenant {
        id,
        name: &request.name,
        external_tenant_id: &request.external_tenant_id,
        domain: &request.domain,
        aliases: &request.aliases,
        // An established tenant, in service at once.
        lifecycle: Lifecycle::Active,
    };
    let tenant = store::tenant::insert(&mut tx, workspace, &new).await?;
    store::tenant_role::put(&mut tx, workspace, id, &user.subject, Role::Owner).await?;
    asked.remember(&mut tx, workspace, &tenant).await?;
    audit::put(&mut tx, &registered(user, &tenant)).await?;
    audit::commit(state, tx).await?;
    Ok(tenant)
}

/// What the trail is told of a tenant that came under management.
pub(super) fn registered(user: &User, tenant: &Tenant) -> NewAuditEvent {
    let told = json!({
        "name": tenant.name, "external_tenant_id": tenant.external_tenant_id, "lifecycle": tenant.lifecycle,
    });
    audit::changed(user, tenant.workspace_id, Some(tenant.id), "tenant.registered", told)
}
