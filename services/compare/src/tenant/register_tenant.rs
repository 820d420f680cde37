//! Brings an established tenant under management.

use domain::access::{Capability, Need, Role};
use domain::id::{RequestId, TenantId, WorkspaceId};
use serde_json::json;
use server::ambient;
use server::caller::{Caller, User};

use crate::answered::{Asked, was_answered_meanwhile};
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::tenant::{NewTenant, Tenant};

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
}

/// Registers it, or returns what the same request registered before. The caller becomes its owner.
pub async fn register_tenant(state: &State, caller: &Caller, request: &RegisterTenant) -> Result<Tenant> {
    let workspace = request.workspace_id;
    let need = Need::InWorkspace(Capability::TenantOnboardingManage);
    let (user, actor) = state.authorise(caller, workspace, &[], &[need]).await?;
    let body = json!({
        "name": request.name, "external_tenant_id": request.external_tenant_id, "domain": request.domain,
    });
    let asked = Asked::new(request.request_id, "RegisterTenant", &user.subject, body);
    match insert(state, user, request, &asked).await {
        // Somebody registered it between our look and our insert; perhaps this very request on another connection.
        Err(error) if was_answered_meanwhile(&error) || is_registered(&error) => {
            let mut tx = state.db.workspace(workspace.uuid()).await?;
            if let Some(first) = asked.answer(&mut tx, workspace).await? {
                return Ok(first);
            }
            match store::tenant::find_external(&mut tx, workspace, &request.external_tenant_id).await? {
                Some(tenant) if actor.is_entitled_to(tenant.id) => Err(Error::TenantAlreadyRegistered(tenant.id)),
                Some(_) => Err(Error::TenantNotAvailable),
                None => Err(error),
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
    let new =
        NewTenant { id, name: &request.name, external_tenant_id: &request.external_tenant_id, domain: &request.domain };
    let tenant = store::tenant::insert_active(&mut tx, workspace, &new).await?;
    store::tenant_role::put(&mut tx, workspace, id, &user.subject, Role::Owner).await?;
    asked.remember(&mut tx, workspace, &tenant).await?;
    tx.commit().await?;
    Ok(tenant)
}

fn is_registered(error: &Error) -> bool {
    matches!(error, Error::Store(error) if store::violates(error, store::tenant::EXTERNAL_ID_UNIQUE))
}
