//! Workers that fall silent: the run goes on elsewhere, or is given up when it gets nowhere.

use pb::operation::{
    CancelOperationRunRequest, CompleteOperationRunRequest, ItemIntent, ItemState, ListOperationRunItemsRequest,
    OperationRunOutcome, OperationRunStatus, RecordItemIntentsRequest, ReleaseOperationRunRequest, RunFreshness,
};

use crate::harness::{PROMOTION, World};

#[tokio::test]
async fn a_run_that_gets_nowhere_is_given_up() {
    let world = World::with(&["--lease-ttl-ms=100"]).await;
    let run = world.queued_promotion(3).await;
    // Nine claims that end in nothing, the tenth is the last one. Backing off is not what this test is about.
    world
        .execute("UPDATE operation.run SET max_attempts = 2 WHERE id = $1::uuid", &[run.run_id.parse().unwrap()])
        .await;
    let first = world.claim(PROMOTION).await.unwrap();
    let intent = ItemIntent { ordinal: 1, desired_hash: vec![1; 32], action: "create".into(), ..Default::default() };
    let intents = RecordItemIntentsRequest { lease: first.lease, intents: vec![intent] };
    world.workers("promotion-service").record_item_intents(intents).await.unwrap();
    world.claim(PROMOTION).await.unwrap();
    let ended = world.wait_for(&run.run_id, "given up", |run| run.status() == OperationRunStatus::Completed).await;
    assert_eq!((ended.outcome(), ended.freshness()), (OperationRunOutcome::Failed, RunFreshness::ReconciledFailed));
    assert_eq!(ended.attempt, 2);
    let items = ListOperationRunItemsRequest { run_id: run.run_id, ..Default::default() };
    let items = world.runs("ada").list_operation_run_items(items).await.unwrap().into_inner().items;
    let outcomes: Vec<(ItemState, &str)> = items.iter().map(|item| (item.state(), item.reason.as_str())).collect();
    assert_eq!(
        outcomes,
        [
            (ItemState::Failed, "OUTCOME_UNKNOWN"),
            (ItemState::Skipped, "ATTEMPTS_EXHAUSTED"),
            (ItemState::Skipped, "ATTEMPTS_EXHAUSTED"),
        ]
    );
    let counts = ended.summary_counts.unwrap();
    assert_eq!((counts.processed, counts.failed, counts.skipped), (Some(3), Some(1), Some(2)));
}

#[tokio::test]
async fn progress_gives_new_attempts() {
    let world = World::with(&["--lease-ttl-ms=100"]).await;
    let run = world.queued_promotion(5).await;
    world
        .execute("UPDATE operation.run SET max_attempts = 1 WHERE id = $1::uuid", &[run.run_id.parse().unwrap()])
        .await;
    // One item per claim, then silence: it would be given up after the first without progress.
    for ordinal in 1..=5 {
        let lease = world.claim(PROMOTION).await.unwrap().lease.unwrap();
        world.succeed(&lease, [ordinal]).await;
    }
    let seen = world.wait_for(&run.run_id, "rescued", |run| run.status() == OperationRunStatus::Queued).await;
    assert_eq!((seen.attempt, seen.summary_counts.unwrap().succeeded), (5, Some(5)));
    let lease = world.claim(PROMOTION).await.unwrap().lease;
    let complete = CompleteOperationRunRequest { lease, blocked: None };
    let ended =
        world.workers("promotion-service").complete_operation_run(complete).await.unwrap().into_inner().run.unwrap();
    assert_eq!((ended.outcome(), ended.attempt), (OperationRunOutcome::Succeeded, 6));
}

#[tokio::test]
async fn the_wish_to_stop_outlives_the_worker() {
    let world = World::with(&["--lease-ttl-ms=100"]).await;
    let (run, _) = world.claimed_promotion(2).await;
    let cancel = CancelOperationRunRequest {
        request_id: crate::harness::request_id(),
        run_id: run.run_id.clone(),
        reason: "wrong tenant".into(),
    };
    world.runs("ada").cancel_operation_run(cancel).await.unwrap();
    let ended = world.wait_for(&run.run_id, "cancelled", |run| run.status() == OperationRunStatus::Completed).await;
    assert_eq!(ended.outcome(), OperationRunOutcome::Cancelled);
}

#[tokio::test]
async fn work_that_fails_by_its_own_word_uses_up_attempts() {
    let world = World::new().await;
    let run = world.queued_promotion(1).await;
    world
        .execute("UPDATE operation.run SET max_attempts = 3 WHERE id = $1::uuid", &[run.run_id.parse().unwrap()])
        .await;
    let give_back = async |reason: &str| {
        let lease = world.claim(PROMOTION).await.unwrap().lease;
        let release = ReleaseOperationRunRequest { lease, delay: None, reason: reason.into() };
        world.workers("promotion-service").release_operation_run(release).await.unwrap();
    };
    for _ in 0..5 {
        give_back("WORKER_STOPPING").await;
    }
    for _ in 0..3 {
        assert_eq!(world.get(&run.run_id).await.status(), OperationRunStatus::Queued);
        give_back("WORK_FAILED").await;
    }
    let ended = world.get(&run.run_id).await;
    assert_eq!((ended.outcome(), ended.attempt), (OperationRunOutcome::Failed, 8));
    assert_eq!(ended.failure_summary[0].code, "ATTEMPTS_EXHAUSTED");
}
