//! RenewLease: a sign of life, answered with whether the run is to stop.

use server::Caller;

use crate::Runs;
use crate::error::{Error, Result};
use crate::owner::owned_types;
use crate::run::Lease;
use crate::store;
use crate::store::run::lease::Renewed;

/// Prolongs the lease by the run's term, but not for ever: see [`store::run::lease::renew`].
pub async fn renew(runs: &Runs, caller: &Caller, lease: Lease) -> Result<Renewed> {
    let types = owned_types(caller)?;
    let mut tx = runs.db.system().await?;
    // A worker's call is part of the trace of its work: by this whoever looks at the run finds it.
    let trace = server::telemetry::current_traceparent();
    let renewed = store::run::lease::renew(&mut tx, lease, &types, runs.settings.deadline_grace, trace.as_deref())
        .await?
        .ok_or(Error::LeaseLost)?;
    tx.commit().await?;
    Ok(renewed)
}
