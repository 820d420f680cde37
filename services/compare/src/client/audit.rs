//! AuditService, as far as this service writes to it.

use domain::id::{TenantId, WorkspaceId};
use pb::audit::audit_service_client::AuditServiceClient;
use pb::audit::{AuditEvent, RecordAuditEventRequest};
use server::caller::Caller;
use server::client::Upstream;
use server::failure::Failure;
use server::structure::to_struct;
use uuid::Uuid;

/// Writes the audit trail.
#[derive(Debug, Clone)]
pub struct Audit {
    upstream: Upstream,
}

/// One entry. Its id makes repeating it harmless.
#[derive(Debug, Clone)]
pub struct NewAuditEvent {
    /// UUIDv7.
    pub entry_id: Uuid,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// What was done.
    pub action: &'static str,
    /// `sub` of who did it.
    pub actor_subject: String,
    /// Name of who did it.
    pub actor_name: String,
    /// The tenant it is about.
    pub tenant_id: TenantId,
    /// Other tenants it refers to.
    pub related_tenant_ids: Vec<TenantId>,
    /// How it ended.
    pub outcome: &'static str,
    /// More about it; never a secret, never a payload.
    pub detail: serde_json::Value,
}

impl Audit {
    /// Writes through this connection.
    pub fn new(upstream: Upstream) -> Self {
        Self { upstream }
    }

    /// Records an entry on behalf of the caller.
    ///
    /// # Errors
    /// UNAVAILABLE when it could not be recorded; then what it would record must not be answered.
    pub async fn record(&self, caller: &Caller, event: NewAuditEvent) -> Result<(), Failure> {
        let event = AuditEvent {
            entry_id: event.entry_id.to_string(),
            workspace_id: event.workspace_id.to_string(),
            event_time: None,
            action: event.action.to_owned(),
            actor_subject: event.actor_subject,
            actor_name: event.actor_name,
            tenant_id: event.tenant_id.to_string(),
            related_tenant_ids: event.related_tenant_ids.iter().map(ToString::to_string).collect(),
            run_id: String::new(),
            outcome: event.outcome.to_owned(),
            detail: Some(to_struct(&event.detail)?),
        };
        let request = RecordAuditEventRequest { event: Some(event) };
        let mut client = AuditServiceClient::new(self.upstream.on_behalf_of(caller));
        client.record_audit_event(request).await.map_err(Failure::from_upstream)?;
        Ok(())
    }
}
