//! Trying again, for idempotent unary calls only (reads, and mutations with a `request_id`). Handlers do not retry, so
//! that one layer of the call graph does; workers and tools do, by this.

use std::time::Duration;

use tonic::{Code, Status};

use crate::ambient;
use crate::deadline::Deadline;
use crate::failure::retry_delay_of;

/// How often, and how far apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, at least 1.
    pub attempts: u32,
    /// The longest wait before the second try; it doubles from try to try.
    pub first_wait: Duration,
    /// The longest wait of all, also when the other side asks for more: then the answer is given up.
    pub longest_wait: Duration,
    /// No try begins after this.
    pub deadline: Option<Deadline>,
}

impl Default for RetryPolicy {
    /// Four tries within about two seconds.
    fn default() -> Self {
        Self {
            attempts: 4,
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(2),
            deadline: None,
        }
    }
}

/// Calls until it succeeds, fails for good, or the policy gives up; gives the last answer. Only UNAVAILABLE is tried
/// again (the transport of [`Upstream`](super::Upstream) says so of every broken connection): `call` must be safe to
/// repeat.
///
/// ```ignore
/// retry(RetryPolicy::default(), || async { client.clone().get_operation_run(request.clone()).await }).await
/// ```
pub async fn retry<T, F>(policy: RetryPolicy, mut call: impl FnMut() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    let mut tried = 1;
    loop {
        let status = match call().await {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        match wait_after(&policy, tried, &status) {
            Some(ceiling) => {
                let asked = retry_delay_of(&status).unwrap_or_default();
                let wait = asked + ambient::jitter(ceiling);
                if policy.deadline.is_some_and(|deadline| deadline.remaining() <= wait) {
                    return Err(status);
                }
                tokio::time::sleep(wait).await;
            }
            None => return Err(status),
        }
        tried += 1;
    }
}

/// The longest wait after try number `tried` (from 1) failed with `status`; `None` to give up.
fn wait_after(policy: &RetryPolicy, tried: u32, status: &Status) -> Option<Duration> {
    if status.code() != Code::Unavailable || tried >= policy.attempts {
        return None;
    }
    if retry_delay_of(status).is_some_and(|asked| asked > policy.longest_wait) {
        return None;
    }
    Some(policy.first_wait.saturating_mul(1 << (tried - 1).min(16)).min(policy.longest_wait))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::failure::Failure;

    #[test]
    fn waits_double_and_are_bounded() {
        let policy = RetryPolicy { attempts: 9, ..RetryPolicy::default() };
        let away = Status::unavailable("");
        let waits: Vec<_> =
            (1..10).map(|tried| wait_after(&policy, tried, &away).map(|wait| wait.as_millis())).collect();
        assert_eq!(waits[..6], [100, 200, 400, 800, 1600, 2000].map(Some));
        assert_eq!(waits[8], None);
        assert_eq!(wait_after(&policy, 1, &Status::aborted("")), None);
        let later = Status::from(Failure::draining().retry_after(Duration::from_secs(60)));
        assert_eq!(wait_after(&policy, 1, &later), None, "it asks for more patience than there is");
    }

    #[tokio::test(start_paused = true)]
    async fn it_tries_until_it_succeeds_and_not_after_the_deadline() {
        let calls = Cell::new(0);
        let flaky = || async {
            calls.set(calls.get() + 1);
            if calls.get() < 3 { Err(Status::unavailable("")) } else { Ok(calls.get()) }
        };
        assert_eq!(retry(RetryPolicy::default(), flaky).await.unwrap(), 3);

        calls.set(0);
        let over = RetryPolicy { deadline: Some(Deadline::after(Duration::ZERO)), ..RetryPolicy::default() };
        assert!(retry(over, flaky).await.is_err());
        assert_eq!(calls.get(), 1);
    }
}
