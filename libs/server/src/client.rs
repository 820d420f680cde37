//! Calling other services: identity, deadline and trace are passed on, a broken connection has one name.
//!
//! ```ignore
//! let compare = chassis.upstream("compare-service", &args.compare_endpoint)?;
//! let mut client = CompareServiceClient::new(compare.on_behalf_of(&caller)); // in a request
//! let mut client = OperationRunWorkerServiceClient::new(runs.as_self());     // in a worker
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tonic::transport::Channel;

use crate::caller::Caller;
use crate::config::ConfigError;
use crate::method::Methods;
use crate::tls::Outbound;

mod endpoints;
mod outgoing;
mod own_token;
mod replicas;
mod retry;

pub use outgoing::Outgoing;
pub(crate) use own_token::OwnToken;
pub use retry::{RetryPolicy, retry};

/// Another service. Cheap to clone; connections are shared and made when first used.
#[derive(Clone)]
pub struct Upstream {
    shared: Arc<Shared>,
}

struct Shared {
    /// Its registered name, for messages and spans.
    service: &'static str,
    channel: Channel,
    own_token: Option<OwnToken>,
    methods: Methods,
    /// Of unary calls that have no deadline of their own.
    default_deadline: Duration,
    /// Rung when a call finds the connection broken, so that replicas are looked at now and not at the next round.
    trouble: Arc<tokio::sync::Notify>,
}

impl Upstream {
    pub(crate) fn new(
        service: &'static str,
        endpoints: &str,
        own_token: Option<OwnToken>,
        methods: Methods,
        default_deadline: Duration,
        tls: &Outbound,
    ) -> Result<Self, ConfigError> {
        let targets = endpoints::parse(service, endpoints, tls)?;
        let trouble = Arc::new(tokio::sync::Notify::new());
        let channel = replicas::channel(service, targets, tls, Arc::clone(&trouble));
        Ok(Self { shared: Arc::new(Shared { service, channel, own_token, methods, default_deadline, trouble }) })
    }

    /// A transport that acts on behalf of this caller: the caller's token is passed on unchanged, our own goes beside it
    /// (when a user is behind the call), and the call ends before the caller's deadline.
    pub fn on_behalf_of(&self, caller: &Caller) -> Outgoing {
        Outgoing::on_behalf_of(Arc::clone(&self.shared), caller)
    }

    /// A transport that acts as this service itself.
    pub fn as_self(&self) -> Outgoing {
        Outgoing::as_self(Arc::clone(&self.shared))
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("service", &self.shared.service).finish_non_exhaustive()
    }
}
