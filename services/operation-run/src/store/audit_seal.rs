//! Tables `audit.seal` and `audit.unsealed`: the chain over the trail. The database seals by a function of its own; this service
//! may call it, and read.

use domain::audit::Sealed;
use domain::id::{Hash, WorkspaceId};
use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, UnreadableRow};

/// Seals up to `most` entries; returns how many. None when another replica is at it.
pub async fn seal(connection: &mut PgConnection, most: i32) -> Result<i32> {
    Ok(sqlx::query_scalar("SELECT audit.seal_entries($1)").bind(most).fetch_one(connection).await?)
}

#[derive(FromRow)]
struct Row {
    position: i64,
    entry_id: Uuid,
    previous: Vec<u8>,
    hash: Vec<u8>,
    sealed_at: OffsetDateTime,
    there: bool,
    columns: Vec<Option<String>>,
}

impl Row {
    fn read(self) -> Result<Sealed> {
        let hash = |bytes: &[u8]| {
            let unreadable = || UnreadableRow::new("audit.seal", self.entry_id, "a hash has not 32 bytes");
            Hash::from_slice(bytes).ok_or_else(unreadable)
        };
        Ok(Sealed {
            position: self.position,
            entry_id: self.entry_id,
            previous: hash(&self.previous)?,
            hash: hash(&self.hash)?,
            sealed_at: self.sealed_at,
            entry: self.there.then_some(self.columns),
        })
    }
}

/// The seals after a position with their entries as they are now, in order, at most `limit`.
pub async fn after(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    position: i64,
    limit: i64,
) -> Result<Vec<Sealed>> {
    let rows: Vec<Row> = sqlx::query_as(
        // The columns and their order are those of audit.seal_hash (migration 0023), written out again on purpose: what
        // verifies does not ask the function that sealed.
        "SELECT s.position, s.entry_id, s.previous, s.hash, s.sealed_at, e.id IS NOT NULL AS there,
             ARRAY[e.workspace_id::text, e.id::text, (extract(epoch FROM e.at) * 1000000)::bigint::text, e.action,
                 e.actor_kind, e.actor_subject, e.actor_name, e.target_kind, e.target_id, e.tenant_id::text,
                 e.related_tenant_ids::text, e.run_id::text, e.outcome, e.detail::text, e.request_id::text] AS columns
         FROM audit.seal s LEFT JOIN audit.entry e ON e.workspace_id = s.workspace_id AND e.id = s.entry_id
         WHERE s.workspace_id = $1 AND s.position > $2 ORDER BY s.position LIMIT $3",
    )
    .bind(workspace.uuid())
    .bind(position)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// The hash of the seal at a position; `None`: the chain does not go so far.
pub async fn hash_at(connection: &mut PgConnection, workspace: WorkspaceId, position: i64) -> Result<Option<Vec<u8>>> {
    let hash = sqlx::query_scalar("SELECT hash FROM audit.seal WHERE workspace_id = $1 AND position = $2")
        .bind(workspace.uuid())
        .bind(position)
        .fetch_optional(connection)
        .await?;
    Ok(hash)
}

/// What is beside the chain.
#[derive(Debug, FromRow)]
pub struct Beside {
    /// Entries that wait to be sealed.
    pub waiting: i64,
    /// One that is neither sealed nor waits: it came past the queue.
    pub stray: Option<Uuid>,
    /// One that waits and is gone.
    pub gone: Option<Uuid>,
}

/// Looks at the entries without a seal, in one moment.
pub async fn beside(connection: &mut PgConnection, workspace: WorkspaceId) -> Result<Beside> {
    let beside = sqlx::query_as(
        "SELECT
             (SELECT count(*) FROM audit.unsealed u WHERE u.workspace_id = $1) AS waiting,
             (SELECT e.id FROM audit.entry e
              WHERE e.workspace_id = $1
                  AND NOT EXISTS (SELECT FROM audit.seal s WHERE s.workspace_id = $1 AND s.entry_id = e.id)
                  AND NOT EXISTS (SELECT FROM audit.unsealed u WHERE u.workspace_id = $1 AND u.entry_id = e.id)
              ORDER BY e.at, e.id LIMIT 1) AS stray,
             (SELECT u.entry_id FROM audit.unsealed u
              WHERE u.workspace_id = $1
                  AND NOT EXISTS (SELECT FROM audit.entry e WHERE e.workspace_id = $1 AND e.id = u.entry_id)
              ORDER BY u.seq LIMIT 1) AS gone",
    )
    .bind(workspace.uuid())
    .fetch_one(connection)
    .await?;
    Ok(beside)
}

/// The workspaces that have a trail.
pub async fn workspaces(connection: &mut PgConnection) -> Result<Vec<WorkspaceId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT workspace_id FROM audit.entry UNION SELECT workspace_id FROM audit.seal
         UNION SELECT workspace_id FROM audit.unsealed ORDER BY 1",
    )
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(WorkspaceId).collect())
}
