//! A watcher for tests: reads one stream, keeps what it saw.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pb::operation::watch_operation_runs_response::Message;
use pb::operation::{OperationRun, RunEvent, WatchOperationRunsRequest, WatchOperationRunsResponse};
use tonic::{Status, Streaming};

use crate::harness::{Runs, SOON, World};

/// An open stream.
pub struct Reader {
    stream: Streaming<WatchOperationRunsResponse>,
    /// Of the last message.
    pub token: String,
}

/// What came.
#[derive(Debug, Clone)]
pub enum Came {
    Snapshot(OperationRun),
    Event(RunEvent),
    Bookmark { initial_end: bool },
}

impl Reader {
    pub async fn open(mut runs: Runs, request: WatchOperationRunsRequest) -> Result<Self, Status> {
        let token = request.resume_token.clone();
        Ok(Self { stream: runs.watch_operation_runs(request).await?.into_inner(), token })
    }

    /// The next message; `Err(None)`: the stream ended with OK.
    pub async fn next(&mut self) -> Result<Came, Option<Status>> {
        let next = tokio::time::timeout(SOON, self.stream.message()).await.expect("a message or an end");
        let message = next.map_err(Some)?.ok_or(None)?;
        assert!(!message.resume_token.is_empty());
        self.token = message.resume_token;
        Ok(match message.message.expect("a message") {
            Message::Snapshot(run) => Came::Snapshot(run),
            Message::Event(event) => Came::Event(event),
            Message::Bookmark(bookmark) => Came::Bookmark { initial_end: bookmark.initial_end },
        })
    }

    /// The next event; bookmarks are passed over.
    pub async fn event(&mut self) -> RunEvent {
        loop {
            match self.next().await.expect("an event") {
                Came::Event(event) => return event,
                Came::Bookmark { .. } => {}
                Came::Snapshot(run) => panic!("a snapshot: {run:?}"),
            }
        }
    }

    /// Whether an event comes within `wait`; bookmarks are passed over.
    pub async fn event_within(&mut self, wait: Duration) -> Option<RunEvent> {
        tokio::time::timeout(wait, self.event()).await.ok()
    }

    /// The snapshots, up to the bookmark that ends them.
    pub async fn snapshots(&mut self) -> Vec<OperationRun> {
        let mut snapshots = Vec::new();
        loop {
            match self.next().await.expect("a snapshot") {
                Came::Snapshot(run) => snapshots.push(run),
                Came::Bookmark { initial_end } => {
                    assert!(initial_end);
                    return snapshots;
                }
                Came::Event(event) => panic!("an event before the end of the snapshots: {event:?}"),
            }
        }
    }

    /// How the stream ends; everything before is passed over.
    pub async fn end(&mut self) -> Option<Status> {
        loop {
            if let Err(end) = self.next().await {
                return end;
            }
        }
    }
}

/// Everything of the workspace.
pub fn everything(world: &World) -> WatchOperationRunsRequest {
    WatchOperationRunsRequest { workspace_id: world.workspace.to_string(), ..Default::default() }
}

/// One run.
pub fn of_run(run_id: &str) -> WatchOperationRunsRequest {
    WatchOperationRunsRequest { run_id: run_id.into(), ..Default::default() }
}

/// The same watch from a token.
pub fn from(request: WatchOperationRunsRequest, token: &str) -> WatchOperationRunsRequest {
    WatchOperationRunsRequest { resume_token: token.into(), ..request }
}

/// A token of the same watch at another position.
pub fn token_at(token: &str, xid: i64, seq: i64) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    bytes.truncate(17);
    bytes.extend(xid.to_be_bytes());
    bytes.extend(seq.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of the same watch from another history of the database.
pub fn of_other_epoch(token: &str) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    bytes[1] ^= 1;
    URL_SAFE_NO_PAD.encode(bytes)
}
