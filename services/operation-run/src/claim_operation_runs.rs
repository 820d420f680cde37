//! ClaimOperationRuns: hands queued runs to a worker, and waits a while when there are none.

use std::time::Duration;

use domain::run::RunType;
use server::{Caller, Deadline, Failure};
use tokio::time::{Instant, timeout_at};

use crate::Runs;
use crate::claims_heard;
use crate::error::Result;
use crate::owner::owned_types;
use crate::store;
use crate::store::run::lease::Held;

/// Longest pause between two looks: a run whose delay passes rings no bell.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What is left of the caller's time for the answer itself.
const ANSWER_MARGIN: Duration = Duration::from_millis(500);

/// What a worker asks for.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The worker process, for people.
    pub worker: String,
    pub types: Vec<RunType>,
    pub max_runs: i64,
    pub wait: Duration,
}

/// Claims runs. Empty when there was none until the wait was over or the call's time was nearly up.
pub async fn claim(runs: &Runs, caller: &Caller, claim: &Claim) -> Result<Vec<Held>> {
    let owned = owned_types(caller)?;
    for run_type in &claim.types {
        owned.require(*run_type)?;
    }
    let types: Vec<&str> = claim.types.iter().map(|run_type| run_type.as_str()).collect();
    let until = wait_until(claim.wait, caller.deadline);
    let mut bell = runs.work.listen();
    loop {
        bell.heard();
        claims_heard::note(runs, &claim.types, &claim.worker).await;
        let mut tx = runs.db.system().await?;
        let claimed =
            store::run::lease::claim(&mut tx, &types, claim.max_runs, &claim.worker, runs.settings.lease_ttl).await?;
        tx.commit().await?;
        if !claimed.is_empty() || Instant::now() >= until {
            return Ok(claimed);
        }
        if runs.drain.is_cancelled() {
            // An empty answer would have the worker ask here again.
            return Err(Failure::draining().into());
        }
        let look = until.min(Instant::now() + LOOK_EVERY);
        tokio::select! {
            () = runs.drain.cancelled() => {}
            // Either way it is time to look again.
            _ = timeout_at(look, bell.rung()) => {}
        }
    }
}

fn wait_until(wait: Duration, deadline: Option<Deadline>) -> Instant {
    let wait = match deadline {
        Some(deadline) => wait.min(deadline.remaining().saturating_sub(ANSWER_MARGIN)),
        None => wait,
    };
    Instant::now() + wait
}
