//! Deadlines. The whole call is covered, streams included, and the answer is DEADLINE_EXCEEDED.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep_until, timeout_at};

use super::around::{Around, Next, Request, Response};
use crate::body;
use crate::config::Limits;
use crate::deadline::{Deadline, read_timeout};
use crate::failure::Failure;
use crate::method::Method;

#[derive(Clone)]
pub(super) struct Deadlines {
    default: Duration,
    max: Duration,
}

impl Deadlines {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { default: limits.default_deadline, max: limits.max_deadline }
    }

    /// A unary call always has a deadline. A stream has the one its caller asks for, and none otherwise: it ends with
    /// the caller's token at the latest.
    fn allowed(&self, asked: Option<Duration>, streaming: bool) -> Option<Duration> {
        if streaming { asked } else { Some(asked.unwrap_or(self.default).min(self.max)) }
    }
}

impl Around for Deadlines {
    async fn around(self, mut request: Request, next: impl Next) -> Response {
        let streaming = request.extensions().get::<Arc<Method>>().is_some_and(|method| method.streaming);
        let Some(left) = self.allowed(read_timeout(request.headers()), streaming) else {
            return next.run(request).await;
        };
        let deadline = Deadline::after(left);
        request.extensions_mut().insert(deadline);
        match timeout_at(deadline.instant(), next.run(request)).await {
            Ok(response) => response
                .map(|body| body::until(body, sleep_until(deadline.instant()), || Failure::deadline_exceeded().into())),
            Err(_elapsed) => Failure::deadline_exceeded().into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unary_calls_always_have_a_deadline_and_streams_only_their_own() {
        let limits = Deadlines { default: Duration::from_secs(30), max: Duration::from_secs(60) };
        let s = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(limits.allowed(None, false), s(30));
        assert_eq!(limits.allowed(s(10), false), s(10));
        assert_eq!(limits.allowed(s(100), false), s(60));
        assert_eq!(limits.allowed(None, true), None);
        assert_eq!(limits.allowed(s(100), true), s(100));
    }
}
