//! Time out: what becomes of queued runs whose time is over. Every replica looks; the domain decides about each run, held
//! against everybody else, so that of a claim, a cancel and a time-out one comes first and the others find it done.
//!
//! A run that a worker holds is never ended under its hands: the worker is told to stop with every answer; when it does not
//! its lease is no longer prolonged; and when that is over the run is ended as those of silent workers are
//! ([`crate::rescue_operation_runs`]).

use domain::id::RunId;
use domain::run::{RunEvent, RunOutcome, deadline_passed, transition};

use crate::Runs;
use crate::error::{Error, Result};
use crate::metrics;
use crate::remainder;
use crate::store;
use crate::store::run::ending::Ending;
use crate::store::run_item::Recorder;

/// How many late runs are looked at in one round.
const BATCH: i64 = 100;

/// Looks for late runs until told to stop.
pub async fn run(runs: Runs) {
    while runs.drain.run_until_cancelled(tokio::time::sleep(runs.settings.rescue_interval)).await.is_some() {
        if let Err(error) = round(&runs).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "runs whose time is over could not be ended");
        }
    }
}

/// Looks once; returns how many runs were ended. One run that cannot be ended does not keep the others waiting.
pub async fn round(runs: &Runs) -> Result<usize> {
    let mut tx = runs.db.system().await?;
    let late = store::run::deadline::overdue(&mut tx, BATCH).await?;
    drop(tx);
    let mut ended = 0;
    for id in late {
        match time_out(runs, id).await {
            Ok(true) => ended += 1,
            Ok(false) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(run = %id, error, "a run whose time is over could not be ended");
            }
        }
    }
    Ok(ended)
}

async fn time_out(runs: &Runs, id: RunId) -> Result<bool> {
    let mut tx = runs.db.system().await?;
    let Some(seen) = store::run::deadline::hold_queued(&mut tx, id).await? else { return Ok(false) };
    let run = &seen.run;
    let Some(deadline) = deadline_passed(seen.seen_at, &run.deadlines()) else { return Ok(false) };
    let open = store::run_item::open(&mut tx, run.workspace_id, id).await?;
    let next = transition(run.state(open.in_flight > 0), RunEvent::TimeOut).map_err(|_| Error::LeaseLost)?;
    let (left, failure) = match next.outcome {
        // Somebody had asked it to stop before.
        RunOutcome::Cancelled => (remainder::cancelled(), None),
        _ => (remainder::timed_out(deadline), Some(deadline.failure())),
    };
    let by = Recorder { workspace: run.workspace_id, run: id, attempt: run.attempt, fence: run.fence };
    store::run_item::settle_remainder(&mut tx, by, &left).await?;
    store::run::ending::complete(&mut tx, id, &Ending { outcome: next.outcome, failure }, true).await?;
    tx.commit().await?;
    tracing::warn!(run = %id, deadline = deadline.as_str(), "a run's time was over");
    metrics::timed_out(run.run_type, deadline);
    Ok(true)
}
