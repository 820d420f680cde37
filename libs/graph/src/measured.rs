//! What is seen of an exchange from outside: its span, by OpenTelemetry's conventions for HTTP clients.
//!
//! Addresses carry the provider's ids and people's names (in filters), so `url.full` is left out on purpose: the template stands
//! in its place, in the name as well.

use reqwest::Method;
use tracing::{Instrument as _, Span, field};
use url::Url;

use crate::exchange::{Answer, Failure};

/// What is about to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) server: &'a Url,
    pub(crate) template: &'a str,
    /// How often it was sent before.
    pub(crate) resends: u32,
}

/// Runs the exchange in its span.
pub(crate) async fn measured(
    asked: Asked<'_>,
    exchange: impl Future<Output = Result<Answer, Failure>>,
) -> Result<Answer, Failure> {
    let span = span(asked);
    let outcome = exchange.instrument(span.clone()).await;
    let seen = Seen::of(&outcome);
    if let Some(status) = seen.status {
        span.record("http.response.status_code", status);
    }
    if let Some(error) = &seen.error {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", error.as_str());
    }
    if let Ok(answer) = &outcome
        && let Some(id) = answer.header("request-id")
    {
        span.record("graph.request_id", id);
    }
    outcome
}

fn span(asked: Asked<'_>) -> Span {
    let Asked { method, server, template, resends } = asked;
    tracing::info_span!(
        "http",
        otel.name = format!("{method} {template}"),
        otel.kind = "client",
        otel.status_code = field::Empty,
        http.request.method = method.as_str(),
        http.request.resend_count = (resends > 0).then_some(resends),
        http.response.status_code = field::Empty,
        error.type = field::Empty,
        graph.request_id = field::Empty,
        server.address = server.host_str().unwrap_or_default(),
        server.port = server.port_or_known_default(),
        url.template = template,
    )
}

/// How it ended, as the conventions tell it: for a client every status from 400 on is an error.
struct Seen {
    status: Option<u16>,
    error: Option<String>,
}

impl Seen {
    fn of(outcome: &Result<Answer, Failure>) -> Self {
        let status = match outcome {
            Ok(answer) => Some(answer.status.as_u16()),
            Err(Failure::TooLarge(status, _)) => Some(status.as_u16()),
            Err(Failure::NotSent(_) | Failure::Lost(_)) => None,
        };
        let error = match outcome {
            Ok(answer) => (answer.status.as_u16() >= 400).then(|| answer.status.as_u16().to_string()),
            Err(Failure::NotSent(error) | Failure::Lost(error) | Failure::TooLarge(_, error)) => {
                Some(error.reason_code.to_owned())
            }
        };
        Self { status, error }
    }
}
