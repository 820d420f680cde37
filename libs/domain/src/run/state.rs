//! The state machine of a run.

use crate::run::{RunOutcome, RunStatus};

/// The part of a run that the machine moves. Legal combinations: `queued` and `running` have outcome `pending`;
/// `completed` has any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RunState {
    /// Where it is.
    pub status: RunStatus,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Whether somebody asked it to stop. Survives claims and rescues.
    pub cancel_requested: bool,
    /// Whether an item has a recorded intent to write and no outcome yet. Such a run may not end as cancelled before a
    /// worker has looked at the target: the write may have happened.
    pub item_in_flight: bool,
}

impl RunState {
    /// A new run.
    pub const QUEUED: RunState = RunState {
        status: RunStatus::Queued,
        outcome: RunOutcome::Pending,
        cancel_requested: false,
        item_in_flight: false,
    };

    const fn ended(self, outcome: RunOutcome) -> RunState {
        RunState { status: RunStatus::Completed, outcome, ..self }
    }

    const fn with_status(self, status: RunStatus) -> RunState {
        RunState { status, ..self }
    }
}

/// Something that happens to a run. The caller has already checked the lease and its fence where one is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunEvent {
    /// A worker takes it.
    Claim,
    /// Its worker gives it back, between two items.
    Release,
    /// Its lease ran out and it goes back to the queue.
    Requeue,
    /// Its lease ran out and it is given up.
    GiveUp,
    /// Somebody asks it to stop.
    RequestCancel,
    /// Its time is over, and nobody holds it.
    TimeOut,
    /// Its worker is done.
    Complete(RunOutcome),
}

/// Why an event cannot happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransitionRefused {
    /// A completed run never changes.
    #[error("the run is completed")]
    Completed,
    /// The event needs a running run.
    #[error("the run is not running")]
    NotRunning,
    /// The event needs a queued run.
    #[error("the run is not queued")]
    NotQueued,
    /// A run cannot complete as `pending`.
    #[error("a run cannot complete without an outcome")]
    OutcomeMissing,
}

/// Decides what an event makes of a run.
///
/// A stop takes effect at once where no worker holds the run and no item is in flight; otherwise it is remembered, and
/// the worker that holds or next claims the run settles what is in flight, starts nothing else, and completes it.
pub fn transition(state: RunState, event: RunEvent) -> Result<RunState, TransitionRefused> {
    use RunStatus::{Completed, Queued, Running};
    match (state.status, event) {
        (Completed, _) => Err(TransitionRefused::Completed),

        (Queued, RunEvent::Claim) => Ok(state.with_status(Running)),
        (Running, RunEvent::Claim) => Err(TransitionRefused::NotQueued),

        (Queued, RunEvent::RequestCancel) => Ok(back_in_queue(RunState { cancel_requested: true, ..state })),
        (Running, RunEvent::RequestCancel) => Ok(RunState { cancel_requested: true, ..state }),

        (Running, RunEvent::Release | RunEvent::Requeue) => Ok(back_in_queue(state)),
        (Running, RunEvent::GiveUp) | (Queued, RunEvent::TimeOut) => Ok(state.ended(match state.cancel_requested {
            true => RunOutcome::Cancelled,
            false => RunOutcome::Failed,
        })),
        (Running, RunEvent::TimeOut) => Err(TransitionRefused::NotQueued),
        (Running, RunEvent::Complete(RunOutcome::Pending)) => Err(TransitionRefused::OutcomeMissing),
        (Running, RunEvent::Complete(outcome)) => Ok(state.ended(outcome)),
        (Queued, RunEvent::Release | RunEvent::Requeue | RunEvent::GiveUp | RunEvent::Complete(_)) => {
            Err(TransitionRefused::NotRunning)
        }
    }
}

/// A run without a worker: waiting, or over if it was asked to stop and nothing is in flight.
fn back_in_queue(state: RunState) -> RunState {
    match state.cancel_requested && !state.item_in_flight {
        true => state.ended(RunOutcome::Cancelled),
        false => state.with_status(RunStatus::Queued),
    }
}
