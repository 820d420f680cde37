//! `inventory.policy_version`: captured content, immutable and numbered per object.

use domain::id::{ExternalId, Hash, PolicyType, PolicyVersionId, RunId, TenantId, WorkspaceId};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::{Result, hash, unreadable};

/// What a captured version is, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Its id.
    pub id: PolicyVersionId,
    /// The tenant it was read from.
    pub tenant_id: TenantId,
    /// The object's type.
    pub policy_type: PolicyType,
    /// The object's id at the provider.
    pub external_id: ExternalId,
    /// Its number within the object, from 1.
    pub number: i32,
    /// Hash of the content.
    pub content_hash: Hash,
    /// Hash of the normal form it had when it was captured.
    pub normal_hash: Hash,
    /// Why it was captured.
    pub purpose: Purpose,
    /// When.
    pub captured_at: OffsetDateTime,
    /// By which run.
    pub run_id: Option<RunId>,
}

/// Why a version was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A sync found changed content.
    Sync,
    /// A worker took it before it changed the object.
    PreImage,
}

impl Purpose {
    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::PreImage => "pre_image",
        }
    }
}

/// A version to be inserted.
#[derive(Debug, Clone)]
pub struct NewVersion<'c> {
    /// Its id.
    pub id: PolicyVersionId,
    /// The object's id at the provider.
    pub external_id: ExternalId,
    /// The raw content.
    pub content: &'c Value,
    /// Hash of the content.
    pub content_hash: Hash,
    /// Hash of its normal form.
    pub normal_hash: Hash,
}

const COLUMNS: &str = "id, tenant_id, policy_type, external_id, number, content_hash, normal_hash, purpose, captured_at, \
                       captured_by_run_id";

/// Lets one transaction at a time give out numbers for the objects of this type in this tenant: numbers are "the highest
/// plus one", and a sync and a pre-image may capture the same object at the same moment.
pub async fn lock_numbers(conn: &mut PgConnection, tenant: TenantId, policy_type: &str) -> Result<()> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 5))")
        .bind(format!("inventory.policy_version/{tenant}/{policy_type}"))
        .execute(conn)
        .await?;
    Ok(())
}

/// Inserts versions of objects of one type, each with the next number of its object. At most one per object.
/// Under [`lock_numbers`].
pub async fn insert(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    policy_type: &str,
    run: RunId,
    purpose: Purpose,
    versions: &[NewVersion<'_>],
) -> Result<()> {
    if versions.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = versions.iter().map(|version| version.id.uuid()).collect();
    let external_ids: Vec<_> = versions.iter().map(|version| version.external_id.as_str()).collect();
    let contents: Vec<_> = versions.iter().map(|version| version.content).collect();
    let content_hashes: Vec<_> = versions.iter().map(|version| version.content_hash.as_bytes().as_slice()).collect();
    let normal_hashes: Vec<_> = versions.iter().map(|version| version.normal_hash.as_bytes().as_slice()).collect();
    sqlx::query(
        "INSERT INTO inventory.policy_version
             (workspace_id, id, tenant_id, policy_type, external_id, number, content, content_hash, normal_hash,
              purpose, captured_by_run_id)
         SELECT $1, v.id, $2, $3, v.external_id,
                1 + coalesce((SELECT max(p.number) FROM inventory.policy_version p
                              WHERE p.workspace_id = $1 AND p.tenant_id = $2 AND p.policy_type = $3
                                AND p.external_id = v.external_id), 0),
                v.content, v.content_hash, v.normal_hash, $4, $5
         FROM unnest($6::uuid[], $7::text[], $8::jsonb[], $9::bytea[], $10::bytea[])
              AS v (id, external_id, content, content_hash, normal_hash)",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(policy_type)
    .bind(purpose.as_str())
    .bind(run.uuid())
    .bind(ids)
    .bind(external_ids)
    .bind(contents)
    .bind(content_hashes)
    .bind(normal_hashes)
    .execute(conn)
    .await?;
    Ok(())
}

/// One page of an object's versions, newest first, below a number.
pub async fn list(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    policy_type: &str,
    external_id: &str,
    below: Option<i32>,
    limit: i64,
) -> Result<Vec<PolicyVersion>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM inventory.policy_version
         WHERE workspace_id = $1 AND tenant_id = $2 AND policy_type = $3 AND external_id = $4
           AND ($5::int IS NULL OR number < $5)
         ORDER BY number DESC LIMIT $6"
    )))
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(policy_type)
    .bind(external_id)
    .bind(below)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(read).collect()
}

/// One version of this tenant, with its content. A version of another tenant is not found.
pub async fn find_with_content(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    id: PolicyVersionId,
) -> Result<Option<(PolicyVersion, Value)>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS}, content FROM inventory.policy_version
         WHERE workspace_id = $1 AND id = $3 AND tenant_id = $2"
    )))
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(id.uuid())
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((read(&row)?, row.try_get("content")?))).transpose()
}

/// The pre-image of this content that this run has captured already.
pub async fn find_pre_image(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    policy_type: &str,
    external_id: &str,
    run: RunId,
    content_hash: Hash,
) -> Result<Option<PolicyVersion>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM inventory.policy_version
         WHERE workspace_id = $1 AND tenant_id = $2 AND policy_type = $3 AND external_id = $4
           AND captured_by_run_id = $5 AND content_hash = $6 AND purpose = 'pre_image'"
    )))
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(policy_type)
    .bind(external_id)
    .bind(run.uuid())
    .bind(content_hash.as_bytes().as_slice())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &PgRow) -> Result<PolicyVersion> {
    let id = PolicyVersionId(row.try_get("id")?);
    Ok(PolicyVersion {
        id,
        tenant_id: TenantId(row.try_get("tenant_id")?),
        policy_type: PolicyType(row.try_get("policy_type")?),
        external_id: ExternalId(row.try_get("external_id")?),
        number: row.try_get("number")?,
        content_hash: hash(row, "inventory.policy_version", "content_hash", &id)?,
        normal_hash: hash(row, "inventory.policy_version", "normal_hash", &id)?,
        purpose: match row.try_get("purpose")? {
            "sync" => Purpose::Sync,
            "pre_image" => Purpose::PreImage,
            other => return Err(unreadable("inventory.policy_version", "purpose", id, other)),
        },
        captured_at: row.try_get("captured_at")?,
        run_id: row.try_get::<Option<uuid::Uuid>, _>("captured_by_run_id")?.map(RunId),
    })
}
