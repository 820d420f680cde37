//! What a restore chooses out of `inventory.policy_version` and `inventory.backup_set_entry`, and what `inventory.item` has in its
//! place.

use domain::id::{ExternalId, Hash, PolicyType, PolicyVersionId, RunId, SubjectKey, TenantId, WorkspaceId};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::{Result, hash, unreadable};

/// A version that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenVersion {
    /// Its id.
    pub id: PolicyVersionId,
    /// The tenant it was read from.
    pub tenant_id: TenantId,
    /// The object's type.
    pub policy_type: PolicyType,
    /// The object's id at the provider.
    pub external_id: ExternalId,
    /// The object's name, as far as it is known without the content.
    pub display_name: String,
    /// Its number within the object.
    pub number: i32,
    /// Hash of its content.
    pub content_hash: Hash,
    /// When it was captured.
    pub captured_at: OffsetDateTime,
}

const VERSION: &str = "v.id, v.tenant_id, v.policy_type, v.external_id, v.number, v.content_hash, v.captured_at";

/// The versions of a set, at most `limit`, by type and id.
pub async fn of_set(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    set: RunId,
    policy_types: &[&str],
    external_ids: &[&str],
    limit: i64,
) -> Result<Vec<ChosenVersion>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {VERSION}, e.display_name
         FROM inventory.backup_set_entry e
         JOIN inventory.policy_version v ON v.workspace_id = e.workspace_id AND v.id = e.version_id
         WHERE e.workspace_id = $1 AND e.set_id = $2
           AND (cardinality($3::text[]) = 0 OR e.policy_type = ANY ($3))
           AND (cardinality($4::text[]) = 0 OR e.external_id = ANY ($4))
         ORDER BY e.policy_type COLLATE \"C\", e.external_id COLLATE \"C\" LIMIT $5"
    )))
    .bind(workspace.uuid())
    .bind(set.uuid())
    .bind(policy_types)
    .bind(external_ids)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(read_version).collect()
}

/// Versions of the workspace by id, of whatever tenant. What there is not is left out.
pub async fn named(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    ids: &[PolicyVersionId],
) -> Result<Vec<ChosenVersion>> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {VERSION}, coalesce(i.display_name, '') AS display_name
         FROM inventory.policy_version v
         LEFT JOIN inventory.item i ON i.workspace_id = v.workspace_id AND i.tenant_id = v.tenant_id
              AND i.policy_type = v.policy_type AND i.external_id = v.external_id
         WHERE v.workspace_id = $1 AND v.id = ANY ($2)
         ORDER BY v.policy_type COLLATE \"C\", v.external_id COLLATE \"C\", v.id"
    )))
    .bind(workspace.uuid())
    .bind(ids)
    .fetch_all(conn)
    .await?;
    rows.iter().map(read_version).collect()
}

fn read_version(row: &PgRow) -> Result<ChosenVersion> {
    let id = PolicyVersionId(row.try_get("id")?);
    Ok(ChosenVersion {
        id,
        tenant_id: TenantId(row.try_get("tenant_id")?),
        policy_type: PolicyType(row.try_get("policy_type")?),
        external_id: ExternalId(row.try_get("external_id")?),
        display_name: row.try_get("display_name")?,
        number: row.try_get("number")?,
        content_hash: hash(row, "inventory.policy_version", "content_hash", &id)?,
        captured_at: row.try_get("captured_at")?,
    })
}

/// What the tenant has of an object, as last observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its type.
    pub policy_type: PolicyType,
    /// Its id.
    pub external_id: ExternalId,
    /// Its identity by name.
    pub subject_key: SubjectKey,
    /// Its newest captured content.
    pub version_id: PolicyVersionId,
    /// The hash of that.
    pub content_hash: Hash,
    /// Whether it was read wholly when it was last seen.
    pub whole: bool,
    /// Whether the last reading of its type did not see it, and could not tell whether it is gone.
    pub doubtful: bool,
    /// When it was first seen.
    pub first_observed_at: OffsetDateTime,
    /// When it was last seen.
    pub last_observed_at: OffsetDateTime,
}

const STANDING: &str = "
    SELECT i.policy_type, i.external_id, i.subject_key, i.current_version_id, v.content_hash, i.evidence <> 'incomplete' AS whole,
           i.missing_since IS NOT NULL AS doubtful, i.first_observed_at, i.last_observed_at
    FROM inventory.item i
    JOIN inventory.policy_version v ON v.workspace_id = i.workspace_id AND v.id = i.current_version_id
    WHERE i.workspace_id = $1 AND i.tenant_id = $2 AND NOT i.missing_confirmed";

/// The objects of these types and ids (side by side) that the tenant has. What is known to be gone is left out.
pub async fn standing(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    policy_types: &[&str],
    external_ids: &[&str],
) -> Result<Vec<Standing>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "{STANDING} AND (i.policy_type, i.external_id) IN (SELECT * FROM unnest($3::text[], $4::text[]))"
    )))
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(policy_types)
    .bind(external_ids)
    .fetch_all(conn)
    .await?;
    rows.iter().map(read_standing).collect()
}

/// The objects with one of these identities that the tenant has.
pub async fn standing_by_key(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    subject_keys: &[&str],
) -> Result<Vec<Standing>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "{STANDING} AND i.subject_key = ANY ($3) ORDER BY i.external_id COLLATE \"C\""
    )))
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(subject_keys)
    .fetch_all(conn)
    .await?;
    rows.iter().map(read_standing).collect()
}

fn read_standing(row: &PgRow) -> Result<Standing> {
    let external_id = ExternalId(row.try_get("external_id")?);
    Ok(Standing {
        policy_type: PolicyType(row.try_get("policy_type")?),
        subject_key: SubjectKey(row.try_get("subject_key")?),
        version_id: PolicyVersionId(row.try_get("current_version_id")?),
        content_hash: hash(row, "inventory.policy_version", "content_hash", &external_id)?,
        whole: row.try_get("whole")?,
        doubtful: row.try_get("doubtful")?,
        first_observed_at: row.try_get("first_observed_at")?,
        last_observed_at: row.try_get("last_observed_at")?,
        external_id,
    })
}

/// The contents of these versions of a tenant, in no order.
pub async fn contents(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    ids: &[PolicyVersionId],
) -> Result<Vec<(PolicyVersionId, Value)>> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query(
        "SELECT id, content FROM inventory.policy_version WHERE workspace_id = $1 AND tenant_id = $2 AND id = ANY ($3)",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(ids)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let id = PolicyVersionId(row.try_get(0)?);
            let content = row.try_get(1).map_err(|why| unreadable("inventory.policy_version", "content", id, why))?;
            Ok((id, content))
        })
        .collect()
}

/// An object that is gone, as it was last known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoneName {
    /// Its kind.
    pub kind: PolicyType,
    /// The id it had.
    pub external_id: ExternalId,
    /// Its identity, which holds the name that references carry.
    pub subject_key: SubjectKey,
    /// Its name for people.
    pub display_name: String,
}

/// The objects of these kinds that are known to be gone, after a position, by kind and id.
pub async fn gone_names(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    kinds: &[&str],
    after: Option<&(String, String)>,
    limit: i64,
) -> Result<Vec<GoneName>> {
    let rows = sqlx::query(
        "SELECT policy_type, external_id, subject_key, display_name
         FROM inventory.item
         WHERE workspace_id = $1 AND tenant_id = $2 AND policy_type = ANY ($3) AND missing_confirmed
           AND ($4::text IS NULL OR (policy_type COLLATE \"C\", external_id COLLATE \"C\") > ($4, $5))
         ORDER BY policy_type COLLATE \"C\", external_id COLLATE \"C\" LIMIT $6",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(kinds)
    .bind(after.map(|after| after.0.as_str()))
    .bind(after.map(|after| after.1.as_str()))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(GoneName {
                kind: PolicyType(row.try_get(0)?),
                external_id: ExternalId(row.try_get(1)?),
                subject_key: SubjectKey(row.try_get(2)?),
                display_name: row.try_get(3)?,
            })
        })
        .collect()
}
