//! Kill, cut, delay, repeat: what is promised must hold whatever process dies, connection drops or request comes again.
//!
//! One file a subject. `ground` prepares a hundred policies and an empty target, `proof` says what must be true afterwards,
//! `watcher` looks on all the time.
#![allow(clippy::disallowed_methods, reason = "tests and tools make their own ids and read the clock")]

mod ground;
mod kill_worker;
mod policies;
mod proof;
mod watcher;
