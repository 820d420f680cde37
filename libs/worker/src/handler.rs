//! What a service says about its run types.

use std::time::Duration;

use domain::run::RunType;

use crate::session::RunSession;

/// The work of one run type.
#[tonic::async_trait]
pub trait Handler: Send + Sync + 'static {
    /// The type it works on.
    fn run_type(&self) -> RunType;

    /// Works on a claimed run: gives each open item its outcome. It begins nothing new when
    /// [`RunSession::should_stop`] says so; what is open then is worked on by whoever claims the run next, or skipped if
    /// the run was cancelled.
    ///
    /// # Errors
    /// See [`WorkError`]; an item's own trouble is its outcome and no error.
    async fn work(&self, session: &RunSession) -> Result<Ending, WorkError>;
}

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

/// Why the work could not go on. The calls of [`RunSession`] give it, so that `?` does the right thing.
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
