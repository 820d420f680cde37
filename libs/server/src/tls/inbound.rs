//! The server's side of TLS.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::contents::{authorities, certificates, private_key};
use super::{Contents, Current, spiffe};
use crate::caller::ServiceIdentity;
use crate::config::{ClientAuth, ConfigError, TlsSettings};

/// Accepts TLS on connections.
#[derive(Clone)]
pub(crate) struct Inbound {
    current: watch::Receiver<Current>,
    trust_domain: Arc<str>,
}

/// What the peer's certificate says, on every request of its connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    /// The service that a verified certificate names.
    pub(crate) service: Option<ServiceIdentity>,
}

impl Inbound {
    pub(super) fn new(current: watch::Receiver<Current>, settings: &TlsSettings) -> Self {
        Self { current, trust_domain: settings.trust_domain.as_str().into() }
    }

    /// The handshake. How long it may take is the caller's to say.
    pub(crate) async fn accept(&self, socket: TcpStream) -> io::Result<(TlsStream<TcpStream>, Peer)> {
        let config = self.current.borrow().server.clone().ok_or(io::ErrorKind::Unsupported)?;
        let stream = TlsAcceptor::from(config).accept(socket).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let service = certificate.and_then(|certificate| spiffe::service_of(certificate, &self.trust_domain));
        Ok((stream, Peer { service }))
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("trust_domain", &self.trust_domain).finish_non_exhaustive()
    }
}

/// How connections are accepted with these files; `None` without a certificate.
pub(super) fn server_config(
    settings: &TlsSettings,
    contents: &Contents,
) -> Result<Option<Arc<ServerConfig>>, ConfigError> {
    let Some(certificate) = &contents.certificate else { return Ok(None) };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::new("--tls-cert", error.to_string()))?;
    let builder = match &contents.client_ca {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let roots = Arc::new(authorities("--tls-client-ca", pem)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = match settings.client_auth {
                ClientAuth::Required => verifier,
                ClientAuth::Optional | ClientAuth::Off => verifier.allow_unauthenticated(),
            };
            let verifier = verifier.build().map_err(|error| ConfigError::new("--tls-client-ca", error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = certificates("--tls-cert", &certificate.chain)?;
    let mut config = builder
        .with_single_cert(chain, private_key(&certificate.key)?)
        .map_err(|error| ConfigError::new("--tls-cert", format!("does not go with --tls-key: {error}")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A resumed session would bring along a certificate that was checked once, long ago. Connections live for long, so
    // that resuming saves nothing.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Some(Arc::new(config)))
}
