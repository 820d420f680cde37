//! Ending the work on a run: what the service is told, by how the handler ended.

use std::time::Duration;

use pb::operation::{CompleteOperationRunRequest, FailureSummary, ReleaseOperationRunRequest};
use server::failure::reason_of;
use tonic::{Response, Status};

use crate::call::until_answered;
use crate::ending::{Ending, WorkError};
use crate::session::Held;

/// The reason of a release that the service counts as an attempt without progress.
const WORK_FAILED: &str = "WORK_FAILED";
/// Because this process is going down.
const WORKER_STOPPING: &str = "WORKER_STOPPING";
/// Because something the work needs is away.
const DEPENDENCY_AWAY: &str = "DEPENDENCY_AWAY";
/// The longest pause before a run that failed, or missed something, is taken up again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The longest delay the service accepts.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// Tells the service how the work ended. `attempt` is the number of this claim.
pub(crate) async fn conclude(held: &Held, attempt: i32, worked: Result<Ending, WorkError>) {
    let told = match worked {
        Ok(Ending::Done) | Err(WorkError::Stopped) => done(held, attempt).await,
        Ok(Ending::Blocked { reason, message }) => {
            blocked(held, attempt, FailureSummary { code: reason, message, count: None }).await
        }
        Ok(Ending::Postponed { delay, reason }) => release(held, delay, &reason).await,
        Err(WorkError::Away(why)) => {
            tracing::warn!(why, "the work cannot go on for now");
            release(held, pause_after(attempt), DEPENDENCY_AWAY).await
        }
        Err(WorkError::Failed(why)) => failed(held, attempt, &why).await,
        Err(WorkError::Lost) => Err(WorkError::Lost),
    };
    match told {
        Ok(()) => {}
        Err(WorkError::Lost) => {
            mark_failed("LEASE_LOST");
            tracing::warn!(fence = held.lease.fence, "the run is no longer ours");
        }
        // Its lease runs out, and the rescue decides.
        Err(error) => tracing::error!(%error, "the run could not be brought to an end by this worker"),
    }
}

/// The handler is through, or stopped when it was told to.
async fn done(held: &Held, attempt: i32) -> Result<(), WorkError> {
    match complete(held, None).await? {
        Completed::Yes => Ok(()),
        Completed::ItemsPending if held.draining.is_cancelled() && !held.cancelled.is_cancelled() => {
            release(held, Duration::ZERO, WORKER_STOPPING).await
        }
        // Of a cancelled run: an item in flight was left without an outcome.
        Completed::ItemsPending => failed(held, attempt, "the handler left items open that it had to settle").await,
    }
}

/// The handler says that nothing can be done. Not so while an item of an earlier attempt may have been written: then the run
/// is tried again, until somebody could look at the target or the attempts run out.
async fn blocked(held: &Held, attempt: i32, why: FailureSummary) -> Result<(), WorkError> {
    let told = format!("blocked with items in flight: {}: {}", why.code, why.message);
    match complete(held, Some(why)).await? {
        Completed::Yes => Ok(()),
        Completed::ItemsPending => failed(held, attempt, &told).await,
    }
}

async fn failed(held: &Held, attempt: i32, why: &str) -> Result<(), WorkError> {
    mark_failed(WORK_FAILED);
    tracing::error!(why, "the work on a run failed");
    release(held, pause_after(attempt), WORK_FAILED).await
}

/// The span of the work is an error; how its items ended is their matter.
fn mark_failed(why: &'static str) {
    let span = tracing::Span::current();
    span.record("otel.status_code", "ERROR");
    span.record("error.type", why);
}

/// Twice as long from attempt to attempt.
fn pause_after(attempt: i32) -> Duration {
    Duration::from_secs(1 << (attempt.clamp(1, 7) - 1)).min(LONGEST_PAUSE)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Completed {
    Yes,
    ItemsPending,
}

async fn complete(held: &Held, blocked: Option<FailureSummary>) -> Result<Completed, WorkError> {
    let request = CompleteOperationRunRequest { lease: Some(held.lease.clone()), blocked };
    let answer = until_answered(&held.lost, || {
        let (mut client, request) = (held.client.clone(), request.clone());
        async move { pending_is_an_answer(client.complete_operation_run(request).await) }
    })
    .await?;
    let Some(ended) = answer else { return Ok(Completed::ItemsPending) };
    if let Some(run) = ended.into_inner().run {
        tracing::info!(outcome = run.outcome().as_str_name(), "the run has ended");
    }
    Ok(Completed::Yes)
}

fn pending_is_an_answer<T>(answer: Result<Response<T>, Status>) -> Result<Option<Response<T>>, Status> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(status) if reason_of(&status).as_deref() == Some("ITEMS_PENDING") => Ok(None),
        Err(status) => Err(status),
    }
}

async fn release(held: &Held, delay: Duration, reason: &str) -> Result<(), WorkError> {
    let request = ReleaseOperationRunRequest {
        lease: Some(held.lease.clone()),
        delay: delay.min(LONGEST_DELAY).try_into().ok(),
        reason: reason.to_owned(),
    };
    until_answered(&held.lost, || {
        let (mut client, request) = (held.client.clone(), request.clone());
        async move { client.release_operation_run(request).await }
    })
    .await?;
    tracing::info!(reason, delay_ms = delay.as_millis(), "the run was given back");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let pauses: Vec<u64> = [0, 1, 2, 3, 6, 7, 8, i32::MAX].map(|attempt| pause_after(attempt).as_secs()).into();
        assert_eq!(pauses, [1, 1, 2, 4, 32, 60, 60, 60]);
    }
}
