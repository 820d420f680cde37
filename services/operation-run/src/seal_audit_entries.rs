//! Sealing: every entry of the audit trail gets its place in the chain, soon after it was written and apart from the transaction
//! that wrote it. Any number of replicas may look; the database lets one at a time seal.

use crate::Runs;
use crate::error::Result;
use crate::store;

/// Entries sealed in one transaction.
const BATCH: i32 = 500;

/// Seals until told to stop.
pub async fn run(runs: Runs) {
    while runs.drain.run_until_cancelled(tokio::time::sleep(runs.settings.seal_interval)).await.is_some() {
        if let Err(error) = round(&runs).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "audit entries could not be sealed");
        }
    }
}

/// Seals what there is now.
pub async fn round(runs: &Runs) -> Result<()> {
    while !runs.drain.is_cancelled() {
        let mut tx = runs.db.system().await?;
        let sealed = store::audit_seal::seal(&mut tx, BATCH).await?;
        tx.commit().await?;
        if sealed < BATCH {
            break;
        }
    }
    Ok(())
}
