//! Table `operation.notification`: written by the triggers of `operation.run` in the transaction that ends it.

use domain::id::{RunId, TenantId, WorkspaceId};
use domain::run::{RunTenants, RunType};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::run::{Horizon, ListPosition, names, read, uuids};
use crate::error::{Result, UnreadableRow};
use crate::run::SeenRun;

/// That a run has ended, for whoever started it.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The run as it ended.
    pub seen: SeenRun,
    pub created_at: OffsetDateTime,
    pub read_at: Option<OffsetDateTime>,
}

/// Whose notifications.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    pub workspace: WorkspaceId,
    pub subject: &'a str,
}

type Row = (Uuid, String, OffsetDateTime, OffsetDateTime, Option<OffsetDateTime>);

/// Notifications before `after`, newest first, at most `limit`.
pub async fn page(
    connection: &mut PgConnection,
    of: Recipient<'_>,
    unread_only: bool,
    horizon: &Horizon,
    after: Option<ListPosition>,
    limit: i64,
) -> Result<Vec<Notification>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT r.id, to_jsonb(r)::text, clock_timestamp(), n.created_at, n.read_at
         FROM operation.notification n
         JOIN operation.run r ON r.workspace_id = n.workspace_id AND r.id = n.run_id
         WHERE n.workspace_id = $1 AND n.subject = $2 AND (NOT $3 OR n.read_at IS NULL)
             AND r.type = ANY($4) AND (r.tenant_id IS NULL OR r.tenant_id = ANY($5)) AND r.related_tenant_ids <@ $5
             AND (n.created_at, n.run_id)
                 < (coalesce($6::timestamptz, 'infinity'), coalesce($7::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
         ORDER BY n.created_at DESC, n.run_id DESC LIMIT $8",
    )
    .bind(of.workspace.uuid())
    .bind(of.subject)
    .bind(unread_only)
    .bind(names(&horizon.types))
    .bind(uuids(&horizon.tenants))
    .bind(after.map(|after| after.at))
    .bind(after.map(|after| after.id.uuid()))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let read_one = |(id, columns, seen_at, created_at, read_at)| {
        Ok(Notification { seen: read((id, columns, seen_at))?, created_at, read_at })
    };
    rows.into_iter().map(read_one).collect()
}

/// How many are unread, by what decides who may see the run.
pub async fn unread(connection: &mut PgConnection, of: Recipient<'_>) -> Result<Vec<(RunType, RunTenants, i64)>> {
    let rows: Vec<(String, Option<Uuid>, Vec<Uuid>, i64)> = sqlx::query_as(
        "SELECT r.type, r.tenant_id, r.related_tenant_ids, count(*)
         FROM operation.notification n
         JOIN operation.run r ON r.workspace_id = n.workspace_id AND r.id = n.run_id
         WHERE n.workspace_id = $1 AND n.subject = $2 AND n.read_at IS NULL
         GROUP BY r.type, r.tenant_id, r.related_tenant_ids",
    )
    .bind(of.workspace.uuid())
    .bind(of.subject)
    .fetch_all(connection)
    .await?;
    let read_one = |(run_type, tenant, related, count): (String, Option<Uuid>, Vec<Uuid>, i64)| {
        let run_type = run_type.parse().map_err(|source: domain::access::UnknownName| {
            UnreadableRow::new("operation.run", format!("of workspace {}", of.workspace), source)
        })?;
        let related = related.into_iter().map(TenantId).collect();
        Ok((run_type, RunTenants { tenant: tenant.map(TenantId), related }, count))
    };
    rows.into_iter().map(read_one).collect()
}

/// Marks those of these runs as read, or all up to a moment. What is read stays as it is.
pub async fn mark_read(
    connection: &mut PgConnection,
    of: Recipient<'_>,
    runs: &[RunId],
    through: Option<OffsetDateTime>,
) -> Result<()> {
    sqlx::query(
        "UPDATE operation.notification SET read_at = clock_timestamp()
         WHERE workspace_id = $1 AND subject = $2 AND read_at IS NULL AND (run_id = ANY($3) OR created_at <= $4)",
    )
    .bind(of.workspace.uuid())
    .bind(of.subject)
    .bind(runs.iter().map(|run| run.uuid()).collect::<Vec<_>>())
    .bind(through)
    .execute(connection)
    .await?;
    Ok(())
}
