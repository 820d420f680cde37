//! Two large tenants, made of what a sync of the demo's two observed: the same content, facts and hashes in size and shape,
//! under other names.

use anyhow::{Result, ensure};
use sqlx::PgPool;

/// Subjects that are added to each side.
pub(crate) const SUBJECTS: i64 = 10_000;

/// Fills both tenants. Of a hundred subjects ninety are equal, six differ, two are in the source only, two in the target only.
pub(crate) async fn fill(pool: &PgPool, source: &str, target: &str) -> Result<()> {
    let added = sqlx::query(
        // MATERIALIZED: what is added is no pattern itself.
        "WITH pattern AS MATERIALIZED (
             SELECT i.*, row_number() OVER (ORDER BY policy_type, external_id) - 1 AS place, count(*) OVER () AS places
             FROM inventory.item i
             WHERE tenant_id = $1::uuid AND evidence = 'whole' AND missing_since IS NULL
               AND policy_type IN ('settingsCatalogPolicy', 'deviceConfiguration', 'deviceCompliancePolicy',
                   'groupPolicyConfiguration', 'deviceManagementScript', 'deviceShellScript', 'windowsUpdateRing'))
         INSERT INTO inventory.item (workspace_id, tenant_id, policy_type, external_id, subject_key, subject_name,
             display_name, odata_type, platform, content_hash, normal_hash, normal_form, assignments_form,
             assignments_hash, facts, current_version_id, last_observed_run_id, evidence)
         SELECT workspace_id, side.id::uuid, policy_type, gen_random_uuid()::text,
             replace(subject_key, subject_name, subject_name || ' ' || n), subject_name || ' ' || n,
             display_name || ' ' || n, odata_type, platform, sha256(convert_to('raw ' || n || side.id, 'UTF8')),
             sha256(convert_to(subject_key || n || CASE WHEN n % 100 < 6 THEN side.id ELSE '' END, 'UTF8')),
             normal_form, assignments_form, assignments_hash, facts, current_version_id, last_observed_run_id, evidence
         FROM (VALUES ($1, 6), ($2, 8)) AS side (id, gap), generate_series(1, $3) AS n JOIN pattern ON place = n % places
         WHERE n % 100 NOT IN (gap, gap + 1)",
    );
    let each = SUBJECTS * 100 / 98 + 1;
    let added = added.bind(source).bind(target).bind(each).execute(pool).await?.rows_affected();
    ensure!(i64::try_from(added)? >= 2 * SUBJECTS, "{added} subjects were added");
    sqlx::query("VACUUM ANALYZE inventory.item").execute(pool).await?;
    Ok(())
}
