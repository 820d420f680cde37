//! One tenant's Graph: a call with its token, its turn, its repetitions and its trace. What a call means is decided in
//! `read`, `capture` and `write`.

mod batch;
mod call;
mod page;

use std::sync::Arc;

use serde_json::Value;
use url::Url;

use crate::connection::{Connection, under};
use crate::error::GraphError;
use crate::pacing::Pacer;
use crate::path::Path;
use crate::settings::Settings;
use crate::token::TokenSource;

pub use batch::MAX_BATCH_ITEMS;
pub(crate) use call::{Call, Refusal, Success};
pub use page::Pages;

/// A client of one tenant. Cheap to clone; clones share token, pace and connections.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    http: reqwest::Client,
    tokens: TokenSource,
    pacer: Pacer,
    settings: Settings,
}

impl Client {
    pub(crate) fn new(connection: Connection, http: reqwest::Client, pacer: Pacer, settings: Settings) -> Self {
        let tokens = TokenSource::new(connection.clone());
        Self { inner: Arc::new(Inner { connection, http, tokens, pacer, settings }) }
    }

    /// Whether anybody but the provider holds this client.
    pub(crate) fn is_held(&self) -> bool {
        Arc::strong_count(&self.inner) > 1
    }

    /// Gets a token and throws it away: whether the credential is accepted.
    ///
    /// # Errors
    /// Kind `Unauthorized` (`CREDENTIAL_UNAVAILABLE`, `PROVIDER_CREDENTIAL_REJECTED`) or a transient kind.
    pub async fn verify_credential(&self) -> Result<(), GraphError> {
        self.inner.tokens.token(&self.inner.http, &self.inner.settings.retry).await.map(drop)
    }

    /// Reads one object.
    ///
    /// # Errors
    /// Any kind but `UnknownOutcome`.
    pub async fn get(&self, path: &Path) -> Result<Value, GraphError> {
        self.call(&Call::read(path)).await.map(|success| success.body).map_err(Refusal::into_error)
    }

    /// Reads a collection page by page.
    #[must_use]
    pub fn pages(&self, path: &Path) -> Pages {
        Pages::new(self.clone(), path)
    }

    /// Reads a whole collection.
    ///
    /// # Errors
    /// As [`Client::get`]; kind `TooLarge`, reason `PROVIDER_TOO_MANY_PAGES`, past the page limit.
    pub async fn list(&self, path: &Path) -> Result<Vec<Value>, GraphError> {
        let mut pages = self.pages(path);
        let mut items = Vec::new();
        while let Some(page) = pages.next().await? {
            items.extend(page);
        }
        Ok(items)
    }

    /// The base address of Graph without a trailing slash, for links inside bodies.
    pub(crate) fn graph_base(&self) -> &str {
        self.inner.connection.graph().as_str().trim_end_matches('/')
    }

    fn address(&self, path: &Path) -> Url {
        under(self.inner.connection.graph(), &path.encoded())
    }
}
