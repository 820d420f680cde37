//! Somebody who watches a run from several replicas, whose connection is cut at random and taken up again at any of them, and
//! who checks that each revision comes once and in order.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use dev::client::Session;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use pb::operation::{Delivery, OperationRun, OperationRunStatus, WatchOperationRunsRequest};
use pb::promotion::WatchPromotionRunsRequest;
use rand::Rng as _;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use crate::ground::LIMIT;

/// Where a run can be watched.
#[derive(Clone)]
pub(crate) enum Place {
    /// A replica of operation-run-service.
    Runs(Session),
    /// A replica of promotion-service, which hands through.
    Promotions(Session),
}

/// What was seen in the end.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Revisions, from the first snapshot on.
    pub(crate) revisions: Vec<i64>,
    /// How often the stream was cut, by us or by a fault.
    pub(crate) cuts: usize,
    /// The last state.
    pub(crate) last: OperationRun,
}

/// A watcher at work.
pub(crate) struct Watcher {
    task: JoinHandle<Result<Seen>>,
    latest: watch::Receiver<Option<OperationRun>>,
}

/// One message, whichever service it comes from.
struct Message {
    run: Option<OperationRun>,
    snapshot: bool,
    initial_end: bool,
    token: String,
}

impl Watcher {
    /// Begins to watch.
    pub(crate) fn begin(places: Vec<Place>, run_id: &str, chance: StdRng) -> Self {
        let (sender, latest) = watch::channel(None);
        let eyes = Eyes {
            places,
            run_id: run_id.to_owned(),
            chance,
            sender,
            token: String::new(),
            known: None,
            begun: false,
            cuts: 0,
        };
        Self { task: tokio::spawn(eyes.watch()), latest }
    }

    /// Waits until a state like this was seen.
    pub(crate) async fn sees(&mut self, mut wanted: impl FnMut(&OperationRun) -> bool) -> Result<OperationRun> {
        let seen = self.latest.wait_for(|run| run.as_ref().is_some_and(&mut wanted));
        let seen = tokio::time::timeout(LIMIT, seen).await.context("a watcher waited too long")?;
        if let Ok(run) = seen {
            return run.clone().context("it has seen something");
        }
        let seen = (&mut self.task).await??;
        bail!("the watched run ended without being as wanted: {:?}", seen.last)
    }

    /// Waits for the end of the run and gives what was seen.
    pub(crate) async fn ends(self) -> Result<Seen> {
        tokio::time::timeout(LIMIT, self.task).await.context("the watched run does not end")??
    }
}

struct Eyes {
    places: Vec<Place>,
    run_id: String,
    chance: StdRng,
    sender: watch::Sender<Option<OperationRun>>,
    token: String,
    known: Option<(Vec<i64>, OperationRun)>,
    /// The snapshots were sent to their end. A stream that was cut before begins with them again.
    begun: bool,
    cuts: usize,
}

impl Eyes {
    async fn watch(mut self) -> Result<Seen> {
        loop {
            let place = self.places[self.chance.random_range(0..self.places.len())].clone();
            let patience = self.chance.random_range(1..12);
            match self.look(&place, patience).await {
                Ok(true) => break,
                Ok(false) => self.cuts += 1,
                Err(error) => match error.downcast_ref::<Status>() {
                    Some(status) if interrupted(status) => {
                        self.cuts += 1;
                        // The replica may just be starting again.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    _ => return Err(error),
                },
            }
        }
        let (revisions, last) = self.known.context("a run that ended was seen")?;
        Ok(Seen { revisions, cuts: self.cuts, last })
    }

    /// Reads so many messages at most, then lets the stream drop. Whether the stream ended by itself, at the run's end.
    async fn look(&mut self, place: &Place, patience: usize) -> Result<bool> {
        let mut stream = open(place, &self.run_id, &self.token).await?;
        for _ in 0..patience {
            let Some(message) = stream.next().await else {
                let ended = self.known.as_ref().is_some_and(|(_, run)| run.status() == OperationRunStatus::Completed);
                ensure!(ended, "the stream ended before the run: {:?}", self.known);
                return Ok(true);
            };
            self.take(message?)?;
        }
        Ok(false)
    }

    fn take(&mut self, message: Message) -> Result<()> {
        let resumed = std::mem::replace(&mut self.token, message.token);
        self.begun |= message.initial_end;
        let Some(run) = message.run else { return Ok(()) };
        match &mut self.known {
            None => {
                ensure!(message.snapshot, "the first message is a snapshot");
                self.known = Some((vec![run.revision], run.clone()));
            }
            Some((revisions, last)) if message.snapshot && !self.begun => {
                ensure!(run.revision >= last.revision, "a later snapshot is older: {last:?} {run:?}");
                (*revisions, *last) = (vec![run.revision], run.clone());
            }
            Some((revisions, last)) => {
                ensure!(!message.snapshot, "no snapshot comes after the first: resumed with {resumed:?}, {run:?}");
                ensure!(
                    run.revision == last.revision + 1,
                    "revision {} came after {}: resumed with {resumed:?}",
                    run.revision,
                    last.revision
                );
                ensure!(last.status() != OperationRunStatus::Completed, "something came after the end: {run:?}");
                let processed = |run: &OperationRun| run.summary_counts.unwrap_or_default().processed();
                ensure!(processed(&run) >= processed(last), "progress went back: {last:?} {run:?}");
                revisions.push(run.revision);
                *last = run.clone();
            }
        }
        self.sender.send_replace(Some(run));
        Ok(())
    }
}

async fn open(place: &Place, run_id: &str, token: &str) -> Result<BoxStream<'static, Result<Message>>, Status> {
    let (run_id, resume_token, delivery) = (run_id.to_owned(), token.to_owned(), Delivery::All.into());
    Ok(match place {
        Place::Runs(session) => {
            use pb::operation::watch_operation_runs_response::Message as Of;
            let request = WatchOperationRunsRequest { run_id, resume_token, delivery, ..Default::default() };
            let stream = session.runs().watch_operation_runs(request).await?.into_inner();
            let read = |answer: pb::operation::WatchOperationRunsResponse| {
                let (run, snapshot, initial_end) = match answer.message {
                    Some(Of::Snapshot(run)) => (Some(run), true, false),
                    Some(Of::Event(event)) => (event.run, false, false),
                    Some(Of::Bookmark(bookmark)) => (None, false, bookmark.initial_end),
                    None => (None, false, false),
                };
                Message { run, snapshot, initial_end, token: answer.resume_token }
            };
            stream.map(move |answer| Ok(read(answer?))).boxed()
        }
        Place::Promotions(session) => {
            use pb::promotion::watch_promotion_runs_response::Message as Of;
            let request = WatchPromotionRunsRequest { run_id, resume_token, delivery, ..Default::default() };
            let stream = session.promotion().watch_promotion_runs(request).await?.into_inner();
            let read = |answer: pb::promotion::WatchPromotionRunsResponse| {
                let (run, snapshot, initial_end) = match answer.message {
                    Some(Of::Snapshot(run)) => (Some(run), true, false),
                    Some(Of::Event(event)) => (event.run, false, false),
                    Some(Of::Bookmark(bookmark)) => (None, false, bookmark.initial_end),
                    None => (None, false, false),
                };
                Message { run, snapshot, initial_end, token: answer.resume_token }
            };
            stream.map(move |answer| Ok(read(answer?))).boxed()
        }
    })
}

/// Whether a stream broke because a process died or a connection was cut, and not because it was refused.
fn interrupted(status: &Status) -> bool {
    let cut = status.details().is_empty() && matches!(status.code(), Code::Cancelled | Code::Unknown | Code::Internal);
    status.code() == Code::Unavailable || cut
}

/// Every revision was seen up to the end, by everybody the same end.
pub(crate) fn saw_all(seen: &[Seen], run: &OperationRun) -> Result<()> {
    for watcher in seen {
        let Some(first) = watcher.revisions.first() else { bail!("a watcher saw nothing") };
        assert_eq!(watcher.revisions, (*first..=run.revision).collect::<Vec<_>>());
        assert_eq!((watcher.last.status(), watcher.last.outcome()), (run.status(), run.outcome()));
        assert_eq!(watcher.last.summary_counts, run.summary_counts);
    }
    Ok(())
}
