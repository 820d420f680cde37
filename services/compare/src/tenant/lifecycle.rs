//! Asking the authority about a tenant, and moving it on in its life.

use domain::access::ActorFacts;
use domain::operability::{Asked, Lane, Question, evaluate};
use domain::tenant::LifecycleEvent;
use server::failure::Failure;
use sqlx::PgConnection;

use crate::error::Result;
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
