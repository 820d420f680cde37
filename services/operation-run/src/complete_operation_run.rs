//! CompleteOperationRun: the end of a run, as its worker says. The outcome follows from the items.

use domain::run::{Deadline, Failure, RunEvent, RunOutcome, outcome_of, transition};
use server::Caller;

use crate::Runs;
use crate::error::{Error, Result};
use crate::metrics;
use crate::owner::owned_types;
use crate::remainder;
use crate::run::{Lease, SeenRun};
use crate::store;
use crate::store::run::ending::Ending;
use crate::store::run_item::Recorder;

/// Ends the run. `blocked`: why it could not be worked on at all. Repeating it returns the run as it ended.
///
/// # Errors
/// ITEMS_PENDING while items have no outcome, unless the run is blocked or is to stop; and in those cases too while
/// an item may have been written and its outcome was not reported: `blocked` says that nothing was changed, and a run that
/// stops says what was.
pub async fn complete(runs: &Runs, caller: &Caller, lease: Lease, blocked: Option<Failure>) -> Result<SeenRun> {
    let types = owned_types(caller)?;
    let mut tx = runs.db.system().await?;
    let Some(held) = store::run::lease::hold(&mut tx, lease, &types).await? else {
        return store::run::lease::ended_by(&mut tx, lease, &types).await?.ok_or(Error::LeaseLost);
    };
    let run = &held.seen.run;
    let open = store::run_item::open(&mut tx, run.workspace_id, run.id).await?;
    let cancelled = run.cancel_requested_at.is_some();
    let unsettled = if blocked.is_some() || held.is_stopping() { open.in_flight } else { open.pending };
    if unsettled > 0 {
        return Err(Error::ItemsPending { pending: unsettled });
    }
    // Late or not: a run whose items all have their outcome is done.
    let done = open.pending == 0 && run.total.is_some();
    let timed_out = held.timed_out && !cancelled && blocked.is_none() && !done;
    let outcome = match timed_out {
        true => RunOutcome::Failed,
        false => outcome_of(&run.counts(), cancelled, blocked.is_some()),
    };
    let next = transition(run.state(open.in_flight > 0), RunEvent::Complete(outcome)).map_err(|_| Error::LeaseLost)?;

    if open.pending > 0 {
        let by = Recorder { workspace: run.workspace_id, run: run.id, attempt: run.attempt, fence: run.fence };
        let left = match &blocked {
            Some(why) => remainder::blocked(why.clone()),
            None if timed_out => remainder::timed_out(Deadline::Run),
            None => remainder::cancelled(),
        };
        store::run_item::settle_remainder(&mut tx, by, &left).await?;
    }
    let failure = if timed_out { Some(Deadline::Run.failure()) } else { blocked };
    let ending = Ending { outcome: next.outcome, failure };
    let ended = store::run::ending::complete(&mut tx, run.id, &ending, false).await?;
    tx.commit().await?;
    if timed_out {
        metrics::timed_out(ended.run.run_type, Deadline::Run);
    }
    Ok(ended)
}
