//! The only place where this tool reads the clock and draws random numbers.
#![expect(clippy::disallowed_methods, reason = "this is the edge where they are read")]

use std::time::Duration;

use rand::Rng as _;
use time::OffsetDateTime;
use uuid::Uuid;

/// The wall clock, UTC.
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// A new UUIDv7, for request ids.
pub(crate) fn fresh_id() -> String {
    Uuid::now_v7().to_string()
}

/// A duration drawn evenly from zero to `ceiling`, so that clients cut off together do not come back together.
pub(crate) fn jitter(ceiling: Duration) -> Duration {
    ceiling.mul_f64(rand::rng().random::<f64>())
}
