//! `access.request`: the memory of answered mutations. Written in the mutation's own transaction.

use std::time::Duration;

use domain::id::{Hash, RequestId, WorkspaceId};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::{Result, hash};

/// The constraints that say: this request id was answered meanwhile.
pub const ANSWERED: [&str; 2] = ["request_pkey", "request_creates_once"];

/// The method whose request is found without knowing its workspace (index `request_creates_once`).
pub const CREATE_WORKSPACE: &str = "CreateWorkspace";

/// A remembered answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Hash over method, subject and body of the request that was answered.
    pub request_hash: Hash,
    /// The answer.
    pub response: Value,
}

/// The answer given to this request id in a workspace.
pub async fn find(conn: &mut PgConnection, workspace: WorkspaceId, id: RequestId) -> Result<Option<Answer>> {
    let row =
        sqlx::query("SELECT request_hash, response FROM access.request WHERE workspace_id = $1 AND request_id = $2")
            .bind(workspace.uuid())
            .bind(id.uuid())
            .fetch_optional(conn)
            .await?;
    row.as_ref().map(|row| read(row, id)).transpose()
}

/// The answer given to a CreateWorkspace of this subject. Needs the scope `system`: the workspace is what is looked for.
pub async fn find_creation(conn: &mut PgConnection, subject: &str, id: RequestId) -> Result<Option<Answer>> {
    let row = sqlx::query(
        "SELECT request_hash, response FROM access.request
         WHERE subject = $1 AND request_id = $2 AND method = 'CreateWorkspace'",
    )
    .bind(subject)
    .bind(id.uuid())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(|row| read(row, id)).transpose()
}

/// Remembers an answer. Runs into one of [`ANSWERED`] when another transaction was faster.
pub async fn insert(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    id: RequestId,
    method: &'static str,
    subject: &str,
    answer: &Answer,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO access.request (workspace_id, request_id, method, subject, request_hash, response)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(workspace.uuid())
    .bind(id.uuid())
    .bind(method)
    .bind(subject)
    .bind(answer.request_hash.as_bytes().as_slice())
    .bind(&answer.response)
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes answers given longer ago than `age`, at most `limit`; says how many. Needs the scope `system`.
pub async fn remove_older(conn: &mut PgConnection, age: Duration, limit: i64) -> Result<u64> {
    let removed = sqlx::query(
        "DELETE FROM access.request WHERE (workspace_id, request_id) IN (
             SELECT workspace_id, request_id FROM access.request
             WHERE created_at < clock_timestamp() - make_interval(secs => $1) LIMIT $2)",
    )
    .bind(age.as_secs_f64())
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(removed.rows_affected())
}

fn read(row: &PgRow, id: RequestId) -> Result<Answer> {
    Ok(Answer { request_hash: hash(row, "access.request", "request_hash", &id)?, response: row.try_get("response")? })
}
