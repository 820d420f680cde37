//! CancelOperationRun, in every state and against a racing end.

use futures::future::join;
use pb::operation::{
    CancelOperationRunRequest, CompleteOperationRunRequest, ItemIntent, ItemState, ListOperationRunItemsRequest,
    OperationRun, OperationRunOutcome, OperationRunStatus, RecordItemIntentsRequest, ReleaseOperationRunRequest,
    RenewLeaseRequest,
};
use tonic::{Code, Status};

use crate::harness::{PROMOTION, World, assert_refused};

async fn cancel(world: &World, subject: &str, run_id: &str) -> Result<OperationRun, Status> {
    let request = CancelOperationRunRequest {
        request_id: crate::harness::request_id(),
        run_id: run_id.into(),
        reason: "not today".into(),
    };
    world.runs(subject).cancel_operation_run(request).await.map(|answer| answer.into_inner().run.unwrap())
}

fn intent(ordinal: i32) -> ItemIntent {
    ItemIntent { ordinal, desired_hash: vec![1; 32], action: "create".into(), ..Default::default() }
}

#[tokio::test]
async fn a_queued_run_ends_at_once() {
    let world = World::new().await;
    let run = world.queued_promotion(2).await;
    let ended = cancel(&world, "ada", &run.run_id).await.unwrap();
    assert_eq!((ended.status(), ended.outcome()), (OperationRunStatus::Completed, OperationRunOutcome::Cancelled));
    let items = ListOperationRunItemsRequest { run_id: run.run_id.clone(), ..Default::default() };
    let items = world.runs("ada").list_operation_run_items(items).await.unwrap().into_inner().items;
    assert!(items.iter().all(|item| item.state() == ItemState::Skipped && item.reason == "CANCELLED"));
    // Asking again changes nothing.
    assert_eq!(cancel(&world, "ada", &run.run_id).await.unwrap(), ended);
}

#[tokio::test]
async fn a_running_run_ends_after_the_item_it_is_at() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(3).await;
    let mut worker = world.workers("promotion-service");
    let record = |ordinal| RecordItemIntentsRequest { lease: Some(lease.clone()), intents: vec![intent(ordinal)] };
    worker.record_item_intents(record(1)).await.unwrap();
    let asked = cancel(&world, "ada", &run.run_id).await.unwrap();
    assert_eq!(asked.status(), OperationRunStatus::Running);
    assert!(asked.cancel_request_time.is_some());
    assert_eq!(cancel(&world, "ada", &run.run_id).await.unwrap().revision, asked.revision);

    let renewed = worker.renew_lease(RenewLeaseRequest { lease: Some(lease.clone()) }).await.unwrap().into_inner();
    assert!(renewed.cancel_requested);
    // Nothing more is begun: the intent is not taken.
    assert!(worker.record_item_intents(record(2)).await.unwrap().into_inner().cancel_requested);
    // What may have been written needs its outcome first.
    let complete = CompleteOperationRunRequest { lease: Some(lease.clone()), blocked: None };
    assert_refused(worker.complete_operation_run(complete.clone()).await, Code::FailedPrecondition, "ITEMS_PENDING");
    world.succeed(&lease, [1]).await;
    let ended = worker.complete_operation_run(complete).await.unwrap().into_inner().run.unwrap();
    assert_eq!(ended.outcome(), OperationRunOutcome::Cancelled);
    let counts = ended.summary_counts.unwrap();
    assert_eq!((counts.succeeded, counts.skipped, counts.processed), (Some(1), Some(2), Some(3)));
}

#[tokio::test]
async fn an_item_in_flight_is_settled_before_a_cancelled_run_ends() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(2).await;
    let mut worker = world.workers("promotion-service");
    let record = RecordItemIntentsRequest { lease: Some(lease.clone()), intents: vec![intent(1)] };
    worker.record_item_intents(record).await.unwrap();
    let release = ReleaseOperationRunRequest { lease: Some(lease), ..Default::default() };
    worker.release_operation_run(release).await.unwrap();
    let asked = cancel(&world, "ada", &run.run_id).await.unwrap();
    assert_eq!((asked.status(), asked.cancel_request_time.is_some()), (OperationRunStatus::Queued, true));
    let claimed = world.claim(PROMOTION).await.unwrap();
    assert!(claimed.cancel_requested);
    let lease = claimed.lease.unwrap();
    world.succeed(&lease, [1]).await;
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    let ended = worker.complete_operation_run(complete).await.unwrap().into_inner().run.unwrap();
    assert_eq!(ended.outcome(), OperationRunOutcome::Cancelled);
}

#[tokio::test]
async fn a_cancelled_run_that_is_given_back_ends() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(2).await;
    cancel(&world, "ada", &run.run_id).await.unwrap();
    let release = ReleaseOperationRunRequest { lease: Some(lease), ..Default::default() };
    world.workers("promotion-service").release_operation_run(release).await.unwrap();
    assert_eq!(world.get(&run.run_id).await.outcome(), OperationRunOutcome::Cancelled);
}

#[tokio::test]
async fn a_race_with_the_end_has_one_winner() {
    let world = World::new().await;
    for _ in 0..20 {
        let (run, lease) = world.claimed_promotion(1).await;
        world.succeed(&lease, [1]).await;
        let mut worker = world.workers("promotion-service");
        let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
        let (completed, cancelled) =
            join(worker.complete_operation_run(complete), cancel(&world, "ada", &run.run_id)).await;
        // Everything was done before anybody asked it to stop: it succeeded, whoever was first.
        assert_eq!(completed.unwrap().into_inner().run.unwrap().outcome(), OperationRunOutcome::Succeeded);
        match cancelled {
            Ok(run) => assert_eq!(run.status(), OperationRunStatus::Running),
            too_late => assert_refused(too_late, Code::FailedPrecondition, "RUN_NOT_ACTIVE"),
        }
        let (events,): (i64,) =
            sqlx::query_as("SELECT count(*) FROM operation.run_event WHERE run_id = $1 AND kind = 'completed'")
                .bind(run.run_id.parse::<uuid::Uuid>().unwrap())
                .fetch_one(world.superuser.pool())
                .await
                .unwrap();
        assert_eq!(events, 1);
    }
}

#[tokio::test]
async fn a_request_is_answered_once() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(1).await;
    let request = CancelOperationRunRequest {
        request_id: crate::harness::request_id(),
        run_id: run.run_id.clone(),
        reason: "not today".into(),
    };
    let mut runs = world.runs("ada");
    let first = runs.cancel_operation_run(request.clone()).await.unwrap().into_inner().run.unwrap();
    assert_eq!(first.status(), OperationRunStatus::Running);
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
    // The run has ended since; the answer is the one that was given.
    assert_eq!(runs.cancel_operation_run(request.clone()).await.unwrap().into_inner().run.unwrap(), first);
    assert_eq!(world.get(&run.run_id).await.outcome(), OperationRunOutcome::Cancelled);
    let other = CancelOperationRunRequest { reason: "never".into(), ..request.clone() };
    assert_refused(runs.cancel_operation_run(other).await, Code::AlreadyExists, "REQUEST_ID_REUSED");
    let missing = CancelOperationRunRequest { request_id: String::new(), ..request.clone() };
    assert_refused(runs.cancel_operation_run(missing).await, Code::InvalidArgument, "FIELD_INVALID");
    // What was refused is not remembered, and an answer is for those who may see the run.
    assert_refused(world.runs("una").cancel_operation_run(request).await, Code::NotFound, "NOT_FOUND");
}

#[tokio::test]
async fn who_may_stop_a_run() {
    let world = World::new().await;
    let run = world.queued_promotion(1).await;
    assert_refused(cancel(&world, "rob", &run.run_id).await, Code::PermissionDenied, "CAPABILITY_MISSING");
    assert_refused(cancel(&world, "una", &run.run_id).await, Code::NotFound, "NOT_FOUND");
    assert_eq!(world.get(&run.run_id).await.status(), OperationRunStatus::Queued);
}
