//! The worker's side of an operation run: claim, lease renewal, fencing, batched reports, cancel, drain.
//!
//! A service registers one [`Handler`] for each of its run types; [`start`] claims runs for them until the chassis drains:
//!
//! ```ignore
//! worker::start(&chassis, &operation_runs, config.worker_runs, vec![Box::new(Promote { .. })])?;
//! ```
//!
//! What a handler may rely on:
//! - What it works on is its own as long as it runs: when the lease is lost, or may be, its future is dropped at its next
//!   await, because nothing it still does counts.
//! - An outcome it reported is not lost: the report is repeated until it is taken or the lease is lost.
//! - Calls made side by side (many items at once) go to the service together.
//!
//! What it owes:
//! - [`RunSession::intend`] before it writes an item, [`RunSession::report`] after it has seen the effect.
//! - An item with an intent and no outcome may have been written by an attempt before: it reads the target to find out. It
//!   does so in a cancelled run, too: such a run cannot end before every item in flight has its outcome.
//! - A look at [`RunSession::should_stop`] before it begins an item, and [`RunSession::item_span`] around it.

mod batch;
mod call;
mod claim;
mod conclude;
mod ending;
mod handler;
mod item_trace;
mod renew;
mod session;
mod term;
mod work;

pub use claim::start;
pub use ending::{Ending, WorkError};
pub use handler::Handler;
pub use session::RunSession;
