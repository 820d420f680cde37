//! Completed runs leave after a time; what they leave behind stays.

use std::time::Duration;

use pb::operation::{
    GetOperationRunRequest, OperationRunOutcome, OperationRunStatus, StartOperationRunRequest, StartOutcome,
};
use tonic::Code;
use uuid::Uuid;

use crate::harness::{SOON, World, assert_refused, request_id};

const SCHEDULED: &str = "backup_schedule.scheduled";

/// Of completed runs: makes it so many hours since they ended.
async fn age(world: &World, hours: i32) {
    let mut tx = world.superuser.pool().begin().await.unwrap();
    // As a replica: the guards, which know that none of this may change, do not look.
    sqlx::query("SET LOCAL session_replication_role = replica").execute(&mut *tx).await.unwrap();
    sqlx::query(
        "UPDATE operation.run SET completed_at = completed_at - $1 * interval '1 hour',
             created_at = created_at - $1 * interval '1 hour', queue_deadline = queue_deadline - $1 * interval '1 hour',
             run_deadline = run_deadline - $1 * interval '1 hour'
         WHERE status = 'completed' AND NOT imported",
    )
    .bind(hours)
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

async fn counts(world: &World, of: &str) -> i64 {
    let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM operation.{of}"));
    sqlx::query_scalar(count).fetch_one(world.superuser.pool()).await.unwrap()
}

/// Waits until there are so many runs.
async fn runs_left(world: &World, wanted: i64) {
    let deadline = tokio::time::Instant::now() + SOON;
    while counts(world, "run").await != wanted {
        assert!(tokio::time::Instant::now() < deadline, "{} runs are left", counts(world, "run").await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn old_runs_leave_with_what_is_theirs_and_their_audit_entries_stay() {
    let options = ["--event-retention=60s", "--run-retention=1h", "--retention-interval=50ms"];
    let mut world = World::with(&options).await;
    world.add_replica(&options).await;
    // More than one batch, one that is young, and one that is not over.
    for _ in 0..25 {
        let (run, lease) = world.claimed_promotion(1).await;
        world.succeed(&lease, [1]).await;
        let complete = pb::operation::CompleteOperationRunRequest { lease: Some(lease), blocked: None };
        world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
        assert_eq!(world.get(&run.run_id).await.outcome(), OperationRunOutcome::Succeeded);
    }
    let gone: Uuid = sqlx::query_scalar("SELECT id FROM operation.run ORDER BY created_at LIMIT 1")
        .fetch_one(world.superuser.pool())
        .await
        .unwrap();
    age(&world, 1).await;
    let active = world.queued_promotion(3).await;
    runs_left(&world, 1).await;

    assert_eq!(world.get(&active.run_id).await.status(), OperationRunStatus::Queued);
    assert_eq!(counts(&world, "run_item").await, 3);
    assert_eq!((counts(&world, "start_answer").await, counts(&world, "notification").await), (1, 0));
    let get = GetOperationRunRequest { run_id: gone.to_string() };
    assert_refused(world.runs("ada").get_operation_run(get).await, Code::NotFound, "NOT_FOUND");
    let (entries,): (i64,) = sqlx::query_as("SELECT count(*) FROM audit.entry WHERE run_id = $1")
        .bind(gone)
        .fetch_one(world.superuser.pool())
        .await
        .unwrap();
    assert_eq!(entries, 2, "its start and its end");
}

fn scheduled(world: &World) -> StartOperationRunRequest {
    StartOperationRunRequest {
        r#type: SCHEDULED.into(),
        request_id: request_id(),
        identity: b"schedule, 2026-01-01T03:00Z".to_vec(),
        ..world.sync(world.source, 1)
    }
}

#[tokio::test]
async fn what_may_happen_once_stays_so_when_its_run_has_gone() {
    let world = World::with(&["--event-retention=60s", "--run-retention=1h", "--retention-interval=50ms"]).await;
    let mut runs = world.runs_of("compare-service");
    let first = runs.start_operation_run(scheduled(&world)).await.unwrap().into_inner();
    assert_eq!(first.outcome(), StartOutcome::Queued);
    let lease = world.claim(SCHEDULED).await.unwrap().lease.unwrap();
    let mut worker = world.workers("compare-service");
    let report = pb::operation::ReportItemOutcomesRequest {
        lease: Some(lease.clone()),
        outcomes: vec![crate::harness::succeeded(1)],
    };
    worker.report_item_outcomes(report).await.unwrap();
    let complete = pb::operation::CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    worker.complete_operation_run(complete).await.unwrap();
    // As long as it is kept, it is the answer.
    let again = runs.start_operation_run(scheduled(&world)).await.unwrap().into_inner();
    assert_eq!((again.outcome(), again.run.unwrap().run_id), (StartOutcome::Deduped, first.run.unwrap().run_id));
    age(&world, 1).await;
    runs_left(&world, 0).await;
    let once_more = runs.start_operation_run(scheduled(&world)).await;
    assert_refused(once_more, Code::FailedPrecondition, "IDENTITY_SPENT");
    assert_eq!(counts(&world, "run").await, 0);
    // Another time is another run.
    let next = StartOperationRunRequest { identity: b"schedule, 2026-01-02T03:00Z".to_vec(), ..scheduled(&world) };
    assert_eq!(runs.start_operation_run(next).await.unwrap().into_inner().outcome(), StartOutcome::Queued);
}

#[tokio::test]
async fn a_history_is_kept_from_the_day_it_was_brought_in() {
    let world = World::with(&["--event-retention=60s", "--run-retention=1h", "--retention-interval=50ms"]).await;
    let entry = crate::import::old_run(&world, "17");
    let request = crate::import::request(&world, vec![entry]);
    crate::import::import(&world, "ada", request).await.unwrap();
    // A run that ended within the last hour by its own word, and is removed: a round has passed, and left the history alone.
    let (_, lease) = world.claimed_promotion(1).await;
    world.succeed(&lease, [1]).await;
    let complete = pb::operation::CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
    age(&world, 1).await;
    runs_left(&world, 1).await;
    let (imported,): (bool,) =
        sqlx::query_as("SELECT imported FROM operation.run").fetch_one(world.superuser.pool()).await.unwrap();
    assert!(imported);
}
