//! Development of TenantAtlas: the local issuer, the stack of real processes, the demo, and what tests share with them.
#![allow(clippy::disallowed_methods, reason = "tests and tools make their own ids and read the clock")]
#![allow(clippy::print_stdout, clippy::print_stderr)]

pub mod authority;
pub mod check;
pub mod client;
pub mod cluster;
pub mod demo;
pub mod faults;
pub mod issuer;
pub mod job;
pub mod manifests;
pub mod paths;
pub mod persona;
pub mod scene;
pub mod stack;
pub mod token;
pub mod tools;
pub mod up;
