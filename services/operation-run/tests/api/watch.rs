//! WatchOperationRuns: the present state, then every change once and in order, on any replica, for those who may see it.

mod access;
mod latest;
mod order;
pub mod reader;
mod resume;
mod story;
