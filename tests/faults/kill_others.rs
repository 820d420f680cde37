//! What the worker leans on goes away while it works: operation-run-service, compare-service, every connection to PostgreSQL.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use dev::job;
use dev::persona::Persona;
use pb::operation::{ItemEffect, ItemState, OperationRun, OperationRunStatus};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::ground::{Ground, Replicas, chance, tell};
use crate::proof;
use crate::watcher::{Place, Watcher, saw_all};

/// What goes away, in this order.
const LOSSES: [Loss; 12] = [
    Loss::OperationRun,
    Loss::Connections,
    Loss::Compare,
    Loss::Connections,
    Loss::Both,
    Loss::OperationRun,
    Loss::Connections,
    Loss::Compare,
    Loss::OperationRun,
    Loss::Connections,
    Loss::Both,
    Loss::Connections,
];

#[derive(Debug, Clone, Copy)]
enum Loss {
    OperationRun,
    Compare,
    Both,
    Connections,
}

#[tokio::test]
async fn the_run_outlives_what_it_leans_on() -> Result<()> {
    let mut chance = chance("kill_others")?;
    let mut ground = Ground::prepare(Replicas::SINGLE).await?;
    ground.slow_down(Duration::from_millis(25)).await?;
    let run = ground.execute().await?;
    let session = ground.story.scene.stack.session(Persona::Manager)?;
    let places = [vec![Place::Runs(session.clone())], vec![Place::Runs(session.clone()), Place::Promotions(session)]];
    let mut watchers: Vec<_> =
        places.into_iter().map(|places| Watcher::begin(places, &run.run_id, StdRng::from_rng(&mut chance))).collect();

    let mut acknowledged = BTreeMap::new();
    for loss in LOSSES {
        let further = processed(&ground.until(&run.run_id, |_| true).await?) + chance.random_range(1..5);
        let reached = watchers[0].sees(|run| over(run) || processed(run) >= further).await?;
        ensure!(!over(&reached), "the run ended before {loss:?}: it went too fast to be disturbed");
        tokio::time::sleep(Duration::from_millis(chance.random_range(0..100))).await;
        remember_outcomes(&ground, &run.run_id, &mut acknowledged).await?;
        lose(&mut ground, loss).await?;
        tell(&format!("{loss:?} after {} items", processed(&reached)));
    }
    ground.provider().heal().await?;
    let ended = ground.end_of(&run.run_id).await?;
    remember_outcomes(&ground, &run.run_id, &mut acknowledged).await?;
    proof::everything_is_there_once(&ground, &ended).await?;
    let mut seen = Vec::new();
    for watcher in watchers {
        seen.push(watcher.ends().await?);
    }
    saw_all(&seen, &ended)?;
    let cuts: Vec<usize> = seen.iter().map(|seen| seen.cuts).collect();
    tell(&format!(
        "{} losses, {} claims, {} revisions, watchers cut {cuts:?} times",
        LOSSES.len(),
        ended.attempt,
        ended.revision
    ));
    Ok(())
}

fn over(run: &OperationRun) -> bool {
    run.status() == OperationRunStatus::Completed
}

fn processed(run: &OperationRun) -> i32 {
    run.summary_counts.unwrap_or_default().processed()
}

async fn lose(ground: &mut Ground, loss: Loss) -> Result<()> {
    let stack = &mut ground.story.scene.stack;
    let (operation_run, compare) = (&mut stack.operation_run[0], &mut stack.compare[0]);
    match loss {
        Loss::OperationRun => {
            operation_run.kill().await?;
            operation_run.restart().await
        }
        Loss::Compare => {
            compare.kill().await?;
            compare.restart().await
        }
        Loss::Both => {
            tokio::try_join!(operation_run.kill(), compare.kill())?;
            tokio::try_join!(operation_run.restart(), compare.restart())?;
            Ok(())
        }
        Loss::Connections => {
            let ended: i64 = sqlx::query_scalar(
                "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE datname = current_database() AND usename LIKE 'tenantatlas\\_%'",
            )
            .fetch_one(&ground.story.rows)
            .await?;
            ensure!(ended > 0, "the services have connections");
            Ok(())
        }
    }
}

type Outcomes = BTreeMap<i32, (ItemState, ItemEffect, String, i32)>;

/// What was said once is said for ever.
async fn remember_outcomes(ground: &Ground, run_id: &str, acknowledged: &mut Outcomes) -> Result<()> {
    for item in job::items(&ground.story.manager, run_id).await? {
        let outcome = (item.state(), item.effect(), item.reason.clone(), item.attempt);
        if let Some(before) = acknowledged.get(&item.ordinal) {
            ensure!(*before == outcome, "an outcome changed from {before:?}: {item:?}");
        }
        if item.state() != ItemState::Pending {
            acknowledged.insert(item.ordinal, outcome);
        }
    }
    Ok(())
}
