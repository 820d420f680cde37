//! Retention of events: what is older than watchers may resume from is removed. The floor is raised and committed first, so
//! that a resume is told that it is too old and never finds a hole.

use crate::Runs;
use crate::error::Result;
use crate::store;

/// How many events are removed at once.
const BATCH: i64 = 10_000;

/// Removes old events until told to stop.
pub async fn run(runs: Runs) {
    while runs.drain.run_until_cancelled(tokio::time::sleep(runs.settings.retention_interval)).await.is_some() {
        match round(&runs).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "old events and answers removed"),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "old events could not be removed");
            }
        }
    }
}

/// Removes what is old now; returns how many events that were. Any number of replicas may do so at the same time.
pub async fn round(runs: &Runs) -> Result<u64> {
    let age_ms = i64::try_from(runs.settings.event_retention.as_millis()).unwrap_or(i64::MAX);
    let mut removed = 0;
    while !runs.drain.is_cancelled() {
        let mut tx = runs.db.system().await?;
        let Some(old) = store::run_event::expired(&mut tx, age_ms, BATCH).await? else { break };
        store::run_event::raise_floor(&mut tx, old).await?;
        tx.commit().await?;
        let mut tx = runs.db.system().await?;
        removed += store::run_event::remove_below_floor(&mut tx).await?;
        tx.commit().await?;
    }
    Ok(removed + forget_answers(runs, age_ms).await?)
}

/// Request ids are remembered as long as events are kept: nobody repeats a request after that.
async fn forget_answers(runs: &Runs, age_ms: i64) -> Result<u64> {
    let mut removed = 0;
    while !runs.drain.is_cancelled() {
        let mut tx = runs.db.system().await?;
        let now = store::answered_request::remove_older(&mut tx, age_ms, BATCH).await?;
        tx.commit().await?;
        removed += now;
        if now == 0 {
            break;
        }
    }
    Ok(removed)
}
