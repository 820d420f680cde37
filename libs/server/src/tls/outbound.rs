//! The client's side of TLS: whom we trust, and what we show.

use std::fmt;

use tokio::sync::watch;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::contents::{authorities, certificates, private_key};
use super::{Contents, Current};
use crate::config::ConfigError;

/// Makes the TLS of new connections. Each clone notices changes for itself.
#[derive(Clone)]
pub(crate) struct Outbound {
    current: watch::Receiver<Current>,
}

impl Outbound {
    pub(super) fn new(current: watch::Receiver<Current>) -> Self {
        Self { current }
    }

    /// How the server of this name is spoken to now.
    pub(crate) fn config(&self, server_name: &str) -> ClientTlsConfig {
        let Current { contents, .. } = &*self.current.borrow();
        let config = ClientTlsConfig::new().domain_name(server_name);
        let config = match &contents.ca {
            // Ours and no others: a public authority has no say about our services.
            Some(pem) => config.ca_certificate(Certificate::from_pem(pem)),
            None => config.with_enabled_roots(),
        };
        match &contents.certificate {
            Some(own) => config.identity(Identity::from_pem(&own.chain, &own.key)),
            None => config,
        }
    }

    /// Whether anything of it may ever change.
    pub(crate) fn may_change(&self) -> bool {
        let Current { contents, .. } = &*self.current.borrow();
        contents.ca.is_some() || contents.certificate.is_some()
    }

    /// Until there is something new since the last time; for ever when there never will be.
    pub(crate) async fn changed(&mut self) {
        if self.current.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").finish_non_exhaustive()
    }
}

/// Whether calls can be made with these files: found out when they are read, not at the first call.
pub(super) fn check(contents: &Contents) -> Result<(), ConfigError> {
    if let Some(pem) = &contents.ca {
        authorities("--tls-ca", pem)?;
    }
    if let Some(own) = &contents.certificate {
        certificates("--tls-cert", &own.chain)?;
        private_key(&own.key)?;
    }
    Ok(())
}
