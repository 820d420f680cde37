//! One HTTP exchange: send, read at most so much, say what happened. No retries, no meaning.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::error::{GraphError, Kind};
use crate::retry;

/// Bounds of one exchange.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From sending to the last byte of the answer.
    pub(crate) timeout: Duration,
    /// Bytes of an answer, after decompression.
    pub(crate) max_body_bytes: usize,
}

impl Limits {
    /// A token is a few kilobytes and answered quickly.
    pub(crate) const TOKEN: Self = Self { timeout: Duration::from_secs(20), max_body_bytes: 256 * 1024 };
}

/// An answer of any status, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        retry::retry_after(&self.headers)
    }
}

/// No answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection was never made: nothing was sent.
    NotSent(GraphError),
    /// Sent, wholly or in part, and then cut or timed out: the other side may have acted.
    Lost(GraphError),
    /// Answered with more than we read. The status line arrived, so whether it was a success is known.
    TooLarge(StatusCode, GraphError),
}

impl Failure {
    pub(crate) fn into_error(self) -> GraphError {
        match self {
            Self::NotSent(error) | Self::Lost(error) | Self::TooLarge(_, error) => error,
        }
    }
}

pub(crate) async fn send(request: reqwest::RequestBuilder, limits: &Limits) -> Result<Answer, Failure> {
    let mut response = request.timeout(limits.timeout).send().await.map_err(|e| no_answer(&e))?;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let too_large = || {
        let message = format!("the answer is larger than {} bytes", limits.max_body_bytes);
        Failure::TooLarge(status, GraphError::local(Kind::TooLarge, "PROVIDER_ANSWER_TOO_LARGE", message))
    };
    if response.content_length().is_some_and(|length| length > limits.max_body_bytes as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| no_answer(&e))? {
        if body.len() + chunk.len() > limits.max_body_bytes {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body })
}

/// The library's error text holds the whole address, so only the sort of failure is told.
fn no_answer(error: &reqwest::Error) -> Failure {
    let network = |reason, message: &str| GraphError::local(Kind::Network, reason, message);
    if error.is_connect() {
        return Failure::NotSent(network("PROVIDER_UNREACHABLE", "no connection to the provider could be made"));
    }
    if error.is_builder() {
        return Failure::NotSent(GraphError::local(
            Kind::Invalid,
            "REQUEST_NOT_BUILT",
            "the request could not be built",
        ));
    }
    if error.is_timeout() {
        return Failure::Lost(network("PROVIDER_TIMED_OUT", "the provider did not answer in time"));
    }
    Failure::Lost(network("PROVIDER_CONNECTION_LOST", "the connection to the provider broke"))
}
