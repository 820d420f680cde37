//! Table `operation.pause`: which types are paused, where, by whom, since when. Setting rows aside and telling the audit trail
//! is done by the table's own trigger.

use domain::id::{RequestId, WorkspaceId};
use domain::run::{ControlScope, Pause, PausedBy, RunType};
use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, UnreadableRow};

/// Stands for every workspace where a workspace is named: the nil id is never given to one.
pub const EVERYWHERE: WorkspaceId = WorkspaceId(Uuid::nil());

#[derive(FromRow)]
struct Row {
    workspace_id: Uuid,
    id: Uuid,
    r#type: String,
    reason: String,
    paused_at: OffsetDateTime,
    paused_by_kind: String,
    paused_by_subject: String,
    paused_by_name: String,
}

impl Row {
    fn read(self) -> Result<Pause> {
        let run_type = self.r#type.parse::<RunType>();
        Ok(Pause {
            scope: match WorkspaceId(self.workspace_id) {
                EVERYWHERE => ControlScope::Everywhere,
                workspace => ControlScope::Workspace(workspace),
            },
            run_type: run_type.map_err(|source| UnreadableRow::new("operation.pause", self.id, source))?,
            reason: self.reason,
            paused_at: self.paused_at,
            paused_by: match self.paused_by_kind.as_str() {
                "user" => PausedBy::User { subject: self.paused_by_subject, name: self.paused_by_name },
                "service" => PausedBy::Service(self.paused_by_subject),
                other => {
                    let why = format!("paused_by_kind is {other:?}");
                    return Err(UnreadableRow::new("operation.pause", self.id, why).into());
                }
            },
        })
    }
}

/// Who does it and why.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    pub workspace: WorkspaceId,
    pub run_type: RunType,
    pub by: &'a PausedBy,
    pub reason: &'a str,
    pub request: RequestId,
}

/// Kind, subject, name.
fn columns(by: &PausedBy) -> (&'static str, &str, &str) {
    match by {
        PausedBy::User { subject, name } => ("user", subject, name),
        PausedBy::Service(name) => ("service", name, name),
    }
}

/// Pauses the type; `None`: it is paused there already. Waits for a transaction that is just doing so.
pub async fn insert(connection: &mut PgConnection, id: Uuid, order: &Order<'_>) -> Result<Option<Pause>> {
    let (kind, subject, name) = columns(order.by);
    let row: Option<Row> = sqlx::query_as(
        "INSERT INTO operation.pause (workspace_id, id, type, reason, paused_by_kind, paused_by_subject, paused_by_name,
             pause_request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT DO NOTHING
         RETURNING workspace_id, id, type, reason, paused_at, paused_by_kind, paused_by_subject, paused_by_name",
    )
    .bind(order.workspace.uuid())
    .bind(id)
    .bind(order.run_type.as_str())
    .bind(order.reason)
    .bind(kind)
    .bind(subject)
    .bind(name)
    .bind(order.request.uuid())
    .fetch_optional(connection)
    .await?;
    row.map(Row::read).transpose()
}

/// Lifts the pause of exactly this workspace (or everywhere); `None`: there is none.
pub async fn lift(connection: &mut PgConnection, order: &Order<'_>) -> Result<Option<Pause>> {
    let (kind, subject, name) = columns(order.by);
    let row: Option<Row> = sqlx::query_as(
        "UPDATE operation.pause SET resumed_at = clock_timestamp(), resume_reason = $3, resumed_by_kind = $4,
             resumed_by_subject = $5, resumed_by_name = $6, resume_request_id = $7
         WHERE workspace_id = $1 AND type = $2 AND resumed_at IS NULL
         RETURNING workspace_id, id, type, reason, paused_at, paused_by_kind, paused_by_subject, paused_by_name",
    )
    .bind(order.workspace.uuid())
    .bind(order.run_type.as_str())
    .bind(order.reason)
    .bind(kind)
    .bind(subject)
    .bind(name)
    .bind(order.request.uuid())
    .fetch_optional(connection)
    .await?;
    row.map(Row::read).transpose()
}

/// The pauses in force in a workspace: its own and those everywhere. By type, the workspace's own first.
pub async fn in_force(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    run_type: Option<RunType>,
) -> Result<Vec<Pause>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT workspace_id, id, type, reason, paused_at, paused_by_kind, paused_by_subject, paused_by_name
         FROM operation.pause
         WHERE workspace_id IN ($1, $2) AND resumed_at IS NULL AND ($3::text IS NULL OR type = $3)
         ORDER BY type, workspace_id = $2",
    )
    .bind(workspace.uuid())
    .bind(EVERYWHERE.uuid())
    .bind(run_type.map(RunType::as_str))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::read).collect()
}
