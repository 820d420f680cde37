//! How one tenant is reached: whose token, from which authority, at which Graph. Values only; `Provider` opens it.

use url::{Host, Url};

use crate::credential::{CredentialReference, Secret};
use crate::error::GraphError;

/// Microsoft's public cloud. Sovereign clouds have other hosts, which is why both are part of a connection.
pub const PUBLIC_AUTHORITY: &str = "https://login.microsoftonline.com";
/// The Graph of the public cloud.
pub const PUBLIC_GRAPH: &str = "https://graph.microsoft.com";

/// A checked provider connection of one tenant.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Connection {
    tenant: String,
    client_id: String,
    credential: CredentialReference,
    /// The secret may not be read for this connection, see [`Connection::withhold`].
    withheld: bool,
    authority: Url,
    graph: Url,
}

/// Why a connection cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// The directory (tenant) id or domain is empty or not a plain name: it becomes a path segment of the token address.
    #[error("the directory id must be a GUID or a domain name")]
    InvalidDirectory,
    /// The application id is empty or has other characters than letters, digits and dashes.
    #[error("the application (client) id must be a GUID")]
    InvalidClientId,
    /// Not a URL at all.
    #[error("{0} is not an absolute http(s) address")]
    InvalidAddress(&'static str),
    /// Tokens never travel in clear text, except to this machine (the emulator).
    #[error("{0} must be https; plain http is accepted for loopback addresses only")]
    InsecureAddress(&'static str),
}

impl Connection {
    /// Checks and builds a connection.
    ///
    /// `tenant` is the provider's directory id (or a verified domain); `authority` and `graph` are base addresses
    /// ([`PUBLIC_AUTHORITY`], [`PUBLIC_GRAPH`] when `None`).
    ///
    /// # Errors
    /// See [`ConnectionError`].
    pub fn new(
        tenant: &str,
        client_id: &str,
        credential: CredentialReference,
        authority: Option<&str>,
        graph: Option<&str>,
    ) -> Result<Self, ConnectionError> {
        if !is_plain(tenant) {
            return Err(ConnectionError::InvalidDirectory);
        }
        if !is_plain(client_id) {
            return Err(ConnectionError::InvalidClientId);
        }
        Ok(Self {
            tenant: tenant.to_owned(),
            client_id: client_id.to_owned(),
            credential,
            withheld: false,
            authority: base("the authority", authority.unwrap_or(PUBLIC_AUTHORITY))?,
            graph: base("the Graph address", graph.unwrap_or(PUBLIC_GRAPH))?,
        })
    }

    /// The same connection without its secret: it answers exactly as one whose secret is absent, so that nobody learns of a secret
    /// that belongs to somebody else. A part of what makes it this connection, so that no token is shared either.
    #[must_use]
    pub fn withhold(self) -> Self {
        Self { withheld: true, ..self }
    }

    /// The client secret, read now.
    ///
    /// # Errors
    /// As [`CredentialReference::resolve`].
    pub(crate) async fn secret(&self) -> Result<Secret, GraphError> {
        if self.withheld { Err(self.credential.absent()) } else { self.credential.resolve().await }
    }

    /// The provider's directory id or domain.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The application (client) id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Where the client secret is.
    #[must_use]
    pub fn credential(&self) -> &CredentialReference {
        &self.credential
    }

    /// The base address of Graph, without a trailing slash in its path.
    #[must_use]
    pub fn graph(&self) -> &Url {
        &self.graph
    }

    /// The address of the token endpoint (OAuth 2.0 v2, client credentials).
    #[must_use]
    pub fn token_endpoint(&self) -> Url {
        under(&self.authority, &format!("/{}/oauth2/v2.0/token", self.tenant))
    }

    /// The scope of an app-only token for this Graph.
    #[must_use]
    pub fn scope(&self) -> String {
        format!("{}/.default", self.graph.origin().ascii_serialization())
    }
}

/// `base` with `path_and_query` appended to its path. The path is given encoded.
pub(crate) fn under(base: &Url, path_and_query: &str) -> Url {
    let mut url = base.clone();
    let (path, query) = path_and_query.split_once('?').map_or((path_and_query, None), |(p, q)| (p, Some(q)));
    let joined = format!("{}{path}", base.path().trim_end_matches('/'));
    url.set_path(&joined);
    url.set_query(query);
    url
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
        && !name.starts_with('.')
}

fn base(what: &'static str, text: &str) -> Result<Url, ConnectionError> {
    let url = Url::parse(text).map_err(|_| ConnectionError::InvalidAddress(what))?;
    // Credentials in an address would end up in logs; a query or fragment cannot be a base.
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !plain || !matches!(url.scheme(), "http" | "https") {
        return Err(ConnectionError::InvalidAddress(what));
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(ConnectionError::InsecureAddress(what));
    }
    Ok(url)
}

/// Whether an address is of this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(tenant: &str, client: &str, authority: &str, graph: &str) -> Result<Connection, ConnectionError> {
        Connection::new(tenant, client, CredentialReference::Env("X".into()), Some(authority), Some(graph))
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for ok in ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1", "https://graph.microsoft.com"] {
            assert!(connect("t", "c", PUBLIC_AUTHORITY, ok).is_ok(), "{ok}");
        }
        for bad in ["http://graph.microsoft.com", "http://10.0.0.1", "http://localhost.evil.example"] {
            let error = connect("t", "c", PUBLIC_AUTHORITY, bad).unwrap_err();
            assert_eq!(error, ConnectionError::InsecureAddress("the Graph address"), "{bad}");
        }
        for bad in ["graph.microsoft.com", "ftp://x", "https://u:p@x", "https://x/?a=1", "https://x/#f"] {
            assert!(
                matches!(connect("t", "c", PUBLIC_AUTHORITY, bad), Err(ConnectionError::InvalidAddress(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn names_that_become_path_segments_are_plain() {
        for bad in ["", "..", "a/b", "a b", "a?b", ".hidden"] {
            assert!(connect(bad, "c", PUBLIC_AUTHORITY, PUBLIC_GRAPH).is_err(), "{bad}");
        }
        assert!(connect("contoso.example", "c", PUBLIC_AUTHORITY, PUBLIC_GRAPH).is_ok());
        assert!(connect("t", "", PUBLIC_AUTHORITY, PUBLIC_GRAPH).is_err());
    }

    #[test]
    fn addresses_are_built_from_the_bases() {
        let c = connect("t1", "c", "http://127.0.0.1:9/login/", "http://127.0.0.1:9/graph/").expect("valid");
        assert_eq!(c.token_endpoint().as_str(), "http://127.0.0.1:9/login/t1/oauth2/v2.0/token");
        assert_eq!(c.scope(), "http://127.0.0.1:9/.default");
        assert_eq!(under(c.graph(), "/beta/groups?$top=5").as_str(), "http://127.0.0.1:9/graph/beta/groups?$top=5");
    }
}
