//! Forgets answers that are so old that nobody repeats their requests any more. Every replica does, now and then: what one has
//! removed another does not find.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::store;

/// How long an answer is remembered; told in the API of every request that has a `request_id`.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// The time between two looks.
const INTERVAL: Duration = Duration::from_secs(3600);
/// How many answers are removed at once.
const BATCH: i64 = 1000;

/// Forgets until told to stop.
pub async fn run(db: pg::Db, drain: CancellationToken) {
    loop {
        match round(&db, &drain).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "old answers forgotten"),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "old answers could not be forgotten");
            }
        }
        if drain.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
            return;
        }
    }
}

/// Forgets what is too old now, and says how many answers that were.
async fn round(db: &pg::Db, drain: &CancellationToken) -> Result<u64> {
    let mut removed = 0;
    while !drain.is_cancelled() {
        let mut tx = db.system().await?;
        let now = store::request::remove_older(&mut tx, REMEMBERED_FOR, BATCH).await?;
        tx.commit().await?;
        removed += now;
        if now == 0 {
            break;
        }
    }
    Ok(removed)
}
