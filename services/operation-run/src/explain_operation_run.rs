//! ExplainOperationRun: why a run is not running, or not moving. Facts are gathered here, the domain tells what they mean.

use domain::id::RunId;
use domain::run::{Eta, EtaFacts, ExplainFacts, Explanation, Failure, Hindrance, eta, explain};
use server::Caller;

use crate::Runs;
use crate::error::Result;
use crate::get_operation_run::visible;
use crate::run::SeenRun;
use crate::store;

/// The run, everything that is known about why, and when it will be done.
#[derive(Debug)]
pub struct Explained {
    pub seen: SeenRun,
    pub explanations: Vec<Explanation>,
    /// `None`: there is nothing to go by.
    pub eta: Option<Eta>,
}

/// Whether a run that is held up only by this gets on by itself, and at a known pace.
const fn gets_on(hindrance: Hindrance) -> bool {
    use Hindrance::{AboutToStart, AheadInQueue, InProgress, ProviderBackoff, RetryBackoff};
    matches!(hindrance, AboutToStart | AheadInQueue | InProgress | ProviderBackoff | RetryBackoff)
}

/// The run, and everything that is known about why.
pub async fn explained(runs: &Runs, caller: &Caller, id: RunId) -> Result<Explained> {
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
        others_running: queue.others_running > 0,
        ahead: queue.ahead > 0,
        run_ahead: queue.before_it.filter(|seen| visibility.shows(&seen.run)).map(|seen| seen.run.id),
        started_at: run.started_at,
        lease_until: run.lease_expires_at,
        progressed_at: run.last_progress_at,
        stop_requested_at: run.cancel_requested_at,
    };
    let explanations = explain(seen.seen_at, &facts);
    let estimate = EtaFacts {
        status: run.status,
        gets_on: explanations.iter().all(|known| gets_on(known.hindrance)),
        not_before: run.not_before,
        started_at: run.started_at,
        counts: run.counts(),
        ahead: queue.ahead,
        running: queue.others_running,
        samples: store::run::queue::durations(&mut tx, run.run_type).await?,
    };
    let eta = eta(seen.seen_at, &estimate);
    Ok(Explained { seen, explanations, eta })
}
