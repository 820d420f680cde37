//! Whether this is still the same history of the same database.

use sqlx::postgres::PgConnection;

/// Names the history that transaction ids belong to: system identifier, timeline and database.
///
/// Positions made of transaction ids are only comparable within one epoch: a fail-over may lose transactions and use
/// their ids again (a new timeline), a restored copy starts counting anew (a new system identifier or database). The
/// timeline comes from the write-ahead log and not from the last checkpoint, which lags behind a fail-over.
/// Fails on a standby: tails and snapshots are read from the primary only.
pub async fn epoch(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT (pg_control_system()).system_identifier::text
             || '-' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)
             || '-' || (SELECT oid::text FROM pg_database WHERE datname = current_database())",
    )
    .fetch_one(connection)
    .await
}
