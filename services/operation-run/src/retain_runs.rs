//! Retention of runs: those that ended long ago leave, with their items, answers and notifications. Their audit entries stay,
//! and so does the knowledge of what may be done only once.

use crate::Runs;
use crate::error::Result;
use crate::{metrics, store};

/// How many runs leave in one transaction: with 5000 items each, which is the most, a hundred thousand rows.
const BATCH: i64 = 20;

/// Removes old runs until told to stop.
pub async fn run(runs: Runs) {
    while runs.drain.run_until_cancelled(tokio::time::sleep(runs.settings.retention_interval)).await.is_some() {
        match round(&runs).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "old runs removed"),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "old runs could not be removed"),
        }
    }
}

/// Removes what is old now; returns how many runs that were. Any number of replicas may do so at the same time.
pub async fn round(runs: &Runs) -> Result<u64> {
    let age_ms = i64::try_from(runs.settings.run_retention.as_millis()).unwrap_or(i64::MAX);
    let mut removed = 0;
    while !runs.drain.is_cancelled() {
        let mut tx = runs.db.system().await?;
        let now = store::run::retention::remove_older(&mut tx, age_ms, BATCH).await?;
        tx.commit().await?;
        if now == 0 {
            break;
        }
        metrics::REMOVED.add(now, &[]);
        removed += now;
    }
    Ok(removed)
}
