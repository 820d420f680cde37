//! ReleaseOperationRun: a worker gives a run back unfinished.

use std::time::Duration;

use domain::run::{RunEvent, RunStatus, transition};
use server::Caller;

use crate::Runs;
use crate::error::{Error, Result};
use crate::owner::owned_types;
use crate::remainder;
use crate::rescue_operation_runs::give_back;
use crate::run::Lease;
use crate::store;
use crate::store::run::ending::Ending;
use crate::store::run_item::Recorder;

/// The reason of a release that is a failure of the work itself: the claim counts as one without progress, and when
/// those run out the run is given up. Any other release (a worker that stops, a provider that asks to wait) does not.
pub const WORK_FAILED: &str = "WORK_FAILED";

/// Gives the run back, not to be claimed before `delay` has passed.
pub async fn release(runs: &Runs, caller: &Caller, lease: Lease, delay: Duration, reason: &str) -> Result<()> {
    let types = owned_types(caller)?;
    let mut tx = runs.db.system().await?;
    let held = store::run::lease::hold(&mut tx, lease, &types).await?.ok_or(Error::LeaseLost)?;
    let run = &held.seen.run;
    tracing::info!(run = %run.id, fence = run.fence, reason, delay_ms = delay.as_millis(), "run given back");
    if reason == WORK_FAILED {
        give_back(&mut tx, &held, delay, WORK_FAILED).await?;
    } else {
        let open = store::run_item::open(&mut tx, run.workspace_id, run.id).await?;
        let next = transition(run.state(open.in_flight > 0), RunEvent::Release).map_err(|_| Error::LeaseLost)?;
        if next.status == RunStatus::Completed {
            let by = Recorder { workspace: run.workspace_id, run: run.id, attempt: run.attempt, fence: run.fence };
            store::run_item::settle_remainder(&mut tx, by, &remainder::cancelled()).await?;
            let ending = Ending { outcome: next.outcome, failure: None };
            store::run::ending::complete(&mut tx, run.id, &ending, true).await?;
        } else {
            store::run::ending::requeue(&mut tx, run.id, delay, reason, false).await?;
        }
    }
    tx.commit().await?;
    runs.work.ring();
    Ok(())
}
