//! Load shedding: a call that finds no room is refused at once, so that those inside stay fast. Unary calls and streams
//! have rooms of their own (a full house of dashboards must not stop an operator's click), and a place is held until
//! the answer's last byte.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::around::{Around, Next, Request, Response};
use crate::ambient;
use crate::body;
use crate::config::Limits;
use crate::failure::{Failure, reason};
use crate::method::Method;

/// Within which time a refused caller should come back; drawn, so that they do not come back together.
const RETRY_WITHIN: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(super) struct Shed {
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Shed {
    pub(super) fn new(limits: &Limits) -> Self {
        let room = |places: usize| Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        Self { requests: room(limits.max_requests), streams: room(limits.max_streams) }
    }
}

impl Around for Shed {
    async fn around(self, request: Request, next: impl Next) -> Response {
        let method = request.extensions().get::<Arc<Method>>();
        // A busy process is alive: refusing its probes would have it killed for being busy.
        if method.is_some_and(|method| method.probe) {
            return next.run(request).await;
        }
        let room = if method.is_some_and(|method| method.streaming) { self.streams } else { self.requests };
        match room.try_acquire_owned() {
            Ok(place) => body::holding(next.run(request).await, place),
            Err(_full) => {
                Failure::resource_exhausted(reason::OVERLOADED, "the server is at its limit; try again later")
                    .retry_after(RETRY_WITHIN / 4 + ambient::jitter(RETRY_WITHIN))
                    .into_response()
            }
        }
    }
}
