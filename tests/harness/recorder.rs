//! What tests of faults write down, and the checkers that judge it: none of them knows how a fault was provoked.
//!
//! ```text
//! history  what callers asked and what they were told: invoke, ok, fail, or info when nobody knows
//! owner    events of the database in their order: one holder at a time, fences that rise, one end
//! queue    what was acknowledged is there, once, and ended; effects at the provider happened once
//! watch    what one subscriber was told, message by message, across all its streams
//! looker   such a subscriber
//! rows     reads what the checkers judge, past grants and row-level security
//! ```
//!
//! A checker returns the first thing that must not be as a [`Violation`]. Each has tests with bad histories that it refuses.

pub mod history;
pub mod looker;
pub mod owner;
pub mod queue;
pub mod rows;
pub mod watch;

use std::fmt;

/// Something that must never be, with what shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which rule is broken.
    pub rule: &'static str,
    /// By what.
    pub shown_by: String,
}

impl Violation {
    /// Of this rule.
    pub fn new(rule: &'static str, shown_by: impl Into<String>) -> Self {
        Self { rule, shown_by: shown_by.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.shown_by)
    }
}

impl std::error::Error for Violation {}
