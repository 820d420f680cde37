//! The stable codes that a run or an item of it can end with by a decision of ours, in one place. All others are the worker's:
//! what it says of an item, or of a run that it cannot work on (`PROVIDER_...`, and those of its own service's API).

use std::fmt;

/// Why a run or an item ended, when no worker said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunReason {
    /// The run's workers kept falling silent, or failing, without getting anything done.
    AttemptsExhausted,
    /// The run missed its queue deadline or its run deadline.
    TimedOut,
    /// The run was stopped on request before the item's turn.
    Cancelled,
    /// The item may have been written, and the run ended before anybody could look.
    OutcomeUnknown,
    /// Of a failure summary: the reasons from the 31st on, taken together.
    OtherReasons,
}

impl RunReason {
    /// Every member.
    pub const ALL: [RunReason; 5] = [
        RunReason::AttemptsExhausted,
        RunReason::TimedOut,
        RunReason::Cancelled,
        RunReason::OutcomeUnknown,
        RunReason::OtherReasons,
    ];

    /// The code.
    pub const fn as_str(self) -> &'static str {
        match self {
            RunReason::AttemptsExhausted => "ATTEMPTS_EXHAUSTED",
            RunReason::TimedOut => "TIMED_OUT",
            RunReason::Cancelled => "CANCELLED",
            RunReason::OutcomeUnknown => "OUTCOME_UNKNOWN",
            RunReason::OtherReasons => "OTHER_REASONS",
        }
    }
}

impl fmt::Display for RunReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
