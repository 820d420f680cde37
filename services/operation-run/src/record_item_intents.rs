//! RecordItemIntents: written down before the target is written to, so that whoever comes after knows where to look.

use server::Caller;

use crate::Runs;
use crate::error::{Error, Result};
use crate::owner::owned_types;
use crate::run::Lease;
use crate::store;
use crate::store::run::lease::Held;
use crate::store::run_item::{NewIntent, Recorder};

/// Records the intents, and returns the run as it is held, which says whether it is to stop.
///
/// In a run that is to stop nothing is recorded: the answer says so, and the worker writes nothing more. So a
/// stop that was acknowledged before an item's intent keeps that item from being written.
pub async fn record(runs: &Runs, caller: &Caller, lease: Lease, intents: &[NewIntent]) -> Result<Held> {
    let types = owned_types(caller)?;
    let mut tx = runs.db.system().await?;
    let held = store::run::lease::hold(&mut tx, lease, &types).await?.ok_or(Error::LeaseLost)?;
    let run = &held.seen.run;
    if held.is_stopping() {
        return Ok(held);
    }
    let by = Recorder { workspace: run.workspace_id, run: run.id, attempt: run.attempt, fence: run.fence };
    store::run_item::record_intents(&mut tx, by, intents).await?;
    tx.commit().await?;
    Ok(held)
}
