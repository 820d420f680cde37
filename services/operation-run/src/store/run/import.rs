//! Bringing in completed runs of an older system, each known by the id it had there.

use domain::id::{Hash, RunId, TenantId, WorkspaceId};
use domain::run::counts::FailureLine;
use domain::run::{Counts, RunOutcome, RunTenants, RunType};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::{Row, read, shown_run};
use crate::error::Result;
use crate::run::SeenRun;

/// A run to be brought in.
#[derive(Debug, Clone)]
pub struct ImportedRun {
    pub id: RunId,
    /// Its id in the older system.
    pub external_id: String,
    pub run_type: RunType,
    pub tenants: RunTenants,
    pub outcome: RunOutcome,
    /// `None`: not known.
    pub counts: Option<Counts>,
    pub failure_summary: Vec<FailureLine>,
    pub initiator_subject: Option<String>,
    pub initiator_name: String,
    pub context: Map<String, Value>,
    pub created_at: OffsetDateTime,
    pub started_at: Option<OffsetDateTime>,
    pub completed_at: OffsetDateTime,
    /// Over everything that was said about it.
    pub content: Hash,
}

/// Who brings them in.
#[derive(Debug, Clone, Copy)]
pub struct Importer<'a> {
    pub subject: &'a str,
    pub name: &'a str,
}

/// Inserts those whose external ids are new; returns the ids under which that was done. Waits for a transaction that is just
/// bringing in the same.
pub async fn insert(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    runs: &[ImportedRun],
    by: Importer<'_>,
) -> Result<Vec<RunId>> {
    let rows: Vec<Value> = runs.iter().map(row_of).collect();
    let inserted: Vec<(Uuid,)> = sqlx::query_as(
        // One statement, so that events and audit entries are written together.
        "INSERT INTO operation.run (workspace_id, id, tenant_id, related_tenant_ids, type, status, outcome, dedupe_rule,
             identity_hash, mutates_tenant, initiator_subject, initiator_name, context, total, processed, succeeded, failed,
             skipped, created, updated, deleted, unchanged, failure_summary, created_at, started_at, completed_at, imported,
             external_id, imported_by_subject, imported_by_name, imported_at)
         SELECT $1, x.id, x.tenant_id, x.related_tenant_ids, x.type, 'completed', x.outcome, 'unique',
             decode(x.content, 'hex'), x.mutates_tenant, x.initiator_subject, x.initiator_name, x.context, x.total,
             x.processed, x.succeeded, x.failed, x.skipped, x.created, x.updated, x.deleted, x.unchanged, x.failure_summary,
             x.created_at, x.started_at, x.completed_at, true, x.external_id, $3, $4,
             clock_timestamp()
         FROM jsonb_to_recordset($2) AS x (id uuid, tenant_id uuid, related_tenant_ids uuid[], type text, outcome text,
             content text, mutates_tenant boolean, initiator_subject text, initiator_name text, context jsonb,
             total integer, processed integer, succeeded integer, failed integer, skipped integer, created integer,
             updated integer, deleted integer, unchanged integer, failure_summary jsonb, created_at timestamptz,
             started_at timestamptz, completed_at timestamptz, external_id text)
         -- In one order, so that two imports of the same wait for one another and not each for the other.
         ORDER BY x.external_id
         ON CONFLICT (workspace_id, external_id) WHERE imported DO NOTHING RETURNING id",
    )
    .bind(workspace.uuid())
    .bind(sqlx::types::Json(Value::Array(rows)))
    .bind(by.subject)
    .bind(by.name)
    .fetch_all(connection)
    .await?;
    Ok(inserted.into_iter().map(|(id,)| RunId(id)).collect())
}

fn row_of(run: &ImportedRun) -> Value {
    let counts = run.counts.unwrap_or_default();
    // Always a date of the years 1 to 9999: read from a timestamp.
    let at = |time: OffsetDateTime| time.format(&Rfc3339).ok();
    json!({
        "id": run.id.uuid(),
        "tenant_id": run.tenants.tenant.map(TenantId::uuid),
        "related_tenant_ids": run.tenants.related.iter().map(|tenant| tenant.uuid()).collect::<Vec<_>>(),
        "type": run.run_type.as_str(),
        "outcome": run.outcome.as_str(),
        "content": hex::encode(run.content.as_bytes()),
        "mutates_tenant": run.run_type.facts().mutates_target,
        "initiator_subject": run.initiator_subject,
        "initiator_name": run.initiator_name,
        "context": run.context,
        "total": run.counts.map(|counts| counts.total),
        "processed": counts.processed,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "created": counts.created,
        "updated": counts.updated,
        "deleted": counts.deleted,
        "unchanged": counts.unchanged,
        "failure_summary": run.failure_summary,
        "created_at": at(run.created_at),
        "started_at": run.started_at.and_then(at),
        "completed_at": at(run.completed_at),
        "external_id": run.external_id,
    })
}

/// The imported runs with these ids of the older system, and the hash of what was said about each.
pub async fn of_external_ids(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    external_ids: &[&str],
) -> Result<Vec<(String, Vec<u8>, SeenRun)>> {
    let rows: Vec<(String, Vec<u8>, Uuid, String, OffsetDateTime)> = sqlx::query_as(concat!(
        "SELECT r.external_id, r.identity_hash,",
        shown_run!(),
        "FROM operation.run r WHERE r.workspace_id = $1 AND r.imported AND r.external_id = ANY($2)"
    ))
    .bind(workspace.uuid())
    .bind(external_ids)
    .fetch_all(connection)
    .await?;
    let split = |(external_id, content, id, columns, seen_at)| {
        let row: Row = (id, columns, seen_at);
        Ok((external_id, content, read(row)?))
    };
    rows.into_iter().map(split).collect()
}
