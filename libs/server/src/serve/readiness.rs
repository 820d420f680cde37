//! Whether the process can take work, told to everybody who asks: gRPC health (per service, `""` and `readiness`) and
//! `/readyz`. `liveness` and `/healthz` say only that the process runs: they stay good during a drain.

use tokio::sync::watch;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// Whether the service can do its work.
#[derive(Debug, Clone)]
pub struct Readiness {
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    /// The service's own word.
    able: bool,
    /// Between start and drain.
    serving: bool,
}

impl Readiness {
    pub(super) fn new() -> Self {
        Self { state: watch::Sender::new(State { able: true, serving: false }) }
    }

    /// The service's own word: `false` while something it needs is away.
    pub fn set(&self, able: bool) {
        self.state.send_if_modified(|state| std::mem::replace(&mut state.able, able) != able);
    }

    pub(super) fn serve(&self, serving: bool) {
        self.state.send_if_modified(|state| std::mem::replace(&mut state.serving, serving) != serving);
    }

    /// Whether the process takes work now.
    pub fn is_ready(&self) -> bool {
        let state = *self.state.borrow();
        state.able && state.serving
    }

    /// Tells gRPC health of every change, for as long as the process lives. The first word is out when this returns.
    pub(super) async fn report(&self, reporter: HealthReporter, services: Vec<&'static str>) {
        let names: Vec<&'static str> = services.into_iter().chain(["", "readiness"]).collect();
        let tell = async move |ready: bool| {
            let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
            for name in &names {
                reporter.set_service_status(name, status).await;
            }
        };
        let mut changes = self.state.subscribe();
        changes.mark_unchanged();
        tell(self.is_ready()).await;
        let readiness = self.clone();
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                tell(readiness.is_ready()).await;
            }
        });
    }
}
