//! Counting runs that want attention, by who may see them: visibility depends on type and tenants alone.

use std::ops::Add;
use std::time::Duration;

use domain::id::{TenantId, WorkspaceId};
use domain::run::{RunTenants, RunType};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Horizon, looks_stale, names, uuids};
use crate::error::{Result, UnreadableRow};

/// How many runs want attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attention {
    pub active: i64,
    /// Active too.
    pub stale: i64,
    pub failed: i64,
    pub partially_succeeded: i64,
}

impl Add for Attention {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            active: self.active + other.active,
            stale: self.stale + other.stale,
            failed: self.failed + other.failed,
            partially_succeeded: self.partially_succeeded + other.partially_succeeded,
        }
    }
}

/// The counts of the runs of one type about the same tenants.
#[derive(Debug)]
pub struct Group {
    pub run_type: RunType,
    pub tenants: RunTenants,
    pub counts: Attention,
}

#[derive(FromRow)]
struct GroupRow {
    r#type: String,
    tenant_id: Option<Uuid>,
    related_tenant_ids: Vec<Uuid>,
    active: i64,
    stale: i64,
    failed: i64,
    partially_succeeded: i64,
}

/// Counts the active runs, and those that ended within `window` and want attention.
pub async fn by_tenants(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    tenants: &[TenantId],
    horizon: &Horizon,
    window: Duration,
) -> Result<Vec<Group>> {
    let rows: Vec<GroupRow> = sqlx::query_as(concat!(
        // Two reads, each by an index of its own: the active runs are few, and so are those that ended lately.
        "WITH wanted AS (
             SELECT r.type, r.tenant_id, r.related_tenant_ids, true AS active,",
        looks_stale!(),
        "AS stale, r.outcome
             FROM operation.run r WHERE r.workspace_id = $1 AND r.status <> 'completed'
             UNION ALL
             SELECT r.type, r.tenant_id, r.related_tenant_ids, false, false, r.outcome
             FROM operation.run r
             WHERE r.workspace_id = $1 AND r.status = 'completed' AND r.outcome IN ('failed', 'partially_succeeded')
                 AND NOT r.imported
                 AND r.completed_at > clock_timestamp() - $5 * interval '1 millisecond')
         SELECT w.type, w.tenant_id, w.related_tenant_ids,
             count(*) FILTER (WHERE w.active) AS active,
             count(*) FILTER (WHERE w.stale) AS stale,
             count(*) FILTER (WHERE w.outcome = 'failed') AS failed,
             count(*) FILTER (WHERE w.outcome = 'partially_succeeded') AS partially_succeeded
         FROM wanted w
         WHERE w.type = ANY($2)
             AND (w.tenant_id IS NULL OR w.tenant_id = ANY($3)) AND w.related_tenant_ids <@ $3
             AND (cardinality($4::uuid[]) = 0 OR w.tenant_id = ANY($4) OR w.related_tenant_ids && $4)
         GROUP BY w.type, w.tenant_id, w.related_tenant_ids"
    ))
    .bind(workspace.uuid())
    .bind(names(&horizon.types))
    .bind(uuids(&horizon.tenants))
    .bind(uuids(tenants))
    .bind(i64::try_from(window.as_millis()).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| read(workspace, row)).collect()
}

fn read(workspace: WorkspaceId, row: GroupRow) -> Result<Group> {
    let run_type = row.r#type.parse().map_err(|source: domain::access::UnknownName| {
        UnreadableRow::new("operation.run", format!("of workspace {workspace}"), source)
    })?;
    Ok(Group {
        run_type,
        tenants: RunTenants {
            tenant: row.tenant_id.map(TenantId),
            related: row.related_tenant_ids.into_iter().map(TenantId).collect(),
        },
        counts: Attention {
            active: row.active,
            stale: row.stale,
            failed: row.failed,
            partially_succeeded: row.partially_succeeded,
        },
    })
}
