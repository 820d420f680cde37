//! The workers' side: claim, items, intents, outcomes, the end.

use std::collections::HashSet;
use std::time::Duration;

use futures::future::join_all;
use pb::operation::{
    ClaimOperationRunsRequest, CompleteOperationRunRequest, FailureSummary, ItemEffect, ItemIntent, ItemOutcome,
    ItemState, ListClaimedItemsRequest, ListOperationRunItemsRequest, OperationRunOutcome, OperationRunStatus,
    RecordItemIntentsRequest, ReportItemOutcomesRequest,
};
use tonic::Code;

use crate::harness::{PROMOTION, SYNC, World, assert_refused, succeeded, unsuccessful};

#[tokio::test]
async fn a_run_from_claim_to_end() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(4).await;
    assert_eq!((run.status(), run.attempt), (OperationRunStatus::Running, 1));
    let mut worker = world.workers("promotion-service");

    let list = ListClaimedItemsRequest { lease: Some(lease.clone()), after_ordinal: 1, page_size: 2 };
    let items = worker.list_claimed_items(list).await.unwrap().into_inner().items;
    let ordinals: Vec<i32> = items.iter().map(|item| item.item.as_ref().unwrap().ordinal).collect();
    assert_eq!(ordinals, [2, 3]);

    let outcomes = vec![
        succeeded(1),
        ItemOutcome { effect: ItemEffect::Unchanged.into(), ..succeeded(2) },
        unsuccessful(3, ItemState::Failed, "PROVIDER_REFUSED", "b"),
        unsuccessful(4, ItemState::Skipped, "TARGET_DRIFTED", "a"),
    ];
    let report = ReportItemOutcomesRequest { lease: Some(lease.clone()), outcomes };
    let counts = worker.report_item_outcomes(report).await.unwrap().into_inner().summary_counts.unwrap();
    assert_eq!((counts.total, counts.processed, counts.succeeded), (Some(4), Some(4), Some(2)));
    assert_eq!((counts.failed, counts.skipped, counts.created, counts.unchanged), (Some(1), Some(1), Some(1), Some(1)));

    let complete = CompleteOperationRunRequest { lease: Some(lease.clone()), blocked: None };
    let ended = worker.complete_operation_run(complete.clone()).await.unwrap().into_inner().run.unwrap();
    assert_eq!(ended.outcome(), OperationRunOutcome::PartiallySucceeded);
    assert_eq!(ended.progress_percent, Some(100));
    let reasons: Vec<&str> = ended.failure_summary.iter().map(|line| line.code.as_str()).collect();
    assert_eq!(reasons, ["PROVIDER_REFUSED", "TARGET_DRIFTED"]);
    // The reply was lost: asking again gives the same run.
    let again = worker.complete_operation_run(complete).await.unwrap().into_inner().run.unwrap();
    assert_eq!(again, ended);
}

#[tokio::test]
async fn the_first_outcome_of_an_item_stays() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(2).await;
    world.succeed(&lease, [1]).await;
    let report = ReportItemOutcomesRequest {
        lease: Some(lease.clone()),
        outcomes: vec![
            unsuccessful(1, ItemState::Failed, "LATE", ""),
            succeeded(2),
            unsuccessful(2, ItemState::Failed, "TWICE", ""),
        ],
    };
    let counts = world
        .workers("promotion-service")
        .report_item_outcomes(report)
        .await
        .unwrap()
        .into_inner()
        .summary_counts
        .unwrap();
    assert_eq!((counts.succeeded, counts.failed), (Some(2), Some(0)));
    let items = ListOperationRunItemsRequest { run_id: run.run_id, ..Default::default() };
    let items = world.runs("rob").list_operation_run_items(items).await;
    // rob may see the tenants, but not promotions.
    assert_refused(items, Code::PermissionDenied, "CAPABILITY_MISSING");
}

#[tokio::test]
async fn reports_side_by_side_are_counted_once_each() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(60).await;
    // Every item is reported three times, at the same time, with reasons.
    let reports = (0..180).map(|number| {
        let (mut worker, lease) = (world.workers("promotion-service"), lease.clone());
        let ordinal = number % 60 + 1;
        async move {
            let reason = if ordinal % 3 == 0 { "RARE" } else { "COMMON" };
            let outcome = unsuccessful(ordinal, ItemState::Failed, reason, "why");
            let report = ReportItemOutcomesRequest { lease: Some(lease), outcomes: vec![outcome] };
            worker.report_item_outcomes(report).await.unwrap();
        }
    });
    join_all(reports).await;
    let seen = world.get(&run.run_id).await;
    let counts = seen.summary_counts.unwrap();
    assert_eq!((counts.processed, counts.failed), (Some(60), Some(60)));
    let summary: Vec<(String, Option<i32>)> = seen.failure_summary.into_iter().map(|l| (l.code, l.count)).collect();
    assert_eq!(summary, [("COMMON".to_owned(), Some(40)), ("RARE".to_owned(), Some(20))]);
    // One change per item, and dense.
    assert_eq!(seen.revision, 2 + 60);
}

#[tokio::test]
async fn a_run_does_not_end_before_its_items() {
    let world = World::new().await;
    let (_, lease) = world.claimed_promotion(2).await;
    world.succeed(&lease, [1]).await;
    let mut worker = world.workers("promotion-service");
    let complete = CompleteOperationRunRequest { lease: Some(lease.clone()), blocked: None };
    assert_refused(worker.complete_operation_run(complete).await, Code::FailedPrecondition, "ITEMS_PENDING");
    world.succeed(&lease, [2]).await;
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    let ended = worker.complete_operation_run(complete).await.unwrap().into_inner().run.unwrap();
    assert_eq!(ended.outcome(), OperationRunOutcome::Succeeded);
}

#[tokio::test]
async fn a_run_with_an_item_in_flight_cannot_end_as_blocked() {
    let world = World::new().await;
    let (_, lease) = world.claimed_promotion(3).await;
    let mut worker = world.workers("promotion-service");
    let intent = ItemIntent { ordinal: 2, desired_hash: vec![1; 32], action: "create".into(), ..Default::default() };
    let record = RecordItemIntentsRequest { lease: Some(lease.clone()), intents: vec![intent] };
    worker.record_item_intents(record).await.unwrap();
    let why = FailureSummary { code: "PROVIDER_PERMISSION_DENIED".into(), message: "Grant it.".into(), count: None };
    let complete = CompleteOperationRunRequest { lease: Some(lease.clone()), blocked: Some(why) };
    let refused = worker.complete_operation_run(complete.clone()).await;
    assert_refused(refused, Code::FailedPrecondition, "ITEMS_PENDING");
    // Somebody has looked: then it can.
    let outcome = unsuccessful(2, ItemState::Failed, "PROVIDER_REFUSED", "");
    let report = ReportItemOutcomesRequest { lease: Some(lease), outcomes: vec![outcome] };
    worker.report_item_outcomes(report).await.unwrap();
    let ended = worker.complete_operation_run(complete).await.unwrap().into_inner().run.unwrap();
    assert_eq!(ended.outcome(), OperationRunOutcome::Blocked);
}

#[tokio::test]
async fn a_blocked_run_says_why() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(2).await;
    let blocked =
        FailureSummary { code: "PROVIDER_PERMISSION_DENIED".into(), message: "Grant it.".into(), count: None };
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: Some(blocked) };
    let ended =
        world.workers("promotion-service").complete_operation_run(complete).await.unwrap().into_inner().run.unwrap();
    assert_eq!(ended.outcome(), OperationRunOutcome::Blocked);
    assert_eq!(ended.failure_summary[0].code, "PROVIDER_PERMISSION_DENIED");
    assert_eq!(ended.failure_summary[0].count, Some(2));
    let items = ListOperationRunItemsRequest { run_id: run.run_id, ..Default::default() };
    let items = world.runs("ada").list_operation_run_items(items).await.unwrap().into_inner().items;
    assert!(items.iter().all(|item| item.state() == ItemState::Skipped && item.reason == "PROVIDER_PERMISSION_DENIED"));
}

#[tokio::test]
async fn intents_are_kept_for_the_next_attempt() {
    let world = World::new().await;
    let (_, lease) = world.claimed_promotion(2).await;
    let mut worker = world.workers("promotion-service");
    let intent = |ordinal, action: &str| ItemIntent {
        ordinal,
        desired_hash: vec![9; 32],
        action: action.into(),
        ..Default::default()
    };
    let record = |intents| RecordItemIntentsRequest { lease: Some(lease.clone()), intents };
    worker.record_item_intents(record(vec![intent(1, "create")])).await.unwrap();
    worker.record_item_intents(record(vec![intent(1, "create"), intent(2, "update")])).await.unwrap();
    let list = ListClaimedItemsRequest { lease: Some(lease.clone()), ..Default::default() };
    let items = worker.list_claimed_items(list).await.unwrap().into_inner().items;
    let kept = items[0].intent.clone().unwrap();
    assert_eq!(
        (kept.action.as_str(), kept.desired_hash, kept.attempt, kept.fence),
        ("create", vec![9; 32], 1, lease.fence)
    );
    assert!(kept.record_time.is_some());

    world.succeed(&lease, [1]).await;
    let settled = worker.record_item_intents(record(vec![intent(1, "update")])).await;
    assert_refused(settled, Code::FailedPrecondition, "ITEM_SETTLED");
    let unknown = worker.record_item_intents(record(vec![intent(3, "update")])).await;
    assert_refused(unknown, Code::InvalidArgument, "FIELD_INVALID");
    let unknown = ReportItemOutcomesRequest { lease: Some(lease.clone()), outcomes: vec![succeeded(2), succeeded(3)] };
    assert_refused(worker.report_item_outcomes(unknown).await, Code::InvalidArgument, "FIELD_INVALID");
    // All or nothing: item 2 is still open.
    let list = ListClaimedItemsRequest { lease: Some(lease), ..Default::default() };
    let items = worker.list_claimed_items(list).await.unwrap().into_inner().items;
    assert_eq!(items[1].item.as_ref().unwrap().state(), ItemState::Pending);
}

#[tokio::test]
async fn many_claimers_share_what_there_is() {
    let world = World::new().await;
    for _ in 0..20 {
        world.start(world.sync(world.source, 1)).await;
    }
    let claims = (0..30).map(|_| {
        let mut worker = world.workers("compare-service");
        async move {
            let request =
                ClaimOperationRunsRequest { worker: "w".into(), types: vec![SYNC.into()], max_runs: 3, wait: None };
            worker.claim_operation_runs(request).await.unwrap().into_inner().runs
        }
    });
    let mut claimed = join_all(claims).await.concat();
    while let Some(more) = {
        let request =
            ClaimOperationRunsRequest { worker: "w".into(), types: vec![SYNC.into()], max_runs: 50, wait: None };
        let runs = world.workers("compare-service").claim_operation_runs(request).await.unwrap().into_inner().runs;
        (!runs.is_empty()).then_some(runs)
    } {
        claimed.extend(more);
    }
    let ids: HashSet<String> = claimed.iter().map(|claimed| claimed.run.as_ref().unwrap().run_id.clone()).collect();
    assert_eq!((claimed.len(), ids.len()), (20, 20));
}

#[tokio::test]
async fn a_waiting_claim_hears_of_a_new_run() {
    let world = World::new().await;
    let waiting = tokio::time::timeout(Duration::from_secs(10), world.claim(PROMOTION));
    let (claimed, run) = tokio::join!(waiting, world.queued_promotion(1));
    assert_eq!(claimed.unwrap().unwrap().run.unwrap().run_id, run.run_id);
}

#[tokio::test]
async fn a_service_works_on_its_own_types_only() {
    let world = World::new().await;
    let claim = |types: &[&str]| ClaimOperationRunsRequest {
        worker: "w".into(),
        types: types.iter().map(|t| (*t).to_owned()).collect(),
        max_runs: 1,
        wait: None,
    };
    let other = world.workers("compare-service").claim_operation_runs(claim(&[SYNC, PROMOTION])).await;
    assert_refused(other, Code::PermissionDenied, "SERVICE_IDENTITY_REQUIRED");
    let (_, lease) = world.claimed_promotion(1).await;
    let report = ReportItemOutcomesRequest { lease: Some(lease), outcomes: vec![succeeded(1)] };
    let other = world.workers("compare-service").report_item_outcomes(report).await;
    assert_refused(other, Code::Aborted, "LEASE_LOST");
    let empty = world.workers("promotion-service").claim_operation_runs(claim(&[])).await;
    assert_refused(empty, Code::InvalidArgument, "FIELD_INVALID");
}

#[tokio::test]
async fn the_failure_summary_is_the_one_of_the_domain() {
    let world = World::new().await;
    let (_, lease) = world.claimed_promotion(40).await;
    let codes = ["PROVIDER_REFUSED", "TARGET_DRIFTED", "A_B", "AB", "A1"];
    let messages = ["b", "a", "", "\u{e4}", "B", "Z z"];
    let mut failures = Vec::new();
    let outcomes = (1..=40_usize).map(|number| {
        let (code, message) = (codes[number * number % 5], messages[number % 6]);
        failures.push(domain::run::Failure::new(code, message));
        let state = if number % 2 == 0 { ItemState::Failed } else { ItemState::Skipped };
        unsuccessful(i32::try_from(number).unwrap(), state, code, message)
    });
    let report = ReportItemOutcomesRequest { lease: Some(lease.clone()), outcomes: outcomes.collect() };
    let mut worker = world.workers("promotion-service");
    worker.report_item_outcomes(report).await.unwrap();
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    let ended = worker.complete_operation_run(complete).await.unwrap().into_inner().run.unwrap();
    assert_eq!(ended.outcome(), OperationRunOutcome::Failed);
    let told: Vec<_> = ended
        .failure_summary
        .into_iter()
        .map(|l| (l.code, l.message, l.count.unwrap().unsigned_abs().into()))
        .collect();
    let decided: Vec<_> =
        domain::run::failure_summary(&failures).into_iter().map(|l| (l.code, l.message, l.count)).collect();
    assert_eq!(told, decided);
}
