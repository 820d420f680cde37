//! The door to Graph of one process: opens a client per connection and keeps what clients of one tenant share (its pace, its
//! token, its connections).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use crate::client::Client;
use crate::connection::Connection;
use crate::error::{GraphError, Kind};
use crate::pacing::Pacer;
use crate::rules::ProviderRules;
use crate::settings::Settings;

/// Clients kept open at once. Past it, those nobody holds are forgotten: they lose a cached token, nothing else.
const MAX_KEPT_CLIENTS: usize = 4_096;

/// Opens clients. One per process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Provider {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    rules: ProviderRules,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    clients: HashMap<Connection, Client>,
    /// By Graph address and tenant: two connections to one tenant share its limits.
    pacers: HashMap<(String, String), Pacer>,
    public: Option<reqwest::Client>,
    loopback: Option<reqwest::Client>,
}

impl Provider {
    /// A provider with these limits, for connections that these rules allow. Nothing is opened yet.
    #[must_use]
    pub fn new(settings: Settings, rules: ProviderRules) -> Self {
        install_tls_provider();
        Self { inner: Arc::new(Inner { settings, rules, open: Mutex::default() }) }
    }

    /// The client of a connection; the same connection gets the same client. No request is made.
    ///
    /// # Errors
    /// Kind `Invalid`, reason `PROVIDER_CONNECTION_INVALID`, when the operator's rules do not allow the connection. Kind
    /// `Network`, reason `TLS_NOT_AVAILABLE`, when this machine has no root certificates.
    pub fn client(&self, connection: &Connection) -> Result<Client, GraphError> {
        self.inner
            .rules
            .permit(connection)
            .map_err(|why| GraphError::local(Kind::Invalid, "PROVIDER_CONNECTION_INVALID", why.to_string()))?;
        let mut open = self.inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = open.clients.get(connection) {
            return Ok(client.clone());
        }
        if open.clients.len() >= MAX_KEPT_CLIENTS {
            open.clients.retain(|_, client| client.is_held());
            let kept: std::collections::HashSet<_> = open.clients.keys().map(tenant_key).collect();
            open.pacers.retain(|key, _| kept.contains(key));
        }
        let plain = connection.graph().scheme() == "http" && connection.token_endpoint().scheme() == "http";
        let settings = &self.inner.settings;
        let slot = if plain { &mut open.loopback } else { &mut open.public };
        let http = match slot {
            Some(http) => http.clone(),
            None => slot.insert(build(settings, plain)?).clone(),
        };
        let pacer = open.pacers.entry(tenant_key(connection)).or_insert_with(|| Pacer::new(&settings.pacing)).clone();
        let client = Client::new(connection.clone(), http, pacer, *settings);
        open.clients.insert(connection.clone(), client.clone());
        Ok(client)
    }
}

impl Default for Provider {
    fn default() -> Self {
        Self::new(Settings::default(), ProviderRules::default())
    }
}

fn tenant_key(connection: &Connection) -> (String, String) {
    (connection.graph().as_str().to_owned(), connection.tenant().to_ascii_lowercase())
}

fn build(settings: &Settings, loopback: bool) -> Result<reqwest::Client, GraphError> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("TenantAtlas/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(Duration::from_secs(60))
        // A redirect could carry the token to another host; Graph has no reason to send one.
        .redirect(reqwest::redirect::Policy::none());
    // Plain http goes to this machine only (see `Connection`): no proxy in between, no root certificates needed.
    let builder = if loopback { builder.no_proxy().tls_certs_only([]) } else { builder };
    builder.build().map_err(|_| {
        GraphError::local(
            Kind::Network,
            "TLS_NOT_AVAILABLE",
            "no TLS client could be set up: are root certificates installed?",
        )
    })
}

/// One provider of cryptography for the whole process. Somebody else may have installed it already; that is as good.
fn install_tls_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
