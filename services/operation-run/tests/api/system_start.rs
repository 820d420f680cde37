//! Runs that nobody starts by hand: a scheduled backup, started by its service itself.

use std::collections::HashSet;

use futures::future::join_all;
use pb::operation::{
    CancelOperationRunRequest, GetOperationRunRequest, LookupOperationRunRequest, OperationRunStatus,
    StartOperationRunRequest, StartOutcome,
};
use tonic::Code;
use uuid::Uuid;

use crate::harness::{World, assert_refused, new_items};

const SCHEDULED: &str = "backup_schedule.scheduled";

/// The backup of a schedule for a time.
fn scheduled(world: &World, slot: &str) -> StartOperationRunRequest {
    StartOperationRunRequest {
        request_id: Uuid::now_v7().to_string(),
        workspace_id: world.workspace.to_string(),
        r#type: SCHEDULED.into(),
        tenant_id: world.source.to_string(),
        identity: slot.as_bytes().to_vec(),
        items: new_items(2),
        request_digest: vec![7; 32],
        ..Default::default()
    }
}

#[tokio::test]
async fn a_scheduled_backup_is_started_by_its_service_in_the_name_of_the_system() {
    let world = World::new().await;
    let mut service = world.runs_of("compare-service");
    let request = scheduled(&world, "tonight");
    let started = service.start_operation_run(request.clone()).await.unwrap().into_inner();
    assert_eq!(started.outcome(), StartOutcome::Queued);
    let run = started.run.unwrap();
    assert_eq!((run.initiator_subject.as_str(), run.initiator_name.as_str()), ("", "System"));
    // Whoever may start backups sees it; others do not.
    let get = GetOperationRunRequest { run_id: run.run_id.clone() };
    assert_eq!(
        world.runs("ada").get_operation_run(get.clone()).await.unwrap().into_inner().run.unwrap().run_id,
        run.run_id
    );
    assert_refused(world.runs("una").get_operation_run(get).await, Code::NotFound, "NOT_FOUND");

    let lookup = LookupOperationRunRequest {
        workspace_id: world.workspace.to_string(),
        request_id: request.request_id.clone(),
        request_digest: Vec::new(),
    };
    let found = service.lookup_operation_run(lookup.clone()).await.unwrap().into_inner().run.unwrap();
    assert_eq!((found.run_id.as_str(), found.status()), (run.run_id.as_str(), OperationRunStatus::Queued));
    let other = LookupOperationRunRequest { request_digest: vec![8; 32], ..lookup };
    assert_refused(service.lookup_operation_run(other).await, Code::AlreadyExists, "REQUEST_ID_REUSED");
    // What a user has started is not the service's to see by itself.
    let sync = world.sync(world.source, 1);
    let theirs = LookupOperationRunRequest {
        workspace_id: world.workspace.to_string(),
        request_id: sync.request_id.clone(),
        request_digest: Vec::new(),
    };
    world.start(sync).await;
    assert!(service.lookup_operation_run(theirs).await.unwrap().into_inner().run.is_none());
}

#[tokio::test]
async fn forty_schedulers_start_one_run_for_a_time_and_there_is_never_another() {
    let world = World::new().await;
    let start = |request: StartOperationRunRequest| {
        let mut service = world.runs_of("compare-service");
        async move { service.start_operation_run(request).await.unwrap().into_inner() }
    };
    // With one request id, as schedulers have it, and with ids of their own.
    let same = scheduled(&world, "tonight");
    let asked = (0..20).map(|_| same.clone()).chain((0..20).map(|_| scheduled(&world, "tonight")));
    let answers = join_all(asked.map(&start)).await;
    let ids: HashSet<String> = answers.iter().map(|answer| answer.run.clone().unwrap().run_id).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    // Once it has ended, too.
    let cancel = CancelOperationRunRequest {
        request_id: crate::harness::request_id(),
        run_id: ids.iter().next().unwrap().clone(),
        ..Default::default()
    };
    let cancelled = world.runs("ada").cancel_operation_run(cancel).await.unwrap().into_inner().run.unwrap();
    assert_eq!(cancelled.status(), OperationRunStatus::Completed);
    let later = start(scheduled(&world, "tonight")).await;
    assert_eq!((later.outcome(), later.run.unwrap().run_id), (StartOutcome::Deduped, ids.into_iter().next().unwrap()));
    assert_eq!(start(scheduled(&world, "tomorrow")).await.outcome(), StartOutcome::Queued);
}

#[tokio::test]
async fn nothing_else_is_started_without_a_user() {
    let world = World::new().await;
    let mut service = world.runs_of("compare-service");
    for run_type in ["backup_schedule.run_now", "backup_schedule.retry", "inventory.sync", "restore.execute"] {
        let request = StartOperationRunRequest { r#type: run_type.into(), ..scheduled(&world, "x") };
        assert_refused(service.start_operation_run(request).await, Code::PermissionDenied, "USER_IDENTITY_REQUIRED");
    }
    let foreign = world.runs_of("promotion-service").start_operation_run(scheduled(&world, "x")).await;
    assert_refused(foreign, Code::PermissionDenied, "SERVICE_IDENTITY_REQUIRED");
    let mut promotion = world.runs_of("promotion-service");
    let lookup = LookupOperationRunRequest {
        workspace_id: world.workspace.to_string(),
        request_id: Uuid::now_v7().to_string(),
        request_digest: Vec::new(),
    };
    assert_refused(promotion.lookup_operation_run(lookup).await, Code::PermissionDenied, "USER_IDENTITY_REQUIRED");
    // A user may not stand in for the schedule without the right to.
    let rob = world.runs_through("compare-service", "rob").start_operation_run(scheduled(&world, "x")).await;
    assert_refused(rob, Code::PermissionDenied, "CAPABILITY_MISSING");
}
