//! The chassis over real sockets, with a real issuer: what callers see of it.
#![expect(clippy::disallowed_methods, reason = "a test is its own edge: it draws ids and tokens")]

// The dev crate links far more than a test of the chassis should; its issuer is one file.
#[allow(dead_code, unreachable_pub)]
#[path = "../../../dev/src/issuer.rs"]
mod issuer;

mod access;
mod calling;
mod discovery;
mod draining;
mod errors;
mod identity;
mod keys;
mod limits;
mod process;
mod running;
mod script;
mod wire;
