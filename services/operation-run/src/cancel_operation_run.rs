//! CancelOperationRun: asks a run to stop. The wish is a column that survives claims and rescues; where nobody holds the
//! run and nothing is in flight, it is fulfilled at once.

use domain::id::{Hash, RequestId, RunId};
use domain::run::{RunEvent, RunOutcome, RunStatus, transition};
use serde::{Deserialize, Serialize};
use server::{Caller, Failure};
use time::OffsetDateTime;

use crate::Runs;
use crate::error::{Error, Result};
use crate::get_operation_run::visible;
use crate::remainder;
use crate::run::SeenRun;
use crate::store;
use crate::store::answered_request::Request;
use crate::store::run::ending::Ending;
use crate::store::run_item::Recorder;

/// Who is to stop, and why.
#[derive(Debug, Clone)]
pub struct Cancel {
    pub request: RequestId,
    pub run: RunId,
    pub reason: Option<String>,
}

/// What a request was answered: the run as it was then. Its event has the rest, and is kept as long as the answer.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Answer {
    rev: i64,
    #[serde(with = "time::serde::rfc3339")]
    seen_at: OffsetDateTime,
}

/// Asks the run to stop, and returns it as it is then.
pub async fn cancel(runs: &Runs, caller: &Caller, cancel: &Cancel) -> Result<SeenRun> {
    let user = caller.require_user()?;
    let (id, reason) = (cancel.run, cancel.reason.as_deref());
    let (seen, visibility) = visible(runs, caller, id).await?;
    let needs = seen.run.run_type.start_needs(&seen.run.tenants());
    visibility.require(&needs).map_err(Failure::from)?;

    let workspace = seen.run.workspace_id;
    let hash = Hash::of_parts([&*user.subject, &id.to_string(), reason.unwrap_or_default()]);
    let request = Request { workspace, id: cancel.request, method: "CancelOperationRun", hash };
    let mut tx = runs.db.workspace(workspace.uuid()).await?;
    if let Some(Answer { rev, seen_at }) = store::answered_request::earlier(&mut tx, &request).await? {
        let run = store::run_event::run_at(&mut tx, workspace, id, rev).await?;
        return Ok(run.map_or(seen, |run| SeenRun { run, seen_at }));
    }
    let seen = ask(&mut tx, id, &user.subject, reason).await?;
    let answer = Answer { rev: seen.run.rev, seen_at: seen.seen_at };
    store::answered_request::remember(&mut tx, &request, &answer).await?;
    tx.commit().await?;
    Ok(seen)
}

/// Asks, in the caller's transaction. A run that was asked before stays as it is.
async fn ask(tx: &mut pg::Tx, id: RunId, subject: &str, reason: Option<&str>) -> Result<SeenRun> {
    let seen = store::run::lock(tx, id).await?.ok_or_else(Failure::not_found)?;
    let run = &seen.run;
    if run.outcome == RunOutcome::Cancelled || (run.cancel_requested_at.is_some() && !run.is_terminal()) {
        return Ok(seen);
    }
    let open = store::run_item::open(tx, run.workspace_id, id).await?;
    let next = transition(run.state(open.in_flight > 0), RunEvent::RequestCancel)
        .map_err(|_| Error::RunNotActive { outcome: run.outcome })?;

    let recorder = Recorder { workspace: run.workspace_id, run: id, attempt: run.attempt, fence: run.fence };
    let mut cancelled = store::run::ending::request_cancel(tx, id, subject, reason).await?;
    if next.status == RunStatus::Completed {
        store::run_item::settle_remainder(tx, recorder, &remainder::cancelled()).await?;
        let ending = Ending { outcome: next.outcome, failure: None };
        cancelled = store::run::ending::complete(tx, id, &ending, true).await?;
    }
    Ok(cancelled)
}
