//! Resuming, at every edge of what is kept.

use std::time::Duration;

use pb::operation::{RunEvent, WatchOperationRunsRequest};
use tonic::Code;

use super::reader::{Reader, everything, from, of_other_epoch, of_run, token_at};
use crate::harness::{World, assert_refused};

/// The positions of all events, in order.
async fn positions(world: &World) -> Vec<(i64, i64)> {
    sqlx::query_as("SELECT xid::text::bigint, seq FROM operation.run_event ORDER BY xid, seq")
        .fetch_all(world.superuser.pool())
        .await
        .unwrap()
}

async fn revisions(watch: &mut Reader, count: usize) -> Vec<i64> {
    let mut revisions = Vec::new();
    for _ in 0..count {
        revisions.push(watch.event().await.run.unwrap().revision);
    }
    revisions
}

/// A run with ten events, and a token of a watch of everything.
async fn ten_events(world: &World) -> String {
    let (_, lease) = world.claimed_promotion(8).await;
    for ordinal in 1..=8 {
        world.succeed(&lease, [ordinal]).await;
    }
    let mut watch = Reader::open(world.runs("ada"), everything(world)).await.unwrap();
    watch.snapshots().await;
    watch.token.clone()
}

async fn resume(world: &World, request: WatchOperationRunsRequest) -> Result<Reader, tonic::Status> {
    Reader::open(world.runs("ada"), request).await
}

/// With everything in memory, and with a memory too small for it.
#[tokio::test]
async fn every_edge_has_its_answer() {
    for options in [&["--watch-ring-events=65536"][..], &["--watch-ring-events=16"][..]] {
        let world = World::with(options).await;
        let token = ten_events(&world).await;
        for _ in 0..20 {
            // Others' events, so that a small memory has forgotten ours.
            world.start(world.sync(world.source, 1)).await;
        }
        let all = positions(&world).await;
        assert_eq!(all.len(), 30);
        let at = |(xid, seq): (i64, i64)| from(everything(&world), &token_at(&token, xid, seq));

        // Before the first event ever: everything. On the first: everything after it.
        let mut from_start = resume(&world, at((all[0].0, all[0].1 - 1))).await.unwrap();
        assert_eq!(revisions(&mut from_start, 10).await, (1..=10).collect::<Vec<_>>());
        let mut after_first = resume(&world, at(all[0])).await.unwrap();
        assert_eq!(revisions(&mut after_first, 9).await, (2..=10).collect::<Vec<_>>());
        // At the head: only what comes. Ahead of it: not even that which lies before.
        let head = *all.last().unwrap();
        let mut at_head = resume(&world, at(head)).await.unwrap();
        let mut ahead = resume(&world, at((head.0 + 1_000_000, 0))).await.unwrap();
        let new = world.start(world.sync(world.target, 1)).await.run.unwrap();
        assert_eq!(at_head.event().await.run.unwrap().run_id, new.run_id);
        assert!(ahead.event_within(Duration::from_millis(300)).await.is_none());

        // Retention: the floor is raised first, then events are removed.
        let floor = all[4];
        sqlx::query("UPDATE operation.watch_floor SET xid = $1::text::xid8, seq = $2")
            .bind(floor.0.to_string())
            .bind(floor.1)
            .execute(world.superuser.pool())
            .await
            .unwrap();
        sqlx::query("DELETE FROM operation.run_event WHERE (xid, seq) <= ($1::text::xid8, $2)")
            .bind(floor.0.to_string())
            .bind(floor.1)
            .execute(world.superuser.pool())
            .await
            .unwrap();
        let mut oldest = resume(&world, at(floor)).await.unwrap();
        assert_eq!(revisions(&mut oldest, 5).await, (6..=10).collect::<Vec<_>>());
        if options.contains(&"--watch-ring-events=16") {
            let mut too_old = resume(&world, at(all[3])).await.unwrap();
            assert_refused(Err::<(), _>(too_old.end().await.unwrap()), Code::OutOfRange, "CURSOR_COMPACTED");
        } else {
            // Still in memory: nothing is missing.
            let mut old = resume(&world, at(all[3])).await.unwrap();
            assert_eq!(revisions(&mut old, 6).await, (5..=10).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn a_token_of_another_history_is_told_apart() {
    let world = World::new().await;
    let token = ten_events(&world).await;
    let other = resume(&world, from(everything(&world), &of_other_epoch(&token))).await;
    assert_refused(other.map(|_| ()), Code::OutOfRange, "CURSOR_EPOCH");
    let run = world
        .get(&{
            let request = pb::operation::ListOperationRunsRequest {
                workspace_id: world.workspace.to_string(),
                ..Default::default()
            };
            world.runs("ada").list_operation_runs(request).await.unwrap().into_inner().runs[0].run_id.clone()
        })
        .await;
    let other_watch = resume(&world, from(of_run(&run.run_id), &token)).await;
    assert_refused(other_watch.map(|_| ()), Code::InvalidArgument, "RESUME_TOKEN_INVALID");
}

#[tokio::test]
async fn old_events_are_removed_and_told_of() {
    let world = World::with(&["--event-retention=60s", "--retention-interval=100ms", "--watch-ring-events=16"]).await;
    let token = ten_events(&world).await;
    // The token itself may lie before the newest events: other tests' open transactions hold back what is final.
    let ours = positions(&world).await;
    let (first, last) = (ours[0], ours[9]);
    for _ in 0..20 {
        world.start(world.sync(world.source, 1)).await;
    }
    // Time passes.
    world.execute("ALTER TABLE operation.run_event DISABLE TRIGGER run_event_immutable", &[]).await;
    world
        .execute(
            "UPDATE operation.run_event SET at = at - interval '2 minutes' WHERE run->>'type' = 'promotion.execute'",
            &[],
        )
        .await;
    let deadline = tokio::time::Instant::now() + crate::harness::SOON;
    while positions(&world).await.len() != 20 {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", positions(&world).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut too_old = resume(&world, from(everything(&world), &token_at(&token, first.0, first.1))).await.unwrap();
    assert_refused(Err::<(), _>(too_old.end().await.unwrap()), Code::OutOfRange, "CURSOR_COMPACTED");
    // What is not old is all there.
    let mut fresh = resume(&world, from(everything(&world), &token_at(&token, last.0, last.1))).await.unwrap();
    for _ in 0..20 {
        let event: RunEvent = fresh.event().await;
        assert_eq!(event.kind, "queued");
    }
}
