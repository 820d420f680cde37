//! The one place where a [`Failure`] becomes a [`Status`], and where its sources are logged.

use std::collections::HashMap;
use std::error::Error;

use opentelemetry::trace::TraceContextExt as _;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{Category, Failure, Inner, reason};

/// The domain of every ErrorInfo of this product.
pub const DOMAIN: &str = "tenantatlas";

impl From<Failure> for Status {
    fn from(failure: Failure) -> Status {
        let mut inner = *failure.0;
        if let Some(status) = inner.verbatim {
            return status;
        }
        match inner.category {
            // Whoever built it, it says nothing: what is hidden and what is absent are the same bytes.
            Category::NotFound => {
                return status_of(Inner { source: inner.source, ..*Failure::not_found().0 });
            }
            Category::Internal => {
                let trace_id = trace_id_of(&tracing::Span::current());
                tracing::error!(
                    reason = %inner.reason, trace_id, cause = %chain(&inner), "internal error: {}", inner.message
                );
                inner =
                    *Failure::new(Category::Internal, reason::INTERNAL, "internal error").with("trace_id", trace_id).0;
            }
            Category::Unavailable if inner.source.is_some() => {
                tracing::warn!(reason = %inner.reason, cause = %chain(&inner), "{}", inner.message);
            }
            _ if inner.source.is_some() => {
                tracing::debug!(reason = %inner.reason, cause = %chain(&inner), "{}", inner.message);
            }
            _ => {}
        }
        status_of(inner)
    }
}

impl Failure {
    /// The failure as a whole HTTP response of gRPC, for a layer that answers in the handler's place.
    pub(crate) fn into_response(self) -> http::Response<tonic::body::Body> {
        Status::from(self).into_http()
    }
}

fn status_of(inner: Inner) -> Status {
    let metadata: HashMap<String, String> = inner.metadata.into_iter().collect();
    let mut details = ErrorDetails::with_error_info(inner.reason, DOMAIN, metadata);
    for violation in inner.fields {
        details.add_bad_request_violation(violation.field, violation.why);
    }
    for gate in inner.preconditions {
        details.add_precondition_failure_violation(gate.kind, gate.subject, gate.description);
    }
    if let Some(delay) = inner.retry_after {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details(inner.category.code(), inner.message, details)
}

/// The id by which support finds this request again: the trace id of `span`, or, where nothing is traced, a made-up one
/// that at least stands in the log line of the error.
pub fn trace_id_of(span: &tracing::Span) -> String {
    let context = span.context();
    let trace = context.span().span_context().trace_id();
    if trace == opentelemetry::trace::TraceId::INVALID {
        crate::ambient::fresh_id().simple().to_string()
    } else {
        trace.to_string()
    }
}

/// The sources, outermost first, in one line.
fn chain(inner: &Inner) -> String {
    let mut links = Vec::new();
    let mut next: Option<&(dyn Error + 'static)> = inner.source.as_deref().map(|source| source as _);
    while let Some(error) = next {
        links.push(error.to_string());
        next = error.source();
    }
    links.join(": ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Code;

    use super::*;
    use crate::failure::{Precondition, reason_of};

    #[test]
    fn every_not_found_has_the_same_bytes() {
        let plain = Status::from(Failure::not_found());
        let chatty = Status::from(
            Failure::new(Category::NotFound, "RUN_NOT_FOUND", "run 7 is not here")
                .with("run", "7")
                .retry_after(Duration::from_secs(1))
                .caused_by("no row"),
        );
        assert_eq!(plain.code(), Code::NotFound);
        assert_eq!(plain.message(), "not found");
        assert_eq!(
            (plain.code(), plain.message(), plain.details()),
            (chatty.code(), chatty.message(), chatty.details())
        );
        assert_eq!(reason_of(&chatty).as_deref(), Some("NOT_FOUND"));
    }

    #[test]
    fn an_internal_error_shows_a_trace_id_and_nothing_else() {
        let status = Status::from(Failure::internal("password=hunter2 was refused"));
        assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
        assert!(!String::from_utf8_lossy(status.details()).contains("hunter2"));
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("INTERNAL", DOMAIN));
        assert_eq!(info.metadata.keys().collect::<Vec<_>>(), ["trace_id"]);
    }

    #[test]
    fn details_are_carried() {
        let status = Status::from(
            Failure::failed_precondition("PREFLIGHT_STALE", "the preflight is out of date")
                .precondition(Precondition {
                    kind: "FINGERPRINT".into(),
                    subject: "preflight".into(),
                    description: "generate it again".into(),
                })
                .retry_after(Duration::from_millis(1500)),
        );
        let details = status.get_error_details();
        assert_eq!(details.precondition_failure().unwrap().violations[0].subject, "preflight");
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_millis(1500)));

        let status = Status::from(Failure::invalid_argument("page_size", "must not be negative"));
        assert_eq!(status.message(), "page_size: must not be negative");
        let details = status.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "page_size");
        assert_eq!(details.error_info().unwrap().reason, "FIELD_INVALID");
    }
}
