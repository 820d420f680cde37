//! ExplainOperationRun: why a run is not running, or not moving. Facts are gathered here, the domain tells what they mean.

use domain::id::RunId;
use domain::run::{ExplainFacts, Explanation, Failure, explain};
use server::Caller;

use crate::Runs;
use crate::error::Result;
use crate::get_operation_run::visible;
use crate::run::SeenRun;
use crate::store;

/// The run, and everything that is known about why.
pub async fn explained(runs: &Runs, caller: &Caller, id: RunId) -> Result<(SeenRun, Vec<Explanation>)> {
    let (seen, visibility) = visible(runs, caller, id).await?;
    let run = &seen.run;
    // Across workspaces: workers serve all of them, and so does their queue.
    let mut tx = runs.db.system().await?;
    let queue = store::run::queue::place_of(&mut tx, run).await?;
    let facts = ExplainFacts {
        run_type: run.run_type,
        status: run.status,
        outcome: run.outcome,
        completed_at: run.completed_at,
        given_up: run.given_up().map(|line| Failure::new(&line.code, &line.message)),
        deadlines: run.deadlines(),
        queued_since: run.queued_since(),
        not_before: run.not_before,
        release_reason: run.release_reason.clone(),
        pauses: store::pause::in_force(&mut tx, run.workspace_id, Some(run.run_type)).await?,
        workers_heard_at: store::claim_heard::last(&mut tx, run.run_type).await?,
        others_running: queue.others_running,
        ahead: queue.ahead,
        run_ahead: queue.before_it.filter(|seen| visibility.shows(&seen.run)).map(|seen| seen.run.id),
        started_at: run.started_at,
        lease_until: run.lease_expires_at,
        progressed_at: run.last_progress_at,
        stop_requested_at: run.cancel_requested_at,
    };
    let explanations = explain(seen.seen_at, &facts);
    Ok((seen, explanations))
}
