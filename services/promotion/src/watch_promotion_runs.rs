//! WatchPromotionRuns: the watch of operation-run-service, handed through. What is visible is decided there, with the
//! caller's own token; when that replica goes away the stream is taken up again at another with the last token seen, so
//! that the subscriber notices nothing.

use std::time::Duration;

use pb::operation::{WatchOperationRunsRequest, WatchOperationRunsResponse};
use pb::promotion::{WatchPromotionRunsRequest, WatchPromotionRunsResponse};
use server::{Caller, Failure};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::app::App;
use crate::grpc::convert;

/// Messages between upstream and subscriber. Small: a subscriber that does not read must hold back its own upstream
/// stream, which skips or resumes by itself, rather than fill memory here.
const IN_FLIGHT: usize = 16;
/// Taking up a stream again: how often in a row without a message in between, and how long to wait before each.
const MOST_RESUMES: u32 = 10;
const RESUME_PAUSE: Duration = Duration::from_millis(200);

/// Opens the watch; a request that is refused is refused here, not in the stream.
pub(crate) async fn watch_promotion_runs(
    app: &App,
    caller: &Caller,
    request: WatchPromotionRunsRequest,
) -> Result<ReceiverStream<Result<WatchPromotionRunsResponse, Status>>, Failure> {
    caller.require_user()?;
    let request = convert::to_watch_operation_runs(request);
    let upstream = open(app, caller, &request).await.map_err(Failure::from_upstream)?;
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    let relay = Relay { app: app.clone(), caller: caller.clone(), request, sender };
    tokio::spawn(relay.run(upstream));
    Ok(ReceiverStream::new(receiver))
}

async fn open(
    app: &App,
    caller: &Caller,
    request: &WatchOperationRunsRequest,
) -> Result<Streaming<WatchOperationRunsResponse>, Status> {
    Ok(app.runs(caller).watch_operation_runs(request.clone()).await?.into_inner())
}

struct Relay {
    app: App,
    caller: Caller,
    request: WatchOperationRunsRequest,
    sender: mpsc::Sender<Result<WatchPromotionRunsResponse, Status>>,
}

impl Relay {
    async fn run(mut self, mut upstream: Streaming<WatchOperationRunsResponse>) {
        let drain = self.app.drain.clone();
        let mut resumes = 0;
        loop {
            let next = tokio::select! {
                // The subscriber is gone: nobody is left to hear more.
                () = self.sender.closed() => return,
                () = drain.cancelled() => return self.end(Failure::draining().into()).await,
                next = upstream.message() => next,
            };
            match next {
                // A run was named that is no promotion: here, there is no such run.
                Ok(Some(response)) if !convert::is_of_promotion(&response) => {
                    return self.end(Failure::not_found().into()).await;
                }
                Ok(Some(response)) => {
                    resumes = 0;
                    self.request.resume_token.clone_from(&response.resume_token);
                    if self.sender.send(Ok(convert::to_watch_promotion_runs(response))).await.is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(status) => match self.resume(status, &mut resumes).await {
                    Ok(stream) => upstream = stream,
                    Err(status) => return self.end(status).await,
                },
            }
        }
    }

    /// Another stream from where this one broke, unless it ended for a reason of the subscriber's.
    async fn resume(&self, ended: Status, resumes: &mut u32) -> Result<Streaming<WatchOperationRunsResponse>, Status> {
        let mut ended = ended;
        // Without a token there is nothing to continue from: the subscriber starts anew, and knows it.
        while is_interruption(&ended) && !self.request.resume_token.is_empty() && *resumes < MOST_RESUMES {
            *resumes += 1;
            tokio::time::sleep(RESUME_PAUSE).await;
            match open(&self.app, &self.caller, &self.request).await {
                Ok(stream) => return Ok(stream),
                Err(status) => ended = status,
            }
        }
        Err(Failure::from_upstream(ended).into())
    }

    async fn end(self, status: Status) {
        // A subscriber that is gone does not mind.
        let _ = self.sender.send(Err(status)).await;
    }
}

/// Whether a stream broke for a reason that another replica does not share: the way there, or that one going down. The client
/// stack gives every broken connection this one name.
fn is_interruption(status: &Status) -> bool {
    status.code() == Code::Unavailable
}
