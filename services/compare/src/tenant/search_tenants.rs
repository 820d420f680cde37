//! Finds tenants by a part of what they are called.

use domain::access::ActorFacts;
use domain::id::WorkspaceId;
use domain::identity::folded_name;
use domain::operability::{Asked, Lane, Question, evaluate};
use domain::tenant::search::{Called, Fit, Searched};
use server::caller::Caller;
use server::fields::Page;
use uuid::Uuid;

use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::tenant::Tenant;

/// The most characters of a query.
pub const MAX_QUERY_CHARS: usize = 200;

/// Where a tenant stands among what was found, and where the next page goes on.
pub type Place = (Fit, String, Uuid);

/// One page, the best fits first and equal ones by name, and the token of the next. Every tenant that the caller may find in
/// the administrative lane is looked at, whatever its state of life: being found is not being selectable.
///
/// A part of a name has no index that would serve it, so all are read: a workspace has thousands, not millions.
pub async fn search_tenants(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    searched: &Searched,
    page: &Page<Place>,
) -> Result<(Vec<Tenant>, String)> {
    let (_, actor) = state.authorise(caller, workspace, &[], &[]).await?;
    let entitled = store::subject::uuids(actor.tenant_roles.keys().copied());
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let tenants = store::tenant::find_all(&mut tx, workspace, &entitled).await?;
    drop(tx);
    let tenants = tenants.into_iter().filter(|tenant| is_discoverable(tenant, &actor));
    let mut found: Vec<(Place, Tenant)> =
        tenants.filter_map(|tenant| place(searched, &tenant).map(|place| (place, tenant))).collect();
    found.retain(|(place, _)| page.after.as_ref().is_none_or(|after| place > after));
    found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let next = page.cut(&mut found, |(place, _)| place.clone());
    Ok((found.into_iter().map(|(_, tenant)| tenant).collect(), next))
}

fn is_discoverable(tenant: &Tenant, actor: &ActorFacts) -> bool {
    let (lane, question) = (Lane::Administrative, Question::AdministrativeDiscoverability);
    let asked = Asked { lane, question, tenant_id: tenant.id, tenant: Some(tenant.facts()), actor: Some(actor) };
    evaluate(&asked).is_ok()
}

fn place(searched: &Searched, tenant: &Tenant) -> Option<Place> {
    let called = Called {
        tenant_id: tenant.id,
        name: &tenant.name,
        aliases: &tenant.aliases,
        domain: &tenant.domain,
        external_tenant_id: &tenant.external_tenant_id,
    };
    let fit = searched.fit(&called)?;
    Some((fit, folded_name(&tenant.name), tenant.id.uuid()))
}
