//! A subscriber: watches a workspace or a run at one replica or wandering between several, takes up its stream wherever it broke,
//! and writes down what it was told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dev::client::Session;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use pb::operation::watch_operation_runs_response::Message;
use pb::operation::{Delivery, RunFilter, WatchOperationRunsRequest, WatchOperationRunsResponse};
use pb::promotion::{WatchPromotionRunsRequest, watch_promotion_runs_response};
use rand::Rng as _;
use rand::rngs::StdRng;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::Violation;
use super::watch::{State, Subscription, Told, Wanted};

/// Longer than a bookmark is away: there is nobody at the other end.
const SILENCE: Duration = Duration::from_secs(15);
const OPENING: Duration = Duration::from_secs(10);
/// How often somebody goes away by themselves.
const RESTLESS: f64 = 0.3;

/// Whether nobody knows what became of a call: a status of our own has a reason, and UNAVAILABLE says that it may be repeated.
pub fn is_indeterminate(status: &Status) -> bool {
    let cut = status.details().is_empty() && matches!(status.code(), Code::Cancelled | Code::Unknown | Code::Internal);
    cut || matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted)
}

/// What it tells while it looks.
#[derive(Debug)]
pub enum Heard<'h> {
    /// Its stream broke.
    Cut(&'h Status),
    /// It was told what must not be, and stops.
    Violation(&'h Violation),
}

/// Somebody who looks on.
pub struct Looker {
    /// The replicas it wanders between.
    pub sessions: Vec<Session>,
    /// What it watches.
    pub wanted: Wanted,
    /// Whether it looks through promotion-service.
    pub of_promotions: bool,
    /// How long it takes over each message.
    pub pace: Duration,
    /// From then on it takes no time.
    pub hurry: CancellationToken,
    /// Where it goes and how long it stays.
    pub chance: StdRng,
}

/// What it has seen so far.
pub type Seen = Arc<Mutex<Subscription>>;

impl Looker {
    /// One that wanders between these replicas and takes no time.
    pub fn of(sessions: Vec<Session>, wanted: Wanted, chance: StdRng) -> Self {
        let (pace, hurry) = (Duration::ZERO, CancellationToken::new());
        Self { sessions, wanted, of_promotions: false, pace, hurry, chance }
    }

    /// Looks until what it watches has ended, or something is wrong; in the background. `told` hears of it.
    pub fn begin(self, told: impl Fn(Heard<'_>) + Send + Sync + 'static) -> Seen {
        let seen = Arc::new(Mutex::new(Subscription::new(self.wanted.clone())));
        tokio::spawn(self.look(Arc::clone(&seen), told));
        seen
    }

    /// As [`Looker::begin`], in the foreground.
    pub async fn look(mut self, seen: Seen, told: impl Fn(Heard<'_>)) {
        let mut token = String::new();
        loop {
            let replica = self.chance.random_range(0..self.sessions.len());
            match self.one_stream(replica, &mut token, &seen, &told).await {
                Ok(true) => return,
                Ok(false) => seen.lock().expect("nobody panics").cut(),
                Err(violation) => return told(Heard::Violation(&violation)),
            }
            sleep(Duration::from_millis(self.chance.random_range(10..400))).await;
        }
    }

    /// One stream, to its end or to where it is cut; whether that is all there is to see.
    async fn one_stream(
        &mut self,
        replica: usize,
        token: &mut String,
        seen: &Seen,
        told: &impl Fn(Heard<'_>),
    ) -> Result<bool, Violation> {
        let interrupted = |status: &Status| match is_indeterminate(status) {
            true => {
                told(Heard::Cut(status));
                Ok(false)
            }
            false => Err(Violation::new("a watch is only interrupted", format!("{status:?}"))),
        };
        let Ok(opened) = timeout(OPENING, self.open(replica, token)).await else { return Ok(false) };
        let mut stream = match opened {
            Ok(stream) => stream,
            Err(status) => return interrupted(&status),
        };
        let patience = if self.chance.random_bool(RESTLESS) { self.chance.random_range(1..40) } else { usize::MAX };
        for _ in 0..patience {
            let Ok(next) = timeout(SILENCE, stream.next()).await else { return Ok(false) };
            let Some(next) = next else {
                let over = seen.lock().expect("nobody panics").last(&self.wanted.run_id).is_some_and(State::is_over);
                return match over {
                    true => Ok(true),
                    false => Err(Violation::new("a watch ends with what it watches", "the stream ended with OK")),
                };
            };
            let (message, next_token) = match next {
                Ok(next) => next,
                Err(status) => return interrupted(&status),
            };
            seen.lock().expect("nobody panics").take(Told::of(&message)?, &next_token)?;
            *token = next_token;
            if !self.pace.is_zero() {
                let _ = self.hurry.run_until_cancelled(sleep(self.pace)).await;
            }
        }
        Ok(false)
    }

    async fn open(
        &self,
        replica: usize,
        token: &str,
    ) -> Result<BoxStream<'static, Result<(Message, String), Status>>, Status> {
        let session = &self.sessions[replica];
        let Wanted { workspace_id, run_id, types, latest } = self.wanted.clone();
        let delivery = if latest { Delivery::Latest } else { Delivery::All }.into();
        let empty = || Status::data_loss("a message says nothing");
        if self.of_promotions {
            let resume_token = token.to_owned();
            let request = WatchPromotionRunsRequest { workspace_id, resume_token, delivery, ..Default::default() };
            let stream = session.promotion().watch_promotion_runs(request).await?.into_inner();
            let read = move |answer: Result<pb::promotion::WatchPromotionRunsResponse, Status>| {
                use watch_promotion_runs_response::Message as Of;
                let answer = answer?;
                let message = match answer.message.ok_or_else(empty)? {
                    Of::Snapshot(run) => Message::Snapshot(run),
                    Of::Event(event) => Message::Event(event),
                    Of::Bookmark(bookmark) => Message::Bookmark(bookmark),
                };
                Ok((message, answer.resume_token))
            };
            return Ok(stream.map(read).boxed());
        }
        let request = WatchOperationRunsRequest {
            // A run by its id needs no workspace.
            workspace_id: if run_id.is_empty() { workspace_id } else { String::new() },
            run_id,
            filter: (!types.is_empty()).then(|| RunFilter { types, ..Default::default() }),
            resume_token: token.to_owned(),
            delivery,
            min_interval: latest.then(|| Duration::from_millis(500).try_into().ok()).flatten(),
        };
        let stream = session.runs().watch_operation_runs(request).await?.into_inner();
        let read = move |answer: Result<WatchOperationRunsResponse, Status>| {
            let answer = answer?;
            Ok((answer.message.ok_or_else(empty)?, answer.resume_token))
        };
        Ok(stream.map(read).boxed())
    }
}
