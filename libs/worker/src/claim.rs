//! Claiming runs as long as there is room, until the process drains.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::run::RunType;
use pb::operation::{ClaimOperationRunsRequest, ClaimedRun};
use server::client::Upstream;
use server::{Chassis, ConfigError, StartError, ambient};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Status};

use crate::call::pause;
use crate::handler::Handler;
use crate::session::Client;
use crate::work::bring_to_an_end;

/// How long a claim waits at the service for a run to come.
const CLAIM_WAIT: Duration = Duration::from_secs(20);
/// How long its answer may take beyond that.
const CLAIM_MARGIN: Duration = Duration::from_secs(10);
/// An answer that came too soon and was empty is followed by the pause of so many failures.
const SHORT_ANSWER: u32 = 3;
/// Most runs of one claim, as the service allows.
const MOST_OF_A_CLAIM: usize = 50;
/// A page of items with their plans may be large.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// Claims and works on runs of the handlers' types, at most `runs_at_once` at a time, until the chassis drains: then nothing
/// more is claimed, every handler finishes what it is at, and what is left of its run goes back to the queue. The drain
/// waits for that, up to its cap.
///
/// # Errors
/// No handlers, two for one type, or room for no run.
pub fn start(
    chassis: &Chassis,
    runs: &Upstream,
    runs_at_once: usize,
    handlers: Vec<Box<dyn Handler>>,
) -> Result<(), StartError> {
    if !(1..=Semaphore::MAX_PERMITS).contains(&runs_at_once) {
        return Err(ConfigError::new("worker", "must have room for at least one run").into());
    }
    let mut by_type: BTreeMap<RunType, Arc<dyn Handler>> = BTreeMap::new();
    for handler in handlers {
        let run_type = handler.run_type();
        if by_type.insert(run_type, handler.into()).is_some() {
            return Err(ConfigError::new("worker", format!("two handlers for {run_type}")).into());
        }
    }
    if by_type.is_empty() {
        return Err(ConfigError::new("worker", "has no handler").into());
    }
    let worker = Worker {
        name: format!("{}/{}", chassis.name(), ambient::fresh_id()),
        client: Client::new(runs.as_self()).max_decoding_message_size(MAX_RESPONSE_BYTES),
        handlers: by_type,
        room: Arc::new(Semaphore::new(runs_at_once)),
        draining: chassis.drain_token(),
        working: TaskTracker::new(),
    };
    chassis.spawn(worker.claim_until_drained());
    Ok(())
}

struct Worker {
    /// Of the process, for people.
    name: String,
    client: Client,
    handlers: BTreeMap<RunType, Arc<dyn Handler>>,
    room: Arc<Semaphore>,
    draining: CancellationToken,
    working: TaskTracker,
}

impl Worker {
    async fn claim_until_drained(self) {
        let mut failures = 0;
        while let Some(places) = self.draining.run_until_cancelled(self.places()).await {
            let asked_at = Instant::now();
            match self.draining.run_until_cancelled(self.claim(places.len())).await {
                // What this claim may have been granted meanwhile runs out and is rescued.
                None => break,
                Some(Ok(claimed)) => {
                    failures = 0;
                    if claimed.is_empty() && asked_at.elapsed() < CLAIM_WAIT / 2 {
                        // Whatever makes the service answer at once, it is not asked again at once.
                        self.draining.run_until_cancelled(sleep(pause(SHORT_ANSWER))).await;
                    }
                    for (claimed, place) in claimed.into_iter().zip(places) {
                        self.begin(claimed, place);
                    }
                }
                Some(Err(status)) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!(code = ?status.code(), message = status.message(), "no runs can be claimed");
                    }
                    self.draining.run_until_cancelled(sleep(pause(failures))).await;
                }
            }
        }
        tracing::info!(runs = self.working.len(), "claims no more runs; finishing");
        self.working.close();
        self.working.wait().await;
    }

    async fn claim(&self, places: usize) -> Result<Vec<ClaimedRun>, Status> {
        let mut request = Request::new(ClaimOperationRunsRequest {
            worker: self.name.clone(),
            types: self.handlers.keys().map(|run_type| run_type.as_str().to_owned()).collect(),
            max_runs: i32::try_from(places).unwrap_or(1),
            wait: CLAIM_WAIT.try_into().ok(),
        });
        request.set_timeout(CLAIM_WAIT + CLAIM_MARGIN);
        Ok(self.client.clone().claim_operation_runs(request).await?.into_inner().runs)
    }

    fn begin(&self, claimed: ClaimedRun, place: OwnedSemaphorePermit) {
        let run_type = claimed.run.as_ref().map(|run| run.r#type.as_str()).unwrap_or_default();
        let handler = run_type.parse().ok().and_then(|run_type: RunType| self.handlers.get(&run_type));
        let Some(handler) = handler.cloned() else {
            // Only types with a handler are asked for. Its lease runs out.
            return tracing::error!(run_type, "a run was claimed that nobody here works on");
        };
        let (client, draining) = (self.client.clone(), self.draining.clone());
        self.working.spawn(async move {
            bring_to_an_end(client, &*handler, claimed, draining).await;
            drop(place);
        });
    }

    /// All free places; waits for the first.
    async fn places(&self) -> Vec<OwnedSemaphorePermit> {
        // The semaphore is never closed, so the first is always there.
        let first = Arc::clone(&self.room).acquire_owned().await;
        let more = std::iter::from_fn(|| Arc::clone(&self.room).try_acquire_owned().ok());
        first.into_iter().chain(more).take(MOST_OF_A_CLAIM).collect()
    }
}
