//! Making a run. Whether there is one already is decided by the unique indexes of the table, not by looking first.

use std::time::Duration;

use domain::id::{Hash, RequestId, RunId, TenantId, WorkspaceId};
use domain::run::{IdentityRule, RunTenants, RunType};
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::{Row, read, seen_run};
use crate::error::Result;
use crate::run::SeenRun;

/// A run to be made.
#[derive(Debug, Clone)]
pub struct NewRun {
    pub id: RunId,
    pub workspace: WorkspaceId,
    pub run_type: RunType,
    pub tenants: RunTenants,
    pub identity: Hash,
    pub request: RequestId,
    pub request_hash: Hash,
    /// `None`: the system.
    pub initiator_subject: Option<String>,
    pub initiator_name: String,
    pub context: Map<String, Value>,
    /// `None` for a run without items: its progress cannot be told.
    pub total: Option<i32>,
    pub max_attempts: u32,
    pub lease_ttl: Duration,
    /// How long it may wait in the queue.
    pub queue_for: Duration,
    /// How long it may take in all.
    pub run_for: Duration,
    pub traceparent: Option<String>,
}

/// What became of an insert.
#[derive(Debug)]
pub enum Inserted {
    /// The run is new.
    New(Box<SeenRun>),
    /// One of the indexes says that there is one already: same request, same identity, or another mutation of the same
    /// tenant.
    InTheWay,
    /// The type is paused. The transaction is over.
    Paused,
    /// There was one, ever, and it is no longer kept. The transaction is over.
    Spent,
}

/// Inserts the run, unless the table's own rules refuse it. Waits for a transaction that is just inserting one that is in
/// the way.
pub async fn insert(connection: &mut PgConnection, new: &NewRun) -> Result<Inserted> {
    let facts = new.run_type.facts();
    let row: Result<Option<Row>, sqlx::Error> = sqlx::query_as(concat!(
        "INSERT INTO operation.run AS r (workspace_id, id, tenant_id, related_tenant_ids, type, dedupe_rule, identity_hash,
             mutates_tenant, request_id, request_hash, initiator_subject, initiator_name, context, total, max_attempts,
             lease_ttl_ms, start_traceparent, queue_deadline, run_deadline)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
             now() + $18 * interval '1 millisecond', now() + $19 * interval '1 millisecond')
         ON CONFLICT DO NOTHING RETURNING",
        seen_run!()
    ))
    .bind(new.workspace.uuid())
    .bind(new.id.uuid())
    .bind(new.tenants.tenant.map(TenantId::uuid))
    .bind(new.tenants.related.iter().map(|tenant| tenant.uuid()).collect::<Vec<_>>())
    .bind(new.run_type.as_str())
    .bind(dedupe_rule(facts.identity))
    .bind(new.identity.as_bytes().as_slice())
    .bind(facts.mutates_target)
    .bind(new.request.uuid())
    .bind(new.request_hash.as_bytes().as_slice())
    .bind(&new.initiator_subject)
    .bind(&new.initiator_name)
    .bind(sqlx::types::Json(&new.context))
    .bind(new.total)
    .bind(i32::try_from(new.max_attempts).unwrap_or(i32::MAX))
    .bind(i32::try_from(new.lease_ttl.as_millis()).unwrap_or(i32::MAX))
    .bind(&new.traceparent)
    .bind(i64::try_from(new.queue_for.as_millis()).unwrap_or(i64::MAX))
    .bind(i64::try_from(new.run_for.as_millis()).unwrap_or(i64::MAX))
    .fetch_optional(connection)
    .await;
    match row {
        Ok(Some(row)) => Ok(Inserted::New(Box::new(read(row)?))),
        Ok(None) => Ok(Inserted::InTheWay),
        Err(error) if pg::failure(&error).constraint() == Some("run_type_paused") => Ok(Inserted::Paused),
        Err(error) if pg::failure(&error).constraint() == Some("run_identity_spent") => Ok(Inserted::Spent),
        Err(error) => Err(error.into()),
    }
}

const fn dedupe_rule(rule: IdentityRule) -> &'static str {
    match rule {
        IdentityRule::WhileActive => "while_active",
        IdentityRule::Unique => "unique",
        IdentityRule::Forever => "forever",
    }
}

/// The run that stands for this identity: the active one, or the only one there may ever be.
pub async fn of_identity(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    run_type: RunType,
    identity: Hash,
) -> Result<Option<SeenRun>> {
    // The conditions are those of the two partial indexes.
    let row: Option<Row> = sqlx::query_as(concat!(
        "SELECT",
        seen_run!(),
        "FROM operation.run r WHERE r.workspace_id = $1 AND r.type = $2 AND r.identity_hash = $3
         AND (r.dedupe_rule = 'while_active' AND r.status <> 'completed' OR r.dedupe_rule = 'forever')"
    ))
    .bind(workspace.uuid())
    .bind(run_type.as_str())
    .bind(identity.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    row.map(read).transpose()
}

/// The active run that changes this tenant.
pub async fn mutation_of(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
) -> Result<Option<SeenRun>> {
    let row: Option<Row> = sqlx::query_as(concat!(
        "SELECT",
        seen_run!(),
        "FROM operation.run r
         WHERE r.workspace_id = $1 AND r.tenant_id = $2 AND r.mutates_tenant AND r.status <> 'completed'"
    ))
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .fetch_optional(connection)
    .await?;
    row.map(read).transpose()
}

/// Whether a run of another workspace changes the same tenant of the provider. The transaction must see all workspaces; nothing
/// of that run leaves here.
pub async fn is_changed_elsewhere(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
) -> Result<bool> {
    // The conditions are those of the index `run_one_mutation_per_provider_tenant`.
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM operation.run r
             JOIN access_api.tenant_directory d ON d.provider_scope = r.provider_scope
             WHERE d.workspace_id = $1 AND d.tenant_id = $2 AND r.workspace_id <> $1
               AND r.mutates_tenant AND r.status <> 'completed')",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .fetch_one(connection)
    .await?)
}
