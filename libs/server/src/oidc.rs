//! Verifies bearer tokens of one OpenID Connect issuer: signature by a key of the issuer, an algorithm and a type from our
//! own lists (never from the header alone), issuer, audience, expiry. Keys are in [`keys`], what was verified lately in
//! [`seen`].

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Validation, decode, decode_header};
use serde::Deserialize;
use serde::de::IgnoredAny;
use time::OffsetDateTime;

use crate::ambient;
use crate::config::{OidcSettings, TokenType};

pub(crate) mod issuer;
mod keys;
mod seen;

use issuer::Issuer;
use keys::{Keys, NoKey};
use seen::Seen;

/// The role that makes a token one of a service.
const SERVICE_ROLE: &str = "tenantatlas.service";
/// Longest token that is looked at: headers of a request are bounded well below it anyway.
const MAX_TOKEN_BYTES: usize = 8 << 10;

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// A person, or one of our services.
    pub principal: Principal,
    /// When the token ends to be accepted: `exp` and the leeway.
    pub expires_at: OffsetDateTime,
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A person.
    User(crate::caller::User),
    /// One of our services.
    Service(crate::caller::ServiceIdentity),
}

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It was good once.
    #[error("the token has expired")]
    Expired,
    /// It cannot be trusted. The text is for the log; callers are told no more than that.
    #[error("the token is not acceptable: {0}")]
    Invalid(String),
    /// There are no keys to check it with, and the issuer cannot be asked.
    #[error("the issuer's signing keys cannot be read")]
    NoKeys(#[source] Arc<issuer::IssuerError>),
}

/// The claims that matter. `exp`, `iss`, `aud` and `nbf` are checked by the JWT library before these are looked at.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: Option<String>,
    exp: i64,
    name: Option<String>,
    #[serde(default)]
    roles: OneOrMany,
    client_id: Option<String>,
    azp: Option<String>,
    nonce: Option<IgnoredAny>,
    at_hash: Option<IgnoredAny>,
    c_hash: Option<IgnoredAny>,
}

impl Claims {
    /// Whether it carries what only an ID token does: it tells a client who logged in, and opens nothing.
    fn of_an_id_token(&self) -> bool {
        [&self.nonce, &self.at_hash, &self.c_hash].iter().any(|claim| claim.is_some())
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        OneOrMany::Many(Vec::new())
    }
}

impl OneOrMany {
    fn contains(&self, wanted: &str) -> bool {
        match self {
            OneOrMany::One(one) => one == wanted,
            OneOrMany::Many(many) => many.iter().any(|one| one == wanted),
        }
    }
}

/// Verifies tokens. One per process, shared.
#[derive(Debug)]
pub struct Verifier {
    settings: OidcSettings,
    keys: Keys,
    seen: Seen,
}

impl Verifier {
    /// A verifier that has not yet asked its issuer anything: services start in any order.
    pub fn new(settings: OidcSettings) -> Result<Self, issuer::IssuerError> {
        let issuer = Issuer::new(&settings.issuer)?;
        let keys = Keys::new(issuer, settings.jwks_ttl, settings.jwks_cooldown);
        Ok(Self { settings, keys, seen: Seen::default() })
    }

    /// Fetches the keys ahead of the first request. A failure is logged and harmless: the first token tries again.
    pub async fn warm_up(&self) {
        self.keys.warm_up().await;
    }

    /// Whose token this is.
    pub async fn verify(&self, token: &str) -> Result<Identity, Refusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::Invalid(format!("longer than {MAX_TOKEN_BYTES} bytes")));
        }
        let generation = self.keys.generation();
        if let Some(identity) = self.seen.get(token, generation) {
            return if ambient::now() < identity.expires_at { Ok(identity) } else { Err(Refusal::Expired) };
        }
        let identity = self.check(token).await?;
        self.seen.put(token, generation, identity.clone());
        // The library counts in whole seconds: its last one is over when ours is.
        if ambient::now() < identity.expires_at { Ok(identity) } else { Err(Refusal::Expired) }
    }

    async fn check(&self, token: &str) -> Result<Identity, Refusal> {
        let invalid = |why: &str| Refusal::Invalid(why.to_owned());
        let header = decode_header(token).map_err(|error| Refusal::Invalid(error.to_string()))?;
        if !self.settings.algorithms.contains(&header.alg) {
            return Err(Refusal::Invalid(format!("algorithm {:?} is not accepted", header.alg)));
        }
        let typ = TokenType::of(header.typ.as_deref());
        if !typ.is_some_and(|typ| self.settings.token_types.contains(&typ)) {
            return Err(invalid("typ is not one of those accepted"));
        }
        // RFC 7515 §4.1.11: what must be understood and is not, is refused.
        if header.crit.is_some() {
            return Err(invalid("crit is not supported"));
        }
        let key = self.keys.find(header.kid.as_deref(), header.alg).await.map_err(|no_key| match no_key {
            NoKey::Unknown => invalid("its key is not one of the issuer's"),
            NoKey::Unreachable(error) => Refusal::NoKeys(error),
        })?;
        let claims =
            decode::<Claims>(token, &key, &self.validation(header.alg)).map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::ExpiredSignature => Refusal::Expired,
                _ => Refusal::Invalid(error.to_string()),
            })?;
        // at+jwt says by itself what it is (RFC 9068); JWT is what issuers call their ID tokens, too.
        if typ == Some(TokenType::Jwt) && claims.claims.of_an_id_token() {
            return Err(invalid("it is an ID token"));
        }
        self.identity(claims.claims)
    }

    fn validation(&self, algorithm: jsonwebtoken::Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        validation.leeway = self.settings.leeway.as_secs();
        validation
    }

    fn identity(&self, claims: Claims) -> Result<Identity, Refusal> {
        let not_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
        let principal = if claims.roles.contains(SERVICE_ROLE) {
            let name = not_empty(claims.client_id).or(not_empty(claims.azp));
            let name = name.ok_or_else(|| Refusal::Invalid("a service token without client_id".into()))?;
            Principal::Service(crate::caller::ServiceIdentity { name: name.into() })
        } else {
            let subject: Arc<str> =
                not_empty(claims.sub).ok_or_else(|| Refusal::Invalid("a token without sub".into()))?.into();
            let name = not_empty(claims.name).map_or_else(|| Arc::clone(&subject), Arc::from);
            Principal::User(crate::caller::User { subject, name })
        };
        // The library rounds the leeway to whole seconds; so do we, so that a stream ends when a new call would fail.
        let leeway = Duration::from_secs(self.settings.leeway.as_secs());
        let expires_at = OffsetDateTime::from_unix_timestamp(claims.exp)
            .map_err(|_| Refusal::Invalid("exp is out of range".into()))?
            .checked_add(leeway.try_into().unwrap_or_default())
            .ok_or_else(|| Refusal::Invalid("exp is out of range".into()))?;
        Ok(Identity { principal, expires_at })
    }
}
