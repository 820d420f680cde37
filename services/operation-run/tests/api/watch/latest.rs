//! LATEST, and readers that take their time.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use pb::operation::{CompleteOperationRunRequest, Delivery, OperationRunStatus, WatchOperationRunsRequest};

use super::reader::{Reader, everything, from, of_run};
use crate::harness::{SYNC, World, succeeded};

#[tokio::test]
async fn a_dashboard_skips_what_is_superseded_and_never_the_end() {
    let world = World::new().await;
    let latest = WatchOperationRunsRequest {
        delivery: Delivery::Latest.into(),
        min_interval: Duration::from_millis(300).try_into().ok(),
        ..everything(&world)
    };
    let mut watch = Reader::open(world.runs("ada"), latest.clone()).await.unwrap();
    watch.snapshots().await;
    let (run, lease) = world.claimed_promotion(60).await;
    for ordinal in 1..=60 {
        world.succeed(&lease, [ordinal]).await;
    }
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
    // Cut after every message and resumed: revisions rise, the end comes, and it comes once.
    let (mut revisions, mut arrivals) = (Vec::new(), Vec::new());
    loop {
        let event = watch.event().await;
        arrivals.push(Instant::now());
        let seen = event.run.unwrap();
        assert_eq!(seen.run_id, run.run_id);
        revisions.push(seen.revision);
        if seen.status() == OperationRunStatus::Completed {
            break;
        }
        watch = Reader::open(world.runs("ada"), from(latest.clone(), &watch.token)).await.unwrap();
    }
    assert!(revisions.is_sorted_by(|a, b| a < b), "{revisions:?}");
    assert_eq!(*revisions.last().unwrap(), 63);
    assert!(revisions.len() < 60, "nothing was skipped: {revisions:?}");
    watch = Reader::open(world.runs("ada"), from(latest, &watch.token)).await.unwrap();
    assert!(watch.event_within(Duration::from_millis(500)).await.is_none(), "the end came twice");
}

#[tokio::test]
async fn one_message_per_run_and_interval() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(100).await;
    let interval = Duration::from_millis(400);
    let latest = WatchOperationRunsRequest {
        delivery: Delivery::Latest.into(),
        min_interval: interval.try_into().ok(),
        ..of_run(&run.run_id)
    };
    let mut watch = Reader::open(world.runs("ada"), latest).await.unwrap();
    watch.snapshots().await;
    let work = async {
        for ordinal in 1..=100 {
            world.succeed(&lease, [ordinal]).await;
        }
        let complete = CompleteOperationRunRequest { lease: Some(lease.clone()), blocked: None };
        world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
    };
    let read = async {
        let mut arrivals = Vec::new();
        while let Ok(next) = watch.next().await {
            if matches!(next, super::reader::Came::Event(_)) {
                arrivals.push(Instant::now());
            }
        }
        arrivals
    };
    let ((), arrivals) = tokio::join!(work, read);
    for pair in arrivals.windows(2) {
        // The reader's clock: allow for a message that was on its way.
        assert!(pair[1] - pair[0] > interval / 2, "{:?}", pair[1] - pair[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stands_still_delays_nobody_and_misses_nothing() {
    let world = World::with(&["--watch-ring-events=64"]).await;
    // It opens its stream and does not read.
    let mut slow = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    let mut fast = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    slow.snapshots().await;
    fast.snapshots().await;
    let mut started = Vec::new();
    // Enough to fill what the transport buffers for a stream, with contexts of some size.
    let padding = "x".repeat(8 << 10);
    for _ in 0..300 {
        let mut sync = world.sync(world.source, 0);
        sync.context = Some(prost_types::Struct {
            fields: [(
                "padding".to_owned(),
                prost_types::Value { kind: Some(prost_types::value::Kind::StringValue(padding.clone())) },
            )]
            .into(),
        });
        let began = Instant::now();
        started.push(world.start(sync).await.run.unwrap().run_id);
        assert_eq!(fast.event().await.run.unwrap().run_id, *started.last().unwrap());
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    for run_id in &started {
        assert_eq!(&slow.event().await.run.unwrap().run_id, run_id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_watchers_hear_of_everything() {
    let world = World::new().await;
    let mut watchers = Vec::new();
    for _ in 0..100 {
        let mut watch = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
        watch.snapshots().await;
        watchers.push(watch);
    }
    let run = world.start(world.sync(world.source, 1)).await.run.unwrap();
    let lease = world.claim(SYNC).await.unwrap().lease;
    let report = pb::operation::ReportItemOutcomesRequest { lease: lease.clone(), outcomes: vec![succeeded(1)] };
    world.workers("compare-service").report_item_outcomes(report).await.unwrap();
    let complete = CompleteOperationRunRequest { lease, blocked: None };
    world.workers("compare-service").complete_operation_run(complete).await.unwrap();
    let all: FuturesUnordered<_> = watchers
        .iter_mut()
        .map(|watch| async {
            let mut kinds = Vec::new();
            for _ in 0..4 {
                let event = watch.event().await;
                assert_eq!(event.run.unwrap().run_id, run.run_id);
                kinds.push(event.kind);
            }
            kinds
        })
        .collect();
    let all: Vec<Vec<String>> = all.collect().await;
    assert!(all.iter().all(|kinds| kinds == &["queued", "started", "progressed", "completed"]), "{all:?}");
}
