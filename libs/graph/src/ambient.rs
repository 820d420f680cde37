//! The only place of this crate that asks for the time or for chance. Decisions get both as arguments.
#![expect(clippy::disallowed_methods, reason = "this is the edge where they are read")]

use tokio::time::Instant;
use uuid::Uuid;

/// The monotonic clock (tokio's, so that tests can hold it).
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A number in `[0, 1)`.
pub(crate) fn chance() -> f64 {
    rand::random()
}

/// The id of one provider call, sent as `client-request-id`.
pub(crate) fn call_id() -> Uuid {
    Uuid::now_v7()
}
