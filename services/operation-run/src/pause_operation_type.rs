//! PauseOperationType: nothing of the type is begun from now on, in a workspace or everywhere.

use domain::run::Pause;
use server::{Caller, ambient};

use crate::Runs;
use crate::control_authority::{self, ControlOrder};
use crate::error::{Error, Result};
use crate::store;
use crate::store::pause::Order;

/// Pauses the type; the pause in force: a new one, or the one that was there.
pub async fn pause(runs: &Runs, caller: &Caller, order: &ControlOrder) -> Result<Pause> {
    let by = control_authority::require(runs, caller, order.workspace).await?;
    let request = order.answered("PauseOperationType", &by);
    let (workspace, run_type, reason) = (order.place(), order.run_type, order.reason.as_str());
    let mut tx = runs.db.workspace(workspace.uuid()).await?;
    if let Some(earlier) = store::answered_request::earlier(&mut tx, &request).await? {
        return Ok(earlier);
    }
    let row = Order { workspace, run_type, by: &by, reason, request: order.request };
    let pause = match store::pause::insert(&mut tx, ambient::fresh_id(), &row).await? {
        Some(pause) => pause,
        None => {
            let in_force = store::pause::in_force(&mut tx, workspace, Some(run_type)).await?;
            let there = in_force.into_iter().find(|pause| pause.scope == order.scope());
            // It was there and has just been lifted: asking again decides.
            there.ok_or(Error::Contended)?
        }
    };
    store::answered_request::remember(&mut tx, &request, &pause).await?;
    tx.commit().await?;
    Ok(pause)
}
