//! What keeps a run or an item from going on, and what that means for it.

use std::borrow::Cow;

use graph::GraphError;
use tonic::Status;
use worker::WorkError;

/// Something that went wrong outside of a decision.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The run cannot be worked on at all; its open items are skipped for this reason.
    Blocked {
        /// Stable, UPPER_SNAKE.
        reason: &'static str,
        /// For people.
        message: Cow<'static, str>,
    },
    /// This item fails for this reason; the others go on.
    Item {
        /// Stable, UPPER_SNAKE.
        reason: Cow<'static, str>,
        /// For people.
        message: String,
    },
    /// It concerns the run: the lease is lost, it was asked to stop, or one of our own services is away.
    Run(WorkError),
}

impl Trouble {
    pub(super) fn blocked(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Blocked { reason, message: message.into() }
    }

    pub(super) fn item(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Item { reason: reason.into(), message: message.into() }
    }

    /// Another service did not answer as it should.
    pub(super) fn away(status: &Status) -> Self {
        Self::Run(WorkError::Away(format!("{:?}: {}", status.code(), status.message())))
    }
}

impl From<GraphError> for Trouble {
    fn from(error: GraphError) -> Self {
        Self::Item { reason: error.reason_code.into(), message: error.message }
    }
}

impl From<WorkError> for Trouble {
    fn from(error: WorkError) -> Self {
        Self::Run(error)
    }
}
