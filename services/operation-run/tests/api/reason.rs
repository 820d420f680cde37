//! The codes that runs and items end with by a decision of the service: all of them can be reached, and all are told in the API.

use std::collections::BTreeSet;

use domain::run::RunReason;
use pb::operation::{
    CancelOperationRunRequest, ItemIntent, ItemState, ListOperationRunItemsRequest, OperationRunStatus,
    RecordItemIntentsRequest, ReportItemOutcomesRequest,
};

use crate::deadline::age;
use crate::harness::{PROMOTION, World, request_id, unsuccessful};

/// Every code that the run and its items have ended with.
async fn codes(world: &World, run_id: &str) -> BTreeSet<String> {
    let ended = world.wait_for(run_id, "ended", |run| run.status() == OperationRunStatus::Completed).await;
    let request = ListOperationRunItemsRequest { run_id: run_id.into(), ..Default::default() };
    let items = world.runs("ada").list_operation_run_items(request).await.unwrap().into_inner().items;
    let of_items = items.into_iter().map(|item| item.reason).filter(|reason| !reason.is_empty());
    ended.failure_summary.into_iter().map(|line| line.code).chain(of_items).collect()
}

#[tokio::test]
async fn every_code_is_reached() {
    let world = World::with(&["--lease-ttl-ms=200"]).await;
    let mut reached = BTreeSet::new();

    let late = world.queued_promotion(1).await;
    age(&world, &[&late.run_id], 12).await;
    reached.extend(codes(&world, &late.run_id).await);

    let stopped = world.queued_promotion(1).await;
    let cancel =
        CancelOperationRunRequest { request_id: request_id(), run_id: stopped.run_id.clone(), ..Default::default() };
    world.runs("ada").cancel_operation_run(cancel).await.unwrap();
    reached.extend(codes(&world, &stopped.run_id).await);

    // Its only worker says what it is about to write, and falls silent.
    let given_up = world.queued_promotion(2).await;
    let one_attempt = "UPDATE operation.run SET max_attempts = 1 WHERE id = $1";
    world.execute(one_attempt, &[given_up.run_id.parse().unwrap()]).await;
    let lease = world.claim(PROMOTION).await.unwrap().lease;
    let intent = ItemIntent { ordinal: 1, desired_hash: vec![1; 32], action: "create".into(), ..Default::default() };
    let record = RecordItemIntentsRequest { lease, intents: vec![intent] };
    world.workers("promotion-service").record_item_intents(record).await.unwrap();
    reached.extend(codes(&world, &given_up.run_id).await);

    let varied = world.queued_promotion(40).await;
    let lease = world.claim(PROMOTION).await.unwrap().lease;
    let outcome = |ordinal| unsuccessful(ordinal, ItemState::Failed, &format!("PROVIDER_{ordinal}"), "");
    let outcomes = (1..=40).map(outcome).collect();
    let report = ReportItemOutcomesRequest { lease: lease.clone(), outcomes };
    let mut worker = world.workers("promotion-service");
    worker.report_item_outcomes(report).await.unwrap();
    let complete = pb::operation::CompleteOperationRunRequest { lease, blocked: None };
    worker.complete_operation_run(complete).await.unwrap();
    let of_workers = |code: &String| !code.starts_with("PROVIDER_");
    reached.extend(codes(&world, &varied.run_id).await.into_iter().filter(of_workers));

    let all: BTreeSet<String> = RunReason::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(reached, all);
}

#[test]
fn every_code_is_told_in_the_api() {
    let told = include_str!("../../../../proto/tenantatlas/operation/v1/operation.proto");
    for reason in RunReason::ALL {
        assert!(told.contains(&format!("//     {reason} ")), "{reason}");
    }
}
