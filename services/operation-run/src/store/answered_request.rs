//! Table `operation.answered_request`: what repeated requests are answered with.

use domain::id::{Hash, RequestId, WorkspaceId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::error::{Error, Result, UnreadableRow};

/// A request that is answered once.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Where; [`EVERYWHERE`](super::pause::EVERYWHERE) for what concerns all workspaces.
    pub workspace: WorkspaceId,
    pub id: RequestId,
    /// The RPC.
    pub method: &'static str,
    /// Over who asks and what.
    pub hash: Hash,
}

/// The answer given to this request before. Until the transaction ends nobody else answers it.
///
/// # Errors
/// [`Error::RequestIdReused`] when the id was used for another request.
pub async fn earlier<T: DeserializeOwned>(connection: &mut PgConnection, request: &Request) -> Result<Option<T>> {
    // Two statements: the second one's snapshot is taken when the lock is held, so it sees what its holder committed.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || $2::uuid::text, 0))")
        .bind(request.workspace.uuid())
        .bind(request.id.uuid())
        .execute(&mut *connection)
        .await?;
    let row: Option<(String, Vec<u8>, String)> = sqlx::query_as(
        "SELECT method, request_hash, answer::text FROM operation.answered_request
         WHERE workspace_id = $1 AND request_id = $2",
    )
    .bind(request.workspace.uuid())
    .bind(request.id.uuid())
    .fetch_optional(connection)
    .await?;
    let Some((method, hash, answer)) = row else { return Ok(None) };
    if method != request.method || hash != request.hash.as_bytes() {
        return Err(Error::RequestIdReused);
    }
    let answer = serde_json::from_str(&answer)
        .map_err(|source| UnreadableRow::new("operation.answered_request", request.id, source))?;
    Ok(Some(answer))
}

/// Remembers the answer. To be called in the transaction of [`earlier`].
pub async fn remember<T: Serialize + Sync>(connection: &mut PgConnection, request: &Request, answer: &T) -> Result<()> {
    sqlx::query(
        "INSERT INTO operation.answered_request (workspace_id, request_id, method, request_hash, answer)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(request.workspace.uuid())
    .bind(request.id.uuid())
    .bind(request.method)
    .bind(request.hash.as_bytes().as_slice())
    .bind(Json(answer))
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes what was answered longer ago than `age_ms`, at most `limit` at once; returns how many that were.
pub async fn remove_older(connection: &mut PgConnection, age_ms: i64, limit: i64) -> Result<u64> {
    let removed = sqlx::query(
        "DELETE FROM operation.answered_request WHERE (workspace_id, request_id) IN (
             SELECT workspace_id, request_id FROM operation.answered_request
             WHERE created_at < clock_timestamp() - $1 * interval '1 millisecond' ORDER BY created_at LIMIT $2)",
    )
    .bind(age_ms)
    .bind(limit)
    .execute(connection)
    .await?;
    Ok(removed.rows_affected())
}
