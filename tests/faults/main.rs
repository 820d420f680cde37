//! Kill, cut, delay, repeat: what is promised must hold whatever process dies, connection drops or request comes again.
//!
//! One file a subject. `ground` prepares a hundred policies and an empty target, `proof` says what must be true afterwards,
//! `watcher` looks on all the time. `ATLAS_FAULT_SEED` repeats the choices of a run that failed. `soak/` is a program of its own, in
//! which everything goes wrong at the same time; it is judged by the recorder of `tests/harness`.

#![allow(clippy::disallowed_methods, reason = "tests and tools make their own ids and read the clock")]

mod boundaries;
mod cancel;
mod crowd;
mod database;
mod drift;
mod ground;
mod kill_others;
mod kill_worker;
mod lost_replies;
mod many_watchers;
mod policies;
mod proof;
mod register;
mod repeat;
mod rollout;
mod watcher;
mod zombie;
