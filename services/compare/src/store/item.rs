//! `inventory.item` as it is listed and looked at.

use domain::id::{ExternalId, Hash, PolicyType, PolicyVersionId, SubjectKey, TenantId, WorkspaceId};
use domain::identity::folded_name;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::{Result, containing, hash};

/// An object as last observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its type.
    pub policy_type: PolicyType,
    /// The provider's id.
    pub external_id: ExternalId,
    /// Its name.
    pub display_name: String,
    /// Its platform; may be empty.
    pub platform: String,
    /// The provider's type; may be empty.
    pub odata_type: String,
    /// Its identity across tenants.
    pub subject_key: SubjectKey,
    /// Hash of its normal form.
    pub normal_hash: Hash,
    /// Its newest captured content.
    pub version_id: PolicyVersionId,
    /// When it was first seen.
    pub first_observed_at: OffsetDateTime,
    /// When it was last seen.
    pub last_observed_at: OffsetDateTime,
    /// Whether the newest read of its type no longer saw it.
    pub missing: bool,
    /// Whether that read had seen everything.
    pub missing_confirmed: bool,
}

const SELECT: &str = "
    SELECT policy_type, external_id, display_name, platform, odata_type, subject_key, normal_hash, current_version_id,
           first_observed_at, last_observed_at, missing_since IS NOT NULL AS missing, missing_confirmed, subject_name
    FROM inventory.item WHERE workspace_id = $1 AND tenant_id = $2";

/// Which items are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    /// Only these types; empty for all.
    pub policy_types: &'a [String],
    /// Only names containing this, without regard to case and spacing; empty for all.
    pub name_contains: &'a str,
    /// Also what is missing.
    pub include_missing: bool,
}

/// Where a list of items goes on: type, normalised name, external id.
pub type After = (String, String, String);

/// One page of a tenant's items by type, normalised name, external id.
pub async fn list(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    filter: &Filter<'_>,
    after: Option<&After>,
    limit: i64,
) -> Result<Vec<(Item, After)>> {
    let (after_type, after_name, after_id) = match after {
        Some((policy_type, name, id)) => (Some(policy_type.as_str()), Some(name.as_str()), Some(id.as_str())),
        None => (None, None, None),
    };
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "{SELECT}
           AND (cardinality($3::text[]) = 0 OR policy_type = ANY ($3))
           AND ($4 = '' OR subject_name LIKE $5)
           AND ($6 OR missing_since IS NULL)
           AND ($7::text IS NULL
                OR (policy_type COLLATE \"C\", subject_name COLLATE \"C\", external_id COLLATE \"C\") > ($7, $8, $9))
         ORDER BY policy_type COLLATE \"C\", subject_name COLLATE \"C\", external_id COLLATE \"C\" LIMIT $10"
    )))
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(filter.policy_types)
    .bind(filter.name_contains)
    .bind(containing(&folded_name(filter.name_contains)))
    .bind(filter.include_missing)
    .bind(after_type)
    .bind(after_name)
    .bind(after_id)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let item = read(row)?;
            let after = (item.policy_type.0.clone(), row.try_get("subject_name")?, item.external_id.0.clone());
            Ok((item, after))
        })
        .collect()
}

/// One item.
pub async fn find(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    policy_type: &str,
    external_id: &str,
) -> Result<Option<Item>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} AND policy_type = $3 AND external_id = $4")))
        .bind(workspace.uuid())
        .bind(tenant.uuid())
        .bind(policy_type)
        .bind(external_id)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &PgRow) -> Result<Item> {
    let external_id = ExternalId(row.try_get("external_id")?);
    Ok(Item {
        policy_type: PolicyType(row.try_get("policy_type")?),
        display_name: row.try_get("display_name")?,
        platform: row.try_get("platform")?,
        odata_type: row.try_get("odata_type")?,
        subject_key: SubjectKey(row.try_get("subject_key")?),
        normal_hash: hash(row, "inventory.item", "normal_hash", &external_id)?,
        version_id: PolicyVersionId(row.try_get("current_version_id")?),
        first_observed_at: row.try_get("first_observed_at")?,
        last_observed_at: row.try_get("last_observed_at")?,
        missing: row.try_get("missing")?,
        missing_confirmed: row.try_get("missing_confirmed")?,
        external_id,
    })
}
