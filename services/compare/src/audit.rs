//! What this service tells the audit trail of changes. An entry is written down in the transaction of the change it records
//! ([`put`]) and delivered once that is committed ([`deliver`]): no change is refused because the trail is away, none goes
//! unrecorded, and nothing is told of a change that was rolled back.
//!
//! ```ignore
//! let mut tx = state.db.workspace(workspace.uuid()).await?;
//! store::tenant_role::remove(&mut tx, workspace, tenant, subject).await?;
//! audit::put(&mut tx, &audit::changed(user, workspace, Some(tenant), "tenant.role_removed", detail)).await?;
//! audit::commit(state, tx).await
//! ```

pub mod bell;
pub mod deliver;

use domain::id::{TenantId, WorkspaceId};
use serde_json::Value;
use server::ambient;
use server::caller::User;
use server::failure::Failure;
use sqlx::PgConnection;

use crate::client::NewAuditEvent;
use crate::error::Result;
use crate::state::State;
use crate::store;

/// The entry of a change that `user` made. `tenant` is the one it is about, if it is about one; `detail` is an object of a few
/// words for people and machines, never a secret, never a payload.
pub fn changed(
    user: &User,
    workspace: WorkspaceId,
    tenant: Option<TenantId>,
    action: &'static str,
    detail: Value,
) -> NewAuditEvent {
    NewAuditEvent {
        entry_id: ambient::fresh_id(),
        workspace_id: workspace,
        action: action.into(),
        actor_subject: user.subject.to_string(),
        actor_name: user.name.to_string(),
        tenant_id: tenant,
        related_tenant_ids: Vec::new(),
        outcome: "succeeded".into(),
        detail,
    }
}

/// Writes an entry down in the transaction of the change.
pub async fn put(tx: &mut PgConnection, event: &NewAuditEvent) -> Result<()> {
    put_all(tx, event.workspace_id, std::slice::from_ref(event)).await
}

/// Writes the entries of a change down, all of one workspace.
pub async fn put_all(tx: &mut PgConnection, workspace: WorkspaceId, events: &[NewAuditEvent]) -> Result<()> {
    let written = |event: &NewAuditEvent| Ok((event.entry_id, serde_json::to_value(event)?));
    let entries: serde_json::Result<Vec<_>> = events.iter().map(written).collect();
    Ok(store::audit_outbox::insert(tx, workspace, &entries.map_err(Failure::internal)?).await?)
}

/// Commits a change that wrote something down, and has it delivered at once. The answer does not wait for that.
pub async fn commit(state: &State, tx: pg::Tx) -> Result<()> {
    tx.commit().await?;
    state.audit_bell.ring();
    Ok(())
}
