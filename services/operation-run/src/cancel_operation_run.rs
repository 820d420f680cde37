//! CancelOperationRun: asks a run to stop. The wish is a column that survives claims and rescues; where nobody holds the
//! run and nothing is in flight, it is fulfilled at once.

use domain::id::RunId;
use domain::run::{RunEvent, RunOutcome, RunStatus, transition};
use server::{Caller, Failure};

use crate::Runs;
use crate::error::{Error, Result};
use crate::get_operation_run::visible;
use crate::remainder;
use crate::run::SeenRun;
use crate::store;
use crate::store::run::ending::Ending;
use crate::store::run_item::Recorder;

/// Asks the run to stop, and returns it as it is then.
pub async fn cancel(runs: &Runs, caller: &Caller, id: RunId, reason: Option<&str>) -> Result<SeenRun> {
    let user = caller.require_user()?;
    let (seen, visibility) = visible(runs, caller, id).await?;
    let needs = seen.run.run_type.start_needs(&seen.run.tenants());
    visibility.require(&needs).map_err(Failure::from)?;

    let mut tx = runs.db.workspace(seen.run.workspace_id.uuid()).await?;
    let seen = store::run::lock(&mut tx, id).await?.ok_or_else(Failure::not_found)?;
    let run = &seen.run;
    if run.outcome == RunOutcome::Cancelled || (run.cancel_requested_at.is_some() && !run.is_terminal()) {
        return Ok(seen);
    }
    let open = store::run_item::open(&mut tx, run.workspace_id, id).await?;
    let next = transition(run.state(open.in_flight > 0), RunEvent::RequestCancel)
        .map_err(|_| Error::RunNotActive { outcome: run.outcome })?;

    let recorder = Recorder { workspace: run.workspace_id, run: id, attempt: run.attempt, fence: run.fence };
    let mut cancelled = store::run::ending::request_cancel(&mut tx, id, &user.subject, reason).await?;
    if next.status == RunStatus::Completed {
        store::run_item::settle_remainder(&mut tx, recorder, &remainder::cancelled()).await?;
        let ending = Ending { outcome: next.outcome, failure: None };
        cancelled = store::run::ending::complete(&mut tx, id, &ending, true).await?;
    }
    tx.commit().await?;
    Ok(cancelled)
}
