//! Pages through the names of a tenant's referable objects. For our own services.

use domain::id::{SubjectKey, TenantId, WorkspaceId};
use server::caller::Caller;
use server::fields::Page;

use crate::error::{Error, Result};
use crate::identity::SERVICES;
use crate::names::referable_kinds;
use crate::state::State;
use crate::store;

/// The name of one referable object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameOfReference {
    /// Its kind.
    pub kind: String,
    /// Its id in the tenant.
    pub external_id: String,
    /// Its name as the tenant writes it.
    pub name: String,
    /// Its identity across tenants, which references carry.
    pub subject_key: SubjectKey,
}

/// One page by kind and id, and the token of the next.
pub async fn list_reference_names(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    tenant: TenantId,
    page: &Page<(String, String)>,
) -> Result<(Vec<NameOfReference>, String)> {
    caller.require_service(SERVICES)?;
    let kinds: Vec<&str> = referable_kinds(&state.registry).into_iter().collect();
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    if store::tenant::find(&mut tx, workspace, tenant).await?.is_none() {
        return Err(Error::NotFound);
    }
    let mut rows = store::subject::names(&mut tx, workspace, tenant, &kinds, page.after.as_ref(), page.fetch()).await?;
    let next = page.cut(&mut rows, |name| (name.kind.0.clone(), name.external_id.0.clone()));
    let name = |row: store::subject::Name| NameOfReference {
        name: row.display_name,
        subject_key: row.subject_key,
        kind: row.kind.0,
        external_id: row.external_id.0,
    };
    Ok((rows.into_iter().map(name).collect(), next))
}
