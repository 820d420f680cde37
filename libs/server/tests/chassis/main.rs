//! The chassis over real sockets, with a real issuer: what callers see of it.

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
mod limits;
mod process;
mod running;
mod script;
mod wire;
