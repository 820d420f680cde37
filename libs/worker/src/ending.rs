//! How the work on a run ended, or why it could not go on.

use std::time::Duration;

/// How the work on a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Every item has its outcome, or the handler was told to stop and did, with nothing in flight.
    Done,
    /// The run cannot be worked on at all; its open items are skipped for this reason.
    Blocked {
        /// Stable, UPPER_SNAKE.
        reason: String,
        /// A sentence for people.
        message: String,
    },
    /// Not now: the run goes back to the queue and is not claimed before this has passed (at most an hour).
    Postponed {
        /// How long.
        delay: Duration,
        /// Why: stable, UPPER_SNAKE.
        reason: String,
    },
}

/// Why the work could not go on. The calls of [`RunSession`](crate::RunSession) give it, so that `?` does the right thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// The lease was lost: somebody else has the run, or may have it.
    #[error("the lease of the run was lost")]
    Lost,
    /// The run was asked to stop, so what was about to begin must not begin. Taken as [`Ending::Done`].
    #[error("the run was asked to stop")]
    Stopped,
    /// Something the work needs is away; the run goes back to the queue and is taken up again later.
    #[error("{0}")]
    Away(String),
    /// A defect: of the handler, or of what it was told to do. The claim counts as one without progress; when those run out,
    /// the run is given up.
    #[error("{0}")]
    Failed(String),
}
