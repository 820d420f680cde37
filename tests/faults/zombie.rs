//! A worker that is stopped past its lease and wakes up when others have taken its run over.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use dev::client::Session;
use dev::stack::Process;
use pb::operation::{
    CompleteOperationRunRequest, ItemIntent, ItemOutcome, ItemState, Lease, ListClaimedItemsRequest,
    RecordItemIntentsRequest, ReleaseOperationRunRequest, RenewLeaseRequest, ReportItemOutcomesRequest,
};
use rand::Rng as _;
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::ground::{Ground, LIMIT, Replicas, chance, tell};
use crate::proof;

const PAIR: Replicas = Replicas { promotion: 2, operation_run: 1 };
/// How often the run changes hands.
const ROUNDS: usize = 4;

#[tokio::test]
async fn workers_that_wake_up_too_late_change_nothing() -> Result<()> {
    let mut chance = chance("zombie")?;
    let mut ground = Ground::prepare(PAIR).await?;
    ground.slow_down(Duration::from_millis(60)).await?;
    ground.story.scene.stack.promotion[1].kill().await?;
    let run = ground.execute().await?;
    ground.processed(&run.run_id, 3).await?;
    ground.story.scene.stack.promotion[1].restart().await?;

    let service = service(&ground)?;
    let mut fence = 0;
    for round in 0..ROUNDS {
        let workers = &ground.story.scene.stack.promotion;
        let (holder, other) = (&workers[round % 2], &workers[1 - round % 2]);
        let before = ground.processed(&run.run_id, 3 + 4 * i32::try_from(round)?).await?;
        tokio::time::sleep(Duration::from_millis(chance.random_range(0..150))).await;
        let held = fence_of(&ground, &run.run_id).await?;
        ensure!(held > fence, "the fence rises with every claim");
        fence = held;
        holder.signal("STOP").await?;
        works_on(&ground, other, &run.run_id, before.attempt).await?;
        every_late_word_is_refused(&service, &run.run_id, fence).await?;
        // While the other one looks at what was in flight: the worst moment to wake up.
        holder.signal("CONT").await?;
    }
    ground.provider().heal().await?;
    let ended = ground.end_of(&run.run_id).await?;
    tell(&format!("{ROUNDS} stopped workers, {} claims", ended.attempt));
    proof::everything_is_there_once(&ground, &ended).await
}

/// The worst of all moments: the intent is recorded, its answer is on the way, and nothing is written yet. Whoever takes the
/// run over cannot find the object and creates it; then the stopped worker wakes up with the permission in its hands.
#[tokio::test]
async fn a_worker_that_sleeps_between_intent_and_write_does_not_write() -> Result<()> {
    let mut ground = Ground::prepare(PAIR).await?;
    ground.slow_down(Duration::from_millis(20)).await?;
    ground.story.scene.stack.promotion[1].kill().await?;
    let run = ground.execute().await?;
    let begun = ground.processed(&run.run_id, 5).await?;

    let asleep = sleep_between_intent_and_write(&ground, &run.run_id).await?;
    ground.provider().heal().await?;
    ground.story.scene.stack.promotion[1].restart().await?;
    let ended = ground.end_of(&run.run_id).await?;
    ensure!(ended.attempt > begun.attempt, "another worker brought it to its end");

    let sleeper = ground.story.scene.stack.promotion.remove(0);
    sleeper.signal("CONT").await?;
    logs(&sleeper, "lease of a run was lost").await?;
    // It is through with everything it had in its hands when it is gone.
    sleeper.stop().await?;
    tell(&format!("slept with {asleep:?} in its hands"));
    proof::everything_is_there_once(&ground, &ended).await
}

/// Stops the first worker so that it has recorded intents whose objects it has not sent yet; names them.
async fn sleep_between_intent_and_write(ground: &Ground, run_id: &str) -> Result<BTreeSet<String>> {
    let worker = &ground.story.scene.stack.promotion[0];
    let tries = Instant::now() + LIMIT;
    while Instant::now() < tries {
        // Whatever the worker says about the run waits here.
        let mut hold = ground.story.rows.begin().await?;
        sqlx::query("SELECT 1 FROM operation.run WHERE id = $1::uuid FOR NO KEY UPDATE")
            .bind(run_id)
            .execute(&mut *hold)
            .await?;
        // Everybody has said something and waits.
        waiting(ground, 2).await?;
        worker.signal("STOP").await?;
        hold.commit().await?;
        nobody_waits(ground).await?;
        let intended: Vec<String> = sqlx::query_scalar(
            "SELECT label FROM operation.run_item
             WHERE run_id = $1::uuid AND state = 'pending' AND intent_fence IS NOT NULL",
        )
        .bind(run_id)
        .fetch_all(&ground.story.rows)
        .await?;
        let there = proof::names(&ground.provider().objects(ground.target()).await?);
        let asleep: BTreeSet<_> =
            intended.into_iter().filter(|label| !there.keys().any(|(_, name)| name == label)).collect();
        if !asleep.is_empty() {
            return Ok(asleep);
        }
        worker.signal("CONT").await?;
        let now = ground.until(run_id, |_| true).await?.summary_counts.unwrap_or_default().processed();
        ground.processed(run_id, now + 1).await?;
    }
    bail!("the worker was never found between intent and write")
}

/// Until so many of the services' connections wait for a lock, or nobody will: what a stopped clock would show.
async fn waiting(ground: &Ground, number: i64) -> Result<()> {
    let limit = Instant::now() + Duration::from_secs(1);
    while waiters(ground).await? < number && Instant::now() < limit {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn nobody_waits(ground: &Ground) -> Result<()> {
    let limit = Instant::now() + LIMIT;
    while waiters(ground).await? > 0 {
        ensure!(Instant::now() < limit, "somebody waits for a lock that nobody holds");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Transactions of the services that are not over.
async fn waiters(ground: &Ground) -> Result<i64> {
    let number = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'tenantatlas_operation' AND wait_event_type = 'Lock'";
    Ok(sqlx::query_scalar(number).fetch_one(&ground.story.rows).await?)
}

/// operation-run-service as promotion-service sees it.
fn service(ground: &Ground) -> Result<Session> {
    let stack = &ground.story.scene.stack;
    let token = stack.issuer.mint_service("promotion-service", Duration::from_secs(3600))?;
    Session::new(&stack.endpoints()?, &token)
}

async fn fence_of(ground: &Ground, run_id: &str) -> Result<i64> {
    let fence = sqlx::query_scalar("SELECT fence FROM operation.run WHERE id = $1::uuid");
    Ok(fence.bind(run_id).fetch_one(&ground.story.rows).await?)
}

/// Waits until this process works on the run by a claim after `attempt`. The stopped one may have been given it once more:
/// its question for work was still waiting.
async fn works_on(ground: &Ground, worker: &Process, run_id: &str, attempt: i32) -> Result<()> {
    let run = ground.until(run_id, |run| run.attempt > attempt).await?;
    ensure!(run.complete_time.is_none(), "the run ended before it changed hands: it went too fast to be disturbed");
    let limit = Instant::now() + LIMIT;
    while !claimed_by(worker, run_id, attempt)? {
        ensure!(Instant::now() < limit, "{} did not take the run over", worker.name());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn claimed_by(worker: &Process, run_id: &str, after: i32) -> Result<bool> {
    let log = fs::read_to_string(worker.log())?;
    let claims = log.lines().filter(|line| line.contains("working on a run") && line.contains(run_id));
    Ok(claims.filter_map(attempt_in).any(|attempt| attempt > after))
}

/// The number after `attempt`, however the log writes it.
fn attempt_in(line: &str) -> Option<i32> {
    let (_, rest) = line.split_once("attempt")?;
    let digits: String = rest.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

async fn logs(worker: &Process, text: &str) -> Result<()> {
    let limit = Instant::now() + LIMIT;
    while !fs::read_to_string(worker.log())?.contains(text) {
        ensure!(Instant::now() < limit, "{} does not say {text:?}", worker.name());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn every_late_word_is_refused(service: &Session, run_id: &str, fence: i64) -> Result<()> {
    let lease = Some(Lease { run_id: run_id.to_owned(), fence });
    let intent = ItemIntent { ordinal: 1, desired_hash: vec![7; 32], action: "create".into(), ..Default::default() };
    let state = ItemState::Failed.into();
    let outcome = ItemOutcome { ordinal: 1, state, reason: "LATE".into(), ..Default::default() };
    let mut worker = service.worker();
    let renewed = worker.renew_lease(RenewLeaseRequest { lease: lease.clone() }).await;
    let listed =
        worker.list_claimed_items(ListClaimedItemsRequest { lease: lease.clone(), ..Default::default() }).await;
    let intended = RecordItemIntentsRequest { lease: lease.clone(), intents: vec![intent] };
    let intended = worker.record_item_intents(intended).await;
    let reported = ReportItemOutcomesRequest { lease: lease.clone(), outcomes: vec![outcome] };
    let reported = worker.report_item_outcomes(reported).await;
    let released = ReleaseOperationRunRequest { lease: lease.clone(), reason: "LATE".into(), ..Default::default() };
    let released = worker.release_operation_run(released).await;
    let completed = worker.complete_operation_run(CompleteOperationRunRequest { lease, blocked: None }).await;
    for answer in [
        renewed.map(drop),
        listed.map(drop),
        intended.map(drop),
        reported.map(drop),
        released.map(drop),
        completed.map(drop),
    ] {
        let refused: Status = answer.err().context("a late word was taken")?;
        assert_eq!((refused.code(), system_tests::reason(&refused).as_str()), (Code::Aborted, "LEASE_LOST"));
    }
    Ok(())
}
