//! No gap, no repetition, one order: with commits that overtake one another, on two replicas, cut and resumed anywhere.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::sleep;
use uuid::Uuid;

use super::reader::{Came, Reader, everything, from};
use crate::harness::World;

/// Queued runs to change, made without the service.
async fn queued(world: &World, count: i32) -> Vec<Uuid> {
    sqlx::query_scalar(
        "INSERT INTO operation.run (workspace_id, id, tenant_id, type, dedupe_rule, identity_hash, mutates_tenant, initiator_name)
         SELECT $1, gen_random_uuid(), $2, 'inventory.sync', 'unique', sha256(n::text::bytea), false, 'System'
         FROM generate_series(1, $3) n RETURNING id",
    )
    .bind(world.workspace)
    .bind(world.target)
    .bind(count)
    .fetch_all(world.superuser.pool())
    .await
    .unwrap()
}

/// Changes runs until told to stop. Each transaction changes a few runs, some of them after it has waited for another one that
/// changes the same, and stays open for a while in between and before it commits: so sequence, transaction and commit orders
/// all differ, and so do the numbers of transactions and the order in which they got hold of a run.
async fn write(db: pg::Db, mine: Vec<Uuid>, seed: u64, stop: Arc<AtomicBool>) {
    let mut random = StdRng::seed_from_u64(seed);
    while !stop.load(Ordering::Relaxed) {
        let mut tx = db.system().await.unwrap();
        if random.random_bool(0.5) {
            // It has its number and holds nothing yet: others go ahead of it.
            sqlx::query("SELECT pg_current_xact_id()").execute(&mut *tx).await.unwrap();
            sleep(Duration::from_millis(random.random_range(0..8))).await;
        }
        let mut chosen: Vec<Uuid> =
            (0..random.random_range(1..4)).map(|_| mine[random.random_range(0..mine.len())]).collect();
        // In one order, so that writers wait for one another and never in a circle.
        chosen.sort();
        for run in chosen {
            sqlx::query("UPDATE operation.run SET context = jsonb_build_object('n', clock_timestamp()) WHERE id = $1")
                .bind(run)
                .execute(&mut *tx)
                .await
                .unwrap();
            sleep(Duration::from_millis(random.random_range(0..8))).await;
        }
        if random.random_bool(0.1) {
            tx.rollback().await.unwrap();
        } else {
            tx.commit().await.unwrap();
        }
    }
}

/// All events there are, in order.
async fn truth(world: &World) -> Vec<(String, i64)> {
    let rows: Vec<(Uuid, i64)> = sqlx::query_as("SELECT run_id, rev FROM operation.run_event ORDER BY xid, seq")
        .fetch_all(world.superuser.pool())
        .await
        .unwrap();
    rows.into_iter().map(|(run, rev)| (run.to_string(), rev)).collect()
}

/// The two ends that watchers check: each run's revisions are dense, whatever was snapshot or event.
#[derive(Default)]
struct Validator(HashMap<String, i64>);

impl Validator {
    fn snapshot(&mut self, run_id: &str, revision: i64) {
        assert_eq!(self.0.insert(run_id.to_owned(), revision), None, "a snapshot came twice");
    }

    fn event(&mut self, run_id: &str, revision: i64) {
        let before = self.0.insert(run_id.to_owned(), revision).unwrap_or(0);
        assert_eq!(revision, before + 1, "run {run_id}: {before} was followed by {revision}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_watchers_cut_and_resumed_see_every_event_once_and_in_order() {
    // One replica with a memory that is too small, so that resuming also reads the database.
    let mut world = World::with(&["--watch-ring-events=16"]).await;
    world.add_replica(&[]).await;
    let world = Arc::new(world);
    let runs = queued(&world, 40).await;
    let stop = Arc::new(AtomicBool::new(false));
    let db = world.database.connect_superuser().await.unwrap();
    let writers: Vec<_> = (0..8_usize)
        .map(|number| {
            // Every run has two writers.
            let mine = runs[number / 2 * 10..number / 2 * 10 + 10].to_vec();
            tokio::spawn(write(db.clone(), mine, number as u64, Arc::clone(&stop)))
        })
        .collect();

    let readers: Vec<_> = (0..2_u64)
        .map(|seed| {
            let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut random = StdRng::seed_from_u64(1000 + seed);
                let (mut validator, mut events) = (Validator::default(), Vec::new());
                let mut watch = Reader::open(world.runs_at(0, "ada"), everything(&world)).await.unwrap();
                for run in watch.snapshots().await {
                    validator.snapshot(&run.run_id, run.revision);
                }
                let (mut cuts, mut quiet) = (0, false);
                // Until the writers are done and nothing has come for a while.
                while !quiet {
                    for _ in 0..random.random_range(0..40) {
                        let Ok(next) = tokio::time::timeout(Duration::from_secs(2), watch.next()).await else {
                            quiet = stop.load(Ordering::Relaxed);
                            break;
                        };
                        if let Came::Event(event) = next.unwrap() {
                            let run = event.run.unwrap();
                            validator.event(&run.run_id, run.revision);
                            events.push((run.run_id, run.revision));
                        }
                    }
                    cuts += 1;
                    let replica = random.random_range(0..2);
                    let token = watch.token.clone();
                    watch =
                        Reader::open(world.runs_at(replica, "ada"), from(everything(&world), &token)).await.unwrap();
                }
                (events, cuts)
            })
        })
        .collect();

    sleep(Duration::from_secs(6)).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let truth = truth(&world).await;
    for reader in readers {
        let (events, cuts) = reader.await.unwrap();
        assert!(cuts > 10, "only {cuts} cuts");
        assert!(events.len() > 200, "only {} events", events.len());
        // Everything after the snapshots, in the order of the database.
        let told: Vec<_> = truth[truth.len() - events.len()..].to_vec();
        let unordered = |mut list: Vec<(String, i64)>| {
            list.sort();
            list
        };
        let seen_later: Vec<_> = truth.iter().filter(|event| events.contains(event)).cloned().collect();
        assert_eq!(events, seen_later, "out of order");
        assert!(unordered(told).len() == events.len());
        let last: HashMap<String, i64> = events.into_iter().collect();
        for (run_id, revision) in last {
            let newest = truth.iter().filter(|(run, _)| *run == run_id).map(|(_, rev)| *rev).max().unwrap();
            assert_eq!(revision, newest, "the newest events of {run_id} are missing");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_and_events_meet_without_gap_or_repetition() {
    let world = World::new().await;
    let runs = queued(&world, 12).await;
    let stop = Arc::new(AtomicBool::new(false));
    let db = world.database.connect_superuser().await.unwrap();
    let writers: Vec<_> = (0..6_usize)
        .map(|number| {
            let mine = runs[number / 3 * 6..number / 3 * 6 + 6].to_vec();
            tokio::spawn(write(db.clone(), mine, 77 + number as u64, Arc::clone(&stop)))
        })
        .collect();
    let mut random = StdRng::seed_from_u64(5);
    for _ in 0..40 {
        let mut validator = Validator::default();
        let mut watch = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
        for run in watch.snapshots().await {
            validator.snapshot(&run.run_id, run.revision);
        }
        assert_eq!(validator.0.len(), 12);
        // Also cut right behind the snapshots, where their moment is still part of the token.
        for part in 0..3 {
            for _ in 0..random.random_range(0..12) {
                let run = watch.event().await.run.unwrap();
                validator.event(&run.run_id, run.revision);
            }
            if part < 2 {
                let token = watch.token.clone();
                watch = Reader::open(world.runs("ada"), from(everything(&world), &token)).await.unwrap();
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn a_writer_that_takes_long_holds_the_stream_back_and_breaks_no_order() {
    let world = World::new().await;
    let runs = queued(&world, 2).await;
    let mut watch = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    watch.snapshots().await;
    let touch = "UPDATE operation.run SET context = '{\"touched\": true}' WHERE id = $1";
    let mut slow = world.superuser.system().await.unwrap();
    sqlx::query(touch).bind(runs[0]).execute(&mut *slow).await.unwrap();
    world.execute("UPDATE operation.run SET context = '{\"touched\": 1}' WHERE id = $1", &[runs[1]]).await;
    // Committed, but not final: the one before it may still commit.
    assert!(watch.event_within(Duration::from_millis(300)).await.is_none());
    slow.commit().await.unwrap();
    let (first, second) = (watch.event().await.run.unwrap(), watch.event().await.run.unwrap());
    assert_eq!((first.run_id, second.run_id), (runs[0].to_string(), runs[1].to_string()));
}

#[tokio::test]
async fn a_transaction_that_had_its_number_first_and_the_run_last_comes_last() {
    let world = World::new().await;
    let runs = queued(&world, 1).await;
    let touch = "UPDATE operation.run SET context = jsonb_build_object('n', clock_timestamp()) WHERE id = $1";
    let mut early = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    assert_eq!(early.snapshots().await[0].revision, 1);

    let mut first = world.superuser.system().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()").execute(&mut *first).await.unwrap();
    world.execute(touch, &[runs[0]]).await;
    // The present state has the change that was committed, and not the one that was not, though its number is lower.
    let mut late = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    assert_eq!(late.snapshots().await[0].revision, 2);
    sqlx::query(touch).bind(runs[0]).execute(&mut *first).await.unwrap();
    first.commit().await.unwrap();

    for revision in [2, 3] {
        assert_eq!(early.event().await.run.unwrap().revision, revision);
    }
    assert_eq!(late.event().await.run.unwrap().revision, 3);
}
