//! Staying with runs: the stream is taken up again wherever it was cut, until what was waited for has come or it will not.

use std::ops::ControlFlow;
use std::time::Duration;

use pb::operation::{WatchOperationRunsRequest, WatchOperationRunsResponse};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::ambient;
use crate::failure::Failure;
use crate::session::{Session, is_passing};

/// A healthy stream says something every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);
/// The longest wait before the first try to come back; it doubles from try to try.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait of all.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// An interruption is not worth a word before.
const WORTH_A_WORD: Duration = Duration::from_secs(2);

/// What a follower is told.
pub(crate) enum Sight<'s> {
    /// A message of the stream.
    Message(&'s WatchOperationRunsResponse),
    /// The connection has been away for longer than a moment.
    Away,
}

/// Follows until `seen` breaks with what was waited for.
///
/// # Errors
/// Access is lost, the question is wrong, or `deadline` is over.
pub(crate) async fn follow<T>(
    session: &mut Session,
    mut question: WatchOperationRunsRequest,
    deadline: Option<Instant>,
    mut seen: impl FnMut(Sight<'_>) -> Result<ControlFlow<T>, Failure>,
) -> Result<T, Failure> {
    let mut tries = 0;
    let mut cut_since: Option<Instant> = None;
    loop {
        let request_id = ambient::fresh_id();
        let status = match attempt(session, &mut question, &request_id, deadline, &mut |message| {
            (tries, cut_since) = (0, None);
            seen(Sight::Message(message))
        })
        .await?
        {
            Attempt::Done(value) => return Ok(value),
            Attempt::TimeUp => {
                return Err(Failure::with_fix(
                    "the operation did not end in time; it goes on",
                    "look again: `atlasctl runs watch`",
                ));
            }
            Attempt::Cut(status) => status,
        };
        match after(&status) {
            Next::Again => {}
            Next::FromTheBeginning => question.resume_token.clear(),
            // A token that expired under way may have a successor where it came from.
            Next::WithAnotherToken if session.renew_token().await? => {}
            Next::WithAnotherToken | Next::Never => return Err(Failure::of_status(&status, &request_id)),
        }
        let now = Instant::now();
        if now.duration_since(*cut_since.get_or_insert(now)) >= WORTH_A_WORD
            && let ControlFlow::Break(value) = seen(Sight::Away)?
        {
            return Ok(value);
        }
        let wait = now + ambient::jitter(ceiling(tries));
        sleep_until(deadline.map_or(wait, |deadline| wait.min(deadline))).await;
        tries += 1;
    }
}

enum Attempt<T> {
    Done(T),
    Cut(Status),
    TimeUp,
}

/// One stream, from its opening to its end; the question remembers how far it came.
async fn attempt<T>(
    session: &Session,
    question: &mut WatchOperationRunsRequest,
    request_id: &str,
    deadline: Option<Instant>,
    seen: &mut impl FnMut(&WatchOperationRunsResponse) -> Result<ControlFlow<T>, Failure>,
) -> Result<Attempt<T>, Failure> {
    let until = |limit: Duration| {
        let limit = Instant::now() + limit;
        deadline.map_or(limit, |deadline| limit.min(deadline))
    };
    let is_over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
    if is_over() {
        return Ok(Attempt::TimeUp);
    }
    let mut client = session.runs()?;
    let request = session.request(question.clone(), request_id)?;
    let mut stream = match timeout_at(until(SILENCE), client.watch_operation_runs(request)).await {
        Ok(Ok(answer)) => answer.into_inner(),
        Ok(Err(status)) => return Ok(Attempt::Cut(status)),
        Err(_elapsed) if is_over() => return Ok(Attempt::TimeUp),
        Err(_elapsed) => return Ok(Attempt::Cut(Status::unavailable("no answer"))),
    };
    loop {
        let message = match timeout_at(until(SILENCE), stream.message()).await {
            Ok(Ok(Some(message))) => message,
            // It ended well, and what was waited for was not in it.
            Ok(Ok(None)) => return Ok(Attempt::Cut(Status::unavailable("the stream ended"))),
            Ok(Err(status)) => return Ok(Attempt::Cut(status)),
            Err(_elapsed) if is_over() => return Ok(Attempt::TimeUp),
            Err(_elapsed) => return Ok(Attempt::Cut(Status::unavailable("the stream fell silent"))),
        };
        question.resume_token.clone_from(&message.resume_token);
        if let ControlFlow::Break(value) = seen(&message)? {
            // Read on to the end for a moment, so that the service sees a stream that ended and not one that was cut.
            let _ = timeout(Duration::from_millis(200), stream.message()).await;
            return Ok(Attempt::Done(value));
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Continue after the last token.
    Again,
    /// The token is too old: start with snapshots.
    FromTheBeginning,
    /// The caller's token expired.
    WithAnotherToken,
    /// It would be the same again.
    Never,
}

/// What to do after a stream ended so. An answer that says no is final: a client that asks on and on is a nuisance.
fn after(status: &Status) -> Next {
    let is_ours = status.get_details_error_info().is_some();
    match status.code() {
        Code::OutOfRange if is_ours => Next::FromTheBeginning,
        Code::Unauthenticated => Next::WithAnotherToken,
        Code::ResourceExhausted | Code::DeadlineExceeded => Next::Again,
        _ if is_passing(status) => Next::Again,
        _ => Next::Never,
    }
}

/// The longest wait before try number `tries` (from 0).
fn ceiling(tries: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << tries.min(16)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn an_interruption_is_taken_up_and_a_refusal_is_final() {
        let ours = |code, reason: &str| {
            Status::with_error_details(code, "", ErrorDetails::with_error_info(reason, "tenantatlas", []))
        };
        for (status, next) in [
            (ours(Code::Unavailable, "DRAINING"), Next::Again),
            (Status::unknown("h2 protocol error"), Next::Again),
            (Status::internal("stream closed"), Next::Again),
            (ours(Code::ResourceExhausted, "TOO_MANY_STREAMS"), Next::Again),
            (ours(Code::OutOfRange, "CURSOR_COMPACTED"), Next::FromTheBeginning),
            (Status::out_of_range("decoded message length too large"), Next::Never),
            (ours(Code::Unauthenticated, "TOKEN_EXPIRED"), Next::WithAnotherToken),
            (ours(Code::NotFound, "NOT_FOUND"), Next::Never),
            (ours(Code::PermissionDenied, "CAPABILITY_MISSING"), Next::Never),
            (ours(Code::InvalidArgument, "FIELD_INVALID"), Next::Never),
            (ours(Code::Internal, "INTERNAL"), Next::Never),
            (ours(Code::Unimplemented, "METHOD_UNKNOWN"), Next::Never),
        ] {
            assert_eq!(after(&status), next, "{status:?}");
        }
    }

    #[test]
    fn waits_double_and_are_bounded() {
        let waits: Vec<_> = (0..8).map(|tries| ceiling(tries).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(ceiling(u32::MAX), LONGEST_WAIT);
    }
}
