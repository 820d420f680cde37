//! What keeps a run or an item from going on, and what that means for it.

use std::borrow::Cow;

use graph::GraphError;
use server::failure::reason::MESSAGE_TOO_LARGE;
use server::failure::reason_of;
use tonic::{Code, Status};
use worker::WorkError;

/// Something that went wrong outside of a decision.
#[derive(Debug)]
pub enum Trouble {
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
    /// The provider is away or asks to wait: nothing can be known of this item now. The run is taken up again later.
    Provider(GraphError),
    /// It concerns the run: the lease is lost, it was asked to stop, or one of our own services is away.
    Run(WorkError),
}

impl Trouble {
    /// The run cannot be worked on at all.
    pub fn blocked(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Blocked { reason, message: message.into() }
    }

    /// This item fails.
    pub fn item(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Item { reason: reason.into(), message: message.into() }
    }

    /// Another service did not do what an item needs. What does not pass by itself is the item's own trouble.
    pub fn of_item(status: &Status) -> Self {
        match is_passing(status) {
            true => Self::Run(WorkError::Away(told(status))),
            false => Self::Item {
                reason: reason_of(status).unwrap_or_else(|| "INTERNAL".to_owned()).into(),
                message: status.message().to_owned(),
            },
        }
    }

    /// Another service did not do what the run needs.
    pub fn of_run(status: &Status) -> Self {
        match is_passing(status) {
            true => Self::Run(WorkError::Away(told(status))),
            false => Self::Run(WorkError::Failed(told(status))),
        }
    }
}

fn told(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

/// Whether asking again later can help without anything else changing.
fn is_passing(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Aborted | Code::Cancelled => true,
        // Too many at once passes; too large does not.
        Code::ResourceExhausted => reason_of(status).as_deref() != Some(MESSAGE_TOO_LARGE),
        _ => false,
    }
}

impl From<GraphError> for Trouble {
    fn from(error: GraphError) -> Self {
        if is_passing_provider(&error) {
            return Self::Provider(error);
        }
        Self::Item { reason: error.reason_code.into(), message: error.message }
    }
}

/// Whether the provider may answer otherwise in a while.
pub(crate) fn is_passing_provider(error: &GraphError) -> bool {
    // A named location or group that was just made is not seen at once by those who refer to it.
    error.is_transient() || error.reason_code == "PROVIDER_REFERENCE_NOT_VISIBLE_YET"
}

impl From<WorkError> for Trouble {
    fn from(error: WorkError) -> Self {
        Self::Run(error)
    }
}

#[cfg(test)]
mod tests {
    use server::Failure;

    use super::*;

    #[test]
    fn what_passes_by_itself_sends_the_run_back_and_what_does_not_fails_the_item() {
        let passing =
            [Failure::unavailable("compare-service"), Failure::deadline_exceeded(), Failure::aborted("X", "x")];
        for failure in passing {
            assert!(matches!(Trouble::of_item(&failure.into()), Trouble::Run(WorkError::Away(_))));
        }
        let lasting = [
            Failure::invalid_argument("content_json", "is too long"),
            Failure::not_found(),
            Failure::resource_exhausted(MESSAGE_TOO_LARGE, "too large"),
        ];
        for failure in lasting {
            let reason = failure.reason().to_owned();
            let Trouble::Item { reason: told, .. } = Trouble::of_item(&failure.into()) else { panic!("{reason}") };
            assert_eq!(told, reason);
        }
        let defect = Failure::invalid_argument("page_size", "x").into();
        assert!(matches!(Trouble::of_run(&defect), Trouble::Run(WorkError::Failed(_))));
    }
}
