//! TLS: of the gRPC port, and of calls to other services. Off unless certificates are configured.
//!
//! *The port.* With a certificate it speaks TLS and nothing else, HTTP/2 or HTTP/1.1 by ALPN. The admin port stays plain:
//! probes and scrapers inside a cluster have no certificates.
//!
//! *What callers' certificates prove.* `--tls-client-auth` is `off` (nobody is asked), `optional` (who shows one is
//! checked; users come without) or `required` (the handshake fails without one). A certificate alone opens nothing: who
//! calls is said by tokens. But with `optional` and `required` a token of one of our services counts only on a connection
//! whose certificate names the same service, so that a stolen service token is worth nothing without the key beside it:
//! else UNAUTHENTICATED `SERVICE_CERTIFICATE_MISMATCH`. A user's token is never bound to a certificate; a service passes
//! it on unchanged, as without TLS.
//!
//! *Names.* A service's certificate has one URI name, `spiffe://<trust domain>/<registered name>`, beside the host names by
//! which it is reached. Callers check the host name, the called check the URI.
//!
//! *Reload.* The files are read again at an interval, which also follows the swapped links of a mounted Kubernetes secret.
//! New contents count for new connections, in both directions; old connections end by age. Contents that cannot be used
//! (a certificate that is there before its key) are logged, and the last good ones stay.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::sync::watch;

use crate::config::{ConfigError, TlsSettings};

mod contents;
mod inbound;
mod outbound;
mod spiffe;

use contents::Contents;
pub(crate) use inbound::{Inbound, Peer};
pub(crate) use outbound::Outbound;

/// The TLS of this process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls(Arc<Shared>);

struct Shared {
    settings: TlsSettings,
    current: watch::Sender<Current>,
}

/// What counts for connections made now.
#[derive(Clone)]
struct Current {
    contents: Arc<Contents>,
    server: Option<Arc<ServerConfig>>,
}

impl Current {
    fn load(settings: &TlsSettings) -> Result<Self, ConfigError> {
        let contents = Arc::new(Contents::read(settings)?);
        let server = inbound::server_config(settings, &contents)?;
        outbound::check(&contents)?;
        Ok(Self { contents, server })
    }
}

impl Tls {
    /// Reads the files: what cannot be used keeps the service from starting, and is named.
    pub(crate) fn load(settings: TlsSettings) -> Result<Self, ConfigError> {
        let current = watch::Sender::new(Current::load(&settings)?);
        Ok(Self(Arc::new(Shared { settings, current })))
    }

    /// For the gRPC port; `None` when it is plain.
    pub(crate) fn inbound(&self) -> Option<Inbound> {
        let Shared { settings, current } = &*self.0;
        settings.certificate.as_ref().map(|_| Inbound::new(current.subscribe(), settings))
    }

    /// For calls.
    pub(crate) fn outbound(&self) -> Outbound {
        Outbound::new(self.0.current.subscribe())
    }

    /// Looks at the files for as long as it is polled.
    pub(crate) async fn keep_fresh(self) {
        if self.0.current.borrow().contents.is_empty() {
            return;
        }
        let mut complaint = None;
        loop {
            tokio::time::sleep(self.0.settings.reload).await;
            let this = self.clone();
            let loaded = tokio::task::spawn_blocking(move || this.reload()).await;
            // Said once, not at every look.
            complaint = match loaded {
                Ok(Ok(())) => None,
                Ok(Err(error)) => {
                    let text = error.to_string();
                    if complaint.as_ref() != Some(&text) {
                        tracing::warn!(%error, "new TLS files cannot be used; the last ones stay in use");
                    }
                    Some(text)
                }
                // It panicked, or the runtime is going down.
                Err(_) => return,
            };
        }
    }

    fn reload(&self) -> Result<(), ConfigError> {
        let Shared { settings, current } = &*self.0;
        let next = Current::load(settings)?;
        current.send_if_modified(|current| {
            let new = current.contents != next.contents;
            if new {
                tracing::info!("new TLS files are in use for new connections");
                *current = next;
            }
            new
        });
        Ok(())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.settings).finish()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Cli {
        #[command(flatten)]
        server: crate::ServerArgs,
    }

    /// The client's side without any configuration.
    pub(crate) fn plain() -> Outbound {
        let cli = Cli::parse_from(["x", "--oidc-issuer", "http://127.0.0.1:1"]);
        Tls::load(cli.server.validate().unwrap().tls).unwrap().outbound()
    }
}
