//! What the database itself guarantees, shown with raw SQL under the services' own roles, and the plumbing around it.
#![allow(clippy::disallowed_methods, reason = "tests and tools make their own ids and read the clock")]

mod connection;
mod event_order;
mod every_table;
mod immutable;
mod isolation;
mod local_cluster;
mod migration;
mod password;
mod race;
mod run_state;
mod seed;
