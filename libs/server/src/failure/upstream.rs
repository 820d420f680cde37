//! The way back: another service's [`Status`] as a [`Failure`] of ours.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{Category, DOMAIN, Failure, reason};

/// The machine-readable reason of an answer of ours; `None` when it carries no ErrorInfo of our domain.
pub fn reason_of(status: &Status) -> Option<String> {
    status.get_details_error_info().filter(|info| info.domain == DOMAIN).map(|info| info.reason)
}

/// How long the answer asks to wait before trying again.
pub fn retry_delay_of(status: &Status) -> Option<Duration> {
    status.get_details_retry_info().and_then(|info| info.retry_delay)
}

impl Failure {
    /// What a service that called another one answers when that call failed.
    ///
    /// An answer that means something to our caller (it has a reason, and is about the caller or the request) is passed
    /// on byte for byte. What is between us and the other service is not our caller's business: our own identity being
    /// refused is a defect of ours, a broken connection is UNAVAILABLE.
    pub fn from_upstream(status: Status) -> Self {
        let reason = reason_of(&status);
        let ours = matches!(
            reason.as_deref(),
            Some(
                reason::SERVICE_TOKEN_INVALID
                    | reason::SERVICE_CERTIFICATE_MISMATCH
                    | reason::SERVICE_IDENTITY_REQUIRED
                    | reason::METHOD_UNKNOWN
            )
        );
        match (status.code(), reason) {
            (Code::NotFound, _) => Self::not_found(),
            (Code::DeadlineExceeded, _) => Self::deadline_exceeded().caused_by(status),
            (_, Some(_)) if ours => Self::internal(status),
            // It logged its own sources under the same trace; its trace id is ours.
            (code, Some(reason)) => match category(code) {
                Some(category) => {
                    let mut failure = Self::new(category, reason, status.message().to_owned());
                    // A fresh status: the metadata of that response (its request id, its content type) is not ours.
                    let bytes = status.details().to_vec().into();
                    failure.0.verbatim = Some(Status::with_details(code, status.message(), bytes));
                    failure
                }
                None => Self::internal(status),
            },
            (Code::Unavailable | Code::Cancelled, None) => {
                Self::unavailable("a service this one needs").caused_by(status)
            }
            (_, None) => Self::internal(status),
        }
    }
}

fn category(code: Code) -> Option<Category> {
    Some(match code {
        Code::Unauthenticated => Category::Unauthenticated,
        Code::InvalidArgument => Category::InvalidArgument,
        Code::NotFound => Category::NotFound,
        Code::PermissionDenied => Category::PermissionDenied,
        Code::AlreadyExists => Category::AlreadyExists,
        Code::FailedPrecondition => Category::FailedPrecondition,
        Code::Aborted => Category::Aborted,
        Code::OutOfRange => Category::OutOfRange,
        Code::ResourceExhausted => Category::ResourceExhausted,
        Code::DeadlineExceeded => Category::DeadlineExceeded,
        Code::Cancelled => Category::Cancelled,
        Code::Unimplemented => Category::Unimplemented,
        Code::Unavailable => Category::Unavailable,
        Code::Internal => Category::Internal,
        Code::Ok | Code::Unknown | Code::DataLoss => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_for_our_caller_is_passed_on_unchanged() {
        let original =
            Status::from(Failure::failed_precondition("NOTHING_READY", "nothing is ready").with("ready", "0"));
        let (code, message, details) = (original.code(), original.message().to_owned(), original.details().to_vec());
        let failure = Failure::from_upstream(original);
        assert_eq!((failure.category(), failure.reason()), (Category::FailedPrecondition, "NOTHING_READY"));
        let passed_on = Status::from(failure);
        assert_eq!((passed_on.code(), passed_on.message(), passed_on.details()), (code, &*message, &*details));
    }

    #[test]
    fn what_is_between_services_stays_between_them() {
        let refused = Status::from(Failure::unauthenticated(reason::SERVICE_TOKEN_INVALID, "no service"));
        assert_eq!(Failure::from_upstream(refused).category(), Category::Internal);
        let cut = Status::cancelled("h2 protocol error");
        assert_eq!(Failure::from_upstream(cut).reason(), reason::UPSTREAM_UNAVAILABLE);
        assert_eq!(Failure::from_upstream(Status::unknown("?")).category(), Category::Internal);
        let bare = Status::not_found("no run 7");
        assert_eq!(Status::from(Failure::from_upstream(bare)).message(), "not found");
    }
}
