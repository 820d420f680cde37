//! Table `operation.start_answer`: what a repeated start is answered with.

use domain::id::{Hash, RequestId, RunId, WorkspaceId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{Result, UnreadableRow};

/// What a start came to, as far as it made or joined a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// It made the run.
    Queued,
    /// It joined the run.
    Deduped,
}

/// An answer given before.
#[derive(Debug, Clone, Copy)]
pub struct StartAnswer {
    pub request_hash: Hash,
    pub run: RunId,
    pub started: Started,
}

/// The answer given to this request, in the workspace of the transaction.
pub async fn find(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    request: RequestId,
) -> Result<Option<StartAnswer>> {
    let row: Option<(Vec<u8>, Uuid, String)> = sqlx::query_as(
        "SELECT request_hash, run_id, outcome FROM operation.start_answer WHERE workspace_id = $1 AND request_id = $2",
    )
    .bind(workspace.uuid())
    .bind(request.uuid())
    .fetch_optional(connection)
    .await?;
    let Some((hash, run, outcome)) = row else { return Ok(None) };
    let unreadable = |what: &str| UnreadableRow::new("operation.start_answer", request, what.to_owned());
    Ok(Some(StartAnswer {
        request_hash: Hash::from_slice(&hash).ok_or_else(|| unreadable("request_hash has not 32 bytes"))?,
        run: RunId(run),
        started: match outcome.as_str() {
            "queued" => Started::Queued,
            "deduped" => Started::Deduped,
            other => return Err(unreadable(&format!("outcome is {other:?}")).into()),
        },
    }))
}

/// Remembers the answer. False: another answer to the same request has been committed meanwhile.
pub async fn insert(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    request: RequestId,
    answer: StartAnswer,
) -> Result<bool> {
    let inserted = sqlx::query(
        "INSERT INTO operation.start_answer (workspace_id, request_id, request_hash, run_id, outcome)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(workspace.uuid())
    .bind(request.uuid())
    .bind(answer.request_hash.as_bytes().as_slice())
    .bind(answer.run.uuid())
    .bind(match answer.started {
        Started::Queued => "queued",
        Started::Deduped => "deduped",
    })
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}
