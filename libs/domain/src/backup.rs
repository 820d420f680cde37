//! Backups by schedule: when they are due, what is made up for after a pause, what overlaps, and what is kept.
//!
//! Everything here is decided over values; [`timing`] is the only module of the product that knows cron and time zones.

mod due;
mod overlap;
mod plan;
mod retention;
mod slot;
mod timing;

pub use due::{CATCH_UP_HORIZON, CatchUp, Due, MOST_CATCH_UP, ON_TIME, due};
pub use overlap::{Overlap, Turn, turn};
pub use plan::Plan;
pub use retention::{ABANDONED_AFTER, Kept, Retention, RetentionError, SetState, prunable};
pub use slot::request_of;
pub use timing::{MOST_CRON_CHARS, SHORTEST_PAUSE, Timing, TimingError};
