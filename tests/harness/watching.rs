//! Watches as a subscriber lives with them: both services' streams in one shape, cut and taken up again.

use anyhow::Result;
use dev::client::Session;
use pb::operation::{
    OperationRun, RunEvent, RunFilter, WatchOperationRunsRequest, WatchOperationRunsResponse,
    watch_operation_runs_response as runs,
};
use pb::promotion::{
    WatchPromotionRunsRequest, WatchPromotionRunsResponse, watch_promotion_runs_response as promotions,
};
use tonic::{Status, Streaming};

/// Whose stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// OperationRunService.
    OperationRuns,
    /// PromotionService.
    Promotions,
}

/// What is watched: one run, or the promotions of a workspace.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A run by its id.
    Run(String),
    /// Every promotion of a workspace.
    Workspace(String),
}

/// One message of a stream.
#[derive(Debug, Clone)]
pub enum Seen {
    /// Present state of a run.
    Snapshot(Box<OperationRun>),
    /// A change.
    Event(Box<RunEvent>),
    /// A position without a change.
    Bookmark {
        /// Whether it ends the snapshots.
        initial_end: bool,
    },
}

/// An open stream.
pub enum Watch {
    /// Of OperationRunService.
    OperationRuns(Streaming<WatchOperationRunsResponse>),
    /// Of PromotionService.
    Promotions(Streaming<WatchPromotionRunsResponse>),
}

impl Watch {
    /// Opens a stream, after a token or from the beginning when it is empty.
    pub async fn open(session: &Session, service: Service, subject: &Subject, token: &str) -> Result<Self, Status> {
        let (workspace_id, run_id) = match subject {
            Subject::Run(run) => (String::new(), run.clone()),
            Subject::Workspace(workspace) => (workspace.clone(), String::new()),
        };
        let resume_token = token.to_owned();
        match service {
            Service::OperationRuns => {
                // A run needs no filter; of a workspace only the promotions are asked for.
                let of_workspace = matches!(subject, Subject::Workspace(_));
                let filter =
                    of_workspace.then(|| RunFilter { types: vec!["promotion.execute".into()], ..Default::default() });
                let request =
                    WatchOperationRunsRequest { workspace_id, run_id, filter, resume_token, ..Default::default() };
                Ok(Self::OperationRuns(session.runs().watch_operation_runs(request).await?.into_inner()))
            }
            Service::Promotions => {
                let request = WatchPromotionRunsRequest { workspace_id, run_id, resume_token, ..Default::default() };
                Ok(Self::Promotions(session.promotion().watch_promotion_runs(request).await?.into_inner()))
            }
        }
    }

    /// The next message with the token after it; `None` when the stream ended with OK.
    pub async fn next(&mut self) -> Result<Option<(Seen, String)>, Status> {
        Ok(match self {
            Self::OperationRuns(stream) => stream.message().await?.map(|response| {
                let seen = match response.message.expect("every message says what it is") {
                    runs::Message::Snapshot(run) => Seen::Snapshot(Box::new(run)),
                    runs::Message::Event(event) => Seen::Event(Box::new(event)),
                    runs::Message::Bookmark(bookmark) => Seen::Bookmark { initial_end: bookmark.initial_end },
                };
                (seen, response.resume_token)
            }),
            Self::Promotions(stream) => stream.message().await?.map(|response| {
                let seen = match response.message.expect("every message says what it is") {
                    promotions::Message::Snapshot(run) => Seen::Snapshot(Box::new(run)),
                    promotions::Message::Event(event) => Seen::Event(Box::new(event)),
                    promotions::Message::Bookmark(bookmark) => Seen::Bookmark { initial_end: bookmark.initial_end },
                };
                (seen, response.resume_token)
            }),
        })
    }
}
