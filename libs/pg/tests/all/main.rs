//! What the database itself guarantees, shown with raw SQL under the services' own roles, and the plumbing around it.

mod connection;
mod event_order;
mod immutable;
mod isolation;
mod local_cluster;
mod migration;
mod race;
mod run_state;
mod seed;
