//! What may start can end: the largest of everything that the API admits.

use pb::operation::{
    CancelOperationRunRequest, CompleteOperationRunRequest, FailureSummary, ItemState, OperationRun,
    OperationRunOutcome, ReleaseOperationRunRequest, ReportItemOutcomesRequest, StartOperationRunRequest, StartOutcome,
};
use serde_json::{Value, json};
use server::structure::to_struct;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{PROMOTION, World, assert_refused, unsuccessful};

/// The selection of a context that has exactly so many bytes of JSON, of the kind that takes the most room as jsonb.
fn of_size(bytes: usize) -> Value {
    let around = json!({"selection": {"note": "", "numbers": [1]}}).to_string().len();
    let (ones, odd) = ((bytes - around) / 2, (bytes - around) % 2);
    let object = json!({"selection": {"note": "x".repeat(odd), "numbers": vec![1; ones + 1]}});
    assert_eq!(object.to_string().len(), bytes);
    object
}

fn with_context(world: &World, items: usize, bytes: usize) -> StartOperationRunRequest {
    StartOperationRunRequest { context: Some(to_struct(&of_size(bytes)).unwrap()), ..world.promotion(items) }
}

/// The detail of the audit entry of the run's end.
async fn told_of_the_end(world: &World, run: &OperationRun) -> Value {
    sqlx::query_scalar("SELECT detail FROM audit.entry WHERE run_id = $1 AND action = 'operation_run.completed'")
        .bind(run.run_id.parse::<Uuid>().unwrap())
        .fetch_one(world.superuser.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_run_with_the_largest_context_and_the_longest_messages_ends() {
    let world = World::new().await;
    let too_large = with_context(&world, 1, (64 << 10) + 1);
    let refused = world.runs_through("promotion-service", "ada").start_operation_run(too_large).await;
    assert_refused(refused, Code::InvalidArgument, "FIELD_INVALID");
    assert_eq!(world.start(with_context(&world, 41, 64 << 10)).await.outcome(), StartOutcome::Queued);
    let lease = world.claim(PROMOTION).await.unwrap().lease.unwrap();

    // 40 reasons, each once and the first twice; the longest codes and messages there may be.
    let long = "\u{1f600}".repeat(1000);
    let code = |number: i32| format!("{:X<63}", format!("REASON_{number:02}_"));
    let outcomes =
        (1..=41).map(|ordinal| unsuccessful(ordinal, ItemState::Failed, &code((ordinal - 1) % 40), &long)).collect();
    let mut worker = world.workers("promotion-service");
    worker.report_item_outcomes(ReportItemOutcomesRequest { lease: Some(lease.clone()), outcomes }).await.unwrap();
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    let ended = worker.complete_operation_run(complete).await.unwrap().into_inner().run.unwrap();

    assert_eq!(ended.outcome(), OperationRunOutcome::Failed);
    let summary = &ended.failure_summary;
    assert_eq!((summary.len(), summary[0].code.clone(), summary[0].count), (31, code(0), Some(2)));
    assert_eq!((summary[30].code.as_str(), summary[30].count), ("OTHER_REASONS", Some(10)));
    assert!(summary.iter().all(|line| line.message.chars().count() <= 500));
    assert_eq!(summary.iter().filter_map(|line| line.count).sum::<i32>(), 41);
    let told = told_of_the_end(&world, &ended).await;
    assert_eq!(told["selection"], of_size(64 << 10)["selection"]);
    assert_eq!(told["failure_summary"].as_array().unwrap().len(), 31);
}

#[tokio::test]
async fn a_run_with_the_largest_context_can_be_blocked_cancelled_and_given_up() {
    let world = World::new().await;
    let start = || with_context(&world, 1, 64 << 10);
    let mut worker = world.workers("promotion-service");
    let long = "\u{1f600}".repeat(1000);

    world.start(start()).await;
    let lease = world.claim(PROMOTION).await.unwrap().lease.unwrap();
    let blocked = Some(FailureSummary { code: "NO".into(), message: long.clone(), count: None });
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked };
    let ended = worker.complete_operation_run(complete).await.unwrap().into_inner().run.unwrap();
    assert_eq!(ended.outcome(), OperationRunOutcome::Blocked);

    let run = world.start(start()).await.run.unwrap();
    let cancel = CancelOperationRunRequest {
        request_id: crate::harness::request_id(),
        run_id: run.run_id,
        reason: long.chars().take(500).collect(),
    };
    let ended = world.runs("ada").cancel_operation_run(cancel).await.unwrap().into_inner().run.unwrap();
    assert_eq!(ended.outcome(), OperationRunOutcome::Cancelled);

    let run = world.start(start()).await.run.unwrap();
    let ended = loop {
        let Some(lease) = world.claim(PROMOTION).await.and_then(|claimed| claimed.lease) else { panic!("not queued") };
        let failed = ReleaseOperationRunRequest { lease: Some(lease), delay: None, reason: "WORK_FAILED".into() };
        worker.release_operation_run(failed).await.unwrap();
        let seen = world.get(&run.run_id).await;
        if seen.outcome() != OperationRunOutcome::Pending {
            break seen;
        }
    };
    assert_eq!(ended.outcome(), OperationRunOutcome::Failed);
}

#[tokio::test]
async fn a_run_of_five_thousand_items_starts_with_their_plans() {
    let world = World::new().await;
    let mut request = world.promotion(5000);
    for item in &mut request.items {
        item.plan = Some(to_struct(&json!({"references": "x".repeat(4 << 10)})).unwrap());
    }
    // One that is as large as a plan may be, and takes the most room as jsonb.
    request.items[0].plan = Some(to_struct(&of_size(60 << 10)).unwrap());
    let run = world.start(request).await.run.unwrap();
    assert_eq!(run.summary_counts.unwrap().total, Some(5000));
}
