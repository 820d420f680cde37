//! Starting, serving and ending: [`Chassis::start`] validates and prepares, [`Chassis::bind`] listens,
//! [`Bound::run`] serves until it is told to stop and then drains.

use std::fmt;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::{OwnToken, Upstream};
use crate::config::{ClientCredentials, ConfigError, Limits, ServerArgs, Settings};
use crate::drain::Drain;
use crate::method::Methods;
use crate::oidc::Verifier;
use crate::oidc::issuer::{Issuer, IssuerError};
use crate::telemetry::{Telemetry, TelemetryError};
use crate::tls::Tls;

mod admin;
mod bound;
mod connections;
mod readiness;
mod services;

pub use bound::Bound;
pub use readiness::Readiness;
pub use services::Services;

/// What keeps a service from starting, or ended it.
#[derive(thiserror::Error)]
pub enum StartError {
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The identity provider's settings.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// Logs, traces, metrics.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The descriptor set is not one.
    #[error("the descriptor set cannot be read")]
    Descriptor(#[from] prost::DecodeError),
    /// Reflection over the descriptor set.
    #[error("reflection cannot be built")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// An address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: std::net::SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something the service needs before it serves: its database, say.
    #[error("{what}")]
    Service {
        /// What was attempted.
        what: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StartError {
    /// Something of the service's own that keeps it from starting.
    pub fn service(what: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Service { what: what.into(), source: source.into() }
    }
}

impl fmt::Debug for StartError {
    /// What `main` prints when it returns this: the sentence and its causes, not the structure.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

/// What `main` returns: success, or the error in one line on standard error.
pub fn exit_code(result: Result<(), StartError>) -> ExitCode {
    use std::io::Write as _;
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // When even standard error is gone there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "error: {error:?}");
            ExitCode::FAILURE
        }
    }
}

/// What a service is built on. Cheap to clone.
#[derive(Clone)]
pub struct Chassis {
    shared: Arc<Shared>,
}

struct Shared {
    name: &'static str,
    settings: Settings,
    descriptors: &'static [u8],
    methods: Methods,
    verifier: Arc<Verifier>,
    tls: Tls,
    own_token: Option<OwnToken>,
    telemetry: Telemetry,
    readiness: Readiness,
    drain: Drain,
    tasks: TaskTracker,
    task_panicked: AtomicBool,
}

impl Chassis {
    /// Validates the options and prepares everything that needs no socket. `name` is the service's registered name
    /// (`compare-service`), `descriptors` the encoded descriptor set of all packages (`pb::FILE_DESCRIPTOR_SET`).
    ///
    /// Nothing is bound, and the identity provider is not asked: services start in any order.
    pub fn start(args: &ServerArgs, name: &'static str, descriptors: &'static [u8]) -> Result<Self, StartError> {
        let settings = args.validate()?;
        let tls = Tls::load(settings.tls.clone())?;
        let telemetry = Telemetry::start(&settings, name)?;
        let methods = Methods::of(&[
            descriptors,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ])?;
        let verifier = Arc::new(Verifier::new(settings.oidc.clone())?);
        let own_token = settings.credentials.clone().map(|own| own_token(&settings, own)).transpose()?;
        Ok(Self {
            shared: Arc::new(Shared {
                name,
                descriptors,
                methods,
                verifier,
                tls,
                own_token,
                telemetry,
                readiness: Readiness::new(),
                drain: Drain::new(),
                tasks: TaskTracker::new(),
                task_panicked: AtomicBool::new(false),
                settings,
            }),
        })
    }

    /// The service's registered name.
    pub fn name(&self) -> &'static str {
        self.shared.name
    }

    /// The limits, for those that are set on generated servers: `.max_decoding_message_size(limits.max_request_bytes)`.
    pub fn limits(&self) -> &Limits {
        &self.shared.settings.limits
    }

    /// Cancelled when streams and workers should end: a stream ends with [`Failure::draining`](crate::Failure::draining)
    /// after its last cursor, a worker gives its work back.
    pub fn drain_token(&self) -> CancellationToken {
        self.shared.drain.ends_streams()
    }

    /// Starts to drain, as SIGTERM does.
    pub fn shutdown(&self) {
        self.shared.drain.request();
    }

    /// Says whether the service can do its work (its database answers, say). It is ready once [`Bound::run`] runs,
    /// unless this says otherwise.
    pub fn readiness(&self) -> &Readiness {
        &self.shared.readiness
    }

    /// Runs a task of the service (a worker) beside the server; the drain waits for it, up to its cap. The task must end
    /// when [`Chassis::drain_token`] is cancelled. When it panics the process goes down in order, and fails: without
    /// its worker it would look alive and do nothing.
    pub fn spawn<F>(&self, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(async move {
            match AssertUnwindSafe(task).catch_unwind().await {
                Ok(output) => output,
                Err(panic) => {
                    tracing::error!(service = shared.name, "a task panicked: shutting down");
                    shared.task_panicked.store(true, Ordering::SeqCst);
                    shared.drain.request();
                    resume_unwind(panic)
                }
            }
        })
    }

    /// The service registered as `service`, at one endpoint (`http://host:port`, `https://host:port`) or several, separated
    /// by commas; `dns:///host:port` and `dns+https:///host:port` are all addresses of that name. Connects when first used. Call it inside the runtime.
    pub fn upstream(&self, service: &'static str, endpoints: &str) -> Result<Upstream, ConfigError> {
        let Shared { own_token, methods, settings, tls, .. } = &*self.shared;
        let deadline = settings.limits.default_deadline;
        Upstream::new(service, endpoints, own_token.clone(), methods.clone(), deadline, &tls.outbound())
    }

    /// Binds and serves: [`Chassis::bind`] and [`Bound::run`] in one.
    pub async fn serve(&self, services: Services) -> Result<(), StartError> {
        self.bind(services).await?.run().await
    }

    /// Listens. Port 0 is a free port from here on.
    pub async fn bind(&self, services: Services) -> Result<Bound, StartError> {
        Bound::new(self.clone(), services).await
    }
}

fn own_token(settings: &Settings, credentials: ClientCredentials) -> Result<OwnToken, IssuerError> {
    let issuer = Issuer::new(&settings.oidc.issuer)?;
    Ok(OwnToken::new(issuer, credentials, settings.oidc.audience.clone()))
}

impl fmt::Debug for Chassis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chassis").field("name", &self.shared.name).finish_non_exhaustive()
    }
}
