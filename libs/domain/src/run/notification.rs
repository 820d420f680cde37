//! What somebody is told when a run has ended.

use crate::run::{RunOutcome, RunType};

/// One line, such as `Cross-tenant promotion has succeeded`.
pub fn notification_title(run_type: RunType, outcome: RunOutcome) -> String {
    let ended = match outcome {
        RunOutcome::Pending => "has not ended",
        RunOutcome::Succeeded => "has succeeded",
        RunOutcome::PartiallySucceeded => "has partially succeeded",
        RunOutcome::Blocked => "was blocked",
        RunOutcome::Failed => "has failed",
        RunOutcome::Cancelled => "was cancelled",
    };
    format!("{} {ended}", run_type.label())
}
