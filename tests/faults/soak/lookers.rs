//! Subscribers: of both workspaces, pinned to a replica and wandering, of every change and of the newest only, patient and slow;
//! and of single runs. A stream that breaks is taken up again with its last token, wherever.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use pb::operation::watch_operation_runs_response::Message;
use pb::operation::{Delivery, RunFilter, WatchOperationRunsRequest, WatchOperationRunsResponse};
use pb::promotion::{WatchPromotionRunsRequest, watch_promotion_runs_response};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use system_tests::recorder::Violation;
use system_tests::recorder::history::Phase;
use system_tests::recorder::watch::{Subscription, Told, Wanted};
use tokio::time::{sleep, timeout};
use tonic::Status;

use crate::ground::Field;
use crate::load::is_indeterminate;

/// Longer than a bookmark is away: there is nobody at the other end.
const SILENCE: Duration = Duration::from_secs(15);
const OPENING: Duration = Duration::from_secs(10);
/// Of the runs that are heard of, this share is watched by itself.
const OF_RUNS: f64 = 0.4;
/// Single runs that are watched at the same time.
const MOST_OF_RUNS: usize = 30;

/// Somebody who looks on.
struct Looker {
    field: Arc<Field>,
    name: String,
    wanted: Wanted,
    /// The replicas it wanders between.
    replicas: Vec<usize>,
    /// Whether it looks through promotion-service.
    of_promotions: bool,
    /// How long it takes over each message.
    pace: Duration,
    chance: StdRng,
    subscription: Arc<Mutex<Subscription>>,
}

/// What somebody was told, by the name of who looks on.
pub(crate) type Watched = (String, Arc<Mutex<Subscription>>);

/// Everybody who looks on.
pub(crate) struct Lookers {
    pub(crate) workspaces: Vec<Watched>,
    pub(crate) runs: Arc<Mutex<Vec<Watched>>>,
}

impl Lookers {
    /// Lets everybody begin.
    pub(crate) fn begin(field: &Arc<Field>, seed: u64) -> Self {
        let [first, second] = &field.workspaces;
        let of = |workspace: &String| Wanted { workspace_id: workspace.clone(), ..Default::default() };
        let promotions = || Wanted { types: vec!["promotion.execute".into()], ..of(first) };
        let plans: [(&str, Wanted, &[usize], bool, u64); 8] = [
            ("workspace at replica 1", of(first), &[0], false, 0),
            ("workspace at replica 2", of(first), &[1], false, 0),
            ("workspace, wandering", of(first), &[0, 1], false, 0),
            ("workspace, slow", of(first), &[0, 1], false, 400),
            ("workspace, newest only", Wanted { latest: true, ..of(first) }, &[0, 1], false, 0),
            ("promotions of the workspace", promotions(), &[0, 1], false, 0),
            ("promotions, through promotion-service", promotions(), &[0, 1], true, 0),
            ("the other workspace", of(second), &[0, 1], false, 0),
        ];
        let mut workspaces = Vec::new();
        for (number, (name, wanted, replicas, of_promotions, pace)) in plans.into_iter().enumerate() {
            let looker = Looker {
                field: Arc::clone(field),
                name: format!("watch of {name}"),
                subscription: Arc::new(Mutex::new(Subscription::new(wanted.clone()))),
                wanted,
                replicas: replicas.to_vec(),
                of_promotions,
                pace: Duration::from_millis(pace),
                chance: StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(100 + number as u64)),
            };
            workspaces.push((looker.name.clone(), Arc::clone(&looker.subscription)));
            tokio::spawn(looker.look());
        }
        let runs = Arc::default();
        tokio::spawn(of_runs(Arc::clone(field), Arc::clone(&runs), seed));
        Self { workspaces, runs }
    }
}

/// Watches some of the runs that are heard of.
async fn of_runs(field: Arc<Field>, runs: Arc<Mutex<Vec<Watched>>>, seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(200));
    let mut news = field.news.subscribe();
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let (workspace_id, run_id) = match news.recv().await {
            Ok(heard) => heard,
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => continue,
            Err(_) => return,
        };
        if !chance.random_bool(OF_RUNS) || open.load(Ordering::Relaxed) >= MOST_OF_RUNS {
            continue;
        }
        let wanted = Wanted { workspace_id, run_id: run_id.clone(), ..Default::default() };
        let looker = Looker {
            field: Arc::clone(&field),
            name: format!("watch of run {run_id}"),
            subscription: Arc::new(Mutex::new(Subscription::new(wanted.clone()))),
            wanted,
            replicas: vec![0, 1],
            of_promotions: false,
            pace: Duration::ZERO,
            chance: StdRng::from_rng(&mut chance),
        };
        runs.lock().expect("nobody panics").push((looker.name.clone(), Arc::clone(&looker.subscription)));
        open.fetch_add(1, Ordering::Relaxed);
        let open = Arc::clone(&open);
        tokio::spawn(async move {
            looker.look().await;
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

impl Looker {
    async fn look(mut self) {
        let mut token = String::new();
        loop {
            let replica = self.replicas[self.chance.random_range(0..self.replicas.len())];
            match self.one_stream(replica, &mut token).await {
                Ok(true) => return,
                Ok(false) => self.subscription.lock().expect("nobody panics").cut(),
                Err(violation) => return self.field.violation(&self.name, &violation),
            }
            sleep(Duration::from_millis(self.chance.random_range(10..400))).await;
        }
    }

    /// One stream, to its end or to where it is cut; whether that is all there is to see.
    async fn one_stream(&mut self, replica: usize, token: &mut String) -> Result<bool, Violation> {
        let Ok(opened) = timeout(OPENING, self.open(replica, token)).await else { return Ok(false) };
        let mut stream = match opened {
            Ok(stream) => stream,
            Err(status) => return self.interrupted(&status),
        };
        // Some go away by themselves.
        let patience = if self.chance.random_bool(0.3) { self.chance.random_range(1..40) } else { usize::MAX };
        for _ in 0..patience {
            let Ok(next) = timeout(SILENCE, stream.next()).await else { return Ok(false) };
            let Some(next) = next else {
                let over = self.wanted.run_id.is_empty() || !self.has_ended();
                return match over {
                    true => Err(Violation::new("a watch ends with what it watches", "the stream ended with OK")),
                    false => Ok(true),
                };
            };
            let (message, next_token) = match next {
                Ok(next) => next,
                Err(status) => return self.interrupted(&status),
            };
            self.subscription.lock().expect("nobody panics").take(Told::of(&message)?, &next_token)?;
            *token = next_token;
            // Whoever is slow may catch up when nothing new comes.
            if !self.pace.is_zero() {
                let _ = self.field.stop.run_until_cancelled(sleep(self.pace)).await;
            }
        }
        Ok(false)
    }

    fn has_ended(&self) -> bool {
        let subscription = self.subscription.lock().expect("nobody panics");
        subscription.last(&self.wanted.run_id).is_some_and(system_tests::recorder::watch::State::is_over)
    }

    fn interrupted(&self, status: &Status) -> Result<bool, Violation> {
        match is_indeterminate(status) {
            true => {
                self.field.history.note(&self.name, Phase::Note, "cut", "", status.to_string());
                Ok(false)
            }
            false => Err(Violation::new("a watch is only interrupted", format!("{status:?}"))),
        }
    }

    async fn open(
        &self,
        replica: usize,
        token: &str,
    ) -> Result<BoxStream<'static, Result<(Message, String), Status>>, Status> {
        let session = &self.field.sessions[replica];
        let Wanted { workspace_id, run_id, types, latest } = self.wanted.clone();
        let delivery = if latest { Delivery::Latest } else { Delivery::All }.into();
        let empty = || Status::data_loss("a message says nothing");
        if self.of_promotions {
            let request = WatchPromotionRunsRequest {
                workspace_id,
                resume_token: token.to_owned(),
                delivery,
                ..Default::default()
            };
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
        // A run by its id needs no workspace.
        let workspace_id = if run_id.is_empty() { workspace_id } else { String::new() };
        let request = WatchOperationRunsRequest {
            workspace_id,
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
