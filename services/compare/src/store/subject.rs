//! `inventory.item` as a compare sees it: identity and hashes of many rows, and, for few of them, what is behind the hashes.

use domain::compare::{Evidence, SubjectRow};
use domain::id::{ExternalId, Hash, PolicyType, PolicyVersionId, SubjectKey, TenantId, WorkspaceId};
use domain::observe::SubjectFacts;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Result, unreadable};

/// Both sides of a compare.
#[derive(Debug, Default)]
pub struct Sides {
    /// Rows of the source tenant.
    pub source: Vec<SubjectRow>,
    /// Rows of the target tenant.
    pub target: Vec<SubjectRow>,
}

/// Which rows can matter to a compare. Narrower is faster, wider is never wrong: the decision filters again.
#[derive(Debug, Clone)]
pub struct Reach<'a> {
    /// Governed policy types of the selection.
    pub policy_types: &'a [&'a str],
    /// Only these subjects; empty for all.
    pub subject_keys: &'a [&'a str],
}

/// The rows of both tenants in one statement, so that both sides are of one moment.
///
/// What a complete read no longer found is gone. What a partial read did not find may still be there: it is kept, and its
/// hashes prove nothing.
pub async fn sides(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    source: TenantId,
    target: TenantId,
    reach: &Reach<'_>,
) -> Result<Sides> {
    // One row a side, its columns as arrays in one order: tens of thousands of small rows cost more to receive than to find.
    // No document is touched.
    let rows = sqlx::query(
        "SELECT tenant_id = $2, array_agg(subject_key), array_agg(policy_type), array_agg(display_name),
                array_agg(platform), array_agg(external_id), string_agg(normal_hash, ''),
                string_agg(coalesce(assignments_hash, $6), ''),
                array_agg((CASE WHEN missing_since IS NOT NULL THEN 2 WHEN evidence = 'whole' THEN 0
                                WHEN evidence = 'secrets_hidden' THEN 1 WHEN evidence = 'incomplete' THEN 2
                                ELSE -1 END)::int2)
         FROM inventory.item
         WHERE workspace_id = $1 AND tenant_id IN ($2, $3) AND policy_type = ANY ($4)
           AND (cardinality($5::text[]) = 0 OR subject_key = ANY ($5))
           AND NOT missing_confirmed
         GROUP BY 1",
    )
    .bind(workspace.uuid())
    .bind(source.uuid())
    .bind(target.uuid())
    .bind(reach.policy_types)
    .bind(reach.subject_keys)
    .bind(no_assignments().as_bytes().as_slice())
    .fetch_all(conn)
    .await?;
    let mut sides = Sides::default();
    for row in &rows {
        let side = if row.try_get(0)? { &mut sides.source } else { &mut sides.target };
        *side = read_side(row)?;
    }
    Ok(sides)
}

/// What is behind the hashes of one object.
#[derive(Debug, Clone, PartialEq)]
pub struct Behind {
    /// The object's id in its tenant.
    pub external_id: ExternalId,
    /// Its type.
    pub policy_type: PolicyType,
    /// What a preflight decides by.
    pub facts: SubjectFacts,
    /// Its newest captured content.
    pub version_id: PolicyVersionId,
    /// When it was last seen; a reading in part leaves others behind.
    pub observed_at: OffsetDateTime,
}

/// What is behind the hashes of these objects of a tenant, given as parallel lists. In no order.
pub async fn behind(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    policy_types: &[&str],
    external_ids: &[&str],
) -> Result<Vec<Behind>> {
    let rows = sqlx::query(
        "SELECT i.policy_type, i.external_id, i.facts, i.current_version_id, i.last_observed_at
         FROM unnest($3::text[], $4::text[]) AS w (policy_type, external_id)
         JOIN inventory.item i ON i.workspace_id = $1 AND i.tenant_id = $2
             AND i.policy_type = w.policy_type AND i.external_id = w.external_id",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(policy_types)
    .bind(external_ids)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let external_id: String = row.try_get(1)?;
            let facts: Json<SubjectFacts> =
                row.try_get(2).map_err(|why| unreadable("inventory.item", "facts", &external_id, why))?;
            Ok(Behind {
                policy_type: PolicyType::new(row.try_get::<String, _>(0)?),
                facts: facts.0,
                version_id: PolicyVersionId(row.try_get(3)?),
                observed_at: row.try_get(4)?,
                external_id: ExternalId(external_id),
            })
        })
        .collect()
}

/// The forms of one object, for a difference by fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Forms {
    /// Content in normal form.
    pub normal: Value,
    /// Assignments in normal form.
    pub assignments: Value,
}

/// The forms of one object of a tenant.
pub async fn forms(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    policy_type: &PolicyType,
    external_id: &ExternalId,
) -> Result<Option<Forms>> {
    let row = sqlx::query(
        "SELECT normal_form, coalesce(assignments_form, '[]') FROM inventory.item
         WHERE workspace_id = $1 AND tenant_id = $2 AND policy_type = $3 AND external_id = $4",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(policy_type.as_str())
    .bind(external_id.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok(Forms { normal: row.try_get(0)?, assignments: row.try_get(1)? })).transpose()
}

/// One referable object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Its kind.
    pub kind: PolicyType,
    /// Its id in the tenant.
    pub external_id: ExternalId,
    /// Its identity across tenants, which holds the name that references carry.
    pub subject_key: SubjectKey,
    /// Its name for people.
    pub display_name: String,
    /// The last reading did not see it, and could not tell whether it is gone.
    pub missing: bool,
}

/// The objects of these kinds that have one of these ids (lower case), with every namesake of theirs. In no order.
pub async fn names_of(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    kinds: &[&str],
    lower_ids: &[String],
) -> Result<Vec<Name>> {
    let rows = sqlx::query(
        "WITH mentioned AS (
             SELECT policy_type, subject_key FROM inventory.item
             WHERE workspace_id = $1 AND tenant_id = $2 AND policy_type = ANY ($3) AND NOT missing_confirmed
               AND lower(external_id) = ANY ($4))
         SELECT policy_type, external_id, subject_key, display_name, missing_since IS NOT NULL
         FROM inventory.item
         WHERE workspace_id = $1 AND tenant_id = $2 AND NOT missing_confirmed
           AND (policy_type, subject_key) IN (SELECT policy_type, subject_key FROM mentioned)",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(kinds)
    .bind(lower_ids)
    .fetch_all(conn)
    .await?;
    rows.iter().map(read_name).collect()
}

/// The names of a tenant's objects of these kinds after a position, by kind and id.
pub async fn names(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    kinds: &[&str],
    after: Option<&(String, String)>,
    limit: i64,
) -> Result<Vec<Name>> {
    let rows = sqlx::query(
        "SELECT policy_type, external_id, subject_key, display_name, missing_since IS NOT NULL
         FROM inventory.item
         WHERE workspace_id = $1 AND tenant_id = $2 AND policy_type = ANY ($3) AND NOT missing_confirmed
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
    rows.iter().map(read_name).collect()
}

fn read_name(row: &PgRow) -> Result<Name> {
    Ok(Name {
        kind: PolicyType::new(row.try_get::<String, _>(0)?),
        external_id: ExternalId(row.try_get(1)?),
        subject_key: SubjectKey(row.try_get(2)?),
        display_name: row.try_get(3)?,
        missing: row.try_get(4)?,
    })
}

/// The rows of one side. Every column has one entry a row, in one order; hashes are 32 bytes each by the table's constraint.
fn read_side(row: &PgRow) -> Result<Vec<SubjectRow>> {
    let texts =
        |index: usize| -> Result<std::vec::IntoIter<String>> { Ok(row.try_get::<Vec<String>, _>(index)?.into_iter()) };
    let keys: Vec<String> = row.try_get(1)?;
    let (mut policy_types, mut names, mut platforms, mut ids) = (texts(2)?, texts(3)?, texts(4)?, texts(5)?);
    let (normal, assignments): (&[u8], &[u8]) = (row.try_get(6)?, row.try_get(7)?);
    let (mut normal, mut assignments) = (normal.chunks_exact(32), assignments.chunks_exact(32));
    let mut evidences = row.try_get::<Vec<i16>, _>(8)?.into_iter();
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let short = |column| unreadable("inventory.item", column, &key, "fewer values than rows");
        let hash = |bytes: Option<&[u8]>, column| bytes.and_then(Hash::from_slice).ok_or_else(|| short(column));
        rows.push(SubjectRow {
            policy_type: PolicyType(policy_types.next().ok_or_else(|| short("policy_type"))?),
            display_name: names.next().ok_or_else(|| short("display_name"))?,
            platform: platforms.next().filter(|platform| !platform.is_empty()),
            external_id: ExternalId(ids.next().ok_or_else(|| short("external_id"))?),
            normal_hash: hash(normal.next(), "normal_hash")?,
            assignments_hash: hash(assignments.next(), "assignments_hash")?,
            evidence: match evidences.next() {
                Some(0) => Evidence::Whole,
                Some(1) => Evidence::SecretsHidden,
                Some(2) => Evidence::Incomplete,
                _ => return Err(unreadable("inventory.item", "evidence", &key, "not a known evidence")),
            },
            subject_key: SubjectKey(key),
        });
    }
    Ok(rows)
}

/// The assignments hash of an object without assignments, for rows of types that have none.
fn no_assignments() -> Hash {
    Hash::of(domain::json::canonical(&Value::Array(Vec::new())))
}

/// The tenants of a workspace as their ids are bound in SQL.
pub fn uuids(tenants: impl IntoIterator<Item = TenantId>) -> Vec<Uuid> {
    tenants.into_iter().map(TenantId::uuid).collect()
}
