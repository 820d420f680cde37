//! How the command ended, as scripts see it. The numbers are a promise: they stand in `--help`.

use std::process::ExitCode;

use pb::operation::OperationRunOutcome;

/// What `--help` says about exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done; the operation succeeded; compare: nothing differs
  1  compare --exit-code: something differs
  2  error: wrong usage, refused, unreachable, gave up waiting
  3  the operation partially succeeded
  4  the operation failed, was blocked, or was not started because something else is in its way
  5  the operation was cancelled
  130  interrupted while watching; the operation goes on";

/// An ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done as asked.
    Done,
    /// `compare --exit-code` found a difference.
    Differs,
    /// An error was printed.
    Error,
    /// The operation partially succeeded.
    Partially,
    /// The operation failed, was blocked, or was not started.
    Failed,
    /// The operation was cancelled.
    Cancelled,
    /// Ctrl-C while watching.
    Interrupted,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Differs => 1,
            Self::Error => 2,
            Self::Partially => 3,
            Self::Failed => 4,
            Self::Cancelled => 5,
            Self::Interrupted => 130,
        }
    }

    /// Of an operation that has ended. One that has not is none of a script's successes.
    pub(crate) const fn of_outcome(outcome: OperationRunOutcome) -> Self {
        match outcome {
            OperationRunOutcome::Succeeded => Self::Done,
            OperationRunOutcome::PartiallySucceeded => Self::Partially,
            OperationRunOutcome::Failed | OperationRunOutcome::Blocked => Self::Failed,
            OperationRunOutcome::Cancelled => Self::Cancelled,
            OperationRunOutcome::Unspecified | OperationRunOutcome::Pending => Self::Error,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_the_code_that_help_promises() {
        use OperationRunOutcome as O;
        for (outcome, code) in [
            (O::Succeeded, 0),
            (O::PartiallySucceeded, 3),
            (O::Failed, 4),
            (O::Blocked, 4),
            (O::Cancelled, 5),
            (O::Pending, 2),
            (O::Unspecified, 2),
        ] {
            assert_eq!(Exit::of_outcome(outcome).code(), code, "{outcome:?}");
            assert!(EXIT_CODES.contains(&format!("\n  {code}  ")), "{code} is not told");
        }
        assert_eq!((Exit::Differs.code(), Exit::Interrupted.code()), (1, 130));
    }
}
