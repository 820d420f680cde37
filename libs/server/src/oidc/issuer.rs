//! What is asked of the issuer over HTTP: its discovery document, its signing keys, a token for ourselves. Every answer
//! is bounded in time and size.

use std::time::Duration;

use jsonwebtoken::jwk::{Jwk, JwkSet};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::config::{ConfigError, check_web_url};
use crate::secret::Secret;

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 1 << 20;

/// Why the issuer could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// No answer, or none in time.
    #[error("{what}: {source}")]
    Unreachable {
        /// What was asked for.
        what: &'static str,
        /// Why there is no answer. The URL is not part of it.
        source: reqwest::Error,
    },
    /// An answer that cannot be used.
    #[error("{what}: {why}")]
    Unusable {
        /// What was asked for.
        what: &'static str,
        /// What is wrong with the answer.
        why: String,
    },
    /// No answer yet, and no time to wait for it.
    #[error("the issuer has not answered yet")]
    Slow,
    /// The client secret cannot be read.
    #[error("the client secret cannot be read")]
    Secret(#[source] std::io::Error),
    /// The issuer's URL cannot be used.
    #[error(transparent)]
    Url(#[from] ConfigError),
}

/// The part of the discovery document that is used.
#[derive(Debug, Deserialize)]
pub(crate) struct Discovery {
    issuer: String,
    jwks_uri: String,
    token_endpoint: Option<String>,
}

/// A token this service got for itself.
#[derive(Deserialize)]
pub(crate) struct IssuedToken {
    access_token: String,
    /// Seconds. Recommended by RFC 6749; without it the token is taken to be short-lived.
    expires_in: Option<u64>,
}

impl IssuedToken {
    pub(crate) fn into_parts(self) -> (Secret, Duration) {
        (Secret::new(self.access_token), Duration::from_secs(self.expires_in.unwrap_or(60)))
    }
}

/// Asks one issuer.
#[derive(Debug)]
pub(crate) struct Issuer {
    url: String,
    http: reqwest::Client,
}

impl Issuer {
    pub(crate) fn new(url: &str) -> Result<Self, IssuerError> {
        install_tls();
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(TIMEOUT)
            // A redirect would let whoever answers choose where the keys, or our secret, go.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|source| IssuerError::Unreachable { what: "HTTP client", source })?;
        Ok(Self { url: url.to_owned(), http })
    }

    /// The signing keys, those that can be read: a key of a kind unknown to us does not spoil the others.
    pub(crate) async fn signing_keys(&self) -> Result<JwkSet, IssuerError> {
        #[derive(Deserialize)]
        struct Listed {
            keys: Vec<serde_json::Value>,
        }
        const WHAT: &str = "the issuer's signing keys";
        let url = self.endpoint(WHAT, &self.discovery().await?.jwks_uri)?;
        let listed: Listed = self.json(WHAT, self.http.get(url)).await?;
        let keys: Vec<Jwk> = listed.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        if keys.is_empty() {
            return Err(IssuerError::Unusable { what: WHAT, why: "there are none".into() });
        }
        Ok(JwkSet { keys })
    }

    /// A token by client credentials.
    pub(crate) async fn own_token(
        &self,
        id: &str,
        secret: &Secret,
        audience: &str,
    ) -> Result<IssuedToken, IssuerError> {
        const WHAT: &str = "a token for this service";
        let endpoint = self.discovery().await?.token_endpoint;
        let endpoint = endpoint
            .ok_or_else(|| IssuerError::Unusable { what: WHAT, why: "the issuer has no token endpoint".into() })?;
        let form = [("grant_type", "client_credentials"), ("audience", audience)];
        let request = self.http.post(self.endpoint(WHAT, &endpoint)?).basic_auth(id, Some(secret.expose())).form(&form);
        self.json(WHAT, request).await
    }

    /// Read anew each time: keys and tokens are fetched seldom, and an issuer may move its endpoints.
    async fn discovery(&self) -> Result<Discovery, IssuerError> {
        const WHAT: &str = "the issuer's discovery document";
        let url = format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        let discovery: Discovery = self.json(WHAT, self.http.get(url)).await?;
        if discovery.issuer != self.url {
            let why = format!("it is of {:?}, not of {:?}", discovery.issuer, self.url);
            return Err(IssuerError::Unusable { what: WHAT, why });
        }
        Ok(discovery)
    }

    fn endpoint(&self, what: &'static str, text: &str) -> Result<Url, IssuerError> {
        let url = Url::parse(text)
            .map_err(|error| IssuerError::Unusable { what, why: format!("{text:?} is no URL: {error}") })?;
        check_web_url("discovery document", &url)?;
        // Whoever asked for TLS gets it for the keys and our secret, too.
        if self.url.starts_with("https:") && url.scheme() != "https" {
            return Err(IssuerError::Unusable { what, why: format!("{text:?} is plain HTTP, and the issuer is not") });
        }
        Ok(url)
    }

    async fn json<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: reqwest::RequestBuilder,
    ) -> Result<T, IssuerError> {
        let unreachable = |source: reqwest::Error| IssuerError::Unreachable { what, source: source.without_url() };
        let mut response = request.send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(IssuerError::Unusable { what, why: format!("HTTP {}", response.status()) });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > MAX_BYTES {
                return Err(IssuerError::Unusable { what, why: format!("more than {MAX_BYTES} bytes") });
            }
            bytes.extend_from_slice(&chunk);
        }
        // Where in the text, not which text: it may hold a token.
        serde_json::from_slice(&bytes).map_err(|error| IssuerError::Unusable {
            what,
            why: format!("unreadable JSON at line {} column {}", error.line(), error.column()),
        })
    }
}

/// Chooses the one TLS provider of the tree. Repeating it does nothing.
pub(crate) fn install_tls() {
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discovery_document_cannot_lead_away_from_tls() {
        let endpoint = |issuer: &str, url: &str| Issuer::new(issuer).unwrap().endpoint("keys", url).is_ok();
        let (local, real) = ("http://127.0.0.1:1", "https://issuer.example");
        assert!(endpoint(local, "http://127.0.0.1:1/jwks") && endpoint(local, "https://keys.example/jwks"));
        assert!(endpoint(real, "https://keys.example/jwks"));
        assert!(!endpoint(real, "http://127.0.0.1:1/jwks"));
        for beyond in ["http://keys.example/jwks", "file:///jwks", "jwks"] {
            assert!(!endpoint(local, beyond) && !endpoint(real, beyond), "{beyond}");
        }
    }
}
