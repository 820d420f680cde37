//! Subscribers: of both workspaces, pinned to a replica and wandering, of every change and of the newest only, patient and slow;
//! and of single runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use system_tests::recorder::history::Phase;
use system_tests::recorder::looker::{Heard, Looker, Seen};
use system_tests::recorder::watch::{Subscription, Wanted};
use tokio::sync::broadcast::error::RecvError;

use crate::ground::Field;

/// Of the runs that are heard of, this share is watched by itself.
const OF_RUNS: f64 = 0.4;
/// Single runs that are watched at the same time.
const MOST_OF_RUNS: usize = 30;

/// What somebody was told, by the name of who looks on.
pub(crate) type Watched = (String, Seen);

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
                sessions: replicas.iter().map(|replica| field.sessions[*replica].clone()).collect(),
                wanted,
                of_promotions,
                pace: Duration::from_millis(pace),
                // Whoever is slow may catch up when nothing new comes.
                hurry: field.stop.clone(),
                chance: StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(100 + number as u64)),
            };
            let name = format!("watch of {name}");
            workspaces.push((name.clone(), looker.begin(tell(field, name))));
        }
        let runs = Arc::default();
        tokio::spawn(of_runs(Arc::clone(field), Arc::clone(&runs), seed));
        Self { workspaces, runs }
    }
}

/// Writes down what somebody hears.
fn tell(field: &Arc<Field>, name: String) -> impl Fn(Heard<'_>) + Send + Sync + 'static {
    let field = Arc::clone(field);
    move |heard| match heard {
        Heard::Cut(status) => field.history.note(&name, Phase::Note, "cut", "", status.to_string()),
        Heard::Violation(violation) => field.violation(&name, violation),
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
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        if !chance.random_bool(OF_RUNS) || open.load(Ordering::Relaxed) >= MOST_OF_RUNS {
            continue;
        }
        let wanted = Wanted { workspace_id, run_id: run_id.clone(), ..Default::default() };
        let seen = Arc::new(Mutex::new(Subscription::new(wanted.clone())));
        let looker = Looker::of(field.sessions.clone(), wanted, StdRng::from_rng(&mut chance));
        let name = format!("watch of run {run_id}");
        runs.lock().expect("nobody panics").push((name.clone(), Arc::clone(&seen)));
        open.fetch_add(1, Ordering::Relaxed);
        let (open, tell) = (Arc::clone(&open), tell(&field, name));
        tokio::spawn(async move {
            looker.look(seen, tell).await;
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}
