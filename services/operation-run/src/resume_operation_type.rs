//! ResumeOperationType: a paused type goes on where it stopped.

use domain::run::Pause;
use server::Caller;

use crate::Runs;
use crate::control_authority::{self, ControlOrder};
use crate::error::Result;
use crate::store;
use crate::store::pause::Order;

/// Lifts the pause of exactly this scope and returns it; `None`: there was none.
pub async fn resume(runs: &Runs, caller: &Caller, order: &ControlOrder) -> Result<Option<Pause>> {
    let by = control_authority::require(runs, caller, order.workspace).await?;
    let request = order.answered("ResumeOperationType", &by);
    let mut tx = runs.db.workspace(order.place().uuid()).await?;
    if let Some(earlier) = store::answered_request::earlier(&mut tx, &request).await? {
        return Ok(earlier);
    }
    let row = Order {
        workspace: order.place(),
        run_type: order.run_type,
        by: &by,
        reason: &order.reason,
        request: order.request,
    };
    let lifted = store::pause::lift(&mut tx, &row).await?;
    store::answered_request::remember(&mut tx, &request, &lifted).await?;
    tx.commit().await?;
    // What waited may go on; a waiting claim need not wait for its next look.
    runs.work.ring();
    Ok(lifted)
}
