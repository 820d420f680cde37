//! The one reader of new events of this replica: one connection, one statement per look, as often as there is something.

use std::collections::HashMap;
use std::time::Duration;

use domain::id::{Hash, RunId};
use server::Readiness;
use sqlx::PgConnection;
use tokio::time::{Instant, sleep, timeout};

use super::feed::{Event, EventKind};
use crate::Runs;
use crate::error::Result;
use crate::metrics;
use crate::store;

/// Pause between two looks: while events come, and when none have for a while.
const BUSY: Duration = Duration::from_millis(5);
const IDLE: Duration = Duration::from_millis(50);
/// Events of one look.
const BATCH: i64 = 1000;
/// A look that takes longer than this has no server at the other end.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before the connection is made again.
const RECONNECT: Duration = Duration::from_millis(200);
/// A writer that holds the stream back for longer than this is told of.
const HELD_BACK_TOO_LONG: Duration = Duration::from_secs(5);

/// Reads until told to stop. A lost connection is made again; what was read stays, and nothing is passed over. `db` has one
/// connection, this one.
pub async fn run(runs: Runs, db: pg::Db, readiness: Readiness) {
    let mut failures = 0_u32;
    while !runs.drain.is_cancelled() {
        let Some(ended) = runs.drain.run_until_cancelled(follow(&runs, &db, &readiness, &mut failures)).await else {
            return;
        };
        if let Err(error) = ended {
            failures += 1;
            // Nothing here works without the database: others may have a better way to it.
            readiness.set(false);
            if failures == 1 {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "new events cannot be read; watches stand still"
                );
            }
        }
        runs.drain.run_until_cancelled(sleep(RECONNECT)).await;
    }
}

async fn follow(runs: &Runs, db: &pg::Db, readiness: &Readiness, failures: &mut u32) -> Result<()> {
    let mut connection = db.plain().await?.detach();
    store::run_event::follow_all_workspaces(&mut connection).await?;
    let epoch = epoch_of(&mut connection).await?;
    if runs.feed.epoch().is_some_and(|before| before != epoch) {
        tracing::error!("the database's history is another one: open watches have to begin anew");
    }
    runs.feed.begin(epoch, store::run_event::newest(&mut connection).await?);
    readiness.set(true);
    if std::mem::take(failures) > 0 {
        tracing::info!("new events are read again");
    }
    let (mut pause, mut continuity, mut progress) = (BUSY, Continuity::default(), Progress::new(0));
    loop {
        let look = store::run_event::tail(&mut connection, runs.feed.head(), BATCH);
        let Ok(tail) = timeout(LOOK_TIMEOUT, look).await else { return Err(sqlx::Error::PoolTimedOut.into()) };
        let tail = tail?;
        let (read, claimable) = (tail.events.len(), tail.events.iter().any(|event| is_claimable(event.kind)));
        continuity.check(&tail.events);
        progress.check(tail.horizon, tail.held_back);
        runs.feed.extend(tail.events, tail.head);
        metrics::EVENTS_IN_MEMORY.record(runs.feed.len() as u64, &[]);
        if claimable {
            runs.work.ring();
        }
        pause = if read > 0 { BUSY } else { (pause * 2).min(IDLE) };
        if read < usize::try_from(BATCH).unwrap_or(usize::MAX) {
            sleep(pause).await;
        }
    }
}

fn is_claimable(kind: EventKind) -> bool {
    matches!(kind, EventKind::Queued | EventKind::Requeued)
}

/// Names the history that positions belong to, in a form that fits into a token.
async fn epoch_of(connection: &mut PgConnection) -> Result<u64> {
    let name = Hash::of(pg::epoch(connection).await?);
    let mut first = [0; 8];
    first.copy_from_slice(&name.as_bytes()[..8]);
    Ok(u64::from_be_bytes(first))
}

/// Every run's revisions follow one another. A hole is a lost event: that must never be, so it is an alarm.
#[derive(Debug, Default)]
struct Continuity(HashMap<RunId, i64>);

impl Continuity {
    fn check(&mut self, events: &[Event]) {
        for event in events {
            let run = &event.seen.run;
            let before = if run.is_terminal() { self.0.remove(&run.id) } else { self.0.insert(run.id, run.rev) };
            if before.is_some_and(|before| run.rev != before + 1) {
                metrics::GAPS.add(1, &[]);
                tracing::error!(run = %run.id, ?before, rev = run.rev, "events of a run do not follow one another");
            }
        }
    }
}

/// A transaction that writes for long holds back everything written after it, of all of the cluster's databases.
#[derive(Debug)]
struct Progress {
    horizon: i64,
    since: Instant,
    told: bool,
}

impl Progress {
    fn new(horizon: i64) -> Self {
        Self { horizon, since: Instant::now(), told: false }
    }

    fn check(&mut self, horizon: i64, held_back: bool) {
        if horizon > self.horizon || !held_back {
            *self = Self::new(horizon);
        }
        let held_back_for = self.since.elapsed();
        metrics::HELD_BACK.record(held_back_for.as_secs_f64(), &[]);
        if held_back_for > HELD_BACK_TOO_LONG && !self.told {
            self.told = true;
            tracing::warn!(
                xid = horizon,
                "a transaction has been writing for long and holds watches back: see pg_stat_activity.backend_xid"
            );
        }
    }
}
