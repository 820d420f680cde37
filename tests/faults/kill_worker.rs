//! promotion-service is killed, again and again, while it works on one run.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Result, ensure};
use dev::persona::Persona;
use pb::operation::OperationRunStatus;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use system_tests::provider::{FaultAction, FaultRule};

use crate::ground::{Ground, Replicas, chance, tell};
use crate::proof;
use crate::watcher::{Place, Watcher, saw_all};

#[tokio::test]
async fn a_worker_killed_twenty_times_does_everything_once() -> Result<()> {
    killed(20, 0..4, 0.0).await
}

#[tokio::test]
#[ignore = "minutes: cargo dev faults"]
async fn fault_01_a_worker_killed_fifty_times_over_broken_connections_does_everything_once() -> Result<()> {
    killed(50, 0..3, 0.2).await
}

/// Kills it so often, with so many items in between, while this share of the provider's replies to writes is lost.
async fn killed(kills: usize, between: Range<i32>, lost: f64) -> Result<()> {
    let mut chance = chance("kill_worker")?;
    let mut ground = Ground::prepare(Replicas { promotion: 1, operation_run: 2 }).await?;
    ground.slow_down(Duration::from_millis(25)).await?;
    let lose = FaultRule::new(FaultAction::TimeoutAfterCommit { hold_ms: 0 }).tenant(ground.target()).method("WRITE");
    ground.provider().fault(&lose.chance(lost, chance.random())).await?;
    let run = ground.execute().await?;
    let mut watchers = watchers(&ground, &run.run_id, &mut chance)?;

    let mut attempt = 0;
    for kill in 1..=kills {
        // Whoever was killed is replaced: wait until the next one has the run, and let it get a little further.
        let claimed = watchers[0].sees(|run| over(run) || run.attempt > attempt).await?;
        ensure!(!over(&claimed), "the run ended before kill {kill}: it went too fast to be disturbed");
        attempt = claimed.attempt;
        let processed = |run: &pb::operation::OperationRun| run.summary_counts.unwrap_or_default().processed();
        let further = processed(&claimed) + chance.random_range(between.clone());
        let reached = watchers[0].sees(|run| over(run) || processed(run) >= further).await?;
        ensure!(!over(&reached), "the run ended before kill {kill}: it went too fast to be disturbed");
        // Anywhere within an item: this waits for nothing, it only chooses the moment.
        tokio::time::sleep(Duration::from_millis(chance.random_range(0..120))).await;
        let worker = &mut ground.story.scene.stack.promotion[0];
        worker.kill().await?;
        tell(&format!("kill {kill}: attempt {attempt}, {} items done", processed(&reached)));
        worker.restart().await?;
    }
    ground.provider().heal().await?;

    let ended = ground.end_of(&run.run_id).await?;
    proof::everything_is_there_once(&ground, &ended).await?;
    let mut seen = Vec::new();
    for watcher in watchers {
        seen.push(watcher.ends().await?);
    }
    saw_all(&seen, &ended)?;
    let cuts: Vec<usize> = seen.iter().map(|seen| seen.cuts).collect();
    tell(&format!(
        "{kills} kills, {} claims, {} revisions, watchers cut {cuts:?} times",
        ended.attempt, ended.revision
    ));
    Ok(())
}

fn over(run: &pb::operation::OperationRun) -> bool {
    run.status() == OperationRunStatus::Completed
}

/// One at each replica of operation-run-service, one that wanders between them, and one at the service that is killed.
fn watchers(ground: &Ground, run_id: &str, chance: &mut StdRng) -> Result<Vec<Watcher>> {
    let stack = &ground.story.scene.stack;
    let token = stack.token(Persona::Manager)?;
    let runs = |replica: usize| -> Result<Place> {
        Ok(Place::Runs(dev::client::Session::new(&stack.endpoints_of(0, replica)?, &token)?))
    };
    let promotions =
        || -> Result<Place> { Ok(Place::Promotions(dev::client::Session::new(&stack.endpoints_of(0, 0)?, &token)?)) };
    let places = [vec![runs(0)?], vec![runs(1)?], vec![runs(0)?, runs(1)?], vec![promotions()?, runs(1)?]];
    let begin = |places| Watcher::begin(places, run_id, StdRng::from_rng(chance));
    Ok(places.into_iter().map(begin).collect())
}
