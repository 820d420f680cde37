//! The chassis over real sockets, with a real issuer: what callers see of it.
#![expect(clippy::disallowed_methods, reason = "a test is its own edge: it draws ids and tokens")]

// The dev crate links far more than a test of the chassis should; its issuer and its certificate authority are a file each.
#[allow(dead_code, unreachable_pub)]
#[path = "../../../dev/src/authority.rs"]
mod authority;
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
mod reload;
mod running;
mod script;
mod tls;
mod wire;
