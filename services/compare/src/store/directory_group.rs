//! `inventory.directory_group`: the cached groups of a tenant.

use domain::directory::{Group, Membership};
use domain::id::{ExternalId, TenantId, WorkspaceId};
use domain::identity::folded_name;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::{Result, containing, unreadable};

/// A cached group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedGroup {
    /// The group.
    pub group: Group,
    /// Since when it is known so.
    pub observed_at: OffsetDateTime,
}

/// Where a list of groups goes on: folded name, id.
pub type After = (String, String);

/// Writes groups that the provider was asked for at `asked_at`. At most one entry per id. What is known since a later moment stays,
/// and what a later whole reading did not see does not come back.
pub async fn upsert(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    asked_at: OffsetDateTime,
    groups: &[Group],
) -> Result<()> {
    let entries = || groups.iter().map(|group| &group.entry);
    sqlx::query(
        "INSERT INTO inventory.directory_group AS g
             (workspace_id, tenant_id, observed_at, external_id, display_name, folded_name, security_enabled,
              mail_enabled, membership, on_premises, role_assignable)
         SELECT $1, $2, $3, o.*
         FROM unnest($4::text[], $5::text[], $6::text[], $7::bool[], $8::bool[], $9::text[], $10::bool[], $11::bool[]) AS o
         WHERE NOT EXISTS (SELECT FROM inventory.directory_sync s
                           WHERE s.workspace_id = $1 AND s.tenant_id = $2 AND s.collection = 'group' AND s.began_at > $3)
         ON CONFLICT ON CONSTRAINT directory_group_pkey DO UPDATE SET
             (observed_at, display_name, folded_name, security_enabled, mail_enabled, membership, on_premises,
              role_assignable)
             = (excluded.observed_at, excluded.display_name, excluded.folded_name, excluded.security_enabled,
                excluded.mail_enabled, excluded.membership, excluded.on_premises, excluded.role_assignable)
         WHERE g.observed_at <= excluded.observed_at",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(asked_at)
    .bind(entries().map(|entry| entry.external_id.as_str()).collect::<Vec<_>>())
    .bind(entries().map(|entry| entry.display_name.as_str()).collect::<Vec<_>>())
    .bind(entries().map(|entry| entry.folded_name.as_str()).collect::<Vec<_>>())
    .bind(groups.iter().map(|group| group.security_enabled).collect::<Vec<_>>())
    .bind(groups.iter().map(|group| group.mail_enabled).collect::<Vec<_>>())
    .bind(groups.iter().map(|group| membership_name(group.membership)).collect::<Vec<_>>())
    .bind(groups.iter().map(|group| group.on_premises).collect::<Vec<_>>())
    .bind(groups.iter().map(|group| group.role_assignable).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes what was last seen before `began_at`, and says how many that were.
pub async fn remove_unseen(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    began_at: OffsetDateTime,
) -> Result<u64> {
    let done = sqlx::query(
        "DELETE FROM inventory.directory_group WHERE workspace_id = $1 AND tenant_id = $2 AND observed_at < $3",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(began_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// One page of a tenant's groups by folded name and id.
pub async fn list(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    name_contains: &str,
    after: Option<&After>,
    limit: i64,
) -> Result<Vec<CachedGroup>> {
    let rows = sqlx::query(
        "SELECT external_id, display_name, folded_name, security_enabled, mail_enabled, membership, on_premises,
                role_assignable, observed_at
         FROM inventory.directory_group
         WHERE workspace_id = $1 AND tenant_id = $2
           AND ($3 = '' OR folded_name LIKE $4)
           AND ($5::text IS NULL OR (folded_name COLLATE \"C\", external_id COLLATE \"C\") > ($5, $6))
         ORDER BY folded_name COLLATE \"C\", external_id COLLATE \"C\" LIMIT $7",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(name_contains)
    .bind(containing(&folded_name(name_contains)))
    .bind(after.map(|(name, _)| name))
    .bind(after.map(|(_, id)| id))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<CachedGroup> {
    let external_id: String = row.try_get("external_id")?;
    let membership: &str = row.try_get("membership")?;
    let membership = match membership {
        "assigned" => Membership::Assigned,
        "dynamic" => Membership::Dynamic,
        other => return Err(unreadable("inventory.directory_group", "membership", external_id, other)),
    };
    Ok(CachedGroup {
        group: Group {
            entry: domain::directory::Entry {
                external_id: ExternalId(external_id),
                display_name: row.try_get("display_name")?,
                folded_name: row.try_get("folded_name")?,
                description: String::new(),
            },
            security_enabled: row.try_get("security_enabled")?,
            mail_enabled: row.try_get("mail_enabled")?,
            membership,
            on_premises: row.try_get("on_premises")?,
            role_assignable: row.try_get("role_assignable")?,
        },
        observed_at: row.try_get("observed_at")?,
    })
}

/// The stored name (constraint `directory_group_membership_known`).
const fn membership_name(membership: Membership) -> &'static str {
    match membership {
        Membership::Assigned => "assigned",
        Membership::Dynamic => "dynamic",
    }
}
