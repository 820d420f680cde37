//! `access.member`, with the tenant roles each member holds.

use domain::access::Role;
use domain::id::{TenantId, WorkspaceId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::{Result, unreadable};

/// A member of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The `sub` of the member's tokens.
    pub subject: String,
    /// Name for people; may be empty.
    pub display_name: String,
    /// Role in the workspace.
    pub role: Role,
    /// Roles on those tenants that were asked for.
    pub tenant_roles: Vec<(TenantId, Role)>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is as wanted.
    Done,
    /// It would leave the workspace without an owner: nothing was changed.
    LastOwner,
}

const SELECT: &str = "
    SELECT m.subject, m.display_name, m.role,
           array_agg(t.tenant_id ORDER BY t.tenant_id) FILTER (WHERE t.tenant_id IS NOT NULL) AS tenant_ids,
           array_agg(t.role ORDER BY t.tenant_id) FILTER (WHERE t.tenant_id IS NOT NULL) AS tenant_roles
    FROM access.member m
    LEFT JOIN access.tenant_role t
        ON t.workspace_id = m.workspace_id AND t.subject = m.subject AND t.tenant_id = ANY ($2)";

/// One page of members by subject, with their roles on `tenants`.
pub async fn list(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenants: &[Uuid],
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Member>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "{SELECT} WHERE m.workspace_id = $1 AND ($3::text IS NULL OR m.subject COLLATE \"C\" > $3)
         GROUP BY m.workspace_id, m.subject ORDER BY m.subject COLLATE \"C\" LIMIT $4"
    )))
    .bind(workspace.uuid())
    .bind(tenants)
    .bind(after)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(read).collect()
}

/// One member, with the roles on `tenants`.
pub async fn find(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    subject: &str,
    tenants: &[Uuid],
) -> Result<Option<Member>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "{SELECT} WHERE m.workspace_id = $1 AND m.subject = $3 GROUP BY m.workspace_id, m.subject"
    )))
    .bind(workspace.uuid())
    .bind(tenants)
    .bind(subject)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Adds a member or changes its role. An empty display name leaves the present one.
///
/// The guard stands in the statement, and counts on [`super::workspace::lock_membership`]: under it no other change of
/// owners is under way, so "another owner exists" stays true until commit.
pub async fn put(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    subject: &str,
    role: Role,
    display_name: &str,
) -> Result<Change> {
    let done = sqlx::query(
        "INSERT INTO access.member AS m (workspace_id, subject, role, display_name) VALUES ($1, $2, $3, $4)
         ON CONFLICT ON CONSTRAINT member_pkey DO UPDATE SET
             role = excluded.role,
             display_name = coalesce(nullif(excluded.display_name, ''), m.display_name),
             updated_at = clock_timestamp()
         WHERE m.role <> 'owner' OR excluded.role = 'owner'
            OR EXISTS (SELECT FROM access.member o
                       WHERE o.workspace_id = $1 AND o.role = 'owner' AND o.subject <> $2)",
    )
    .bind(workspace.uuid())
    .bind(subject)
    .bind(role.as_str())
    .bind(display_name)
    .execute(conn)
    .await?;
    Ok(if done.rows_affected() == 1 { Change::Done } else { Change::LastOwner })
}

/// Removes a member, and with it (by foreign key) every tenant role it holds here. Removing nobody is done at once.
/// Guarded like [`put`].
pub async fn remove(conn: &mut PgConnection, workspace: WorkspaceId, subject: &str) -> Result<Change> {
    let row = sqlx::query(
        "WITH gone AS (
             DELETE FROM access.member m
             WHERE m.workspace_id = $1 AND m.subject = $2
               AND (m.role <> 'owner'
                    OR EXISTS (SELECT FROM access.member o
                               WHERE o.workspace_id = $1 AND o.role = 'owner' AND o.subject <> $2))
             RETURNING 1)
         -- Both look at the same snapshot: the member is still seen here when it was deleted above.
         SELECT EXISTS (SELECT FROM gone) OR NOT EXISTS (
             SELECT FROM access.member WHERE workspace_id = $1 AND subject = $2)",
    )
    .bind(workspace.uuid())
    .bind(subject)
    .fetch_one(conn)
    .await?;
    Ok(if row.try_get(0)? { Change::Done } else { Change::LastOwner })
}

fn read(row: &PgRow) -> Result<Member> {
    let subject: String = row.try_get("subject")?;
    let role_of = |column, text: &str| text.parse().map_err(|why| unreadable("access.member", column, &subject, why));
    let tenants: Vec<Uuid> = row.try_get::<Option<_>, _>("tenant_ids")?.unwrap_or_default();
    let roles: Vec<String> = row.try_get::<Option<_>, _>("tenant_roles")?.unwrap_or_default();
    let tenant_roles = tenants
        .into_iter()
        .zip(roles)
        .map(|(tenant, role)| Ok((TenantId(tenant), role_of("tenant_roles", &role)?)))
        .collect::<Result<_>>()?;
    Ok(Member {
        display_name: row.try_get("display_name")?,
        role: role_of("role", row.try_get("role")?)?,
        tenant_roles,
        subject,
    })
}
