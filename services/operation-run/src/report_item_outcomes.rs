//! ReportItemOutcomes: what became of items. The first outcome of an item stays; the run's counts follow in the same
//! transaction.

use std::collections::HashSet;

use domain::run::Counts;
use server::Caller;

use crate::Runs;
use crate::error::{Error, Result};
use crate::owner::owned_types;
use crate::run::Lease;
use crate::store;
use crate::store::run_item::{Recorder, Report};

/// The run's counts after a report.
#[derive(Debug, Clone, Copy)]
pub struct Reported {
    pub counts: Counts,
    pub cancel_requested: bool,
    /// The run's time is over.
    pub timed_out: bool,
}

/// Gives items their outcomes.
pub async fn report(runs: &Runs, caller: &Caller, lease: Lease, mut reports: Vec<Report>) -> Result<Reported> {
    let types = owned_types(caller)?;
    let mut seen = HashSet::new();
    reports.retain(|report| seen.insert(report.ordinal));

    let mut tx = runs.db.system().await?;
    let held = store::run::lease::hold(&mut tx, lease, &types).await?.ok_or(Error::LeaseLost)?;
    let run = &held.seen.run;
    let by = Recorder { workspace: run.workspace_id, run: run.id, attempt: run.attempt, fence: run.fence };
    let settled = store::run_item::settle(&mut tx, by, &reports).await?;
    let (cancel_requested, timed_out) = (run.cancel_requested_at.is_some(), held.timed_out);
    if settled.is_nothing() {
        return Ok(Reported { counts: run.counts(), cancel_requested, timed_out });
    }
    let after = store::run::ending::record_progress(&mut tx, run.id, &settled).await?;
    tx.commit().await?;
    Ok(Reported { counts: after.run.counts(), cancel_requested, timed_out })
}
