//! The provider's id of a tenant belongs to one tenant of a workspace: what is said to whoever wants it a second time.

use domain::access::ActorFacts;
use domain::id::WorkspaceId;
use sqlx::PgConnection;

use crate::error::{Error, Result};
use crate::store;

/// Whether a change failed because another tenant of the workspace has the external id.
pub(super) fn is_taken(error: &Error) -> bool {
    matches!(error, Error::Store(error) if store::violates(error, store::tenant::EXTERNAL_ID_UNIQUE))
}

/// Who has it, as far as the actor may know; nobody, when it is free by now.
pub(super) async fn taken_by(
    conn: &mut PgConnection,
    actor: &ActorFacts,
    workspace: WorkspaceId,
    external_tenant_id: &str,
) -> Result<Option<Error>> {
    let found = store::tenant::find_external(conn, workspace, external_tenant_id).await?;
    Ok(found.map(|tenant| match actor.is_entitled_to(tenant.id) {
        true => Error::TenantAlreadyRegistered(tenant.id),
        false => Error::TenantNotAvailable,
    }))
}
