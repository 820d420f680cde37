//! The service as its callers see it: the real server in this process, a private PostgreSQL, an issuer at the wire.
#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod audit;
mod cancel;
mod harness;
mod lease;
mod list;
mod rescue;
mod start;
mod watch;
mod work;

#[path = "../../../../libs/dev/src/issuer.rs"]
#[allow(dead_code, unreachable_pub)]
mod issuer;
