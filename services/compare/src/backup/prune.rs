//! Removes the backup sets that a schedule no longer keeps.

use domain::backup::prunable;
use domain::id::RunId;
use sqlx::PgConnection;

use crate::error::Result;
use crate::store;
use crate::store::backup_schedule::Schedule;

/// Removes them, and says which. The versions they name stay.
pub(super) async fn prune(conn: &mut PgConnection, schedule: &Schedule) -> Result<Vec<RunId>> {
    let now = store::clock(&mut *conn).await?;
    let sets = store::backup_set::of_schedule(conn, schedule.workspace_id, schedule.id).await?;
    let gone = prunable(&sets, now, schedule.plan.retention);
    if !gone.is_empty() {
        store::backup_set::remove(conn, schedule.workspace_id, &gone).await?;
    }
    Ok(gone)
}
