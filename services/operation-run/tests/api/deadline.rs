//! Deadlines: no work begins too late, a run whose time is over ends once and says so, and the time of a pause does not count.

use std::time::Duration;

use futures::future::join3;
use pb::operation::{
    CancelOperationRunRequest, ClaimOperationRunsRequest, ClaimedRun, CompleteOperationRunRequest,
    ExplainOperationRunRequest, Explanation, ExplanationCode, ItemIntent, ItemState, ListOperationRunItemsRequest,
    OperationRun, OperationRunOutcome, OperationRunStatus, RecordItemIntentsRequest, ReleaseOperationRunRequest,
    RenewLeaseRequest, ReportItemOutcomesRequest, RunFreshness, StartOutcome,
};
use tonic::Code;
use uuid::Uuid;

use crate::control::{paused, resumed};
use crate::harness::{PROMOTION, SYNC, World, assert_refused, succeeded};

/// Claims one run without waiting.
async fn claim_now(world: &World, run_type: &str) -> Option<ClaimedRun> {
    let service = if run_type == PROMOTION { "promotion-service" } else { "compare-service" };
    let request = ClaimOperationRunsRequest {
        worker: "test".into(),
        types: vec![run_type.into()],
        max_runs: 1,
        wait: Duration::ZERO.try_into().ok(),
    };
    world.workers(service).claim_operation_runs(request).await.unwrap().into_inner().runs.pop()
}

/// Makes runs so many hours older than they are: their deadlines come closer as if the time had passed.
pub async fn age(world: &World, run_ids: &[&str], hours: i32) {
    let ids: Vec<Uuid> = run_ids.iter().map(|id| id.parse().unwrap()).collect();
    let mut tx = world.superuser.pool().begin().await.unwrap();
    // As a replica: the guards, which know that none of this may change, do not look.
    sqlx::query("SET LOCAL session_replication_role = replica").execute(&mut *tx).await.unwrap();
    let aged = sqlx::query(
        "UPDATE operation.run SET created_at = created_at - $2 * interval '1 hour',
             queue_deadline = queue_deadline - $2 * interval '1 hour', run_deadline = run_deadline - $2 * interval '1 hour'
         WHERE id = ANY($1)",
    )
    .bind(&ids)
    .bind(hours)
    .execute(&mut *tx)
    .await
    .unwrap();
    assert_eq!(aged.rows_affected(), ids.len() as u64);
    tx.commit().await.unwrap();
}

async fn items(world: &World, run_id: &str) -> Vec<(ItemState, String)> {
    let request = ListOperationRunItemsRequest { run_id: run_id.into(), ..Default::default() };
    let items = world.runs("ada").list_operation_run_items(request).await.unwrap().into_inner().items;
    items.iter().map(|item| (item.state(), item.reason.clone())).collect()
}

async fn explanations(world: &World, run_id: &str) -> Vec<Explanation> {
    let request = ExplainOperationRunRequest { run_id: run_id.into() };
    world.runs("ada").explain_operation_run(request).await.unwrap().into_inner().explanations
}

async fn ended(world: &World, run_id: &str) -> OperationRun {
    world.wait_for(run_id, "ended", |run| run.status() == OperationRunStatus::Completed).await
}

/// How often the run's end was written down: as an event, in the trail, as a notification.
async fn told(world: &World, run_id: &str) -> (i64, i64, i64) {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM operation.run_event WHERE run_id = $1 AND kind = 'completed'),
             (SELECT count(*) FROM audit.entry WHERE run_id = $1 AND action = 'operation_run.completed'),
             (SELECT count(*) FROM operation.notification WHERE run_id = $1)",
    )
    .bind(run_id.parse::<Uuid>().unwrap())
    .fetch_one(world.superuser.pool())
    .await
    .unwrap()
}

fn intent(ordinal: i32) -> ItemIntent {
    ItemIntent { ordinal, desired_hash: vec![1; 32], action: "create".into(), ..Default::default() }
}

#[tokio::test]
async fn a_run_that_nobody_takes_up_in_time_ends_and_makes_room() {
    let world = World::new().await;
    let run = world.queued_promotion(2).await;
    let (created, queue) = (run.create_time.unwrap(), run.queue_deadline.unwrap());
    assert_eq!((queue.seconds - created.seconds, queue.nanos), (12 * 3600, created.nanos), "as the catalogue says");
    assert_eq!(run.run_deadline.unwrap().seconds - created.seconds, 48 * 3600);
    age(&world, &[&run.run_id], 12).await;

    let ended = ended(&world, &run.run_id).await;
    assert_eq!((ended.outcome(), ended.freshness()), (OperationRunOutcome::Failed, RunFreshness::ReconciledFailed));
    assert_eq!((ended.attempt, ended.failure_summary[0].code.as_str()), (0, "TIMED_OUT"));
    let skipped = (ItemState::Skipped, "TIMED_OUT".to_owned());
    assert_eq!(items(&world, &run.run_id).await, [skipped.clone(), skipped]);
    assert_eq!(told(&world, &run.run_id).await, (1, 1, 1));
    let why = &explanations(&world, &run.run_id).await[0];
    assert!(why.code() == ExplanationCode::Ended && why.message.contains("(TIMED_OUT)"), "{why:?}");
    // The target is free again, and so is the identity.
    assert_eq!(world.start(world.promotion(1)).await.outcome(), StartOutcome::Queued);
}

#[tokio::test]
async fn the_claim_itself_refuses_what_is_too_late() {
    // Nobody sweeps: whatever keeps a late run from being taken up is the claim.
    let world = World::with(&["--worker=false"]).await;
    let run = world.queued_promotion(1).await;
    age(&world, &[&run.run_id], 12).await;
    assert!(claim_now(&world, PROMOTION).await.is_none());
    let why = explanations(&world, &run.run_id).await;
    assert!(why.iter().any(|known| known.code() == ExplanationCode::DeadlinePassed), "{why:?}");

    // Once taken up it has made its queue deadline, also for whoever takes it up again; its run deadline is another matter.
    let sync = world.start(world.sync(world.source, 1)).await.run.unwrap();
    let lease = world.claim(SYNC).await.unwrap().lease;
    let release = |lease| ReleaseOperationRunRequest { lease, delay: None, reason: "WORKER_STOPPING".into() };
    world.workers("compare-service").release_operation_run(release(lease)).await.unwrap();
    age(&world, &[&sync.run_id], 6).await;
    let lease = world.claim(SYNC).await.expect("it was begun in time").lease;
    world.workers("compare-service").release_operation_run(release(lease)).await.unwrap();
    age(&world, &[&sync.run_id], 6).await;
    assert!(claim_now(&world, SYNC).await.is_none());
}

#[tokio::test]
async fn the_clock_stands_still_while_the_type_is_paused() {
    let world = World::new().await;
    let run = world.queued_promotion(1).await;
    let deadline = run.queue_deadline.unwrap().seconds;
    paused(&world, PROMOTION).await;
    // The type has been paused for 20 hours, and the run has waited for 21 of its 12.
    age(&world, &[&run.run_id], 21).await;
    let begin_earlier =
        "UPDATE operation.pause SET paused_at = paused_at - interval '20 hours' WHERE workspace_id = $1";
    let mut tx = world.superuser.pool().begin().await.unwrap();
    sqlx::query("SET LOCAL session_replication_role = replica").execute(&mut *tx).await.unwrap();
    sqlx::query(begin_earlier).bind(world.workspace).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();

    a_sweep_passes(&world).await;
    let waiting = world.get(&run.run_id).await;
    assert_eq!(waiting.status(), OperationRunStatus::Queued);
    let moved = waiting.queue_deadline.unwrap().seconds - (deadline - 21 * 3600);
    assert!((20 * 3600..20 * 3600 + 600).contains(&moved), "shown as it moved: by {moved} s");

    resumed(&world, PROMOTION).await;
    a_sweep_passes(&world).await;
    let explained = explanations(&world, &run.run_id).await;
    assert!(explained.iter().all(|known| known.code() != ExplanationCode::DeadlinePassed), "{explained:?}");
    assert!(claim_now(&world, PROMOTION).await.is_some(), "it has waited for an hour by its own clock");
}

/// Waits until a whole round of looking for late runs has begun and ended.
async fn a_sweep_passes(world: &World) {
    for _ in 0..2 {
        let witness = world.start(world.sync(world.source, 1)).await.run.unwrap();
        age(world, &[&witness.run_id], 7).await;
        assert_eq!(ended(world, &witness.run_id).await.outcome(), OperationRunOutcome::Failed);
    }
}

#[tokio::test]
async fn a_worker_is_told_to_stop_and_what_it_did_stays() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(4).await;
    let mut worker = world.workers("promotion-service");
    world.succeed(&lease, [1]).await;
    let record = |ordinal| RecordItemIntentsRequest { lease: Some(lease.clone()), intents: vec![intent(ordinal)] };
    assert!(!worker.record_item_intents(record(2)).await.unwrap().into_inner().cancel_requested);
    // A moment past the deadline: within the grace.
    age(&world, &[&run.run_id], 48).await;

    let renewed = worker.renew_lease(RenewLeaseRequest { lease: Some(lease.clone()) }).await.unwrap().into_inner();
    assert!(renewed.cancel_requested && renewed.timed_out && renewed.lease_ttl.is_some());
    let refused = worker.record_item_intents(record(3)).await.unwrap().into_inner();
    assert!(refused.cancel_requested && refused.timed_out);
    assert_eq!(explanations(&world, &run.run_id).await[0].code(), ExplanationCode::DeadlinePassed);
    let complete = CompleteOperationRunRequest { lease: Some(lease.clone()), blocked: None };
    // What may have been written is looked at first.
    assert_refused(worker.complete_operation_run(complete.clone()).await, Code::FailedPrecondition, "ITEMS_PENDING");
    let report = ReportItemOutcomesRequest { lease: Some(lease), outcomes: vec![succeeded(2)] };
    assert!(worker.report_item_outcomes(report).await.unwrap().into_inner().timed_out);
    let ended = worker.complete_operation_run(complete.clone()).await.unwrap().into_inner().run.unwrap();
    assert_eq!((ended.outcome(), ended.freshness()), (OperationRunOutcome::Failed, RunFreshness::ReconciledFailed));
    let counts = ended.summary_counts.unwrap();
    assert_eq!((counts.succeeded, counts.skipped, counts.processed), (Some(2), Some(2), Some(4)));
    assert_eq!(items(&world, &run.run_id).await[2], (ItemState::Skipped, "TIMED_OUT".to_owned()));
    // Said again, it is the same end.
    let again = worker.complete_operation_run(complete).await.unwrap().into_inner().run.unwrap();
    assert_eq!(again.revision, ended.revision);
    assert_eq!(told(&world, &run.run_id).await, (1, 1, 1));
}

#[tokio::test]
async fn a_run_that_is_done_is_done_however_late() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(2).await;
    world.succeed(&lease, [1, 2]).await;
    age(&world, &[&run.run_id], 48).await;
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    let ended = world.workers("promotion-service").complete_operation_run(complete).await.unwrap().into_inner();
    assert_eq!(ended.run.unwrap().outcome(), OperationRunOutcome::Succeeded);
}

#[tokio::test]
async fn a_worker_that_does_not_stop_loses_the_run() {
    let world = World::with(&["--deadline-grace=0s", "--lease-ttl-ms=500"]).await;
    let (run, lease) = world.claimed_promotion(3).await;
    let mut worker = world.workers("promotion-service");
    world.succeed(&lease, [1]).await;
    let record = RecordItemIntentsRequest { lease: Some(lease.clone()), intents: vec![intent(2)] };
    worker.record_item_intents(record).await.unwrap();
    age(&world, &[&run.run_id], 48).await;
    let renew = RenewLeaseRequest { lease: Some(lease.clone()) };
    assert_refused(worker.renew_lease(renew).await, Code::Aborted, "LEASE_LOST");

    let ended = ended(&world, &run.run_id).await;
    assert_eq!((ended.outcome(), ended.attempt), (OperationRunOutcome::Failed, 1));
    assert!(ended.failure_summary.iter().any(|line| line.code == "TIMED_OUT"), "{ended:?}");
    let outcomes = items(&world, &run.run_id).await;
    assert_eq!(outcomes[0].0, ItemState::Succeeded);
    assert_eq!(outcomes[1], (ItemState::Failed, "OUTCOME_UNKNOWN".to_owned()));
    assert_eq!(outcomes[2], (ItemState::Skipped, "TIMED_OUT".to_owned()));
    // Whoever held it says no more about it.
    let late = ReportItemOutcomesRequest { lease: Some(lease), outcomes: vec![succeeded(2)] };
    assert_refused(worker.report_item_outcomes(late).await, Code::Aborted, "LEASE_LOST");
    assert_eq!(told(&world, &run.run_id).await, (1, 1, 1));
}

#[tokio::test]
async fn a_late_run_in_the_queue_that_was_asked_to_stop_ends_as_cancelled() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(2).await;
    let mut worker = world.workers("promotion-service");
    let record = RecordItemIntentsRequest { lease: Some(lease.clone()), intents: vec![intent(1)] };
    worker.record_item_intents(record).await.unwrap();
    let cancel = CancelOperationRunRequest {
        request_id: crate::harness::request_id(),
        run_id: run.run_id.clone(),
        ..Default::default()
    };
    world.runs("ada").cancel_operation_run(cancel).await.unwrap();
    let release = ReleaseOperationRunRequest { lease: Some(lease), delay: None, reason: "WORKER_STOPPING".into() };
    worker.release_operation_run(release).await.unwrap();
    // It waits for somebody who looks at what may have been written, until its time is over.
    assert_eq!(world.get(&run.run_id).await.status(), OperationRunStatus::Queued);
    age(&world, &[&run.run_id], 48).await;
    assert_eq!(ended(&world, &run.run_id).await.outcome(), OperationRunOutcome::Cancelled);
    let outcomes = items(&world, &run.run_id).await;
    assert_eq!(outcomes[0], (ItemState::Failed, "OUTCOME_UNKNOWN".to_owned()));
    assert_eq!(outcomes[1], (ItemState::Skipped, "CANCELLED".to_owned()));
}

#[tokio::test]
async fn of_claim_cancel_and_time_out_one_comes_first() {
    let mut world = World::with(&["--rescue-interval=1ms"]).await;
    world.add_replica(&["--rescue-interval=1ms"]).await;
    let (mut by_deadline, mut by_cancel, mut claimed_runs) = (0, 0, 0);
    for round in 0..30 {
        let run = world.queued_promotion(1).await;
        let cancel = async {
            let request = CancelOperationRunRequest {
                request_id: crate::harness::request_id(),
                run_id: run.run_id.clone(),
                ..Default::default()
            };
            // Every third round nobody cancels, so that the two others meet.
            if round % 3 > 0 { Some(world.runs_at(1, "ada").cancel_operation_run(request).await) } else { None }
        };
        let (claimed, cancelled, ()) =
            join3(claim_now(&world, PROMOTION), cancel, age(&world, &[&run.run_id], 47)).await;
        if let Some(claimed) = &claimed {
            claimed_runs += 1;
            world.succeed(claimed.lease.as_ref().unwrap(), [1]).await;
            let complete = CompleteOperationRunRequest { lease: claimed.lease.clone(), blocked: None };
            world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
        }
        let ended = ended(&world, &run.run_id).await;
        match (claimed.is_some(), ended.outcome()) {
            (true, OperationRunOutcome::Succeeded) => assert_eq!(ended.attempt, 1),
            (false, OperationRunOutcome::Failed) => {
                by_deadline += 1;
                assert_eq!((ended.attempt, ended.failure_summary[0].code.as_str()), (0, "TIMED_OUT"));
            }
            (false, OperationRunOutcome::Cancelled) => {
                by_cancel += 1;
                assert!(cancelled.unwrap().is_ok());
            }
            other => panic!("{other:?}: {ended:?}"),
        }
        assert_eq!(told(&world, &run.run_id).await, (1, 1, 1));
    }
    assert_eq!(by_deadline + by_cancel + claimed_runs, 30);
}
