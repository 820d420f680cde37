//! Table `audit.entry`: append-only. The entries of runs are written by the triggers of `operation.run`.

use domain::id::{RunId, TenantId, WorkspaceId};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Result;

/// An entry, as it is kept.
#[derive(Debug, Clone, FromRow)]
pub struct AuditEntry {
    pub workspace_id: Uuid,
    pub id: Uuid,
    /// By the database's clock; ignored when it is added.
    pub at: OffsetDateTime,
    pub action: String,
    /// `None`: the system.
    pub actor_subject: Option<String>,
    pub actor_name: String,
    pub tenant_id: Option<Uuid>,
    pub related_tenant_ids: Vec<Uuid>,
    pub run_id: Option<Uuid>,
    pub outcome: String,
    pub detail: Value,
    /// Place in the chain of seals and hash there; `None`: not sealed yet. Ignored when it is added.
    pub seal_position: Option<i64>,
    pub seal_hash: Option<Vec<u8>>,
    pub sealed_at: Option<OffsetDateTime>,
}

/// Adds the entry, which happened then, or now, and not in the future; one with the same id changes nothing.
pub async fn insert(
    connection: &mut PgConnection,
    entry: &AuditEntry,
    happened_at: Option<OffsetDateTime>,
    target_kind: &str,
    target_id: Uuid,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO audit.entry (workspace_id, id, at, action, actor_kind, actor_subject, actor_name, target_kind,
             target_id, tenant_id, related_tenant_ids, run_id, outcome, detail)
         VALUES ($1, $2, least($13, clock_timestamp()), $3, CASE WHEN $4::text IS NULL THEN 'system' ELSE 'user' END, $4, $5, $6, $7,
             $8, $9, $10, $11, $12)
         ON CONFLICT DO NOTHING",
    )
    .bind(entry.workspace_id)
    .bind(entry.id)
    .bind(&entry.action)
    .bind(&entry.actor_subject)
    .bind(&entry.actor_name)
    .bind(target_kind)
    .bind(target_id.to_string())
    .bind(entry.tenant_id)
    .bind(&entry.related_tenant_ids)
    .bind(entry.run_id)
    .bind(&entry.outcome)
    .bind(&entry.detail)
    .bind(happened_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Which entries; empty does not restrict.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub workspace: WorkspaceId,
    pub actions: Vec<String>,
    pub tenant: Option<TenantId>,
    pub run: Option<RunId>,
    pub actors: Vec<String>,
    /// Written at this moment or later.
    pub from: Option<OffsetDateTime>,
    /// Written before this moment.
    pub until: Option<OffsetDateTime>,
    /// Entries about any other tenant are left out.
    pub entitled_to: Vec<TenantId>,
}

/// Entries older than `before`, newest first, at most `limit`.
pub async fn page(
    connection: &mut PgConnection,
    wanted: &Wanted,
    before: Option<(OffsetDateTime, Uuid)>,
    limit: i64,
) -> Result<Vec<AuditEntry>> {
    let entries = sqlx::query_as(
        "SELECT e.workspace_id, e.id, e.at, e.action, e.actor_subject, e.actor_name, e.tenant_id, e.related_tenant_ids,
             e.run_id, e.outcome, e.detail, s.position AS seal_position, s.hash AS seal_hash, s.sealed_at
         FROM audit.entry e LEFT JOIN audit.seal s ON s.workspace_id = e.workspace_id AND s.entry_id = e.id
         WHERE e.workspace_id = $1
             AND (e.tenant_id IS NULL OR e.tenant_id = ANY($2)) AND e.related_tenant_ids <@ $2
             AND (cardinality($3::text[]) = 0 OR e.action = ANY($3))
             AND ($4::uuid IS NULL OR e.tenant_id = $4 OR $4 = ANY(e.related_tenant_ids))
             AND ($5::uuid IS NULL OR e.run_id = $5)
             AND (e.at, e.id)
                 < (coalesce($6::timestamptz, 'infinity'), coalesce($7::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
             AND (cardinality($9::text[]) = 0 OR e.actor_subject = ANY($9))
             AND e.at >= coalesce($10::timestamptz, '-infinity') AND e.at < coalesce($11::timestamptz, 'infinity')
         ORDER BY e.at DESC, e.id DESC LIMIT $8",
    )
    .bind(wanted.workspace.uuid())
    .bind(wanted.entitled_to.iter().map(|tenant| tenant.uuid()).collect::<Vec<_>>())
    .bind(&wanted.actions)
    .bind(wanted.tenant.map(TenantId::uuid))
    .bind(wanted.run.map(RunId::uuid))
    .bind(before.map(|(at, _)| at))
    .bind(before.map(|(_, id)| id))
    .bind(limit)
    .bind(&wanted.actors)
    .bind(wanted.from)
    .bind(wanted.until)
    .fetch_all(connection)
    .await?;
    Ok(entries)
}
