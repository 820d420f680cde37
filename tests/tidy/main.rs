//! The rules of the house, checked: which room may use which, and what stays out of each.

mod arrows;
mod sources;
