//! What the files hold, and the reading of it. A private key never leaves this as text: errors say which file and which
//! option, nothing of its contents.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::{ConfigError, TlsSettings};

/// Larger files are no certificates.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The files as they were read together. Not `Debug`: one of them is a private key.
#[derive(PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) certificate: Option<Certificate>,
    pub(super) client_ca: Option<Vec<u8>>,
    pub(super) ca: Option<Vec<u8>>,
}

/// This service's certificate, as text.
#[derive(PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) chain: Vec<u8>,
    pub(super) key: Vec<u8>,
}

impl Contents {
    pub(super) fn read(settings: &TlsSettings) -> Result<Self, ConfigError> {
        let certificate = match &settings.certificate {
            Some(files) => {
                Some(Certificate { chain: read("--tls-cert", &files.chain)?, key: read("--tls-key", &files.key)? })
            }
            None => None,
        };
        let client_ca = settings.client_ca.as_deref().map(|path| read("--tls-client-ca", path)).transpose()?;
        let ca = settings.ca.as_deref().map(|path| read("--tls-ca", path)).transpose()?;
        Ok(Self { certificate, client_ca, ca })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.certificate.is_none() && self.client_ca.is_none() && self.ca.is_none()
    }
}

fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    let cannot =
        |error: std::io::Error| ConfigError::new(option, format!("{} cannot be read: {error}", path.display()));
    if std::fs::metadata(path).map_err(cannot)?.len() > MAX_FILE_BYTES {
        return Err(ConfigError::new(option, format!("{} is larger than {MAX_FILE_BYTES} bytes", path.display())));
    }
    std::fs::read(path).map_err(cannot)
}

/// The certificates of a PEM text, at least one.
pub(super) fn certificates(option: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let broken = || ConfigError::new(option, "is no PEM file of certificates");
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_unsaid| broken())?;
    if certificates.is_empty() { Err(broken()) } else { Ok(certificates) }
}

/// The private key of a PEM text.
pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, ConfigError> {
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_unsaid| ConfigError::new("--tls-key", "is no PEM file of an unencrypted private key"))
}

/// The authorities of a PEM text.
pub(super) fn authorities(option: &'static str, pem: &[u8]) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(option, pem)? {
        roots
            .add(certificate)
            .map_err(|error| ConfigError::new(option, format!("holds a certificate that is no authority: {error}")))?;
    }
    Ok(roots)
}
