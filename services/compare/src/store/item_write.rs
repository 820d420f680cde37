//! `inventory.item` as a sync writes it: many objects of one type per statement.
//!
//! Syncs overlap, and one may go on after its run was given to another worker. `last_observed_at` is therefore the moment, by the
//! database's clock, from which on the provider was asked, and the newest asking has the last word, in whatever order they write.

use std::collections::HashMap;

use domain::compare::Evidence;
use domain::id::{Hash, PolicyVersionId, RunId, TenantId, WorkspaceId};
use domain::observe::Observation;
use sqlx::types::Json;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::{Result, hash};

/// What is known of an object before it is written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Hash of the content of its newest version.
    pub content_hash: Hash,
    /// That version.
    pub version_id: PolicyVersionId,
    /// Since when it is known as it is: when it was last observed, or found missing.
    pub known_at: OffsetDateTime,
}

/// What is known of these objects, by external id.
pub async fn known(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    policy_type: &str,
    external_ids: &[&str],
) -> Result<HashMap<String, Known>> {
    let rows = sqlx::query(
        "SELECT external_id, content_hash, current_version_id,
                greatest(last_observed_at, missing_since) AS known_at
         FROM inventory.item
         WHERE workspace_id = $1 AND tenant_id = $2 AND policy_type = $3 AND external_id = ANY ($4)",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(policy_type)
    .bind(external_ids)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let external_id: String = row.try_get("external_id")?;
            let content_hash = hash(row, "inventory.item", "content_hash", &external_id)?;
            let version_id = PolicyVersionId(row.try_get("current_version_id")?);
            let known_at = row.try_get("known_at")?;
            Ok((external_id, Known { content_hash, version_id, known_at }))
        })
        .collect()
}

/// Writes what was observed of objects of one type, each with the version that holds its content. At most one entry per
/// object. An object that was missing is there again. `asked_at` is when the provider was asked: what is known since a later
/// moment stays.
pub async fn upsert(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    policy_type: &str,
    run: RunId,
    asked_at: OffsetDateTime,
    observed: &[(&Observation, PolicyVersionId)],
) -> Result<()> {
    if observed.is_empty() {
        return Ok(());
    }
    let column = |read: fn(&Observation) -> &str| -> Vec<&str> { observed.iter().map(|(o, _)| read(o)).collect() };
    let hashes = |read: fn(&Observation) -> &Hash| -> Vec<&[u8]> {
        observed.iter().map(|(o, _)| read(o).as_bytes().as_slice()).collect()
    };
    sqlx::query(
        "INSERT INTO inventory.item
             (workspace_id, tenant_id, policy_type, last_observed_run_id, external_id, subject_key, subject_name,
              display_name, odata_type, platform, content_hash, normal_hash, normal_form, assignments_form,
              assignments_hash, facts, evidence, current_version_id, last_observed_at)
         SELECT $1, $2, $3, $4, o.*, $19
         FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bytea[],
                     $12::bytea[], $13::jsonb[], $14::jsonb[], $15::bytea[], $16::jsonb[], $17::text[], $18::uuid[]) AS o
         ON CONFLICT ON CONSTRAINT item_pkey DO UPDATE SET
             (last_observed_run_id, subject_key, subject_name, display_name, odata_type, platform, content_hash,
              normal_hash, normal_form, assignments_form, assignments_hash, facts, evidence, current_version_id)
             = (excluded.last_observed_run_id, excluded.subject_key, excluded.subject_name, excluded.display_name,
                excluded.odata_type, excluded.platform, excluded.content_hash, excluded.normal_hash,
                excluded.normal_form, excluded.assignments_form, excluded.assignments_hash, excluded.facts,
                excluded.evidence, excluded.current_version_id),
             last_observed_at = excluded.last_observed_at, missing_since = NULL, missing_confirmed = false
         -- NULLs are passed over by greatest().
         WHERE greatest(item.last_observed_at, item.missing_since) <= excluded.last_observed_at",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(policy_type)
    .bind(run.uuid())
    .bind(column(|o| o.external_id.as_str()))
    .bind(column(|o| o.subject_key.as_str()))
    .bind(observed.iter().map(|(o, _)| domain::identity::folded_name(&o.display_name)).collect::<Vec<_>>())
    .bind(column(|o| &o.display_name))
    .bind(column(|o| o.odata_type.as_deref().unwrap_or_default()))
    .bind(column(|o| o.platform.as_deref().unwrap_or_default()))
    .bind(hashes(|o| &o.content_hash))
    .bind(hashes(|o| &o.normal_hash))
    .bind(observed.iter().map(|(o, _)| &o.normal_form).collect::<Vec<_>>())
    .bind(observed.iter().map(|(o, _)| &o.assignments_form).collect::<Vec<_>>())
    .bind(hashes(|o| &o.assignments_hash))
    .bind(observed.iter().map(|(o, _)| Json(&o.facts)).collect::<Vec<_>>())
    .bind(observed.iter().map(|(o, _)| evidence_name(o.facts.evidence())).collect::<Vec<_>>())
    .bind(observed.iter().map(|(_, version)| version.uuid()).collect::<Vec<_>>())
    .bind(asked_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that these objects are there but could not be read wholly: what is known of their content stays, and no longer counts
/// as whole.
pub async fn mark_incomplete(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    policy_type: &str,
    run: RunId,
    asked_at: OffsetDateTime,
    external_ids: &[&str],
) -> Result<()> {
    sqlx::query(
        "UPDATE inventory.item SET
             evidence = 'incomplete', facts = jsonb_set(facts, '{complete}', 'false'),
             last_observed_run_id = $4, last_observed_at = $6, missing_since = NULL, missing_confirmed = false
         WHERE workspace_id = $1 AND tenant_id = $2 AND policy_type = $3 AND external_id = ANY ($5)
           AND greatest(last_observed_at, missing_since) <= $6",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(policy_type)
    .bind(run.uuid())
    .bind(external_ids)
    .bind(asked_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks what a reading did not see of a type as missing, or confirms it, and returns how many objects are missing by this
/// read. The reading began at `began_at`: what anybody observed since then is there, whoever it was. `certain` is false when the
/// read was partial: then nothing is confirmed, and what was certain stays so.
pub async fn mark_missing(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    policy_type: &str,
    began_at: OffsetDateTime,
    certain: bool,
) -> Result<u64> {
    let done = sqlx::query(
        "UPDATE inventory.item SET
             missing_since = coalesce(missing_since, now()), missing_confirmed = missing_confirmed OR $5
         WHERE workspace_id = $1 AND tenant_id = $2 AND policy_type = $3
           AND last_observed_at < $4
           AND (missing_since IS NULL OR $5 AND NOT missing_confirmed)",
    )
    .bind(workspace.uuid())
    .bind(tenant.uuid())
    .bind(policy_type)
    .bind(began_at)
    .bind(certain)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// The stored name of an evidence (constraint `item_evidence_known`).
fn evidence_name(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Whole => "whole",
        Evidence::SecretsHidden => "secrets_hidden",
        Evidence::Incomplete => "incomplete",
    }
}
