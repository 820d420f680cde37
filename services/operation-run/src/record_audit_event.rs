//! RecordAuditEvent: adds an entry to the audit trail, for what does not happen in this service.

use domain::run::RunType;
use server::{Caller, Failure};
use time::OffsetDateTime;

use crate::Runs;
use crate::error::Result;
use crate::owner::owner_of;
use crate::store;
use crate::store::audit_entry::AuditEntry;

/// Adds the entry, which happened then, or now; one with the same id changes nothing.
pub async fn record(
    runs: &Runs,
    caller: &Caller,
    entry: &AuditEntry,
    happened_at: Option<OffsetDateTime>,
) -> Result<()> {
    let services: Vec<&str> = RunType::ALL.iter().map(|run_type| owner_of(*run_type)).collect();
    caller.require_service(&services)?;
    // A service that passes a user's token on speaks for that user and for nobody else.
    if let Some(user) = &caller.user
        && entry.actor_subject.as_deref().is_some_and(|subject| subject != &*user.subject)
    {
        return Err(Failure::invalid_argument("event.actor_subject", "is not the user of this call").into());
    }
    let (target_kind, target_id) = match (entry.run_id, entry.tenant_id) {
        (Some(run), _) => ("operation_run", run),
        (None, Some(tenant)) => ("tenant", tenant),
        (None, None) => ("workspace", entry.workspace_id),
    };
    let mut tx = runs.db.workspace(entry.workspace_id).await?;
    store::audit_entry::insert(&mut tx, entry, happened_at, target_kind, target_id).await?;
    tx.commit().await?;
    Ok(())
}
