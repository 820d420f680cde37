//! From a commit to whoever watches.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use dev::client::Session;
use dev::persona::Persona;
use dev::scene::Scene;
use futures::future::try_join_all;
use pb::operation::watch_operation_runs_response::Message;
use pb::operation::{Delivery, WatchOperationRunsRequest, WatchOperationRunsResponse};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic::Streaming;

use crate::figure::Times;
use crate::runs::Starter;

const WATCHERS: usize = 100;
/// Watchers that share a connection.
const PER_CONNECTION: usize = 10;
const EVENTS: usize = 500;
const BETWEEN: Duration = Duration::from_millis(20);
const LIMIT: Duration = Duration::from_secs(60);

/// Starts a run every 20 ms and measures when each of the watchers hears of it. The commit is later than the event's own
/// time, which is what is measured from.
pub(crate) async fn bench(scene: &Scene, starter: &Starter) -> Result<()> {
    let mut streams = Vec::with_capacity(WATCHERS);
    for _ in 0..WATCHERS / PER_CONNECTION {
        let session = scene.stack.session(Persona::Manager)?;
        for _ in 0..PER_CONNECTION {
            streams.push(open(&session, &scene.workspace_id).await?);
        }
    }
    let watchers = streams.into_iter().map(|stream| tokio::spawn(hear(stream)));
    let watchers: Vec<_> = watchers.collect();
    let mut ticks = interval(BETWEEN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..EVENTS {
        ticks.tick().await;
        starter.start().await?;
    }
    let mut times = Vec::new();
    for heard in timeout(LIMIT, try_join_all(watchers)).await.context("somebody did not hear everything")?? {
        times.extend(heard?);
    }
    ensure!(times.len() == WATCHERS * EVENTS, "everybody hears everything");
    Times::of(times).show("event -> watcher, 100 watchers, 50 events/s");
    Ok(())
}

/// A stream whose snapshots have been read.
async fn open(session: &Session, workspace_id: &str) -> Result<Streaming<WatchOperationRunsResponse>> {
    let request = WatchOperationRunsRequest {
        workspace_id: workspace_id.to_owned(),
        delivery: Delivery::All.into(),
        ..Default::default()
    };
    let mut stream = session.runs().watch_operation_runs(request).await?.into_inner();
    loop {
        let message = stream.message().await?.context("a watch of a workspace does not end")?;
        if matches!(message.message, Some(Message::Bookmark(bookmark)) if bookmark.initial_end) {
            return Ok(stream);
        }
    }
}

async fn hear(mut stream: Streaming<WatchOperationRunsResponse>) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(EVENTS);
    while times.len() < EVENTS {
        let message = stream.message().await?.context("a watch of a workspace does not end")?;
        let now = SystemTime::now();
        if let Some(Message::Event(event)) = message.message {
            let at = SystemTime::try_from(event.event_time.context("an event has its time")?)?;
            times.push(now.duration_since(at).unwrap_or_default());
        }
    }
    Ok(times)
}
