//! Watches: what is asked for, and what is sent.

use std::time::Duration;

use pb::operation as proto;
use server::Failure;
use server::fields::{self, to_timestamp};

use super::{parse_wanted, to_run};
use crate::store::run::Wanted;
use crate::watch::Event;
use crate::watch::watcher::{Delivered, Delivery, Message};
use crate::watch_operation_runs::Watch;

/// The interval of a LATEST watch: unless said otherwise, at least, at most.
const USUAL_INTERVAL: Duration = Duration::from_millis(250);
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
const LONGEST_INTERVAL: Duration = Duration::from_secs(10);
/// Longest resume token: the first ones carry which transactions were running.
const MOST_TOKEN_BYTES: usize = 128 << 10;

/// What is to be watched.
pub fn parse_watch(request: proto::WatchOperationRunsRequest) -> Result<Watch, Failure> {
    let workspace = fields::optional_id("workspace_id", &request.workspace_id)?;
    let run = fields::optional_id("run_id", &request.run_id)?;
    if workspace.is_none() && run.is_none() {
        return Err(Failure::invalid_argument("workspace_id", "is required unless run_id is given"));
    }
    let wanted = parse_wanted("filter", request.filter)?;
    if run.is_some() && wanted != Wanted::default() {
        return Err(Failure::invalid_argument("filter", "has no meaning beside run_id"));
    }
    if wanted.stuck {
        return Err(Failure::invalid_argument("filter.stuck", "is for lists: no event tells that a run got stuck"));
    }
    if wanted.imported.is_some() {
        return Err(Failure::invalid_argument("filter.imported", "is for lists: watches leave imported runs out"));
    }
    if request.resume_token.len() > MOST_TOKEN_BYTES {
        return Err(Failure::invalid_argument("resume_token", "is too long"));
    }
    let interval = match request.min_interval {
        None => USUAL_INTERVAL,
        Some(interval) => match Duration::try_from(interval) {
            Ok(interval) if (SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) => interval,
            _ => return Err(Failure::invalid_argument("min_interval", "must be between 0.1 s and 10 s")),
        },
    };
    let delivery = match proto::Delivery::try_from(request.delivery) {
        Ok(proto::Delivery::Unspecified | proto::Delivery::All) => Delivery::All,
        Ok(proto::Delivery::Latest) => Delivery::Latest(interval),
        Err(_) => {
            let why = format!("{} is not a known value", request.delivery);
            return Err(Failure::invalid_argument("delivery", why));
        }
    };
    Ok(Watch { workspace, run, wanted, resume_token: request.resume_token, delivery })
}

/// A message of a watch as it is sent.
pub fn to_watch_response(delivered: &Delivered) -> Result<proto::WatchOperationRunsResponse, Failure> {
    use proto::watch_operation_runs_response::Message as Wire;
    let message = match &delivered.message {
        Message::Snapshot(seen) => Wire::Snapshot(to_run(seen)?),
        Message::Event(event) => Wire::Event(to_event(event)?),
        Message::Bookmark { initial_end } => Wire::Bookmark(proto::Bookmark { initial_end: *initial_end }),
    };
    Ok(proto::WatchOperationRunsResponse { message: Some(message), resume_token: delivered.resume_token.clone() })
}

/// Translated once, copied for every watcher.
fn to_event(event: &Event) -> Result<proto::RunEvent, Failure> {
    if let Some(known) = event.rendered.get().and_then(|known| known.downcast_ref::<proto::RunEvent>()) {
        return Ok(known.clone());
    }
    let made = proto::RunEvent {
        run: Some(to_run(&event.seen)?),
        kind: event.kind.as_str().to_owned(),
        event_time: Some(to_timestamp(event.seen.seen_at)),
    };
    // Somebody else may have been faster: it is the same.
    let _ = event.rendered.set(Box::new(made.clone()));
    Ok(made)
}
