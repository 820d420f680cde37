//! Forgets the times that schedules fired for long ago, and finishes the sets whose runs are over without having done so. Every replica
//! does, now and then: what one has done another does not find.

use std::time::Duration;

use domain::backup::ABANDONED_AFTER;
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::store;

/// How long a time that a schedule fired for is kept, with its run or why it was passed over. The newest run of a schedule stays: the next
/// time is decided by it. A time that is forgotten does not come again (`considered_until`).
pub const SLOTS_KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 3600);
/// The time between two looks.
const INTERVAL: Duration = Duration::from_secs(3600);
/// How many rows are changed at once.
const BATCH: i64 = 500;

/// What one look did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Times that were forgotten.
    pub slots: u64,
    /// Sets that are `partial` now.
    pub sets: u64,
}

/// Looks until told to stop.
pub async fn run(db: pg::Db, drain: CancellationToken) {
    loop {
        match look(&db, &drain).await {
            Ok(Forgotten { slots: 0, sets: 0 }) => {}
            Ok(Forgotten { slots, sets }) => {
                tracing::info!(slots, sets, "old backup times forgotten, open sets finished")
            }
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "backups could not be cleaned up"),
        }
        if drain.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
            return;
        }
    }
}

/// Looks once, batch by batch, each in a transaction of its own.
///
/// # Errors
/// The database's.
pub async fn look(db: &pg::Db, drain: &CancellationToken) -> Result<Forgotten> {
    let mut done = Forgotten::default();
    while !drain.is_cancelled() {
        let mut tx = db.system().await?;
        let slots = store::backup_slot::remove_older(&mut tx, SLOTS_KEPT_FOR, BATCH).await?;
        let sets = store::backup_set::conclude_abandoned(&mut tx, ABANDONED_AFTER.unsigned_abs(), BATCH).await?;
        tx.commit().await?;
        done = Forgotten { slots: done.slots + slots, sets: done.sets + sets };
        if slots == 0 && sets == 0 {
            break;
        }
    }
    Ok(done)
}
