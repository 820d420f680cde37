//! What a dashboard sees of a run's life.

use std::time::Duration;

use pb::operation::{
    CompleteOperationRunRequest, OperationRunOutcome, OperationRunStatus, ReleaseOperationRunRequest, RunFilter,
    WatchOperationRunsRequest,
};
use tonic::Code;

use super::reader::{Came, Reader, everything, from, of_run};
use crate::harness::{PROMOTION, World, assert_refused};

#[tokio::test]
async fn the_present_state_then_every_change_in_order() {
    let world = World::new().await;
    let before = world.start(world.sync(world.source, 1)).await.run.unwrap();
    let mut watch = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    let snapshots = watch.snapshots().await;
    assert_eq!(snapshots.iter().map(|run| run.run_id.as_str()).collect::<Vec<_>>(), [before.run_id.as_str()]);

    let (run, lease) = world.claimed_promotion(2).await;
    world.succeed(&lease, [1]).await;
    let mut worker = world.workers("promotion-service");
    worker
        .release_operation_run(ReleaseOperationRunRequest { lease: Some(lease), ..Default::default() })
        .await
        .unwrap();
    let lease = world.claim(PROMOTION).await.unwrap().lease.unwrap();
    world.succeed(&lease, [2]).await;
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    let ended = worker.complete_operation_run(complete).await.unwrap().into_inner().run.unwrap();

    let mut told = Vec::new();
    while told.last().is_none_or(|(kind, _): &(String, i64)| kind != "completed") {
        let event = watch.event().await;
        let seen = event.run.unwrap();
        assert_eq!(seen.run_id, run.run_id);
        assert!(event.event_time.is_some());
        told.push((event.kind, seen.revision));
        if seen.status() == OperationRunStatus::Completed {
            assert_eq!((seen.outcome(), seen.summary_counts), (OperationRunOutcome::Succeeded, ended.summary_counts));
        }
    }
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["queued", "started", "progressed", "requeued", "started", "progressed", "completed"]);
    assert_eq!(told.iter().map(|(_, revision)| *revision).collect::<Vec<_>>(), (1..=7).collect::<Vec<_>>());
}

#[tokio::test]
async fn history_is_not_part_of_the_present_state() {
    let world = World::new().await;
    // Runs that were blocked when they were started: 1005 that ended within a day, one a minute, and 3 that ended before.
    world
        .execute(
            "INSERT INTO operation.run (workspace_id, id, tenant_id, type, status, outcome, dedupe_rule, identity_hash,
                 mutates_tenant, initiator_name, created_at, completed_at)
             SELECT $1, gen_random_uuid(), $2, 'inventory.sync', 'completed', 'blocked', 'while_active',
                 sha256(n::text::bytea), false, 'System', now() - interval '30 days',
                 now() - interval '1 minute' * CASE WHEN n <= 1005 THEN n ELSE 1440 + n END
             FROM generate_series(1, 1008) n",
            &[world.workspace, world.source],
        )
        .await;
    let active = world.queued_promotion(1).await;
    let (limit,): (i64,) = sqlx::query_as("SELECT extract(epoch FROM now() - interval '1000 minutes')::bigint")
        .fetch_one(world.superuser.pool())
        .await
        .unwrap();
    let mut watch = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    let snapshots = watch.snapshots().await;
    assert_eq!(snapshots[0].run_id, active.run_id);
    let ended: Vec<i64> = snapshots[1..].iter().map(|run| run.complete_time.unwrap().seconds).collect();
    assert_eq!(ended.len(), 1000);
    assert!(ended.is_sorted_by(|later, earlier| later >= earlier), "{ended:?}");
    assert!(ended[999] >= limit - 60);

    // With few runs the day is the limit.
    world.execute("DELETE FROM operation.run WHERE completed_at BETWEEN now() - interval '1 day' AND now() - interval '10 minutes'", &[]).await;
    let mut watch = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    let left = watch.snapshots().await.len();
    assert!((10..=11).contains(&left), "{left}");
}

#[tokio::test]
async fn a_watch_of_one_run_ends_with_it() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(1).await;
    let mut watch = Reader::open(world.runs("ada"), of_run(&run.run_id)).await.unwrap();
    assert_eq!(watch.snapshots().await.len(), 1);
    let early = watch.token.clone();
    // Another run is not what was asked for.
    world.start(world.sync(world.target, 1)).await;
    world.succeed(&lease, [1]).await;
    assert_eq!(watch.event().await.kind, "progressed");
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
    assert_eq!(watch.event().await.kind, "completed");
    assert!(watch.next().await.unwrap_err().is_none());

    // Resumed after the end there is nothing more to tell; resumed before, what was missed and the end.
    let mut late = Reader::open(world.runs("ada"), from(of_run(&run.run_id), &watch.token)).await.unwrap();
    assert!(matches!(late.next().await, Ok(Came::Bookmark { .. })));
    assert!(late.next().await.unwrap_err().is_none());
    let mut missed = Reader::open(world.runs("ada"), from(of_run(&run.run_id), &early)).await.unwrap();
    assert_eq!((missed.event().await.kind, missed.event().await.kind), ("progressed".into(), "completed".into()));
    assert!(missed.end().await.is_none());
    // A new watch shows how it ended, and ends.
    let mut over = Reader::open(world.runs("ada"), of_run(&run.run_id)).await.unwrap();
    assert_eq!(over.snapshots().await[0].status(), OperationRunStatus::Completed);
    assert!(over.next().await.unwrap_err().is_none());
}

#[tokio::test]
async fn bookmarks_come_while_nothing_happens() {
    let world = World::with(&["--watch-bookmark-interval=100ms"]).await;
    let mut watch = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    watch.snapshots().await;
    for _ in 0..3 {
        assert!(matches!(watch.next().await, Ok(Came::Bookmark { initial_end: false })));
    }
    let token = watch.token.clone();
    world.queued_promotion(1).await;
    let mut resumed = Reader::open(world.runs("ada"), from(everything(&world), &token)).await.unwrap();
    assert_eq!(resumed.event().await.kind, "queued");
}

#[tokio::test]
async fn a_filter_tells_when_a_run_leaves_it() {
    let world = World::new().await;
    let filter = RunFilter { statuses: vec![OperationRunStatus::Running.into()], ..Default::default() };
    let request = WatchOperationRunsRequest { filter: Some(filter), ..everything(&world) };
    let mut watch = Reader::open(world.runs("ada"), request).await.unwrap();
    assert_eq!(watch.snapshots().await, []);
    let (_, lease) = world.claimed_promotion(1).await;
    world.start(world.sync(world.target, 1)).await;
    world.succeed(&lease, [1]).await;
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
    for kind in ["started", "progressed", "completed"] {
        assert_eq!(watch.event().await.kind, kind);
    }
    assert!(watch.event_within(Duration::from_millis(200)).await.is_none());
}

#[tokio::test]
async fn snapshots_of_many_ended_runs_are_complete() {
    let world = World::new().await;
    let mut ended = Vec::new();
    for number in 0..450 {
        ended.push(format!("({number})"));
    }
    // More than one page of runs that were blocked when they were started.
    sqlx::query(
        "INSERT INTO operation.run (workspace_id, id, tenant_id, type, status, outcome, dedupe_rule, identity_hash,
             mutates_tenant, initiator_name, completed_at, created_at)
         SELECT $1, gen_random_uuid(), $2, 'inventory.sync', 'completed', 'blocked', 'unique', sha256(n::text::bytea),
             false, 'System', now(), now() - n * interval '1 minute'
         FROM generate_series(1, 450) n",
    )
    .bind(world.workspace)
    .bind(world.target)
    .execute(world.superuser.pool())
    .await
    .unwrap();
    let queued = world.queued_promotion(1).await;
    let mut watch = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    let snapshots = watch.snapshots().await;
    assert_eq!(snapshots.len(), ended.len() + 1);
    assert_eq!(snapshots[0].run_id, queued.run_id);
    let ids: std::collections::HashSet<&str> = snapshots.iter().map(|run| run.run_id.as_str()).collect();
    assert_eq!(ids.len(), snapshots.len());
}

#[tokio::test]
async fn malformed_watches_are_refused() {
    let world = World::new().await;
    let neither = Reader::open(world.runs("ada"), WatchOperationRunsRequest::default()).await;
    assert_refused(neither.map(|_| ()), Code::InvalidArgument, "FIELD_INVALID");
    let token = from(everything(&world), "AAAA");
    assert_refused(
        Reader::open(world.runs("ada"), token).await.map(|_| ()),
        Code::InvalidArgument,
        "RESUME_TOKEN_INVALID",
    );
    let interval =
        WatchOperationRunsRequest { min_interval: Duration::from_millis(99).try_into().ok(), ..everything(&world) };
    assert_refused(Reader::open(world.runs("ada"), interval).await.map(|_| ()), Code::InvalidArgument, "FIELD_INVALID");
}
