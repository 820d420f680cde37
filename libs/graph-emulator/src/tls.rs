//! HTTPS for clients that send credentials over nothing else (MSAL, the JavaScript SDK).

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A certificate chain with its key.
#[derive(Debug, Clone)]
pub struct Identity {
    config: Arc<ServerConfig>,
}

impl Identity {
    /// Reads PEM files: the chain, own certificate first, and the private key.
    pub fn read(certificates: &Path, key: &Path) -> io::Result<Self> {
        let broken = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
        let chain = CertificateDer::pem_file_iter(certificates)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| broken(format!("{}: {error}", certificates.display())))?;
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|error| broken(format!("{}: {error}", key.display())))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
            .map_err(|error| broken(error.to_string()))?;
        Ok(Self { config: Arc::new(config) })
    }
}

#[derive(Clone)]
pub(crate) struct Acceptor(TlsAcceptor);

impl Acceptor {
    pub(crate) fn new(identity: Identity) -> Self {
        Self(TlsAcceptor::from(identity.config))
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.0.accept(stream).await
    }
}
