//! Who calls: what the verified tokens of a request say, and nothing about what the caller may do.
//!
//! Two headers carry identity. `authorization` is the caller's token: a user's, or a service's that acts for itself.
//! `x-tenantatlas-service` is the token of the service in between when it acts on behalf of that user; the user's own
//! token is then passed on unchanged, so that every service checks it for itself.
//!
//! Where connections have certificates (`--tls-client-auth`), a service's token counts only beside the certificate of the
//! same service. A user needs none.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::deadline::Deadline;
use crate::failure::{Failure, reason};
use crate::secret::Secret;

/// The header with the token of a service that acts on behalf of a user.
pub const SERVICE_HEADER: &str = "x-tenantatlas-service";

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct User {
    /// The token's `sub`: what memberships refer to.
    pub subject: Arc<str>,
    /// The token's `name`, or the subject: for people only, never for decisions.
    pub name: Arc<str>,
}

/// One of our services, by its registered name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceIdentity {
    /// The token's `client_id` (or `azp`): `promotion-service`.
    pub name: Arc<str>,
}

/// Who calls. At least one of `user` and `service` is there.
#[derive(Clone)]
pub struct Caller {
    /// The person on whose behalf the call is made.
    pub user: Option<User>,
    /// The service that makes the call, for itself or on behalf of the user.
    pub service: Option<ServiceIdentity>,
    /// The service that the connection's certificate names, whatever the tokens say: a console, say, that calls with its
    /// users' tokens alone. Never another one than `service`, when both are there. `None` without TLS, or a certificate.
    pub peer: Option<ServiceIdentity>,
    /// When the token in `authorization` ends to be accepted (leeway included). Streams end then. A service in between
    /// proved itself when the call began; its short-lived token does not cut a user's stream.
    pub expires_at: OffsetDateTime,
    /// When the call must have ended; passed on to services called on its behalf.
    pub deadline: Option<Deadline>,
    /// The caller's token as it came, to be passed on.
    pub(crate) authorization: Option<Secret>,
    /// The id of the request, to be passed on.
    pub(crate) request_id: Option<http::HeaderValue>,
}

impl Caller {
    /// A caller without tokens: nothing can be passed on in its name. For tests of use cases below the wire.
    pub fn without_token(user: Option<User>, service: Option<ServiceIdentity>, expires_at: OffsetDateTime) -> Self {
        Self { user, service, peer: None, expires_at, deadline: None, authorization: None, request_id: None }
    }

    /// The person, or PERMISSION_DENIED for a service that acts for itself.
    pub fn require_user(&self) -> Result<&User, Failure> {
        self.user.as_ref().ok_or_else(|| {
            Failure::permission_denied(reason::USER_IDENTITY_REQUIRED, "this needs a user, not a service by itself")
        })
    }

    /// The service, if it is one of `names`; otherwise PERMISSION_DENIED.
    pub fn require_service(&self, names: &[&str]) -> Result<&ServiceIdentity, Failure> {
        self.service.as_ref().filter(|service| names.contains(&&*service.name)).ok_or_else(|| {
            Failure::permission_denied(reason::SERVICE_IDENTITY_REQUIRED, "this is reserved to services")
        })
    }

    /// The name under which limits per caller are kept.
    pub(crate) fn key(&self) -> Arc<str> {
        match (&self.user, &self.service) {
            (Some(user), _) => Arc::clone(&user.subject),
            (None, Some(service)) => Arc::clone(&service.name),
            (None, None) => "".into(),
        }
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("user", &self.user)
            .field("service", &self.service)
            .field("peer", &self.peer)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The caller of this request, as the chassis verified it.
///
/// # Errors
/// UNAUTHENTICATED on a method that is open to everybody and was called without a token.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Caller, Failure> {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .ok_or_else(|| Failure::unauthenticated(reason::TOKEN_MISSING, "a bearer token is required"))
}
