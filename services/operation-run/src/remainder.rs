//! What becomes of the items that a run leaves behind when it ends early. A run that has ended has no open items: those
//! nobody has begun are skipped, those that may have been written and whose effect nobody has seen are failed.

use domain::run::{Deadline, Failure, RunReason};

use crate::store::run_item::Remainder;

fn outcome_unknown() -> Failure {
    Failure::new(
        RunReason::OutcomeUnknown.as_str(),
        "The run ended before it could be seen whether this was written; sync the tenant and compare again.",
    )
}

/// Of a run that was stopped on request.
pub fn cancelled() -> Remainder {
    Remainder {
        untouched: Failure::new(RunReason::Cancelled.as_str(), "The run was stopped before this item's turn."),
        in_flight: outcome_unknown(),
    }
}

/// Of a run that could not be worked on.
pub fn blocked(why: Failure) -> Remainder {
    Remainder { untouched: why, in_flight: outcome_unknown() }
}

/// Of a run that was given up.
pub fn given_up() -> Remainder {
    Remainder { untouched: attempts_exhausted(), in_flight: outcome_unknown() }
}

/// Of a run whose time was over.
pub fn timed_out(deadline: Deadline) -> Remainder {
    Remainder { untouched: deadline.failure(), in_flight: outcome_unknown() }
}

/// Why a run was given up.
pub fn attempts_exhausted() -> Failure {
    Failure::new(
        RunReason::AttemptsExhausted.as_str(),
        "The work was taken up again and again and made no progress; the run was given up.",
    )
}
