//! Table `operation.claim_heard`: when a worker last asked for runs of a type.

use domain::run::RunType;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::Result;

/// Notes that a worker asks for runs of these types, now.
pub async fn note(connection: &mut PgConnection, types: &[RunType], worker: &str) -> Result<()> {
    sqlx::query(
        // In one order, so that two who note several types do not wait for one another in a circle.
        "INSERT INTO operation.claim_heard AS h (type, worker, at)
         SELECT type, $2, clock_timestamp() FROM unnest($1::text[]) AS asked (type) ORDER BY type
         ON CONFLICT (type) DO UPDATE SET worker = excluded.worker, at = greatest(h.at, excluded.at)",
    )
    .bind(types.iter().map(|run_type| run_type.as_str()).collect::<Vec<_>>())
    .bind(worker)
    .execute(connection)
    .await?;
    Ok(())
}

/// When a worker last asked for runs of the type.
pub async fn last(connection: &mut PgConnection, run_type: RunType) -> Result<Option<OffsetDateTime>> {
    let at = sqlx::query_scalar("SELECT at FROM operation.claim_heard WHERE type = $1")
        .bind(run_type.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(at)
}
