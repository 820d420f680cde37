//! The only place where the chassis and the services read the clock and draw random numbers. Decisions take both as
//! arguments; the edges get them here, so that a search for these three names finds every such edge.
#![expect(clippy::disallowed_methods, reason = "this is the edge where they are read")]

use std::time::Duration;

use rand::Rng as _;
use time::OffsetDateTime;
use uuid::Uuid;

/// The wall clock, UTC. PostgreSQL keeps microseconds: more would not survive a round trip, so more is not given.
pub fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_microsecond(now.microsecond()).unwrap_or(now)
}

/// A new UUIDv7: ordered by creation time, so that indexes stay dense.
pub fn fresh_id() -> Uuid {
    Uuid::now_v7()
}

/// A duration drawn evenly from zero to `ceiling` ("full jitter"), so that clients that failed together do not
/// come back together.
pub fn jitter(ceiling: Duration) -> Duration {
    ceiling.mul_f64(rand::rng().random::<f64>())
}
