//! A server that listens: serving, and the drain.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use tokio::net::TcpListener;
use tonic_health::ServingStatus;

use super::admin::{self, Admin};
use super::{Chassis, Services, StartError, connections};
use crate::drain::Signals;
use crate::stack;

/// A server that listens but does not serve yet.
pub struct Bound {
    chassis: Chassis,
    services: Services,
    listener: TcpListener,
    grpc: SocketAddr,
    admin_listener: TcpListener,
    admin: SocketAddr,
    signals: Signals,
}

impl Bound {
    pub(super) async fn new(chassis: Chassis, services: Services) -> Result<Self, StartError> {
        let services = services.with_reflection(chassis.shared.descriptors)?;
        let settings = &chassis.shared.settings;
        let cannot = |address| move |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(settings.listen).await.map_err(cannot(settings.listen))?;
        let grpc = listener.local_addr().map_err(cannot(settings.listen))?;
        let admin_listener = TcpListener::bind(settings.admin_listen).await.map_err(cannot(settings.admin_listen))?;
        let admin = admin_listener.local_addr().map_err(cannot(settings.admin_listen))?;
        let signals = Signals::listen().map_err(|source| StartError::service("cannot listen for signals", source))?;
        Ok(Self { chassis, services, listener, grpc, admin_listener, admin, signals })
    }

    /// Where gRPC is served.
    pub fn grpc_address(&self) -> SocketAddr {
        self.grpc
    }

    /// Where metrics and probes are served.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Serves until SIGTERM, SIGINT or [`Chassis::shutdown`], then drains: says "not ready", waits for load balancers to
    /// look away, ends streams and workers, waits for what is in work (with a cap), sends the last telemetry.
    pub async fn run(mut self) -> Result<(), StartError> {
        let shared = std::sync::Arc::clone(&self.chassis.shared);
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_service_status("liveness", ServingStatus::Serving).await;
        // Before the first connection is answered: tonic-health would say SERVING of itself.
        shared.readiness.report(reporter, self.services.names.clone()).await;

        let app = stack::stack(
            self.services.routes.add_service(health).prepare(),
            shared.methods.clone(),
            std::sync::Arc::clone(&shared.verifier),
            &shared.drain,
            &shared.settings,
        );
        let (limits, end) = (shared.settings.limits.clone(), shared.drain.ends_streams());
        let serving = connections::serve(self.listener, shared.tls.inbound(), app, limits, end);
        let mut server = tokio::spawn(serving);
        let admin = Admin { telemetry: shared.telemetry.clone(), readiness: shared.readiness.clone() };
        let admin_server = tokio::spawn(axum::serve(self.admin_listener, admin::router(admin)).into_future());
        let verifier = std::sync::Arc::clone(&shared.verifier);
        tokio::spawn(async move { verifier.warm_up().await });
        let certificates = tokio::spawn(shared.tls.clone().keep_fresh());

        shared.readiness.serve(true);
        announce(shared.name, self.grpc, self.admin);

        tokio::select! {
            () = shared.drain.requested() => {}
            () = self.signals.next() => {}
            ended = &mut server => return joined(ended),
        }
        let result = drain(&self.chassis, &mut self.signals, server).await;
        admin_server.abort();
        certificates.abort();
        shared.telemetry.flush().await;
        tracing::info!(service = shared.name, "stopped");
        if shared.task_panicked.load(Ordering::SeqCst) {
            return Err(StartError::service("stopped", "a task of the service panicked"));
        }
        result
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("grpc", &self.grpc).field("admin", &self.admin).finish_non_exhaustive()
    }
}

type Serving = tokio::task::JoinHandle<()>;

async fn drain(chassis: &Chassis, signals: &mut Signals, mut server: Serving) -> Result<(), StartError> {
    let shared = &chassis.shared;
    tracing::info!(service = shared.name, grace = ?shared.settings.drain_grace, "draining");
    shared.readiness.serve(false);
    tokio::select! {
        () = tokio::time::sleep(shared.settings.drain_grace) => {}
        // Somebody is impatient.
        () = signals.next() => {}
    }
    shared.tasks.close();
    shared.drain.end_streams();
    let in_work = async {
        let (served, ()) = tokio::join!(&mut server, shared.tasks.wait());
        served
    };
    tokio::select! {
        ended = in_work => return joined(ended),
        () = tokio::time::sleep(shared.settings.drain_cap) => {
            tracing::warn!(service = shared.name, cap = ?shared.settings.drain_cap, "cut what did not end in time");
        }
        () = signals.next() => tracing::warn!(service = shared.name, "cut what was still in work, as asked"),
    }
    server.abort();
    Ok(())
}

fn joined(ended: Result<(), tokio::task::JoinError>) -> Result<(), StartError> {
    ended.map_err(|error| StartError::service("the gRPC server ended", error))
}

/// Says where the server listens: in the log for people, on standard output for whoever started the process.
fn announce(name: &str, grpc: SocketAddr, admin: SocketAddr) {
    use std::io::Write as _;
    tracing::info!(service = name, %grpc, %admin, "serving");
    let mut out = std::io::stdout().lock();
    // A process without a standard output serves all the same.
    let _ = writeln!(out, "listening grpc={grpc} admin={admin}").and_then(|()| out.flush());
}
