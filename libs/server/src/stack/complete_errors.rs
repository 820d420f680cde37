//! Innermost: every error that leaves a service carries ErrorInfo of our domain, also those the gRPC library makes by
//! itself (unknown method, unreadable message, message too large), with the code the rest of the gRPC world gives them.

use tonic::{Code, Status};

use super::around::{Around, Next, Request, Response};
use crate::body;
use crate::failure::{Category, Failure, reason, reason_of};

#[derive(Clone)]
pub(super) struct CompleteErrors;

impl Around for CompleteErrors {
    async fn around(self, request: Request, next: impl Next) -> Response {
        body::map_status(next.run(request).await, complete)
    }
}

fn complete(status: Status) -> Status {
    if reason_of(&status).is_some() {
        return status;
    }
    let message = status.message().to_owned();
    let plain = |category, reason| Failure::new(category, reason, message.clone());
    match status.code() {
        Code::Ok => return status,
        Code::NotFound => Failure::not_found(),
        Code::Unimplemented => {
            Failure::new(Category::Unimplemented, reason::METHOD_UNKNOWN, "this server has no such method")
        }
        // tonic's word for a message above the size limit; elsewhere this code says RESOURCE_EXHAUSTED.
        Code::OutOfRange if message.contains("message length too large") => {
            plain(Category::ResourceExhausted, reason::MESSAGE_TOO_LARGE)
        }
        // tonic blames itself for a message it cannot read; the sender is to blame.
        Code::Internal if message.contains("failed to decode Protobuf message") => {
            Failure::new(Category::InvalidArgument, reason::REQUEST_MALFORMED, "the request is no such message")
                .caused_by(message.clone())
        }
        Code::Unauthenticated => plain(Category::Unauthenticated, reason::TOKEN_INVALID),
        Code::InvalidArgument => plain(Category::InvalidArgument, "INVALID_ARGUMENT"),
        Code::PermissionDenied => plain(Category::PermissionDenied, "PERMISSION_DENIED"),
        Code::AlreadyExists => plain(Category::AlreadyExists, "ALREADY_EXISTS"),
        Code::FailedPrecondition => plain(Category::FailedPrecondition, "FAILED_PRECONDITION"),
        Code::Aborted => plain(Category::Aborted, "ABORTED"),
        Code::OutOfRange => plain(Category::OutOfRange, "OUT_OF_RANGE"),
        Code::ResourceExhausted => plain(Category::ResourceExhausted, reason::OVERLOADED),
        Code::DeadlineExceeded => Failure::deadline_exceeded(),
        Code::Cancelled => plain(Category::Cancelled, reason::CANCELLED),
        Code::Unavailable => plain(Category::Unavailable, reason::UPSTREAM_UNAVAILABLE),
        // Whoever wrote this text did not mean it for strangers.
        Code::Internal | Code::Unknown | Code::DataLoss => Failure::internal(message),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_library_says_is_completed() {
        for (status, code, reason) in [
            (Status::unimplemented(""), Code::Unimplemented, reason::METHOD_UNKNOWN),
            (
                Status::out_of_range("Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes"),
                Code::ResourceExhausted,
                reason::MESSAGE_TOO_LARGE,
            ),
            (
                Status::internal("failed to decode Protobuf message: x"),
                Code::InvalidArgument,
                reason::REQUEST_MALFORMED,
            ),
            (Status::unknown("secret"), Code::Internal, reason::INTERNAL),
        ] {
            let complete = complete(status);
            assert_eq!((complete.code(), reason_of(&complete).as_deref()), (code, Some(reason)));
            assert!(!complete.message().contains("secret"));
        }
        let ours = Status::from(Failure::failed_precondition("NOTHING_READY", "no"));
        assert_eq!(complete(ours.clone()).details(), ours.details());
    }
}
