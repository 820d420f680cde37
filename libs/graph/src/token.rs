//! App-only access tokens by the OAuth client-credentials grant: one per connection, fetched once however many callers wait,
//! kept until shortly before it expires, replaced once when Graph says it is not valid.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::ambient;
use crate::connection::Connection;
use crate::credential::Secret;
use crate::error::{self, GraphError, Kind};
use crate::exchange::{self, Limits};
use crate::measured::{Asked, measured};
use crate::retry::RetryPolicy;

/// A token is replaced this long before it expires, so that it does not run out under way.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// A token living less than this is used once and not kept.
const SHORTEST_KEPT: Duration = Duration::from_secs(5);
/// A refused credential is not tried again by those who waited for the same answer, nor by anyone for this long.
const REFUSAL_KEPT: Duration = Duration::from_secs(2);

/// The token endpoint's path in traces.
const TEMPLATE: &str = "/{tenant}/oauth2/v2.0/token";

/// A token and which fetch it came from.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) value: Secret,
    generation: u64,
}

/// The token of one connection.
#[derive(Debug)]
pub(crate) struct TokenSource {
    connection: Connection,
    /// Held while fetching: whoever comes second finds the result of the first.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    generation: u64,
    current: Option<(Token, Instant)>,
    refused: Option<(GraphError, Instant)>,
}

#[derive(Deserialize)]
struct Grant {
    access_token: String,
    /// Seconds. A string in the older protocol version.
    expires_in: serde_json::Value,
}

impl TokenSource {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, state: Mutex::default() }
    }

    /// A valid token.
    pub(crate) async fn token(&self, http: &reqwest::Client, retry: &RetryPolicy) -> Result<Token, GraphError> {
        let mut state = self.state.lock().await;
        let now = ambient::now();
        if let Some((token, renew_at)) = &state.current
            && now < *renew_at
        {
            return Ok(token.clone());
        }
        if let Some((error, until)) = &state.refused
            && now < *until
        {
            return Err(error.clone());
        }
        match self.fetch(http, retry).await {
            Ok((value, lives)) => {
                state.generation += 1;
                let token = Token { value, generation: state.generation };
                state.refused = None;
                let kept = lives.checked_sub(RENEW_BEFORE).unwrap_or(lives / 2);
                state.current = (lives >= SHORTEST_KEPT).then(|| (token.clone(), ambient::now() + kept));
                Ok(token)
            }
            Err(error) => {
                state.refused = Some((error.clone(), ambient::now() + REFUSAL_KEPT));
                Err(error)
            }
        }
    }

    /// Graph refused `used`. Forgets it unless somebody already replaced it.
    pub(crate) async fn refused(&self, used: &Token) {
        let mut state = self.state.lock().await;
        if state.current.as_ref().is_some_and(|(token, _)| token.generation == used.generation) {
            state.current = None;
        }
    }

    async fn fetch(&self, client: &reqwest::Client, retry: &RetryPolicy) -> Result<(Secret, Duration), GraphError> {
        let secret = self.connection.secret().await?;
        let form = [
            ("client_id", self.connection.client_id()),
            ("client_secret", secret.expose()),
            ("grant_type", "client_credentials"),
            ("scope", &self.connection.scope()),
        ];
        let endpoint = self.connection.token_endpoint();
        let mut attempt = 1;
        loop {
            let asked = Asked { method: &Method::POST, server: &endpoint, template: TEMPLATE, resends: attempt - 1 };
            let request = client.post(endpoint.clone()).form(&form);
            let error = match measured(asked, exchange::send(request, &Limits::TOKEN)).await {
                Ok(answer) if answer.status.is_success() => return read_grant(&answer.body),
                Ok(answer) => {
                    let error =
                        error::parse_body(answer.status.as_u16(), &answer.body, None, answer.retry_after(), false);
                    if !error.is_transient() {
                        return Err(refused_credential(error));
                    }
                    error
                }
                Err(failure) => failure.into_error(),
            };
            // Asking for a token changes nothing, so every transient failure may be followed by another attempt.
            let Some(wait) = retry.wait(attempt, error.retry_after, ambient::chance()) else { return Err(error) };
            tracing::debug!(attempt, reason = error.reason_code, "token request failed, trying again");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }
}

fn read_grant(body: &[u8]) -> Result<(Secret, Duration), GraphError> {
    // The parse error is dropped on purpose: it could quote the token.
    let grant: Grant =
        serde_json::from_slice(body).map_err(|_| GraphError::decode("the token endpoint's answer is not a token"))?;
    let seconds = match &grant.expires_in {
        serde_json::Value::String(text) => text.parse().ok(),
        number => number.as_u64(),
    };
    let seconds = seconds.ok_or_else(|| GraphError::decode("the token has no life time"))?;
    Ok((Secret::new(grant.access_token), Duration::from_secs(seconds)))
}

/// Everything a token endpoint refuses for good is a matter of the credential, whatever the status (400, 401, 403, 404).
fn refused_credential(error: GraphError) -> GraphError {
    GraphError { kind: Kind::Unauthorized, reason_code: "PROVIDER_CREDENTIAL_REJECTED", ..error }
}
