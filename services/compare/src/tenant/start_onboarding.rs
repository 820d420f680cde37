//! Starts the onboarding of a tenant.

use domain::access::{ActorFacts, Capability, Need, Role};
use domain::id::{OnboardingId, RequestId, TenantId, WorkspaceId};
use domain::operability::{Lane, Question};
use domain::tenant::{Lifecycle, LifecycleEvent};
use pg::Tx;
use serde_json::json;
use server::ambient;
use server::caller::{Caller, User};

use super::external_id::{is_taken, taken_by};
use super::lifecycle::{ask, move_on};
use super::onboarding::{Onboarded, editor};
use super::register_tenant::registered;
use crate::answered::Asked;
use crate::audit;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::tenant::{NewTenant, Tenant};
use crate::store::tenant_write::Identity;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct StartOnboarding {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// What is onboarded.
    pub subject: Subject,
}

/// What is onboarded.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A tenant that is not under management yet.
    New(Identity),
    /// One that is.
    Draft(TenantId),
}

/// Starts it, or returns what the same request started before. The caller becomes owner of a new tenant.
pub async fn start_onboarding(state: &State, caller: &Caller, request: &StartOnboarding) -> Result<Onboarded> {
    let workspace = request.workspace_id;
    let (tenants, needs, body) = match &request.subject {
        Subject::New(identity) => {
            (Vec::new(), vec![Need::InWorkspace(Capability::TenantOnboardingManage)], identity.to_json())
        }
        Subject::Draft(tenant) => {
            (vec![*tenant], Question::StartOnboarding.needs(*tenant), json!({ "tenant_id": tenant }))
        }
    };
    let (user, actor) = state.authorise(caller, workspace, &tenants, &needs).await?;
    let asked = Asked::new(request.request_id, "StartOnboarding", &user.subject, body);
    let answer = start(state, user, &actor, request, &asked).await;
    match (asked.settle(state, workspace, answer).await, &request.subject) {
        // Somebody registered it between our look and our insert; perhaps this very request on another connection.
        (Err(error), Subject::New(identity)) if is_taken(&error) => {
            let mut tx = state.db.workspace(workspace.uuid()).await?;
            match asked.answer(&mut tx, workspace).await? {
                Some(first) => Ok(first),
                None => Err(taken_by(&mut tx, &actor, workspace, &identity.external_tenant_id).await?.unwrap_or(error)),
            }
        }
        (answer, _) => answer,
    }
}

async fn start(
    state: &State,
    user: &User,
    actor: &ActorFacts,
    request: &StartOnboarding,
    asked: &Asked<'_>,
) -> Result<Onboarded> {
    let workspace = request.workspace_id;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    if let Subject::Draft(tenant) = request.subject {
        store::tenant::lock(&mut tx, workspace, tenant).await?;
    }
    if let Some(first) = asked.answer(&mut tx, workspace).await? {
        return Ok(first);
    }
    let tenant = match &request.subject {
        Subject::New(identity) => draft(&mut tx, workspace, user, identity).await?,
        Subject::Draft(tenant) => {
            let tenant = store::tenant::find(&mut tx, workspace, *tenant).await?.ok_or(Error::NotFound)?;
            ask(actor, &tenant, Lane::TenantBound, Question::StartOnboarding)?;
            tenant
        }
    };
    move_on(&mut tx, &tenant, LifecycleEvent::BeginOnboarding).await?;
    let id = OnboardingId(ambient::fresh_id());
    let onboarding = store::onboarding::insert(&mut tx, workspace, id, tenant.id, &editor(user)).await?;
    let tenant = store::tenant::find(&mut tx, workspace, tenant.id).await?.ok_or(Error::NotFound)?;
    let done = Onboarded { onboarding, tenant };
    asked.remember(&mut tx, workspace, &done).await?;
    let told = json!({ "onboarding_id": id, "name": done.tenant.name });
    let tenant = Some(done.tenant.id);
    audit::put(&mut tx, &audit::changed(user, workspace, tenant, "tenant.onboarding_started", told)).await?;
    audit::commit(state, tx).await?;
    Ok(done)
}

/// A new tenant, and the user its owner.
async fn draft(tx: &mut Tx, workspace: WorkspaceId, user: &User, identity: &Identity) -> Result<Tenant> {
    let id = TenantId(ambient::fresh_id());
    let new = NewTenant {
        id,
        name: &identity.name,
        external_tenant_id: &identity.external_tenant_id,
        domain: &identity.domain,
        aliases: &identity.aliases,
        lifecycle: Lifecycle::Draft,
    };
    let tenant = store::tenant::insert(tx, workspace, &new).await?;
    store::tenant_role::put(tx, workspace, id, &user.subject, Role::Owner).await?;
    audit::put(tx, &registered(user, &tenant)).await?;
    Ok(tenant)
}
