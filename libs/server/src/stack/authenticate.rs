//! Verifies the tokens of a request and puts its [`Caller`] into the extensions. No valid token is the first of all
//! answers, before the request is even read.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap};
use tracing::Span;

use super::around::{Around, Next, Request, Response};
use super::request_id::Id;
use crate::caller::{Caller, SERVICE_HEADER, ServiceIdentity, User};
use crate::config::{ClientAuth, TlsSettings};
use crate::deadline::Deadline;
use crate::failure::{Failure, reason};
use crate::method::Method;
use crate::oidc::{Principal, Refusal, Verifier};
use crate::secret::Secret;
use crate::tls::Peer;

#[derive(Clone)]
pub(super) struct Authenticate {
    verifier: Arc<Verifier>,
    /// Whether a service must show its certificate beside its token.
    certificates: bool,
}

impl Authenticate {
    pub(super) fn new(verifier: Arc<Verifier>, tls: &TlsSettings) -> Self {
        Self { verifier, certificates: tls.client_auth != ClientAuth::Off }
    }

    async fn caller(&self, headers: &HeaderMap, known: &Extensions) -> Result<Caller, Failure> {
        let token = bearer(headers, AUTHORIZATION.as_str())
            .ok_or_else(|| Failure::unauthenticated(reason::TOKEN_MISSING, "a bearer token is required"))?;
        let identity = self.verifier.verify(token).await.map_err(refused)?;
        let (user, mut service) = match identity.principal {
            Principal::User(user) => (Some(user), None),
            Principal::Service(service) => (None, Some(service)),
        };
        if headers.contains_key(SERVICE_HEADER) {
            service = Some(self.service_between(headers).await?);
        }
        let peer = known.get::<Peer>().and_then(|peer| peer.service.clone());
        if self.certificates && service.is_some() && service != peer {
            return Err(mismatch(service.as_ref(), peer.as_ref()));
        }
        Ok(Caller {
            user,
            service,
            peer,
            expires_at: identity.expires_at,
            deadline: known.get::<Deadline>().copied(),
            authorization: Some(Secret::new(token)),
            request_id: known.get::<Id>().map(|id| id.0.clone()),
        })
    }

    /// The service that passes the caller's token on. It proves itself by a token of its own.
    async fn service_between(&self, headers: &HeaderMap) -> Result<ServiceIdentity, Failure> {
        let not_a_service =
            || Failure::unauthenticated(reason::SERVICE_TOKEN_INVALID, "the service token is not acceptable");
        let token = bearer(headers, SERVICE_HEADER).ok_or_else(not_a_service)?;
        let identity = self.verifier.verify(token).await.map_err(|refusal| match refusal {
            Refusal::NoKeys(_) => refused(refusal),
            other => not_a_service().caused_by(other),
        })?;
        match identity.principal {
            Principal::Service(service) => Ok(service),
            Principal::User(_) => Err(not_a_service()),
        }
    }
}

impl Around for Authenticate {
    async fn around(self, mut request: Request, next: impl Next) -> Response {
        if request.extensions().get::<Arc<Method>>().is_some_and(|method| method.open) {
            return next.run(request).await;
        }
        match self.caller(request.headers(), request.extensions()).await {
            Ok(caller) => {
                if let Some(User { subject, .. }) = &caller.user {
                    Span::current().record("enduser.id", &**subject);
                }
                if let Some(ServiceIdentity { name }) = &caller.service {
                    Span::current().record("service.peer.name", &**name);
                }
                request.extensions_mut().insert(caller);
                next.run(request).await
            }
            Err(failure) => failure.into_response(),
        }
    }
}

/// A token of one service on another one's connection, or on nobody's. Which names they are is for the log.
fn mismatch(claimed: Option<&ServiceIdentity>, shown: Option<&ServiceIdentity>) -> Failure {
    let name = |service: Option<&ServiceIdentity>| service.map_or("no service", |service| &service.name).to_owned();
    tracing::warn!(claimed = name(claimed), shown = name(shown), "a service's token without its certificate");
    Failure::unauthenticated(
        reason::SERVICE_CERTIFICATE_MISMATCH,
        "the connection's certificate is not that of the service whose token was sent",
    )
}

/// The token of a `Bearer` header; the scheme is case-insensitive. Two headers of that name are none: nobody should have
/// to guess which one counts.
fn bearer<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// What the holder of a refused token is told: whether it was good once, and no more.
fn refused(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Expired => Failure::unauthenticated(reason::TOKEN_EXPIRED, "the token has expired"),
        Refusal::Invalid(_) => {
            Failure::unauthenticated(reason::TOKEN_INVALID, "the token is not acceptable").caused_by(refusal)
        }
        Refusal::NoKeys(_) => Failure::unavailable("the identity provider").caused_by(refusal),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_bearer_header_has_one_form() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers, "authorization").map(str::to_owned)
        };
        assert_eq!(read(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(read(&["bearer  abc "]).as_deref(), Some("abc"));
        for bad in [&[][..], &["Bearer"], &["Bearer "], &["Basic abc"], &["Bearer a", "Bearer b"]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
