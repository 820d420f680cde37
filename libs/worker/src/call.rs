//! How a call to the operation-run service is repeated. Everything a worker says is idempotent under its fence, so what is
//! not answered is said again, until it is answered or the lease is lost.

use std::time::Duration;

use server::ambient;
use server::failure::{reason_of, retry_delay_of};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::ending::WorkError;

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How often an answer is tried again that may be a defect rather than an outage.
const MOST_DOUBTFUL: u32 = 8;

/// What an answer means for the one who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Say it again.
    Again,
    /// Say it again a few times: an outage or a defect, it cannot be told.
    Doubtful,
    /// The lease is somebody else's.
    Lost,
    /// It will never be accepted.
    Refused,
}

fn verdict(status: &Status) -> Verdict {
    match status.code() {
        Code::Aborted if reason_of(status).as_deref() == Some("LEASE_LOST") => Verdict::Lost,
        // RESOURCE_EXHAUSTED: shed. CANCELLED and UNKNOWN: a connection that broke in the middle.
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Cancelled | Code::Aborted => {
            Verdict::Again
        }
        // UNAUTHENTICATED: our token was refused (keys rotated); the next call fetches a new one.
        Code::Internal | Code::Unknown | Code::Unauthenticated => Verdict::Doubtful,
        _ => Verdict::Refused,
    }
}

/// Calls until it is answered. Cancels `lost` when the answer is that the lease is lost; gives up when it is cancelled.
pub(crate) async fn until_answered<T, F>(lost: &CancellationToken, mut call: impl FnMut() -> F) -> Result<T, WorkError>
where
    F: Future<Output = Result<T, Status>>,
{
    let mut tried: u32 = 0;
    loop {
        let answer = lost.run_until_cancelled(call()).await.ok_or(WorkError::Lost)?;
        let status = match answer {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        tried += 1;
        match verdict(&status) {
            Verdict::Lost => {
                lost.cancel();
                return Err(WorkError::Lost);
            }
            Verdict::Refused => return Err(refused(&status)),
            Verdict::Doubtful if tried >= MOST_DOUBTFUL => return Err(refused(&status)),
            Verdict::Again | Verdict::Doubtful => {
                tracing::debug!(code = ?status.code(), tried, "the operation-run service did not answer; trying again");
                let wait = pause(tried) + retry_delay_of(&status).unwrap_or_default().min(LONGEST_WAIT);
                lost.run_until_cancelled(tokio::time::sleep(wait)).await.ok_or(WorkError::Lost)?;
            }
        }
    }
}

fn refused(status: &Status) -> WorkError {
    WorkError::Failed(format!("the operation-run service refused: {:?}: {}", status.code(), status.message()))
}

/// The pause after try number `tried` (from 1): doubling to its limit, half of it drawn by lot.
pub(crate) fn pause(tried: u32) -> Duration {
    let ceiling = FIRST_WAIT.saturating_mul(1 << (tried.clamp(1, 16) - 1)).min(LONGEST_WAIT);
    ceiling / 2 + ambient::jitter(ceiling / 2)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn lease_lost() -> Status {
        server::Failure::aborted("LEASE_LOST", "the lease is lost").into()
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_waited_for() {
        let (lost, calls) = (CancellationToken::new(), Cell::new(0));
        let answer = until_answered(&lost, || async {
            calls.set(calls.get() + 1);
            if calls.get() < 50 { Err(Status::unavailable("away")) } else { Ok(calls.get()) }
        });
        assert_eq!(answer.await.unwrap(), 50);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_lease_is_told_to_everybody() {
        let lost = CancellationToken::new();
        let answer: Result<(), _> = until_answered(&lost, || async { Err(lease_lost()) }).await;
        assert!(matches!(answer, Err(WorkError::Lost)));
        assert!(lost.is_cancelled());
        // Whoever asks afterwards does not even ask.
        let answer: Result<(), _> = until_answered(&lost, || async { unreachable!("the lease is lost") }).await;
        assert!(matches!(answer, Err(WorkError::Lost)));
    }

    #[tokio::test(start_paused = true)]
    async fn defects_are_not_repeated_for_ever() {
        let (lost, calls) = (CancellationToken::new(), Cell::new(0));
        let answer: Result<(), _> = until_answered(&lost, || async {
            calls.set(calls.get() + 1);
            Err(Status::internal("bug"))
        })
        .await;
        assert!(matches!(answer, Err(WorkError::Failed(_))));
        assert_eq!(calls.get(), MOST_DOUBTFUL);
        let answer: Result<(), _> = until_answered(&lost, || async { Err(Status::invalid_argument("no")) }).await;
        assert!(matches!(answer, Err(WorkError::Failed(_))));
    }
}
