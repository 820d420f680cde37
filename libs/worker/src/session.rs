//! A claimed run in the hands of its handler.

use std::fmt;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::try_join_all;
use pb::operation::operation_run_worker_service_client::OperationRunWorkerServiceClient;
use pb::operation::{
    ClaimedItem, ItemIntent, ItemOutcome, Lease, ListClaimedItemsRequest, OperationRun, RecordItemIntentsRequest,
    ReportItemOutcomesRequest,
};
use server::client::Outgoing;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::batch::Batch;
use crate::call::until_answered;
use crate::ending::WorkError;
use crate::item_trace::{self, ItemTrace};
use crate::term::LocalTerm;

/// Items of one page: with plans of the largest size they still fit into a message.
const PAGE: i32 = 200;

pub(crate) type Client = OperationRunWorkerServiceClient<Outgoing>;

/// A claimed run. Cheap to clone: tasks of a handler that work side by side share it.
#[derive(Debug, Clone)]
pub struct RunSession {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    run: OperationRun,
    held: Held,
    intents: Batch<ItemIntent>,
    outcomes: Batch<ItemOutcome>,
    trace: ItemTrace,
}

/// The lease, whom to talk to about it, and what has been heard.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) client: Client,
    pub(crate) lease: Lease,
    /// Until when it is ours by our own clock.
    pub(crate) term: LocalTerm,
    /// The lease is lost, or may be.
    pub(crate) lost: CancellationToken,
    /// Somebody asked the run to stop.
    pub(crate) cancelled: CancellationToken,
    /// This process is going down.
    pub(crate) draining: CancellationToken,
}

impl Held {
    /// Takes in what every answer of the service says.
    pub(crate) fn learn(&self, cancel_requested: bool) {
        if cancel_requested && !self.cancelled.is_cancelled() {
            tracing::info!(run_id = self.lease.run_id, "the run was asked to stop");
            self.cancelled.cancel();
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("lease", &self.lease).finish_non_exhaustive()
    }
}

impl RunSession {
    pub(crate) fn new(run: OperationRun, held: Held) -> Self {
        let (intending, reporting) = (held.clone(), held.clone());
        let intents = Batch::new(move |intents| record_intents(intending.clone(), intents).boxed());
        let outcomes = Batch::new(move |outcomes| report_outcomes(reporting.clone(), outcomes).boxed());
        Self { shared: Arc::new(Shared { run, held, intents, outcomes, trace: ItemTrace::default() }) }
    }

    /// The run as it was claimed.
    pub fn run(&self) -> &OperationRun {
        &self.shared.run
    }

    /// The fence of the claim: it rises with every claim of the run.
    pub fn fence(&self) -> i64 {
        self.shared.held.lease.fence
    }

    /// Every item of the run in the order of work, with what earlier attempts left.
    pub async fn items(&self) -> Result<Vec<ClaimedItem>, WorkError> {
        let held = &self.shared.held;
        let mut items: Vec<ClaimedItem> = Vec::new();
        loop {
            let after_ordinal = items.last().and_then(|last| last.item.as_ref()).map_or(0, |item| item.ordinal);
            let request = ListClaimedItemsRequest { lease: Some(held.lease.clone()), after_ordinal, page_size: PAGE };
            let page = until_answered(&held.lost, || {
                let (mut client, request) = (held.client.clone(), request.clone());
                async move { client.list_claimed_items(request).await }
            })
            .await?
            .into_inner()
            .items;
            let last = page.len() < PAGE.unsigned_abs() as usize;
            items.extend(page);
            if last {
                return Ok(items);
            }
        }
    }

    /// The span of the work on one item, for what is called meanwhile: below the run's, for at most so many items of one
    /// claim. Those after that are worked on without leaving a trace, so that a run of thousands stays one that can be read.
    pub fn item_span(&self, ordinal: i32, policy_type: &str) -> Span {
        self.shared.trace.span(ordinal, policy_type)
    }

    /// Records that an item is about to be written: `create` or `update`, and the hash of what is wanted in the target.
    /// Nothing may be written before this has succeeded, nor without [`ensure_held`](Self::ensure_held) right before it.
    ///
    /// # Errors
    /// [`WorkError::Stopped`] when the run was asked to stop: the intent is not recorded and the item must not be written.
    pub async fn intend(&self, ordinal: i32, action: &str, desired_hash: &[u8; 32]) -> Result<(), WorkError> {
        let intent = ItemIntent {
            ordinal,
            desired_hash: desired_hash.to_vec(),
            action: action.to_owned(),
            ..ItemIntent::default()
        };
        self.shared.intents.send(intent).await
    }

    /// Reports an item's outcome, until it is taken or the lease is lost. The first outcome of an item stays.
    pub async fn report(&self, outcome: ItemOutcome) -> Result<(), WorkError> {
        item_trace::record(&outcome);
        self.shared.outcomes.send(outcome).await
    }

    /// Reports the outcomes of several items.
    pub async fn report_all(&self, outcomes: impl IntoIterator<Item = ItemOutcome>) -> Result<(), WorkError> {
        try_join_all(outcomes.into_iter().map(|outcome| self.report(outcome))).await.map(drop)
    }

    /// Whether the run was asked to stop, as far as is known: it is learned with every renewal, intent and report.
    pub fn cancelled(&self) -> bool {
        self.shared.held.cancelled.is_cancelled()
    }

    /// Whether to begin nothing new: the run was cancelled, its lease lost, or this process is going down.
    pub fn should_stop(&self) -> bool {
        let held = &self.shared.held;
        held.cancelled.is_cancelled() || held.draining.is_cancelled() || held.lost.is_cancelled()
    }

    /// Ends when [`should_stop`](Self::should_stop) becomes true: for the handler's own waits.
    pub async fn stopping(&self) {
        let held = &self.shared.held;
        tokio::select! {
            () = held.cancelled.cancelled() => {}
            () = held.draining.cancelled() => {}
            () = held.lost.cancelled() => {}
        }
    }

    /// Makes sure that the lease is still ours by our own clock: to be called immediately before each write to the target,
    /// which cannot check our fence. Between an intent and its write this process may have been stopped for longer than the
    /// term; nothing but the clock tells then that somebody else has the run by now.
    ///
    /// # Errors
    /// [`WorkError::Lost`]: the item must not be written, and everything else of this session ends as well.
    pub fn ensure_held(&self) -> Result<(), WorkError> {
        let held = &self.shared.held;
        if held.term.is_over() {
            held.lost.cancel();
        }
        if held.lost.is_cancelled() { Err(WorkError::Lost) } else { Ok(()) }
    }

    /// Ends when the lease is lost: for tasks that the handler spawned, which are not dropped with its future.
    pub async fn lost(&self) {
        self.shared.held.lost.cancelled().await;
    }
}

async fn record_intents(held: Held, intents: Vec<ItemIntent>) -> Result<(), WorkError> {
    let request = RecordItemIntentsRequest { lease: Some(held.lease.clone()), intents };
    let answer = until_answered(&held.lost, || {
        let (mut client, request) = (held.client.clone(), request.clone());
        async move { client.record_item_intents(request).await }
    })
    .await?
    .into_inner();
    held.learn(answer.cancel_requested);
    // In a run that was asked to stop the service records nothing.
    if answer.cancel_requested { Err(WorkError::Stopped) } else { Ok(()) }
}

async fn report_outcomes(held: Held, outcomes: Vec<ItemOutcome>) -> Result<(), WorkError> {
    let request = ReportItemOutcomesRequest { lease: Some(held.lease.clone()), outcomes };
    let answer = until_answered(&held.lost, || {
        let (mut client, request) = (held.client.clone(), request.clone());
        async move { client.report_item_outcomes(request).await }
    })
    .await?
    .into_inner();
    held.learn(answer.cancel_requested);
    Ok(())
}
