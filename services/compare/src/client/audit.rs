//! AuditService, as far as this service writes to it.

use std::borrow::Cow;

use domain::id::{TenantId, WorkspaceId};
use pb::audit::audit_service_client::AuditServiceClient;
use pb::audit::{AuditEvent, RecordAuditEventRequest};
use serde::{Deserialize, Serialize};
use server::caller::Caller;
use server::client::{Outgoing, Upstream};
use server::failure::Failure;
use server::fields::to_timestamp;
use server::structure::to_struct;
use time::OffsetDateTime;
use uuid::Uuid;

/// Writes the audit trail.
#[derive(Debug, Clone)]
pub struct Audit {
    upstream: Upstream,
}

/// One entry. Its id makes repeating it harmless.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewAuditEvent {
    /// UUIDv7.
    pub entry_id: Uuid,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// What was done.
    pub action: Cow<'static, str>,
    /// `sub` of who did it; empty for the system.
    pub actor_subject: String,
    /// Name of who did it; empty for the system.
    pub actor_name: String,
    /// The tenant it is about, if it is about one.
    pub tenant_id: Option<TenantId>,
    /// Other tenants it refers to.
    pub related_tenant_ids: Vec<TenantId>,
    /// How it ended.
    pub outcome: Cow<'static, str>,
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
        self.send(self.upstream.on_behalf_of(caller), event, None).await
    }

    /// Records an entry of something that happened earlier, as this service itself.
    ///
    /// # Errors
    /// Whatever kept it from being recorded; it is to be tried again.
    pub async fn deliver(&self, event: NewAuditEvent, happened_at: OffsetDateTime) -> Result<(), Failure> {
        self.send(self.upstream.as_self(), event, Some(happened_at)).await
    }

    async fn send(
        &self,
        transport: Outgoing,
        event: NewAuditEvent,
        happened_at: Option<OffsetDateTime>,
    ) -> Result<(), Failure> {
        let event = AuditEvent { event_time: happened_at.map(to_timestamp), ..to_event(event)? };
        let request = RecordAuditEventRequest { event: Some(event) };
        AuditServiceClient::new(transport).record_audit_event(request).await.map_err(Failure::from_upstream)?;
        Ok(())
    }
}

fn to_event(event: NewAuditEvent) -> Result<AuditEvent, Failure> {
    Ok(AuditEvent {
        entry_id: event.entry_id.to_string(),
        workspace_id: event.workspace_id.to_string(),
        event_time: None,
        action: event.action.into_owned(),
        actor_subject: event.actor_subject,
        actor_name: event.actor_name,
        tenant_id: event.tenant_id.map(|tenant| tenant.to_string()).unwrap_or_default(),
        related_tenant_ids: event.related_tenant_ids.iter().map(ToString::to_string).collect(),
        run_id: String::new(),
        outcome: event.outcome.into_owned(),
        detail: Some(to_struct(&event.detail)?),
        ..Default::default()
    })
}
