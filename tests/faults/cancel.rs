//! A run is asked to stop: before it began, in the middle, at its end, and when nobody is there to hear it. It always ends,
//! and nothing is begun after the wish was known.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dev::job;
use pb::operation::{
    CancelOperationRunRequest, ItemState, OperationRun, OperationRunOutcome, OperationRunStatus, StartOutcome,
};
use rand::Rng as _;
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::ground::{Ground, Replicas, chance, tell};
use crate::proof;

#[tokio::test]
async fn a_run_that_is_asked_to_stop_ends_and_begins_nothing_more() -> Result<()> {
    let mut ground = Ground::prepare(Replicas::SINGLE).await?;
    before_anybody_claimed_it(&mut ground).await?;
    ground.slow_down(Duration::from_millis(40)).await?;
    in_the_middle(&ground).await?;
    with_a_dead_worker(&mut ground).await
}

async fn cancel(ground: &Ground, run: &OperationRun) -> Result<OperationRun, Status> {
    let request = CancelOperationRunRequest {
        request_id: job::request_id(),
        run_id: run.run_id.clone(),
        reason: "changed my mind".into(),
    };
    let answer = ground.story.manager.runs().cancel_operation_run(request).await?.into_inner();
    answer.run.ok_or_else(|| Status::internal("a cancelled run is returned"))
}

/// No worker anywhere: the run ends at once, and a worker that comes later does not find it.
async fn before_anybody_claimed_it(ground: &mut Ground) -> Result<()> {
    restart_worker(ground, false).await?;
    let run = ground.execute().await?;
    let ended = cancel(ground, &run).await?;
    assert_eq!((ended.status(), ended.outcome()), (OperationRunStatus::Completed, OperationRunOutcome::Cancelled));
    let items = proof::items_agree(ground, &ended).await?;
    for item in &items {
        assert_eq!((item.state(), item.reason.as_str()), (ItemState::Skipped, "CANCELLED"), "{item:?}");
    }
    // Asked twice, answered twice.
    assert_eq!(cancel(ground, &run).await?.revision, ended.revision);
    restart_worker(ground, true).await?;
    // The worker is there and works: on another run, not on this one.
    let one = ground.narrow(vec![items[0].key.clone()]).await?;
    let started = job::execute(&ground.story.manager, &one.selection, &one.preflight).await?;
    ground.end_of(&started.run.context("a run")?.run_id).await?;
    let made = ground.provider().committed(ground.target()).await?;
    assert_eq!(made.iter().filter(|write| proof::creates(write)).count(), 1, "{made:?}");
    assert_eq!(job::get_run(&ground.story.manager, &run.run_id).await?.revision, ended.revision);
    proof::history_is_whole(ground, &ended).await
}

async fn restart_worker(ground: &mut Ground, works: bool) -> Result<()> {
    let worker = &mut ground.story.scene.stack.promotion[0];
    worker.set("TENANTATLAS_WORKER", if works { "true" } else { "false" });
    worker.kill().await?;
    worker.restart().await
}

async fn in_the_middle(ground: &Ground) -> Result<()> {
    let run = ground.execute().await?;
    ground.processed(&run.run_id, 10).await?;
    let asked = cancel(ground, &run).await?;
    let ended = ground.end_of(&run.run_id).await?;
    stopped_cleanly(ground, &asked, &ended).await
}

/// The worker dies with items in flight and is told nothing; whoever comes next looks at them and begins none.
async fn with_a_dead_worker(ground: &mut Ground) -> Result<()> {
    let run = ground.execute().await?;
    let before = ground.processed(&run.run_id, 20).await?;
    ground.story.scene.stack.promotion[0].kill().await?;
    let asked = cancel(ground, &run).await?;
    ensure!(asked.cancel_request_time.is_some(), "the wish is kept: {asked:?}");
    ground.story.scene.stack.promotion[0].restart().await?;
    let ended = ground.end_of(&run.run_id).await?;
    ensure!(ended.attempt <= before.attempt + 2, "{ended:?}");
    stopped_cleanly(ground, &asked, &ended).await
}

/// It ended as cancelled, whatever was begun has its outcome, and no item was begun after the wish was recorded.
async fn stopped_cleanly(ground: &Ground, asked: &OperationRun, ended: &OperationRun) -> Result<()> {
    assert_eq!(ended.outcome(), OperationRunOutcome::Cancelled, "{ended:?}");
    let items = proof::items_agree(ground, ended).await?;
    let late: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM operation.run_item i JOIN operation.run r ON r.id = i.run_id
         WHERE r.id = $1::uuid AND i.intent_at > r.cancel_requested_at",
    )
    .bind(&asked.run_id)
    .fetch_one(&ground.story.rows)
    .await?;
    assert_eq!(late, 0, "no item was begun after the wish");
    let there = proof::names(&ground.provider().objects(ground.target()).await?);
    let mut untouched = 0;
    for item in &items {
        let is_there = there.keys().any(|(_, name)| *name == item.label);
        match (item.state(), item.reason.as_str()) {
            (ItemState::Succeeded, _) => assert!(is_there, "{item:?}"),
            (ItemState::Skipped, "CANCELLED") => {
                assert!(!is_there, "{item:?}");
                untouched += 1;
            }
            // In flight, looked at, not as wanted, and nothing more may be written.
            (ItemState::Failed, "RUN_CANCELLED") => {}
            other => panic!("{other:?}: {item:?}"),
        }
    }
    assert!(untouched > 0, "there was something left to begin");
    proof::history_is_whole(ground, ended).await?;
    let writes = ground.provider().committed(ground.target()).await?.len();
    // Nothing comes after the end: the next run finds everything as it was left.
    let next = ground.narrow(vec![items[0].key.clone()]).await?;
    let started = job::execute(&ground.story.manager, &next.selection, &next.preflight).await?;
    ground.end_of(&started.run.context("a run")?.run_id).await?;
    assert_eq!(ground.provider().committed(ground.target()).await?.len(), writes);
    tell(&format!("{} of {} items untouched, {} claims", untouched, items.len(), ended.attempt));
    Ok(())
}

/// How often the wish races with the end.
const RACES: usize = 24;

#[tokio::test]
async fn a_wish_that_races_with_the_end_has_one_answer() -> Result<()> {
    let mut chance = chance("cancel")?;
    let ground = Ground::prepare(Replicas::SINGLE).await?;
    let (mut stopped, mut finished) = (0, 0);
    let mut keys = ground.alone().into_iter();
    let undisturbed = ground.narrow(keys.by_ref().take(1).collect()).await?;
    let began = Instant::now();
    let started = job::execute(&ground.story.manager, &undisturbed.selection, &undisturbed.preflight).await?;
    ground.end_of(&started.run.context("a run")?.run_id).await?;
    // The wish comes at any moment of a run as long as this one, and a little after it.
    let most = began.elapsed().mul_f64(1.2);
    assert!(keys.len() >= RACES, "{} are not enough", keys.len());
    for key in keys.take(RACES) {
        let one = ground.narrow(vec![key]).await?;
        let started = job::execute(&ground.story.manager, &one.selection, &one.preflight).await?;
        ensure!(started.outcome() == StartOutcome::Queued, "{started:?}");
        let run = started.run.context("a run")?;
        // Early ones more often: a run that has begun its one item has little left to be stopped.
        let moment: f64 = chance.random();
        tokio::time::sleep(most.mul_f64(moment.powi(3))).await;
        let wish = cancel(&ground, &run).await;
        let ended = ground.end_of(&run.run_id).await?;
        let items = proof::items_agree(&ground, &ended).await?;
        proof::history_is_whole(&ground, &ended).await?;
        let there = proof::names(&ground.provider().objects(ground.target()).await?);
        let is_there = there.keys().any(|(_, name)| *name == items[0].label);
        match (ended.outcome(), items[0].state()) {
            (OperationRunOutcome::Cancelled, ItemState::Skipped) => stopped += 1,
            // The wish came while the one item was written: what was begun is brought to its outcome.
            (OperationRunOutcome::Cancelled | OperationRunOutcome::Succeeded, ItemState::Succeeded) => {
                assert!(is_there, "{items:?}");
                finished += 1;
            }
            (OperationRunOutcome::Cancelled, ItemState::Failed) => assert_eq!(items[0].reason, "RUN_CANCELLED"),
            other => panic!("{other:?} after {wish:?}: {items:?}"),
        }
        match wish {
            Ok(_) => {}
            Err(refused) => {
                let answer = (refused.code(), system_tests::reason(&refused));
                assert_eq!(answer, (Code::FailedPrecondition, "RUN_NOT_ACTIVE".to_owned()));
                assert_eq!(ended.outcome(), OperationRunOutcome::Succeeded, "refused because it was over");
            }
        }
    }
    tell(&format!("{RACES} races: {stopped} stopped before they began, {finished} had their effect"));
    Ok(())
}
