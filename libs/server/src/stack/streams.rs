//! What holds for streams only: a number per caller, an end when the caller's token expires, an end when the process
//! goes down. Handlers end their streams themselves at a drain (they know the cursor to resume from, and have time to
//! say it); what is still open a moment later is ended here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::around::{Around, Next, Request, Response};
use crate::ambient;
use crate::body;
use crate::caller::Caller;
use crate::config::Limits;
use crate::drain::Drain;
use crate::failure::{Failure, reason};
use crate::method::Method;

#[derive(Clone)]
pub(super) struct Streams {
    open: Arc<Open>,
    most_per_caller: usize,
    cut: CancellationToken,
}

#[derive(Default)]
struct Open(Mutex<HashMap<Arc<str>, usize>>);

/// One open stream of a caller; dropping it gives the place back.
struct Place {
    open: Arc<Open>,
    caller: Arc<str>,
}

impl Streams {
    pub(super) fn new(limits: &Limits, drain: &Drain) -> Self {
        Self { open: Arc::default(), most_per_caller: limits.max_streams_per_caller, cut: drain.cut() }
    }
}

impl Open {
    fn enter(self: &Arc<Self>, caller: Arc<str>, most: usize) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(Arc::clone(&caller)).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place { open: Arc::clone(self), caller })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.caller);
            }
        }
    }
}

impl Around for Streams {
    async fn around(self, request: Request, next: impl Next) -> Response {
        if !request.extensions().get::<Arc<Method>>().is_some_and(|method| method.streaming) {
            return next.run(request).await;
        }
        if self.cut.is_cancelled() {
            return Failure::draining().into_response();
        }
        let Some(caller) = request.extensions().get::<Caller>().cloned() else {
            // Health.Watch and reflection: they end with the process.
            return until_cut(next.run(request).await, self.cut);
        };
        let Some(place) = self.open.enter(caller.key(), self.most_per_caller) else {
            return Failure::resource_exhausted(
                reason::TOO_MANY_STREAMS,
                format!("at most {} streams may be open per caller", self.most_per_caller),
            )
            .into_response();
        };
        let valid_for = Duration::try_from(caller.expires_at - ambient::now()).unwrap_or_default();
        let response = body::holding(next.run(request).await, place)
            .map(|body| body::until(body, tokio::time::sleep(valid_for), || Failure::stream_expired().into()));
        until_cut(response, self.cut)
    }
}

fn until_cut(response: Response, cut: CancellationToken) -> Response {
    response.map(|body| body::until(body, cut.cancelled_owned(), || Failure::draining().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_per_caller_and_given_back() {
        let open = Arc::new(Open::default());
        let (ada, bob): (Arc<str>, Arc<str>) = ("ada".into(), "bob".into());
        let first = open.enter(Arc::clone(&ada), 1).unwrap();
        assert!(open.enter(Arc::clone(&ada), 1).is_none());
        let other = open.enter(bob, 1).unwrap();
        drop((first, other));
        assert!(open.0.lock().unwrap().is_empty(), "a caller that left is still counted");
        assert!(open.enter(ada, 1).is_some());
    }
}
