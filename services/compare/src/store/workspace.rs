//! `access.workspace`, and the published view of a subject's workspaces.

use domain::access::Role;
use domain::id::WorkspaceId;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::{Result, unreadable};

/// A workspace as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Its name.
    pub name: String,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The role of whoever asks.
    pub caller_role: Role,
}

/// Where a list of workspaces goes on: after this lower-case name (as the database lowers it), and this id among equal names.
pub type After = (String, uuid::Uuid);

/// Inserts a workspace and returns when the database says it was created.
pub async fn insert(conn: &mut PgConnection, id: WorkspaceId, name: &str) -> Result<OffsetDateTime> {
    let row = sqlx::query("INSERT INTO access.workspace (id, name) VALUES ($1, $2) RETURNING created_at")
        .bind(id.uuid())
        .bind(name)
        .fetch_one(conn)
        .await?;
    Ok(row.try_get(0)?)
}

/// One workspace as this member sees it; `None` for somebody who is no member.
pub async fn find(conn: &mut PgConnection, subject: &str, id: WorkspaceId) -> Result<Option<Workspace>> {
    let row = sqlx::query(
        "SELECT workspace_id, name, role, created_at FROM access_api.member_workspaces
         WHERE subject = $1 AND workspace_id = $2",
    )
    .bind(subject)
    .bind(id.uuid())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(read).transpose()
}

/// The workspaces of a subject by name (without regard to case), then id.
pub async fn list(
    conn: &mut PgConnection,
    subject: &str,
    after: Option<&After>,
    limit: i64,
) -> Result<Vec<(Workspace, After)>> {
    let rows = sqlx::query(
        "SELECT workspace_id, name, role, created_at, lower(name COLLATE \"C\") AS sort_name FROM access_api.member_workspaces
         WHERE subject = $1 AND ($2::text IS NULL OR (lower(name COLLATE \"C\"), workspace_id) > ($2, $3))
         ORDER BY lower(name COLLATE \"C\"), workspace_id
         LIMIT $4",
    )
    .bind(subject)
    .bind(after.map(|after| after.0.as_str()))
    .bind(after.map(|after| after.1))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((read(row)?, (row.try_get("sort_name")?, row.try_get("workspace_id")?)))).collect()
}

/// Holds the workspace's membership still until the transaction ends, so that two changes of owners happen one after the
/// other. Not a full row lock: inserting members elsewhere (which refers to the row) goes on.
pub async fn lock_membership(conn: &mut PgConnection, id: WorkspaceId) -> Result<()> {
    sqlx::query("SELECT FROM access.workspace WHERE id = $1 FOR NO KEY UPDATE").bind(id.uuid()).execute(conn).await?;
    Ok(())
}

fn read(row: &sqlx::postgres::PgRow) -> Result<Workspace> {
    let id = WorkspaceId(row.try_get("workspace_id")?);
    let role: &str = row.try_get("role")?;
    Ok(Workspace {
        id,
        name: row.try_get("name")?,
        created_at: row.try_get("created_at")?,
        caller_role: role.parse().map_err(|why| unreadable("access_api.member_workspaces", "role", id, why))?,
    })
}
