//! ExplainOperationRun and GetAttentionCounts: why a run does not move, and what wants attention.

use std::time::Duration;

use pb::operation::{
    AttentionCounts, CancelOperationRunRequest, ClaimOperationRunsRequest, CompleteOperationRunRequest,
    ExplainOperationRunRequest, ExplainOperationRunResponse, ExplanationCode, GetAttentionCountsRequest, ItemState,
    ListOperationRunsRequest, OperationRun, ReleaseOperationRunRequest, ReportItemOutcomesRequest, RunFilter,
    RunFreshness,
};
use tonic::Code;
use uuid::Uuid;

use crate::control::paused;
use crate::harness::{PROMOTION, SYNC, World, assert_refused, succeeded, unsuccessful};

async fn explain(world: &World, run_id: &str) -> ExplainOperationRunResponse {
    let request = ExplainOperationRunRequest { run_id: run_id.into() };
    let answer = world.runs("ada").explain_operation_run(request).await.unwrap().into_inner();
    assert_eq!(answer.run.as_ref().unwrap().run_id, run_id);
    assert!(answer.explanations.iter().all(|known| !known.message.is_empty()));
    answer
}

async fn codes(world: &World, run_id: &str) -> Vec<ExplanationCode> {
    explain(world, run_id).await.explanations.iter().map(pb::operation::Explanation::code).collect()
}

/// A worker asks for runs of the type, without waiting.
async fn ask(world: &World, run_type: &str) {
    let service = if run_type == PROMOTION { "promotion-service" } else { "compare-service" };
    let request = ClaimOperationRunsRequest {
        worker: "test".into(),
        types: vec![run_type.into()],
        max_runs: 1,
        wait: Duration::ZERO.try_into().ok(),
    };
    world.workers(service).claim_operation_runs(request).await.unwrap();
}

#[tokio::test]
async fn a_queued_run_tells_what_it_waits_for() {
    let world = World::new().await;
    let first = world.start(world.sync(world.target, 1)).await.run.unwrap();
    let alone = explain(&world, &first.run_id).await;
    assert_eq!(alone.explanations[0].code(), ExplanationCode::NoCapableWorker);
    assert!(!alone.moving());

    let second = world.start(world.sync(world.source, 1)).await.run.unwrap();
    let behind = explain(&world, &second.run_id).await;
    let ahead = behind.explanations.iter().find(|known| known.code() == ExplanationCode::AheadInQueue).unwrap();
    assert_eq!((&ahead.run_id, &ahead.link), (&first.run_id, &first.link));

    // A worker comes, takes the first and asks no more: its hands are full.
    ask(&world, SYNC).await;
    let next = explain(&world, &second.run_id).await;
    assert_eq!((next.explanations[0].code(), next.moving()), (ExplanationCode::AboutToStart, true));
    assert_eq!(codes(&world, &first.run_id).await, [ExplanationCode::InProgress]);

    paused(&world, SYNC).await;
    let held = explain(&world, &second.run_id).await;
    let pause = &held.explanations[0];
    assert_eq!((pause.code(), pause.by_name.as_str()), (ExplanationCode::PausedInWorkspace, "Dr. ada"));
    assert!(pause.since_time.is_some() && pause.message.contains("The provider is in trouble"), "{pause:?}");
}

#[tokio::test]
async fn a_run_that_was_given_back_tells_why_and_until_when() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(1).await;
    let release = |lease, reason: &str| ReleaseOperationRunRequest {
        lease: Some(lease),
        delay: Duration::from_secs(600).try_into().ok(),
        reason: reason.into(),
    };
    world.workers("promotion-service").release_operation_run(release(lease, "PROVIDER_THROTTLED")).await.unwrap();
    let waits = explain(&world, &run.run_id).await.explanations.remove(0);
    assert_eq!(waits.code(), ExplanationCode::ProviderBackoff);
    assert!(waits.until_time.is_some() && waits.message.contains("PROVIDER_THROTTLED"), "{waits:?}");

    let (run, lease) = {
        let run = world.start(world.sync(world.source, 1)).await.run.unwrap();
        (run, world.claim(SYNC).await.unwrap().lease.unwrap())
    };
    world.workers("compare-service").release_operation_run(release(lease, "WORK_FAILED")).await.unwrap();
    assert_eq!(codes(&world, &run.run_id).await, [ExplanationCode::RetryBackoff]);
}

#[tokio::test]
async fn a_running_run_tells_that_it_was_asked_to_stop_and_an_ended_one_that_it_is_over() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(1).await;
    let cancel = CancelOperationRunRequest {
        request_id: crate::harness::request_id(),
        run_id: run.run_id.clone(),
        ..Default::default()
    };
    world.runs("ada").cancel_operation_run(cancel).await.unwrap();
    assert_eq!(codes(&world, &run.run_id).await, [ExplanationCode::StopRequested]);
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
    assert_eq!(codes(&world, &run.run_id).await, [ExplanationCode::Ended]);
}

#[tokio::test]
async fn only_what_may_be_seen_is_explained() {
    let world = World::new().await;
    let run = world.queued_promotion(1).await;
    let request = ExplainOperationRunRequest { run_id: run.run_id };
    let hidden = world.runs("una").explain_operation_run(request.clone()).await;
    assert_refused(hidden, Code::NotFound, "NOT_FOUND");
    let refused = world.runs("rob").explain_operation_run(request).await;
    assert_refused(refused, Code::PermissionDenied, "CAPABILITY_MISSING");
    // The run ahead is not named to somebody who may not see it: una knows the target only.
    let ahead = world.start(world.sync(world.source, 1)).await.run.unwrap();
    let behind = world.start(world.sync(world.target, 1)).await.run.unwrap();
    let request = ExplainOperationRunRequest { run_id: behind.run_id };
    let told = world.runs("una").explain_operation_run(request).await.unwrap().into_inner();
    let in_the_way = told.explanations.iter().find(|known| known.code() == ExplanationCode::AheadInQueue).unwrap();
    assert_ne!(in_the_way.run_id, ahead.run_id);
    assert_eq!(in_the_way.run_id, "");
}

/// Makes the run overdue, past the table's own guard: an hour passes.
async fn an_hour_passes(world: &World, run_id: &str) {
    world
        .execute(
            "WITH past AS (SELECT set_config('session_replication_role', 'replica', true))
             UPDATE operation.run SET updated_at = now() - interval '1 hour',
                 not_before = least(not_before, now() - interval '1 hour'),
                 lease_expires_at = lease_expires_at - interval '1 hour'
             FROM past WHERE id = $1",
            &[run_id.parse().unwrap()],
        )
        .await;
}

async fn list(world: &World, subject: &str, filter: RunFilter) -> Vec<OperationRun> {
    let request = ListOperationRunsRequest {
        workspace_id: world.workspace.to_string(),
        filter: Some(filter),
        ..Default::default()
    };
    world.runs(subject).list_operation_runs(request).await.unwrap().into_inner().runs
}

async fn attention(world: &World, subject: &str, tenants: &[Uuid]) -> AttentionCounts {
    let request = GetAttentionCountsRequest {
        workspace_id: world.workspace.to_string(),
        tenant_ids: tenants.iter().map(Uuid::to_string).collect(),
        window: None,
    };
    world.runs(subject).get_attention_counts(request).await.unwrap().into_inner().counts.unwrap()
}

fn counts(active: i32, stale: i32, failed: i32, partially_succeeded: i32) -> AttentionCounts {
    AttentionCounts {
        active: Some(active),
        stale: Some(stale),
        failed: Some(failed),
        partially_succeeded: Some(partially_succeeded),
    }
}

#[tokio::test]
async fn what_wants_attention_is_counted_for_those_who_may_see_it() {
    // Nothing is rescued behind the test's back.
    let world = World::with(&["--worker=false"]).await;
    assert_eq!(attention(&world, "ada", &[]).await, counts(0, 0, 0, 0));
    for outcomes in [
        vec![succeeded(1), unsuccessful(2, ItemState::Failed, "REFUSED", "No")],
        vec![unsuccessful(1, ItemState::Failed, "REFUSED", "No"), unsuccessful(2, ItemState::Failed, "REFUSED", "No")],
    ] {
        let (_, lease) = world.claimed_promotion(2).await;
        let report = ReportItemOutcomesRequest { lease: Some(lease.clone()), outcomes };
        world.workers("promotion-service").report_item_outcomes(report).await.unwrap();
        let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
        world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
    }
    let stuck_queued = world.start(world.sync(world.source, 1)).await.run.unwrap();
    let stuck_running = world.start(world.sync(world.target, 1)).await.run.unwrap();
    for _ in 0..2 {
        world.claim(SYNC).await.unwrap();
    }
    let fresh = world.start(world.sync(world.target, 1)).await.run.unwrap();
    let (_, lease) = {
        // The first sync goes back to the queue.
        let all = list(&world, "ada", RunFilter::default()).await;
        let run = all.into_iter().find(|run| run.run_id == stuck_queued.run_id).unwrap();
        (run.run_id.clone(), pb::operation::Lease { run_id: run.run_id, fence: 1 })
    };
    let release = ReleaseOperationRunRequest { lease: Some(lease), ..Default::default() };
    world.workers("compare-service").release_operation_run(release).await.unwrap();
    an_hour_passes(&world, &stuck_queued.run_id).await;
    an_hour_passes(&world, &stuck_running.run_id).await;

    assert_eq!(attention(&world, "ada", &[]).await, counts(3, 2, 1, 1));
    assert_eq!(attention(&world, "ada", &[world.source]).await, counts(1, 1, 1, 1));
    // una: the target's syncs. rob may see none of them.
    assert_eq!(attention(&world, "una", &[]).await, counts(2, 1, 0, 0));
    assert_eq!(attention(&world, "rob", &[]).await, counts(0, 0, 0, 0));
    let named = GetAttentionCountsRequest {
        workspace_id: world.workspace.to_string(),
        tenant_ids: vec![world.source.to_string()],
        window: None,
    };
    assert_refused(world.runs("una").get_attention_counts(named).await, Code::NotFound, "NOT_FOUND");

    // The list of what is stuck, the counts and the freshness of each run say the same.
    let mut stuck = list(&world, "ada", RunFilter { stuck: true, ..Default::default() }).await;
    stuck.sort_by(|a, b| a.run_id.cmp(&b.run_id));
    let ids: Vec<&str> = stuck.iter().map(|run| run.run_id.as_str()).collect();
    assert_eq!(ids, [&stuck_queued.run_id, &stuck_running.run_id]);
    for run in list(&world, "ada", RunFilter::default()).await {
        assert_eq!(run.freshness() == RunFreshness::LikelyStale, ids.contains(&run.run_id.as_str()), "{run:?}");
    }
    assert_eq!(codes(&world, &stuck_running.run_id).await[0], ExplanationCode::LeaseExpired);
    // A pause is a reason to wait.
    paused(&world, SYNC).await;
    let stuck = list(&world, "ada", RunFilter { stuck: true, ..Default::default() }).await;
    assert_eq!(stuck.iter().map(|run| &run.run_id).collect::<Vec<_>>(), [&stuck_running.run_id]);
    assert_eq!(attention(&world, "ada", &[]).await, counts(3, 1, 1, 1));
    assert_ne!(fresh.run_id, stuck_queued.run_id);
}

#[tokio::test]
async fn a_list_is_cut_by_time() {
    let world = World::new().await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(world.start(world.sync(world.target, 1)).await.run.unwrap());
    }
    let ids = |runs: Vec<OperationRun>| runs.into_iter().map(|run| run.run_id).collect::<Vec<_>>();
    let middle = runs[1].create_time;
    let from = list(&world, "ada", RunFilter { created_from: middle, ..Default::default() }).await;
    assert_eq!(ids(from), [runs[2].run_id.as_str(), runs[1].run_id.as_str()]);
    let before = list(&world, "ada", RunFilter { created_before: middle, ..Default::default() }).await;
    assert_eq!(ids(before), [runs[0].run_id.as_str()]);
    let nothing = ListOperationRunsRequest {
        workspace_id: world.workspace.to_string(),
        filter: Some(RunFilter { created_from: middle, created_before: middle, ..Default::default() }),
        ..Default::default()
    };
    assert_refused(world.runs("ada").list_operation_runs(nothing).await, Code::InvalidArgument, "FIELD_INVALID");
    let watch = pb::operation::WatchOperationRunsRequest {
        workspace_id: world.workspace.to_string(),
        filter: Some(RunFilter { stuck: true, ..Default::default() }),
        ..Default::default()
    };
    assert_refused(world.runs("ada").watch_operation_runs(watch).await, Code::InvalidArgument, "FIELD_INVALID");
}

#[tokio::test]
async fn an_estimate_rests_on_what_was_measured_and_on_nothing_else() {
    let world = World::new().await;
    let waiting = async || {
        let run = world.start(world.sync(world.source, 1)).await.run.unwrap();
        let answer = explain(&world, &run.run_id).await;
        (run, answer.estimate)
    };
    let mut done = 0;
    // With a worker about, and with no, one and two runs that were done: nothing is known yet.
    ask(&world, SYNC).await;
    loop {
        let (run, estimate) = waiting().await;
        let claimed = world.claim(SYNC).await.unwrap();
        assert_eq!(claimed.run.unwrap().run_id, run.run_id);
        if done >= 3 {
            let estimate = estimate.expect("three were done");
            assert!(estimate.start_time.is_some() && estimate.complete_time.is_some(), "{estimate:?}");
            assert_eq!(estimate.sample_runs, 3);
            let working = explain(&world, &run.run_id).await.estimate;
            assert!(working.is_none_or(|working| working.start_time.is_none()), "it has begun");
            break;
        }
        assert_eq!(estimate, None, "after {done}");
        let lease = claimed.lease;
        let mut worker = world.workers("compare-service");
        let report = ReportItemOutcomesRequest { lease: lease.clone(), outcomes: vec![succeeded(1)] };
        worker.report_item_outcomes(report).await.unwrap();
        worker.complete_operation_run(CompleteOperationRunRequest { lease, blocked: None }).await.unwrap();
        done += 1;
    }
    // What does not get on has no end in sight.
    paused(&world, PROMOTION).await;
    let (run, estimate) = waiting().await;
    assert!(estimate.is_some());
    paused(&world, SYNC).await;
    assert_eq!(explain(&world, &run.run_id).await.estimate, None);
}
