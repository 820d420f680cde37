//! One claimed run, from claim to end.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use pb::operation::ClaimedRun;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, field};

use crate::conclude::conclude;
use crate::ending::WorkError;
use crate::handler::Handler;
use crate::renew::{begin, keep, term_of};
use crate::session::{Client, Held, RunSession};
use crate::term::LocalTerm;

/// Works on the run, in a trace of its own that is linked to the span that queued the run and, when it was worked on before,
/// to that work. By the conventions for messaging: whoever queues a run does not wait for it, so it is no parent.
pub(crate) async fn bring_to_an_end(
    client: Client,
    handler: &dyn Handler,
    claimed: ClaimedRun,
    draining: CancellationToken,
) {
    let (Some(run), Some(lease)) = (claimed.run, claimed.lease) else {
        return tracing::error!("a claimed run came without itself or its lease");
    };
    let span = tracing::info_span!(
        parent: None,
        "process",
        otel.name = "process operation_runs",
        otel.kind = "consumer",
        otel.status_code = field::Empty,
        error.type = field::Empty,
        messaging.system = "tenantatlas",
        messaging.destination.name = "operation_runs",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.message.id = run.run_id,
        run_id = run.run_id,
        run_type = run.r#type,
        attempt = run.attempt,
        fence = lease.fence,
    );
    for origin in [&claimed.start_traceparent, &claimed.earlier_traceparent] {
        server::telemetry::link_to_traceparent(&span, origin);
    }
    let (lost, cancelled) = (CancellationToken::new(), CancellationToken::new());
    let held = Held { client, lease, term: LocalTerm::default(), lost, cancelled, draining };
    held.learn(claimed.cancel_requested);
    let attempt = run.attempt;

    let work = async {
        tracing::info!("working on a run");
        let session = RunSession::new(run, held.clone());
        let worked = tokio::select! {
            // Lost first: then nothing of the handler is polled again.
            biased;
            () = held.lost.cancelled() => Err(WorkError::Lost),
            worked = AssertUnwindSafe(handler.work(&session)).catch_unwind() => {
                worked.unwrap_or_else(|panic| Err(WorkError::Failed(panic_text(&*panic))))
            }
        };
        conclude(&held, attempt, worked).await;
    };
    async {
        let Some(length) = begin(&held, term_of(claimed.lease_ttl)).await else { return };
        // Beside the work, until the service knows how it ended. When the lease is lost the work ends itself.
        let renewal = keep(&held, length).then(|()| std::future::pending::<()>());
        tokio::select! {
            // The renewal first: after a time in which nothing was polled, it says that the lease is lost before the work goes on.
            biased;
            () = renewal => {}
            () = work => {}
        }
    }
    .instrument(span)
    .await;
    // Tasks that the handler spawned and left behind have no lease to work under.
    held.lost.cancel();
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("the handler panicked: {}", text.unwrap_or_default())
}
