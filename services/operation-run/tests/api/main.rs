//! The service as its callers see it: the real server in this process, a private PostgreSQL, an issuer at the wire.
#![allow(clippy::disallowed_methods, reason = "tests and tools make their own ids and read the clock")]
#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod audit;
mod audit_chain;
mod cancel;
mod control;
mod deadline;
mod explain;
mod fault;
mod harness;
mod import;
mod lease;
mod limits;
mod list;
mod notification;
mod outage;
mod reason;
mod rescue;
mod retention;
mod spec_144;
mod start;
mod system_start;
mod watch;
mod work;
mod worker;

#[path = "../../../../libs/dev/src/issuer.rs"]
#[allow(dead_code, unreachable_pub)]
mod issuer;
