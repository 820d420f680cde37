//! `inventory.coverage`: what the newest sync could see of each policy type.

use domain::id::{PolicyType, RunId, TenantId, WorkspaceId};
use domain::preflight::CoverageState;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::{Result, unreadable};

const STATES: [CoverageState; 4] =
    [CoverageState::Observed, CoverageState::Partial, CoverageState::Denied, CoverageState::Failed];

/// The stored name of a state (constraint `coverage_state_known`), which is also its name on the wire.
pub const fn state_name(state: CoverageState) -> &'static str {
    match state {
        CoverageState::Observed => "observed",
        CoverageState::Partial => "partial",
        CoverageState::Denied => "denied",
        CoverageState::Failed => "failed",
    }
}

/// The coverage of one policy type in a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The type.
    pub policy_type: PolicyType,
    /// How its newest read went.
    pub state: CoverageState,
    /// When that was.
    pub observed_at: OffsetDateTime,
    /// How many objects were seen.
    pub observed_count: i32,
    /// Stable reason when not everything was.
    pub reason_code: Option<String>,
    /// Whether writes wait for another administrator's approval.
    pub approval_required: bool,
}

/// What a read of a type came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCoverage<'a> {
    /// When the reading began, by the database's clock: what it saw is at least as new.
    pub began_at: OffsetDateTime,
    /// How it went.
    pub state: CoverageState,
    /// How many objects were seen.
    pub observed_count: i32,
    /// Stable reason when not everything was.
    pub reason_code: Option<&'a str>,
    /// Whether writes wait for another administrator's approval; `None` when this read did not tell.
    pub approval_required: Option<bool>,
}

/// The coverage of these tenants, for the types that were ever read.
pub async fn list(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenants: &[TenantId],
) -> Result<Vec<(TenantId, Coverage)>> {
    let rows = sqlx::query(
        "SELECT tenant_id, policy_type, state, observed_at, observed_count, reason_code, approval_required
         FROM inventory.coverage WHERE workspace_id = $1 AND tenant_id = ANY ($2)
         ORDER BY tenant_id, policy_type COLLATE \"C\"",
    )
    .bind(workspace.uuid())
    .bind(super::subject::uuids(tenants.iter().copied()))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let tenant = TenantId(row.try_get("tenant_id")?);
            Ok((tenant, read(row, tenant)?))
        })
        .collect()
}

/// Records how a read of a type went. Of a read that was denied or failed, the count of the one before stays. A read that began
/// before the one recorded is late: it says nothing any more.
pub async fn put(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    policy_type: &str,
    run: RunId,
    new: &NewCoverage<'_>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO inventory.coverage AS c
             (workspace_id, tenant_id, policy_type, run_id, state, observed_count, reason_code, approval_required,
              observed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8, false), $9)
         ON CONFLICT ON CONSTRAINT coverage_pkey DO UPDATE SET
             run_id = excluded.run_id, state = excluded.state, observed_at = excluded.observed_at,
             observed_count = CASE WHEN excluded.state IN ('denied', 'failed') THEN c.observed_count
                                   ELSE excluded.observed_count END,
             reason_code = excluded.reason_code, approval_required = coalesce($8, c.approval_required)
         WHERE c.observed_at <= excluded.observed_at",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(policy_type)
    .bind(run.uuid())
    .bind(state_name(new.state))
    .bind(new.observed_count)
    .bind(new.reason_code)
    .bind(new.approval_required)
    .bind(new.began_at)
    .execute(conn)
    .await?;
    Ok(())
}

fn read(row: &PgRow, tenant: TenantId) -> Result<Coverage> {
    let policy_type: String = row.try_get("policy_type")?;
    let state: &str = row.try_get("state")?;
    let state = STATES
        .into_iter()
        .find(|known| state_name(*known) == state)
        .ok_or_else(|| unreadable("inventory.coverage", "state", format!("{tenant}/{policy_type}"), state))?;
    Ok(Coverage {
        policy_type: PolicyType(policy_type),
        state,
        observed_at: row.try_get("observed_at")?,
        observed_count: row.try_get("observed_count")?,
        reason_code: row.try_get("reason_code")?,
        approval_required: row.try_get("approval_required")?,
    })
}
