//! AuditService.

use std::pin::Pin;

use domain::audit::Checkpoint;
use domain::id::{Hash, RunId, TenantId, WorkspaceId};
use futures::Stream;
use pb::audit as proto;
use pb::audit::audit_service_server::AuditService;
use prost::Message as _;
use serde_json::Value;
use server::fields::{self, Page, PageToken, to_timestamp};
use server::structure::to_struct;
use server::{Failure, ambient, caller};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::convert::parse_object;
use crate::list_audit_events::{self, Filter};
use crate::store::audit_entry::AuditEntry;
use crate::verify_audit_trail::Verified;
use crate::{Runs, export_audit_events, record_audit_event, verify_audit_trail};

/// Largest detail, in bytes of JSON.
const MOST_BYTES: usize = 60 << 10;
/// Most entries of a list in a request.
const MOST_OF_A_LIST: usize = 100;
/// Most entries that one call verifies.
const MOST_VERIFIED: u64 = 100_000;

/// The audit trail.
#[derive(Debug, Clone)]
pub struct AuditApi(pub Runs);

#[tonic::async_trait]
impl AuditService for AuditApi {
    type ExportAuditEventsStream = Pin<Box<dyn Stream<Item = Result<proto::ExportAuditEventsResponse, Status>> + Send>>;

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
        let asked = Asked {
            actions: &request.actions,
            tenant_id: &request.tenant_id,
            run_id: &request.run_id,
            actor_subjects: &request.actor_subjects,
            from_time: request.from_time.as_ref(),
            before_time: request.before_time.as_ref(),
        };
        let filter = parse_filter(&asked)?;
        let binding = proto::ListAuditEventsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
        let tokens = PageToken::bound_to("ListAuditEvents", [binding.encode_to_vec()]);
        let page = Page::read(tokens, request.page_size, &request.page_token, 100, 1000)?;
        let (entries, next_page_token) =
            list_audit_events::list(&self.0, &caller, workspace, &filter, page).await.map_err(Failure::from)?;
        let events = entries.iter().map(to_event).collect::<Result<_, _>>()?;
        Ok(Response::new(proto::ListAuditEventsResponse { events, next_page_token }))
    }

    async fn export_audit_events(
        &self,
        request: Request<proto::ExportAuditEventsRequest>,
    ) -> Result<Response<Self::ExportAuditEventsStream>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let workspace: WorkspaceId = fields::id("workspace_id", &request.workspace_id)?;
        let filter = parse_filter(&Asked {
            actions: &request.actions,
            tenant_id: &request.tenant_id,
            run_id: &request.run_id,
            actor_subjects: &request.actor_subjects,
            from_time: request.from_time.as_ref(),
            before_time: request.before_time.as_ref(),
        })?;
        let export = export_audit_events::export(&self.0, &caller, workspace, filter).await.map_err(Failure::from)?;
        let stream = futures::stream::unfold(export, |mut export| async move {
            let chunk = export.next().await?.map_err(Failure::from);
            Some((chunk.map(|chunk| proto::ExportAuditEventsResponse { chunk }).map_err(Status::from), export))
        });
        Ok(Response::new(Box::pin(stream)))
    }

    async fn verify_audit_trail(
        &self,
        request: Request<proto::VerifyAuditTrailRequest>,
    ) -> Result<Response<proto::VerifyAuditTrailResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let workspace: WorkspaceId = fields::id("workspace_id", &request.workspace_id)?;
        let after = parse_checkpoint("after", request.after)?;
        let known = parse_checkpoint("known", request.known)?;
        let most = match request.max_entries {
            0 => MOST_VERIFIED,
            asked => u64::try_from(asked)
                .map_err(|_| Failure::invalid_argument("max_entries", "must not be negative"))?
                .min(MOST_VERIFIED),
        };
        let verified =
            verify_audit_trail::verify(&self.0, &caller, workspace, after, known, most).await.map_err(Failure::from)?;
        Ok(Response::new(to_verified(&verified)))
    }
}

/// What a request says about which entries.
struct Asked<'a> {
    actions: &'a [String],
    tenant_id: &'a str,
    run_id: &'a str,
    actor_subjects: &'a [String],
    from_time: Option<&'a prost_types::Timestamp>,
    before_time: Option<&'a prost_types::Timestamp>,
}

fn parse_filter(asked: &Asked<'_>) -> Result<Filter, Failure> {
    check_number("actions", asked.actions.len())?;
    let actions = asked.actions.iter().enumerate();
    let from = fields::optional_time("from_time", asked.from_time)?;
    let until = fields::optional_time("before_time", asked.before_time)?;
    if from.zip(until).is_some_and(|(from, until)| from >= until) {
        return Err(Failure::invalid_argument("before_time", "must be after from_time"));
    }
    Ok(Filter {
        actions: actions
            .map(|(index, action)| parse_action(&format!("actions[{index}]"), action))
            .collect::<Result<_, _>>()?,
        tenant: fields::optional_id::<TenantId>("tenant_id", asked.tenant_id)?,
        run: fields::optional_id::<RunId>("run_id", asked.run_id)?,
        actors: fields::texts("actor_subjects", asked.actor_subjects, MOST_OF_A_LIST, 255)?.into_iter().collect(),
        from,
        until,
    })
}

fn parse_checkpoint(field: &str, value: Option<proto::AuditCheckpoint>) -> Result<Option<Checkpoint>, Failure> {
    let Some(value) = value.filter(|value| value.position != 0 || !value.hash.is_empty()) else { return Ok(None) };
    let bytes = hex::decode(&value.hash).ok().and_then(|bytes| Hash::from_slice(&bytes));
    match bytes {
        Some(hash) if value.position >= 1 => Ok(Some(Checkpoint { position: value.position, hash })),
        _ => Err(Failure::invalid_argument(field, "must be the checkpoint of an earlier answer")),
    }
}

fn to_verified(verified: &Verified) -> proto::VerifyAuditTrailResponse {
    let through = verified.through;
    let hash = if through.position == 0 { String::new() } else { hex::encode(through.hash.as_bytes()) };
    proto::VerifyAuditTrailResponse {
        broken: verified.broken.map(|broken| proto::BrokenEntry {
            position: broken.position,
            entry_id: broken.entry.map(|entry| entry.to_string()).unwrap_or_default(),
            code: broken.how.code().to_owned(),
            message: broken.how.sentence().to_owned(),
        }),
        verified_through: Some(proto::AuditCheckpoint { position: through.position, hash }),
        verified_count: i64::try_from(verified.count).ok(),
        complete: Some(verified.unsealed.is_some()),
        unsealed_count: verified.unsealed,
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
        seal_position: None,
        seal_hash: None,
        sealed_at: None,
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
        seal_position: entry.seal_position.unwrap_or_default(),
        seal_hash: entry.seal_hash.as_ref().map(hex::encode).unwrap_or_default(),
        seal_time: entry.sealed_at.map(to_timestamp),
    })
}
