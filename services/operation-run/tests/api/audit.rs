//! The audit trail: starts and ends of runs by themselves, everything else as it is recorded.

use pb::audit::{AuditEvent, ListAuditEventsRequest, RecordAuditEventRequest};
use pb::operation::CancelOperationRunRequest;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{World, assert_refused};

async fn list(world: &World, subject: &str) -> Vec<AuditEvent> {
    let request = ListAuditEventsRequest { workspace_id: world.workspace.to_string(), ..Default::default() };
    world.audit(Some(subject), None).list_audit_events(request).await.unwrap().into_inner().events
}

#[tokio::test]
async fn the_start_and_the_end_of_a_run_are_recorded() {
    let world = World::new().await;
    let run = world.queued_promotion(1).await;
    let cancel = CancelOperationRunRequest {
        request_id: crate::harness::request_id(),
        run_id: run.run_id.clone(),
        reason: "why not".into(),
    };
    world.runs("ada").cancel_operation_run(cancel).await.unwrap();
    let events = list(&world, "ada").await;
    let actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["operation_run.completed", "operation_run.queued"]);
    assert_eq!((events[0].run_id.as_str(), events[0].outcome.as_str()), (run.run_id.as_str(), "cancelled"));
    assert_eq!(events[1].actor_subject, "ada");
}

#[tokio::test]
async fn an_entry_is_added_once() {
    let world = World::new().await;
    let event = AuditEvent {
        entry_id: Uuid::now_v7().to_string(),
        workspace_id: world.workspace.to_string(),
        action: "cross_tenant_promotion_preflight.generated".into(),
        actor_subject: "ada".into(),
        actor_name: "Dr. ada".into(),
        tenant_id: world.target.to_string(),
        related_tenant_ids: vec![world.source.to_string()],
        ..Default::default()
    };
    let record = |event: &AuditEvent| RecordAuditEventRequest { event: Some(event.clone()) };
    for _ in 0..3 {
        world.audit(None, Some("compare-service")).record_audit_event(record(&event)).await.unwrap();
    }
    let events = list(&world, "ada").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].action, event.action);
    // una does not know the source.
    assert_eq!(list(&world, "una").await, []);
    let by_hand = world.audit(Some("ada"), None).record_audit_event(record(&event)).await;
    assert_refused(by_hand, Code::PermissionDenied, "SERVICE_IDENTITY_REQUIRED");
    let for_another = world.audit(Some("rob"), Some("compare-service")).record_audit_event(record(&event)).await;
    assert_refused(for_another, Code::InvalidArgument, "FIELD_INVALID");
    let bad = AuditEvent { action: "Something happened".into(), ..event };
    let bad = world.audit(None, Some("compare-service")).record_audit_event(record(&bad)).await;
    assert_refused(bad, Code::InvalidArgument, "FIELD_INVALID");
}

#[tokio::test]
async fn what_is_told_late_happened_when_it_did() {
    let world = World::new().await;
    let now = time::OffsetDateTime::now_utc();
    let told = |action: &str, seconds: i64| AuditEvent {
        entry_id: Uuid::now_v7().to_string(),
        workspace_id: world.workspace.to_string(),
        action: action.into(),
        event_time: Some(prost_types::Timestamp { seconds: now.unix_timestamp() + seconds, nanos: 0 }),
        ..Default::default()
    };
    for event in [told("late.told", -3600), told("early.told", 3600)] {
        let request = RecordAuditEventRequest { event: Some(event) };
        world.audit(None, Some("compare-service")).record_audit_event(request).await.unwrap();
    }
    let events = list(&world, "ada").await;
    let times: Vec<_> = events.iter().map(|event| (event.action.as_str(), event.event_time.unwrap().seconds)).collect();
    assert_eq!(times[1], ("late.told", now.unix_timestamp() - 3600));
    // Nothing is told before it happens.
    assert_eq!(times[0].0, "early.told");
    assert!(times[0].1 < now.unix_timestamp() + 600, "{times:?}");
}

#[tokio::test]
async fn who_may_read_the_trail() {
    let world = World::new().await;
    let request = ListAuditEventsRequest { workspace_id: world.workspace.to_string(), ..Default::default() };
    let readonly = world.audit(Some("rob"), None).list_audit_events(request.clone()).await;
    assert_refused(readonly, Code::PermissionDenied, "CAPABILITY_MISSING");
    let stranger = world.audit(Some("eve"), None).list_audit_events(request.clone()).await;
    assert_refused(stranger, Code::NotFound, "NOT_FOUND");
    let named = ListAuditEventsRequest { tenant_id: world.source.to_string(), ..request };
    assert_refused(world.audit(Some("una"), None).list_audit_events(named).await, Code::NotFound, "NOT_FOUND");
}
