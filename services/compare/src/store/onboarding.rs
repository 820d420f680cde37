//! `tenant.onboarding`: one row per onboarding, kept as history. Whoever changes one holds its tenant still first
//! ([`super::tenant::lock`]); the version belongs to the table's trigger.

use domain::id::{OnboardingId, TenantId, WorkspaceId};
use domain::tenant::OnboardingState;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Result, unreadable};

/// An onboarding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onboarding {
    /// Its id.
    pub id: OnboardingId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant that is set up.
    pub tenant_id: TenantId,
    /// Where it stands.
    pub state: OnboardingState,
    /// Rises with every change.
    pub version: i64,
    /// Who changed it last.
    pub editor: Editor,
    /// When it was started.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
}

/// Who works on an onboarding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Editor {
    /// `sub`.
    pub subject: String,
    /// Name for people.
    pub name: String,
}

const COLUMNS: &str =
    "workspace_id, id, tenant_id, state, version, editor, editor_name, created_at, updated_at, ended_at";

/// Inserts one under way; the tenant must have none (index `onboarding_one_in_progress`).
pub async fn insert(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    id: OnboardingId,
    tenant: TenantId,
    editor: &Editor,
) -> Result<Onboarding> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "INSERT INTO tenant.onboarding (workspace_id, id, tenant_id, started_by, editor, editor_name)
         VALUES ($1, $2, $3, $4, $4, $5) RETURNING {COLUMNS}"
    )))
    .bind(workspace.uuid())
    .bind(id.uuid())
    .bind(tenant.uuid())
    .bind(&editor.subject)
    .bind(&editor.name)
    .fetch_one(conn)
    .await?;
    read(&row)
}

/// One onboarding.
pub async fn find(conn: &mut PgConnection, workspace: WorkspaceId, id: OnboardingId) -> Result<Option<Onboarding>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM tenant.onboarding WHERE workspace_id = $1 AND id = $2"
    )))
    .bind(workspace.uuid())
    .bind(id.uuid())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(read).transpose()
}

/// The onboarding of a tenant that is under way; there is one at most.
pub async fn in_progress(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
) -> Result<Option<Onboarding>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM tenant.onboarding WHERE workspace_id = $1 AND tenant_id = $2 AND state = 'in_progress'"
    )))
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Makes `editor` the one who changed `seen` last and moves it to `state`, which may be where it is.
pub async fn update(
    conn: &mut PgConnection,
    seen: &Onboarding,
    state: OnboardingState,
    editor: &Editor,
) -> Result<Onboarding> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE tenant.onboarding
         SET state = $5, editor = $6, editor_name = $7,
             ended_at = CASE WHEN $5 = 'in_progress' THEN NULL ELSE clock_timestamp() END
         WHERE workspace_id = $1 AND id = $2 AND state = $3 AND version = $4 RETURNING {COLUMNS}"
    )))
    .bind(seen.workspace_id.uuid())
    .bind(seen.id.uuid())
    .bind(seen.state.as_str())
    .bind(seen.version)
    .bind(state.as_str())
    .bind(&editor.subject)
    .bind(&editor.name)
    .fetch_one(conn)
    .await?;
    read(&row)
}

/// Where a list of onboardings goes on: after what was started then, and this id among those started at once.
pub type After = (OffsetDateTime, Uuid);

/// One page of the onboardings of `tenants` in one of `states`, newest first.
pub async fn list(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenants: &[Uuid],
    states: &[&str],
    after: Option<&After>,
    limit: i64,
) -> Result<Vec<(Onboarding, After)>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM tenant.onboarding
         WHERE workspace_id = $1 AND tenant_id = ANY ($2) AND state = ANY ($3)
           AND ($4::timestamptz IS NULL OR created_at < $4 OR (created_at = $4 AND id > $5))
         ORDER BY created_at DESC, id LIMIT $6"
    )))
    .bind(workspace.uuid())
    .bind(tenants)
    .bind(states)
    .bind(after.map(|after| after.0))
    .bind(after.map(|after| after.1))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let onboarding = read(row)?;
            let after = (onboarding.created_at, onboarding.id.uuid());
            Ok((onboarding, after))
        })
        .collect()
}

fn read(row: &PgRow) -> Result<Onboarding> {
    let id = OnboardingId(row.try_get("id")?);
    let state: &str = row.try_get("state")?;
    Ok(Onboarding {
        id,
        workspace_id: WorkspaceId(row.try_get("workspace_id")?),
        tenant_id: TenantId(row.try_get("tenant_id")?),
        state: state.parse().map_err(|why| unreadable("tenant.onboarding", "state", id, why))?,
        version: row.try_get("version")?,
        editor: Editor { subject: row.try_get("editor")?, name: row.try_get("editor_name")? },
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        ended_at: row.try_get("ended_at")?,
    })
}
