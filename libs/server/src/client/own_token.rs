//! This service's own token, by client credentials: fetched when first needed, renewed in the background before it
//! expires, one fetch at a time. While a renewal is slow or fails the old token is used for as long as it is valid.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::ClientCredentials;
use crate::failure::Failure;
use crate::oidc::issuer::{Issuer, IssuerError};
use crate::secret::Secret;

/// A token is renewed within this time, whatever its issuer says.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// After a failed fetch, how long the next one waits.
const COOLDOWN: Duration = Duration::from_secs(1);

/// The token source of this process.
#[derive(Clone)]
pub(crate) struct OwnToken(Arc<Source>);

struct Source {
    issuer: Issuer,
    credentials: ClientCredentials,
    audience: String,
    current: RwLock<Option<Token>>,
    /// Held during a fetch.
    fetching: Arc<Mutex<Failed>>,
}

/// The last fetch, if it failed, and when.
type Failed = Option<(Instant, Arc<IssuerError>)>;

#[derive(Clone)]
struct Token {
    secret: Secret,
    /// From when on it is renewed.
    renew_at: Instant,
    /// From when on it is of no use.
    expires_at: Instant,
}

impl OwnToken {
    pub(crate) fn new(issuer: Issuer, credentials: ClientCredentials, audience: String) -> Self {
        let (current, fetching) = (RwLock::new(None), Arc::default());
        Self(Arc::new(Source { issuer, credentials, audience, current, fetching }))
    }

    /// A token that is valid now. Nobody waits for a new one while the old one is.
    pub(crate) async fn get(&self) -> Result<Secret, Failure> {
        let now = Instant::now();
        match self.current() {
            Some(token) if now < token.renew_at => Ok(token.secret),
            Some(token) if now < token.expires_at => {
                self.renew_in_background();
                Ok(token.secret)
            }
            _ => self.renew().await.map_err(|error| Failure::unavailable("the identity provider").caused_by(error)),
        }
    }

    /// Forgets the token if it is this one: somebody refused it.
    pub(crate) fn forget(&self, refused: &Secret) {
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|token| token.secret == *refused) {
            *current = None;
        }
    }

    fn current(&self) -> Option<Token> {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn renew_in_background(&self) {
        let due = |failed: &Failed| failed.as_ref().is_none_or(|(when, _)| when.elapsed() >= COOLDOWN);
        if !self.0.fetching.try_lock().is_ok_and(|failed| due(&failed)) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            if let Err(error) = this.renew().await {
                tracing::warn!(%error, "the service's own token cannot be renewed; the old one is still valid");
            }
        });
    }

    async fn renew(&self) -> Result<Secret, Arc<IssuerError>> {
        let mut failed = Arc::clone(&self.0.fetching).lock_owned().await;
        // Somebody else may have fetched, or failed, while we waited.
        if let Some(token) = self.current()
            && Instant::now() < token.renew_at
        {
            return Ok(token.secret);
        }
        if let Some((when, error)) = failed.as_ref()
            && when.elapsed() < COOLDOWN
        {
            return Err(Arc::clone(error));
        }
        // In a task of its own: a caller whose time is up would undo the fetch, and the next one would begin again.
        let this = self.clone();
        let fetch = tokio::spawn(async move {
            let fetched = this.fetch().await.map_err(Arc::new);
            *failed = fetched.as_ref().err().map(|error| (Instant::now(), Arc::clone(error)));
            fetched
        });
        fetch.await.unwrap_or_else(|_panicked| Err(Arc::new(IssuerError::Slow)))
    }

    async fn fetch(&self) -> Result<Secret, IssuerError> {
        let Source { issuer, credentials, audience, current, .. } = &*self.0;
        let begun = Instant::now();
        let secret = credentials.secret.read().await.map_err(IssuerError::Secret)?;
        let (token, lifetime) = issuer.own_token(&credentials.id, &secret, audience).await?.into_parts();
        // What an issuer claims beyond a day is not worth relying on.
        let lifetime = lifetime.min(LONGEST);
        let fresh =
            Token { secret: token.clone(), renew_at: begun + lifetime.mul_f64(0.8), expires_at: begun + lifetime };
        *current.write().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
        Ok(token)
    }
}

impl fmt::Debug for OwnToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnToken").field("client", &self.0.credentials.id).finish_non_exhaustive()
    }
}
