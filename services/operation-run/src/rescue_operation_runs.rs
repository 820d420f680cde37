//! Rescue: what becomes of runs whose workers fell silent. Every replica looks; the domain decides about each run; every
//! change names the fence and the expiry again, so that a run that was renewed or ended meanwhile is left alone.

use std::time::Duration;

use domain::run::deadline::TIMED_OUT;
use domain::run::{Deadline, LeaseFacts, RescueVerdict, RunEvent, rescue, transition};
use tracing::{Instrument as _, Span};

use crate::Runs;
use crate::error::{Error, Result};
use crate::metrics;
use crate::remainder;
use crate::run::{Lease, Run};
use crate::store;
use crate::store::run::ending::Ending;
use crate::store::run::lease::Held;
use crate::store::run_item::Recorder;

/// How many silent runs are looked at in one round.
const BATCH: i64 = 100;
/// Why a run of a silent worker went back to the queue.
const LEASE_EXPIRED: &str = "LEASE_EXPIRED";
/// The longest a run waits before it is tried again.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Looks for silent runs until told to stop.
pub async fn run(runs: Runs) {
    while runs.drain.run_until_cancelled(tokio::time::sleep(runs.settings.rescue_interval)).await.is_some() {
        match round(&runs).await {
            Ok(0) => {}
            Ok(_) => runs.work.ring(),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "silent runs could not be rescued"),
        }
    }
}

/// Looks once; returns how many runs were rescued. One run that cannot be rescued does not keep the others waiting.
pub async fn round(runs: &Runs) -> Result<usize> {
    let mut tx = runs.db.system().await?;
    let silent = store::run::lease::expired(&mut tx, BATCH).await?;
    drop(tx);
    let mut rescued = 0;
    for lease in silent {
        match rescue_one(runs, lease).await {
            Ok(true) => rescued += 1,
            Ok(false) => {}
            Err(error) => {
                tracing::error!(run = %lease.run, error = &error as &dyn std::error::Error, "a run could not be rescued");
            }
        }
    }
    Ok(rescued)
}

async fn rescue_one(runs: &Runs, lease: Lease) -> Result<bool> {
    let mut tx = runs.db.system().await?;
    let Some(held) = store::run::lease::hold_expired(&mut tx, lease).await? else { return Ok(false) };
    async {
        tracing::warn!(run = %lease.run, fence = lease.fence, attempt = held.seen.run.attempt, "a worker fell silent");
        give_back(&mut tx, &held, backoff(held.attempts_without_progress), LEASE_EXPIRED).await?;
        tx.commit().await?;
        metrics::RESCUES.add(1, &[]);
        Ok(true)
    }
    .instrument(span(&held.seen.run))
    .await
}

/// Linked to the start of the run and to the last sign of life of its worker: whoever looks at either finds the rescue.
fn span(run: &Run) -> Span {
    let span = tracing::info_span!(
        parent: None,
        "rescue",
        otel.name = "rescue operation_runs",
        messaging.system = "tenantatlas",
        messaging.destination.name = "operation_runs",
        messaging.message.id = %run.id,
        run_id = %run.id,
        run_type = run.run_type.as_str(),
        attempt = run.attempt,
        fence = run.fence,
    );
    for origin in [&run.start_traceparent, &run.work_traceparent].into_iter().flatten() {
        server::telemetry::link_to_traceparent(&span, origin);
    }
    span
}

/// Takes a run from a worker that failed or fell silent: back to the queue, or its end, as the domain decides.
pub(crate) async fn give_back(tx: &mut pg::Tx, held: &Held, delay: Duration, reason: &str) -> Result<()> {
    let run = &held.seen.run;
    let open = store::run_item::open(tx, run.workspace_id, run.id).await?;
    let facts = LeaseFacts {
        status: run.status,
        // The caller knows that it is over, by the database's clock or by the worker's own word.
        lease_until: None,
        cancel_requested: run.cancel_requested_at.is_some(),
        item_in_flight: open.in_flight > 0,
        attempts_without_progress: held.attempts_without_progress,
        max_attempts_without_progress: held.max_attempts,
        timed_out: held.timed_out,
    };
    let by = Recorder { workspace: run.workspace_id, run: run.id, attempt: run.attempt, fence: run.fence };
    let (left, failure) = match rescue(held.seen.seen_at, &facts) {
        RescueVerdict::NotDue => return Ok(()),
        RescueVerdict::Requeue => {
            store::run::ending::requeue(tx, run.id, delay, reason, true).await?;
            return Ok(());
        }
        RescueVerdict::Cancelled => (remainder::cancelled(), None),
        RescueVerdict::Fail(TIMED_OUT) => {
            metrics::timed_out(run.run_type, Deadline::Run);
            (remainder::timed_out(Deadline::Run), Some(Deadline::Run.failure()))
        }
        RescueVerdict::Fail(_) => (remainder::given_up(), Some(remainder::attempts_exhausted())),
    };
    let next = transition(run.state(open.in_flight > 0), RunEvent::GiveUp).map_err(|_| Error::LeaseLost)?;
    store::run_item::settle_remainder(tx, by, &left).await?;
    store::run::ending::complete(tx, run.id, &Ending { outcome: next.outcome, failure }, true).await?;
    Ok(())
}

/// How long a run waits after so many claims without progress: not at all after the first (a worker was killed), then
/// twice as long each time.
const fn backoff(attempts_without_progress: u32) -> Duration {
    match attempts_without_progress {
        0 | 1 => Duration::ZERO,
        n if n < 7 => Duration::from_secs(1 << (n - 2)),
        _ => LONGEST_BACKOFF,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_loss_costs_no_time_and_the_wait_is_bounded() {
        let waits: Vec<u64> = (0..10).map(|attempts| backoff(attempts).as_secs()).collect();
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
    }
}
