//! A panic in a handler, or in the stream it answered with, becomes INTERNAL with a trace id. Without this the caller
//! would see a broken HTTP/2 stream.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;

use super::around::{Around, Next, Request, Response};
use crate::body;
use crate::failure::Failure;

#[derive(Clone)]
pub(super) struct NoPanic;

impl Around for NoPanic {
    async fn around(self, request: Request, next: impl Next) -> Response {
        // Unwind safety: what the handler held is dropped with it; what it shares is behind locks that the rest of the
        // process treats as poisoned or not, as it would after any other error.
        match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(response) => response.map(body::guarded),
            Err(panic) => Failure::from_panic(&*panic).into_response(),
        }
    }
}
