//! ListClaimedItems: the items of a claimed run, with what its worker needs.

use server::Caller;

use crate::Runs;
use crate::error::{Error, Result};
use crate::owner::owned_types;
use crate::run::{Item, Lease};
use crate::store;

/// Items after `after_ordinal`, in the order of work.
pub async fn list(runs: &Runs, caller: &Caller, lease: Lease, after_ordinal: i32, limit: u32) -> Result<Vec<Item>> {
    let types = owned_types(caller)?;
    let mut tx = runs.db.system().await?;
    let seen = store::run::lease::look(&mut tx, lease, &types).await?.ok_or(Error::LeaseLost)?;
    store::run_item::page(&mut tx, seen.run.workspace_id, lease.run, &[], after_ordinal, i64::from(limit)).await
}
