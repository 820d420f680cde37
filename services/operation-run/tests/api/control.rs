//! OperationalControlService: what pausing stops, what it does not, who may, and that it is told.

use std::time::Duration;

use pb::audit::ListAuditEventsRequest;
use pb::control::{
    ControlScope, ListOperationalControlsRequest, OperationalControl, PauseOperationTypeRequest,
    ResumeOperationTypeRequest,
};
use pb::operation::{
    ClaimOperationRunsRequest, ClaimedRun, CompleteOperationRunRequest, OperationRunOutcome, OperationRunStatus,
    ReleaseOperationRunRequest, RunFreshness, StartOutcome,
};
use tonic::Code;
use uuid::Uuid;

use crate::harness::{PROMOTION, SYNC, World, assert_refused};

fn pause(world: &World, run_type: &str) -> PauseOperationTypeRequest {
    PauseOperationTypeRequest {
        request_id: Uuid::now_v7().to_string(),
        workspace_id: world.workspace.to_string(),
        r#type: run_type.into(),
        reason: "The provider is in trouble".into(),
    }
}

fn resume(world: &World, run_type: &str) -> ResumeOperationTypeRequest {
    ResumeOperationTypeRequest {
        request_id: Uuid::now_v7().to_string(),
        workspace_id: world.workspace.to_string(),
        r#type: run_type.into(),
        reason: "It is well again".into(),
    }
}

/// Pauses the type as ada.
pub async fn paused(world: &World, run_type: &str) -> OperationalControl {
    let request = pause(world, run_type);
    world.controls(Some("ada"), None).pause_operation_type(request).await.unwrap().into_inner().control.unwrap()
}

/// Resumes the type as ada.
pub async fn resumed(world: &World, run_type: &str) -> Option<OperationalControl> {
    let request = resume(world, run_type);
    world.controls(Some("ada"), None).resume_operation_type(request).await.unwrap().into_inner().control
}

/// Claims without waiting.
async fn claim_now(world: &World, run_type: &str) -> Vec<ClaimedRun> {
    let service = if run_type == PROMOTION { "promotion-service" } else { "compare-service" };
    let request = ClaimOperationRunsRequest {
        worker: "test".into(),
        types: vec![run_type.into()],
        max_runs: 50,
        wait: Duration::ZERO.try_into().ok(),
    };
    world.workers(service).claim_operation_runs(request).await.unwrap().into_inner().runs
}

async fn actions(world: &World) -> Vec<(String, String)> {
    let request = ListAuditEventsRequest { workspace_id: world.workspace.to_string(), ..Default::default() };
    let events = world.audit(Some("ada"), None).list_audit_events(request).await.unwrap().into_inner().events;
    let controls = events.into_iter().filter(|event| event.action.starts_with("operational_control."));
    controls.map(|event| (event.action, event.actor_subject)).collect()
}

#[tokio::test]
async fn a_paused_type_begins_nothing_and_lets_what_runs_go_on() {
    let world = World::new().await;
    let (running, lease) = world.claimed_promotion(1).await;
    let waiting = world.start(world.sync(world.target, 1)).await.run.unwrap();
    for run_type in [PROMOTION, SYNC] {
        let control = paused(&world, run_type).await;
        assert_eq!((control.r#type.as_str(), control.scope()), (run_type, ControlScope::Workspace));
        assert_eq!((control.paused_by_subject.as_str(), control.paused_by_name.as_str()), ("ada", "Dr. ada"));
    }

    let blocked = world.start(world.sync(world.source, 1)).await;
    assert_eq!((blocked.outcome(), blocked.reason.as_str()), (StartOutcome::Blocked, "OPERATION_TYPE_PAUSED"));
    assert!(blocked.run.is_none());
    for told in ["Inventory sync", "in this workspace", "Dr. ada", "The provider is in trouble"] {
        assert!(blocked.message.contains(told), "{}", blocked.message);
    }
    assert_eq!(claim_now(&world, SYNC).await.len(), 0);
    let still = world.get(&waiting.run_id).await;
    assert_eq!((still.status(), still.revision), (OperationRunStatus::Queued, waiting.revision));

    world.succeed(&lease, [1]).await;
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
    assert_eq!(world.get(&running.run_id).await.outcome(), OperationRunOutcome::Succeeded);

    assert!(resumed(&world, SYNC).await.is_some());
    let claimed = claim_now(&world, SYNC).await;
    assert_eq!(claimed[0].run.as_ref().unwrap().run_id, waiting.run_id);
    assert_eq!(world.start(world.sync(world.source, 1)).await.outcome(), StartOutcome::Queued);
    assert!(resumed(&world, SYNC).await.is_none(), "it was not paused any more");
    let told: Vec<String> = actions(&world).await.into_iter().map(|(action, _)| action).collect();
    let (paused, resumed) = ("operational_control.paused", "operational_control.resumed");
    assert_eq!(told, [resumed, paused, paused]);
}

#[tokio::test]
async fn what_comes_back_to_the_queue_of_a_paused_type_stays_there() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(1).await;
    paused(&world, PROMOTION).await;
    let release = ReleaseOperationRunRequest { lease: Some(lease), ..Default::default() };
    world.workers("promotion-service").release_operation_run(release).await.unwrap();
    // It is queued without having been there when the pause came.
    assert_eq!(claim_now(&world, PROMOTION).await.len(), 0);
    assert_eq!(world.get(&run.run_id).await.status(), OperationRunStatus::Queued);
    resumed(&world, PROMOTION).await;
    assert_eq!(claim_now(&world, PROMOTION).await.len(), 1);
}

#[tokio::test]
async fn a_run_that_waits_on_purpose_does_not_look_stale() {
    let world = World::new().await;
    let run = world.queued_promotion(1).await;
    paused(&world, PROMOTION).await;
    // An hour passes. The trigger that keeps these times is the table's own; a superuser may go past it.
    world
        .execute(
            "WITH past AS (SELECT set_config('session_replication_role', 'replica', true))
             UPDATE operation.run SET updated_at = now() - interval '1 hour', not_before = now() - interval '1 hour'
             FROM past WHERE id = $1",
            &[run.run_id.parse().unwrap()],
        )
        .await;
    assert_eq!(world.get(&run.run_id).await.freshness(), RunFreshness::FreshActive);
    resumed(&world, PROMOTION).await;
    assert_eq!(world.get(&run.run_id).await.freshness(), RunFreshness::LikelyStale);
}

#[tokio::test]
async fn a_pause_changes_nothing_for_what_is_there() {
    let world = World::new().await;
    let first = world.promotion(1);
    let run = world.start(first.clone()).await.run.unwrap();
    paused(&world, PROMOTION).await;
    let again = world.start(first).await;
    assert_eq!((again.outcome(), again.run.unwrap().run_id), (StartOutcome::Queued, run.run_id.clone()));
    let joined = world.start(world.promotion(1)).await;
    assert_eq!((joined.outcome(), joined.run.unwrap().run_id), (StartOutcome::Deduped, run.run_id));
    let mut other = world.promotion(1);
    other.identity = b"another".to_vec();
    let blocked = world.start(other.clone()).await;
    assert_eq!((blocked.outcome(), blocked.run), (StartOutcome::Blocked, None));
    // Blocked made nothing and is not remembered: the same request is asked anew.
    resumed(&world, PROMOTION).await;
    assert_eq!(world.start(other).await.outcome(), StartOutcome::ScopeBusy);
}

#[tokio::test]
async fn a_request_is_answered_once() {
    let world = World::new().await;
    let mut controls = world.controls(Some("ada"), None);
    let request = pause(&world, SYNC);
    let first = controls.pause_operation_type(request.clone()).await.unwrap().into_inner();
    // Whoever pauses what is paused is shown who did it.
    world.add_member("max", "manager", &[]).await;
    let second = world.controls(Some("max"), None).pause_operation_type(pause(&world, SYNC)).await.unwrap();
    assert_eq!(second.into_inner(), first);
    let lift = resume(&world, SYNC);
    let lifted = controls.resume_operation_type(lift.clone()).await.unwrap().into_inner();
    assert_eq!(lifted.control, first.control);
    // Repetitions change nothing, whatever happened since.
    assert_eq!(controls.pause_operation_type(request.clone()).await.unwrap().into_inner(), first);
    assert_eq!(controls.resume_operation_type(lift).await.unwrap().into_inner(), lifted);
    let list = ListOperationalControlsRequest { workspace_id: world.workspace.to_string() };
    assert_eq!(controls.list_operational_controls(list).await.unwrap().into_inner().controls, []);
    assert_eq!(actions(&world).await.len(), 2);
    let other = PauseOperationTypeRequest { reason: "Another".into(), ..request };
    assert_refused(controls.pause_operation_type(other).await, Code::AlreadyExists, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn everywhere_is_for_operators_and_told_in_every_workspace() {
    let world = World::new().await;
    let elsewhere = Uuid::now_v7();
    world.execute("INSERT INTO access.workspace (id, name) VALUES ($1, 'Elsewhere')", &[elsewhere]).await;
    let everywhere = PauseOperationTypeRequest { workspace_id: String::new(), ..pause(&world, SYNC) };
    for (user, service) in [(Some("ada"), None), (None, Some("compare-service"))] {
        let refused = world.controls(user, service).pause_operation_type(everywhere.clone()).await;
        assert_refused(refused, Code::PermissionDenied, "SERVICE_IDENTITY_REQUIRED");
    }
    let waiting = world.start(world.sync(world.target, 1)).await.run.unwrap();
    let mut operator = world.controls(None, Some("operator"));
    let control = operator.pause_operation_type(everywhere).await.unwrap().into_inner().control.unwrap();
    assert_eq!((control.scope(), control.paused_by_subject.as_str()), (ControlScope::Everywhere, "operator"));

    assert_eq!(world.start(world.sync(world.source, 1)).await.outcome(), StartOutcome::Blocked);
    assert_eq!(claim_now(&world, SYNC).await.len(), 0);
    // Every member sees it; a workspace's own control does not lift it.
    let list = ListOperationalControlsRequest { workspace_id: world.workspace.to_string() };
    let seen = world.controls(Some("rob"), None).list_operational_controls(list.clone()).await.unwrap().into_inner();
    assert_eq!(seen.controls, std::slice::from_ref(&control));
    paused(&world, SYNC).await;
    let seen = world.controls(Some("rob"), None).list_operational_controls(list).await.unwrap().into_inner();
    let scopes: Vec<ControlScope> = seen.controls.iter().map(OperationalControl::scope).collect();
    assert_eq!(scopes, [ControlScope::Workspace, ControlScope::Everywhere]);
    resumed(&world, SYNC).await;
    assert_eq!(claim_now(&world, SYNC).await.len(), 0);

    let lift = ResumeOperationTypeRequest { workspace_id: String::new(), ..resume(&world, SYNC) };
    operator.resume_operation_type(lift).await.unwrap();
    assert_eq!(claim_now(&world, SYNC).await[0].run.as_ref().unwrap().run_id, waiting.run_id);
    let by_operator = actions(&world).await.into_iter().filter(|(_, actor)| actor == "operator").count();
    assert_eq!(by_operator, 2);
    let (told,): (i64,) = sqlx::query_as(
        "SELECT count(*) FROM audit.entry WHERE workspace_id = $1 AND action LIKE 'operational_control.%' AND actor_kind = 'service'",
    )
    .bind(elsewhere)
    .fetch_one(world.superuser.pool())
    .await
    .unwrap();
    assert_eq!(told, 2);
}

#[tokio::test]
async fn who_may_pause_and_who_may_look() {
    let world = World::new().await;
    let in_workspace = pause(&world, SYNC);
    let refused = world.controls(Some("rob"), None).pause_operation_type(in_workspace.clone()).await;
    assert_refused(refused, Code::PermissionDenied, "CAPABILITY_MISSING");
    let stranger = world.controls(Some("eve"), None).pause_operation_type(in_workspace.clone()).await;
    assert_refused(stranger, Code::NotFound, "NOT_FOUND");
    let service = world.controls(None, Some("operator")).pause_operation_type(in_workspace.clone()).await;
    assert_refused(service, Code::PermissionDenied, "USER_IDENTITY_REQUIRED");
    let list = ListOperationalControlsRequest { workspace_id: world.workspace.to_string() };
    let stranger = world.controls(Some("eve"), None).list_operational_controls(list).await;
    assert_refused(stranger, Code::NotFound, "NOT_FOUND");
    let mut controls = world.controls(Some("ada"), None);
    for bad in [
        PauseOperationTypeRequest { reason: String::new(), ..in_workspace.clone() },
        PauseOperationTypeRequest { reason: "x".repeat(501), ..in_workspace.clone() },
        PauseOperationTypeRequest { r#type: "coffee.brew".into(), ..in_workspace.clone() },
        PauseOperationTypeRequest { request_id: String::new(), ..in_workspace },
    ] {
        assert_refused(controls.pause_operation_type(bad).await, Code::InvalidArgument, "FIELD_INVALID");
    }
}

#[tokio::test]
async fn starts_beside_a_pause_are_either_refused_or_wait() {
    let world = World::new().await;
    for _ in 0..5 {
        let starts = futures::future::join_all((0..10).map(|_| world.start(world.sync(world.target, 1))));
        let (answers, _) = futures::future::join(starts, paused(&world, SYNC)).await;
        assert_eq!(claim_now(&world, SYNC).await.len(), 0, "nothing is begun after the pause was answered");
        let queued = answers.iter().filter(|answer| answer.outcome() == StartOutcome::Queued).count();
        let blocked = answers.iter().filter(|answer| answer.outcome() == StartOutcome::Blocked).count();
        assert_eq!(queued + blocked, 10);
        resumed(&world, SYNC).await;
        assert_eq!(claim_now(&world, SYNC).await.len(), queued, "whatever was queued is claimed when it is over");
    }
}
