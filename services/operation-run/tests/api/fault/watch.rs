//! Faults 13, 17 and 19 at the watch: a writer that takes long, bookmarks among events, a reader that goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pb::operation::{CompleteOperationRunRequest, OperationRunOutcome};
use tokio::time::Instant;
use tonic::Code;

use crate::harness::{PROMOTION, SYNC, World, succeeded};
use crate::watch::reader::{Came, Reader, everything, from};

#[tokio::test]
async fn fault_13_a_writer_that_takes_long_holds_up_the_watch_and_nobody_else() {
    let world = World::new().await;
    let mut watch = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    watch.snapshots().await;
    // It has its number and writes: nothing that comes later is final before it ends.
    let mut long = world.superuser.pool().begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()").execute(&mut *long).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..3 {
        let (run, lease) = world.claimed_promotion(1).await;
        world.succeed(&lease, [1]).await;
        let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
        let ended = world.workers("promotion-service").complete_operation_run(complete).await.unwrap().into_inner();
        assert_eq!(ended.run.unwrap().outcome(), OperationRunOutcome::Succeeded);
        told.extend((1..=4).map(|revision| (run.run_id.clone(), revision)));
    }
    assert!(watch.event_within(Duration::from_millis(400)).await.is_none(), "nothing of it is final");
    long.rollback().await.unwrap();
    for expected in told {
        let run = watch.event().await.run.unwrap();
        assert_eq!((run.run_id, run.revision), expected);
    }
}

fn position(token: &str) -> (i64, i64) {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    let number = |at: usize| i64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
    (number(17), number(25))
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_17_no_event_comes_after_a_bookmark_that_lies_beyond_it() {
    // Bookmarks as often as can be, a reader that takes its time, and a memory that is too small for it.
    let world = Arc::new(World::with(&["--watch-bookmark-interval=1ms", "--watch-ring-events=16"]).await);
    let mut watch = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    watch.snapshots().await;
    let stop = Arc::new(AtomicBool::new(false));
    let working = {
        let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut events = 0;
            while !stop.load(Ordering::Relaxed) {
                world.start(world.sync(world.source, 1)).await;
                let lease = world.claim(SYNC).await.unwrap().lease;
                let report =
                    pb::operation::ReportItemOutcomesRequest { lease: lease.clone(), outcomes: vec![succeeded(1)] };
                world.workers("compare-service").report_item_outcomes(report).await.unwrap();
                let complete = CompleteOperationRunRequest { lease, blocked: None };
                world.workers("compare-service").complete_operation_run(complete).await.unwrap();
                events += 4;
            }
            events
        })
    };
    let (mut events, mut bookmarks, mut before) = (0, 0, position(&watch.token));
    let until = Instant::now() + Duration::from_secs(4);
    let mut written = None;
    let mut working = Some(working);
    while written != Some(events) {
        if Instant::now() > until
            && let Some(working) = working.take()
        {
            stop.store(true, Ordering::Relaxed);
            written = Some(working.await.unwrap());
            continue;
        }
        let came = watch.next().await.expect("a message");
        let at = position(&watch.token);
        match came {
            Came::Event(event) => {
                assert!(at > before, "{event:?} lies at {at:?} and came after {before:?}");
                events += 1;
            }
            Came::Bookmark { .. } => {
                assert!(at >= before, "a bookmark goes back from {before:?} to {at:?}");
                bookmarks += 1;
            }
            Came::Snapshot(run) => panic!("{run:?}"),
        }
        before = at;
        // Now and then it goes on elsewhere, from a bookmark or an event.
        if (events + bookmarks) % 23 == 0 {
            watch = Reader::open(world.runs("ada"), from(everything(&world), &watch.token)).await.unwrap();
        }
        if events % 7 == 0 {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
    assert!(events > 20 && bookmarks > 20, "{events} events, {bookmarks} bookmarks");
}

#[tokio::test]
async fn fault_19_a_stream_that_nobody_reads_any_more_is_freed_within_a_second() {
    let mut world = World::new().await;
    // Room for one: whether it is free shows when the next one comes.
    let small = world.add_replica(&["--max-streams-per-caller=1"]).await;
    let open = || Reader::open(world.runs_at(small, "ada"), everything(&world));
    for _ in 0..3 {
        let mut watch = open().await.unwrap();
        watch.snapshots().await;
        let full = open().await.map(drop).expect_err("there is room for one");
        assert_eq!(full.code(), Code::ResourceExhausted, "{full:?}");
        drop(watch);
        let gone = Instant::now();
        let next = loop {
            match open().await {
                Ok(next) => break next,
                Err(status) => assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}"),
            }
            assert!(gone.elapsed() < Duration::from_secs(1), "it is still held");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        drop(next);
        // And that one too, before the next round.
        let gone = Instant::now();
        while open().await.is_err() {
            assert!(gone.elapsed() < Duration::from_secs(1), "it is still held");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    // A run can be claimed and ended meanwhile: nothing else was held.
    world.queued_promotion(1).await;
    assert!(world.claim(PROMOTION).await.is_some());
}
