//! AuditService.

use domain::id::{RunId, TenantId, WorkspaceId};
use pb::audit as proto;
use pb::audit::audit_service_server::AuditService;
use serde_json::Value;
use server::fields::{self, Page, PageToken, to_timestamp};
use server::structure::to_struct;
use server::{Failure, ambient, caller};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::convert::parse_object;
use crate::list_audit_events::{self, Filter};
use crate::store::audit_entry::AuditEntry;
use crate::{Runs, record_audit_event};

/// Largest detail, in bytes of JSON.
const MOST_BYTES: usize = 60 << 10;
/// Most entries of a list in a request.
const MOST_OF_A_LIST: usize = 100;

/// The audit trail.
#[derive(Debug, Clone)]
pub struct AuditApi(pub Runs);

#[tonic::async_trait]
impl AuditService for AuditApi {
    async fn record_audit_event(
        &self,
        request: Request<proto::RecordAuditEventRequest>,
    ) -> Result<Response<proto::RecordAuditEventResponse>, Status> {
        let caller = caller(&request)?;
        let event = fields::required("event", request.into_inner().event)?;
        let happened_at = fields::optional_time("event.event_time", event.event_time.as_ref())?;
        let entry = parse_entry(event)?;
        record_audit_event::record(&self.0, &caller, &entry, happened_at).await.map_err(Failure::from)?;
        Ok(Response::new(proto::RecordAuditEventResponse {}))
    }

    async fn list_audit_events(
        &self,
        request: Request<proto::ListAuditEventsRequest>,
    ) -> Result<Response<proto::ListAuditEventsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let workspace: WorkspaceId = fields::id("workspace_id", &request.workspace_id)?;
        check_number("actions", request.actions.len())?;
        let filter = Filter {
            actions: (request.actions.iter().enumerate())
                .map(|(index, action)| parse_action(&format!("actions[{index}]"), action))
                .collect::<Result<_, _>>()?,
            tenant: fields::optional_id::<TenantId>("tenant_id", &request.tenant_id)?,
            run: fields::optional_id::<RunId>("run_id", &request.run_id)?,
        };
        let binding = [&request.workspace_id, &request.tenant_id, &request.run_id].into_iter().chain(&request.actions);
        let tokens = PageToken::bound_to("ListAuditEvents", binding);
        let page = Page::read(tokens, request.page_size, &request.page_token, 100, 1000)?;
        let (entries, next_page_token) =
            list_audit_events::list(&self.0, &caller, workspace, filter, page).await.map_err(Failure::from)?;
        let events = entries.iter().map(to_event).collect::<Result<_, _>>()?;
        Ok(Response::new(proto::ListAuditEventsResponse { events, next_page_token }))
    }
}

fn parse_entry(event: proto::AuditEvent) -> Result<AuditEntry, Failure> {
    check_number("event.related_tenant_ids", event.related_tenant_ids.len())?;
    let subject = fields::optional_text("event.actor_subject", &event.actor_subject, 255)?;
    let name = fields::optional_text("event.actor_name", &event.actor_name, 255)?;
    Ok(AuditEntry {
        workspace_id: fields::uuid("event.workspace_id", &event.workspace_id)?,
        id: fields::uuid("event.entry_id", &event.entry_id)?,
        // Replaced by the database's clock when it is added.
        at: ambient::now(),
        action: parse_action("event.action", &event.action)?,
        actor_name: name.or(subject).unwrap_or("System").to_owned(),
        actor_subject: subject.map(str::to_owned),
        tenant_id: fields::optional_id::<Uuid>("event.tenant_id", &event.tenant_id)?,
        related_tenant_ids: fields::ids::<Uuid>("event.related_tenant_ids", &event.related_tenant_ids)?,
        run_id: fields::optional_id::<Uuid>("event.run_id", &event.run_id)?,
        outcome: fields::optional_text("event.outcome", &event.outcome, 100)?.unwrap_or_default().to_owned(),
        detail: Value::Object(parse_object("event.detail", event.detail.as_ref(), MOST_BYTES)?),
    })
}

/// `<noun>.<participle>`, lower case.
fn parse_action(field: &str, action: &str) -> Result<String, Failure> {
    let action = fields::text(field, action, 200)?;
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    if !action.contains('.') || !action.split('.').all(word) {
        return Err(Failure::invalid_argument(field, "must be like `operation_run.completed`"));
    }
    Ok(action.to_owned())
}

fn check_number(list: &str, length: usize) -> Result<(), Failure> {
    if length > MOST_OF_A_LIST {
        return Err(Failure::invalid_argument(list, format!("must have at most {MOST_OF_A_LIST} entries")));
    }
    Ok(())
}

fn to_event(entry: &AuditEntry) -> Result<proto::AuditEvent, Failure> {
    let text = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    Ok(proto::AuditEvent {
        entry_id: entry.id.to_string(),
        workspace_id: entry.workspace_id.to_string(),
        event_time: Some(to_timestamp(entry.at)),
        action: entry.action.clone(),
        actor_subject: entry.actor_subject.clone().unwrap_or_default(),
        actor_name: entry.actor_name.clone(),
        tenant_id: text(entry.tenant_id),
        related_tenant_ids: entry.related_tenant_ids.iter().map(ToString::to_string).collect(),
        run_id: text(entry.run_id),
        outcome: entry.outcome.clone(),
        detail: Some(to_struct(&entry.detail)?),
    })
}
