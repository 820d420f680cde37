//! One call, from its turn to its outcome.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::Value;
use tracing::{Instrument as _, Span, field};
use url::Url;

use super::Client;
use crate::ambient;
use crate::error::{self, GraphError, Kind};
use crate::exchange::{self, Answer, Failure, Limits};
use crate::measured::{Asked, measured};
use crate::path::Path;
use crate::retry::Effect;
use crate::token::Token;

/// What is asked of Graph.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a Path,
    pub(crate) effect: Effect,
    pub(crate) body: Option<&'a Value>,
    /// A `nextLink`, followed as it was given, in place of the path's address.
    pub(crate) link: Option<Url>,
    /// How many requests this counts as (a batch counts its items).
    pub(crate) cost: usize,
    /// Below an object created a moment ago, which the answering replica may not have yet: 404 means "not yet" and is
    /// asked again, within the usual attempts.
    pub(crate) settling: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn read(path: &'a Path) -> Self {
        Self { method: Method::GET, path, effect: Effect::Read, body: None, link: None, cost: 1, settling: false }
    }

    /// The same call as one below a fresh object.
    pub(crate) fn settling(self, settling: bool) -> Self {
        Self { settling, ..self }
    }

    /// A write. POST adds, everything else sets.
    pub(crate) fn write(method: Method, path: &'a Path, body: &'a Value) -> Self {
        let effect = if method == Method::POST { Effect::Add } else { Effect::Set };
        Self { method, path, effect, body: Some(body), link: None, cost: 1, settling: false }
    }

    pub(crate) fn delete(path: &'a Path) -> Self {
        Self { method: Method::DELETE, path, effect: Effect::Set, body: None, link: None, cost: 1, settling: false }
    }
}

/// A successful answer.
#[derive(Debug, Clone)]
pub(crate) struct Success {
    pub(crate) status: u16,
    pub(crate) request_id: Option<String>,
    /// `Null` when there was no body.
    pub(crate) body: Value,
}

/// A call that did not succeed.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// Nothing was changed by it.
    NotApplied(GraphError),
    /// It may have been applied.
    Unknown(GraphError),
}

impl Refusal {
    pub(crate) fn into_error(self) -> GraphError {
        match self {
            Self::NotApplied(error) | Self::Unknown(error) => error,
        }
    }
}

/// What one attempt led to.
enum Attempt {
    Done(Result<Success, GraphError>),
    /// The token was not accepted; nothing happened.
    Stale(Token, GraphError),
    /// May be repeated by the rules of its effect. `doubtful`: it may have been applied.
    Again {
        error: GraphError,
        doubtful: bool,
    },
    /// Must not be repeated, and may have been applied.
    Lost(GraphError),
}

impl Attempt {
    fn error(&self) -> Option<&GraphError> {
        match self {
            Self::Done(Ok(_)) => None,
            Self::Done(Err(error)) | Self::Stale(_, error) | Self::Again { error, .. } | Self::Lost(error) => {
                Some(error)
            }
        }
    }
}

impl Client {
    pub(crate) async fn call(&self, call: &Call<'_>) -> Result<Success, Refusal> {
        let call_id = ambient::call_id();
        let span = tracing::debug_span!(
            "graph.call",
            host = self.inner.connection.graph().host_str().unwrap_or_default(),
            method = call.method.as_str(),
            path_template = call.path.template(),
            family = call.path.family().name(),
            client_request_id = %call_id,
            status = field::Empty,
            attempts = field::Empty,
            request_id = field::Empty,
            reason = field::Empty,
        );
        self.attempts(call, &call_id.to_string()).instrument(span).await
    }

    async fn attempts(&self, call: &Call<'_>, call_id: &str) -> Result<Success, Refusal> {
        let policy = &self.inner.settings.retry;
        let mut attempt = 1;
        let mut token_renewed = false;
        let mut sent = 0;
        // Once an attempt may have been applied, no later refusal can say that nothing was.
        let mut doubt = false;
        loop {
            let outcome = self.attempt(call, call_id, sent).await;
            sent += 1;
            let (error, unknown) = match outcome {
                Attempt::Done(Ok(success)) => {
                    record(attempt, Some(success.status), success.request_id.as_deref(), None);
                    return Ok(success);
                }
                Attempt::Done(Err(error)) => (error, false),
                Attempt::Stale(token, error) => {
                    if !token_renewed {
                        token_renewed = true;
                        self.inner.tokens.refused(&token).await;
                        continue;
                    }
                    (error, false)
                }
                Attempt::Again { error, doubtful } => {
                    doubt |= doubtful;
                    if let Some(wait) = policy.wait(attempt, error.retry_after, ambient::chance()) {
                        tracing::debug!(
                            attempt,
                            reason = error.reason_code,
                            wait_ms = wait.as_millis(),
                            "trying again"
                        );
                        tokio::time::sleep(wait).await;
                        attempt += 1;
                        continue;
                    }
                    (error, false)
                }
                Attempt::Lost(error) => (error, true),
            };
            record(attempt, error.status, error.request_id.as_deref(), Some(error.reason_code));
            let unknown = (unknown || doubt) && call.effect != Effect::Read;
            return Err(if unknown {
                Refusal::Unknown(error.into_unknown_outcome())
            } else {
                Refusal::NotApplied(error)
            });
        }
    }

    async fn attempt(&self, call: &Call<'_>, call_id: &str, resends: u32) -> Attempt {
        let token = match self.inner.tokens.token(&self.inner.http, &self.inner.settings.retry).await {
            Ok(token) => token,
            Err(error) => return Attempt::Done(Err(error)),
        };
        let write = call.effect != Effect::Read;
        let permit = self.inner.pacer.turn(call.path.family(), write, call.cost).await;
        let limits =
            Limits { timeout: self.inner.settings.timeout, max_body_bytes: self.inner.settings.max_body_bytes };
        let server = self.inner.connection.graph();
        let asked = Asked { method: &call.method, server, template: call.path.template(), resends };
        match measured(asked, exchange::send(self.request(call, call_id, &token), &limits)).await {
            Ok(answer) => {
                let outcome = understand(call, &answer, token);
                match outcome.error() {
                    Some(error) if asks_for_rest(error) => permit.throttled(error.retry_after),
                    _ => permit.answered(),
                }
                outcome
            }
            Err(Failure::NotSent(error)) => Attempt::Again { error, doubtful: false },
            Err(Failure::Lost(error)) if call.effect == Effect::Read => Attempt::Again { error, doubtful: false },
            Err(Failure::Lost(error)) => Attempt::Lost(error),
            // A refusal too large to read is still a refusal; a success too large to read may have done anything.
            Err(Failure::TooLarge(status, error)) if status.is_client_error() => Attempt::Done(Err(error)),
            Err(Failure::TooLarge(_, error)) => Attempt::Lost(error),
        }
    }

    fn request(&self, call: &Call<'_>, call_id: &str, token: &Token) -> reqwest::RequestBuilder {
        let url = call.link.clone().unwrap_or_else(|| self.address(call.path));
        let request = self
            .inner
            .http
            .request(call.method.clone(), url)
            .header(AUTHORIZATION, bearer(token))
            .header(ACCEPT, "application/json")
            // Otherwise enumerations newer than the API version read as `unknownFutureValue` and compare equal.
            .header("prefer", "include-unknown-enum-members")
            .header("client-request-id", call_id)
            .header("return-client-request-id", "true");
        match call.body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.to_string()),
            None => request,
        }
    }
}

/// A token with characters no header can carry makes an empty header, which Graph refuses as it would the token.
fn bearer(token: &Token) -> HeaderValue {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.value.expose()))
        .unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
    value.set_sensitive(true);
    value
}

/// 429, and 503 with a date to come back at, are about pace; other errors are not.
fn asks_for_rest(error: &GraphError) -> bool {
    error.kind == Kind::Throttled || (error.status == Some(503) && error.retry_after.is_some())
}

fn understand(call: &Call<'_>, answer: &Answer, token: Token) -> Attempt {
    let effect = call.effect;
    let status = answer.status.as_u16();
    let request_id = answer.header("request-id").map(str::to_owned);
    if answer.status.is_success() {
        return match read_body(&answer.body) {
            Ok(body) => Attempt::Done(Ok(Success { status, request_id, body })),
            // Applied for sure, but what it answered is lost: the caller finds the object by reading.
            Err(error) if effect != Effect::Read => {
                Attempt::Lost(GraphError { status: Some(status), request_id, ..error })
            }
            Err(error) => Attempt::Done(Err(GraphError { status: Some(status), request_id, ..error })),
        };
    }
    let approval_code = answer.header("x-msft-approval-code").is_some();
    let error = error::parse_body(status, &answer.body, request_id, answer.retry_after(), approval_code);
    if status == 401 {
        return Attempt::Stale(token, error);
    }
    // 501 says that nobody tried; every other server error may come from behind the write, and 408 from before its end.
    let doubtful = effect != Effect::Read && (status == 408 || (answer.status.is_server_error() && status != 501));
    if effect.repeats_on(status) || (call.settling && status == 404) {
        return Attempt::Again { error, doubtful };
    }
    if doubtful { Attempt::Lost(error) } else { Attempt::Done(Err(error)) }
}

fn read_body(body: &[u8]) -> Result<Value, GraphError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|_| GraphError::decode("the answer is not JSON"))
}

fn record(attempts: u32, status: Option<u16>, request_id: Option<&str>, reason: Option<&'static str>) {
    let span = Span::current();
    span.record("attempts", attempts);
    if let Some(status) = status {
        span.record("status", status);
    }
    if let Some(id) = request_id {
        span.record("request_id", id);
    }
    if let Some(reason) = reason {
        span.record("reason", reason);
    }
    tracing::debug!("call ended");
}

/// Waits between rounds of a batch, by the same policy as single calls.
pub(super) async fn pause(client: &Client, attempt: u32, retry_after: Option<Duration>) -> bool {
    match client.inner.settings.retry.wait(attempt, retry_after, ambient::chance()) {
        Some(wait) => {
            tokio::time::sleep(wait).await;
            true
        }
        None => false,
    }
}
