//! Following runs: the present state, then every change in order, resumable on any replica.
//!
//! - [`position`]: where an event is, and why order is (transaction, sequence)
//! - [`tail`]: the one reader of new events of this replica
//! - [`feed`]: the newest events in memory, shared by all watchers of this replica
//! - [`token`]: a position on the wire
//! - [`filter`]: which events a watcher wants
//! - [`access`], [`shared_look`]: what the actor of an open watch may see now, looked at once for all of them
//! - `newest`: what a LATEST watch keeps of what happened
//! - [`watcher`]: one open watch: a cursor and no queue
//!
//! Truth is in the database. A watcher that falls behind what is in memory reads from there; nobody waits for it.

pub mod access;
pub mod feed;
pub mod filter;
mod newest;
pub mod position;
pub mod shared_look;
pub mod tail;
pub mod token;
pub mod watcher;

pub use feed::{Event, EventKind, Feed};
pub use position::{Position, Snapshot};
