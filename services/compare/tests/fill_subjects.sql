-- Fills one tenant with driver update profiles as a sync would have left them, in one statement, as the superuser.
--   $1 workspace, $2 tenant, $3 how many, $4 how many of them (the first) have content of this tenant's own;
--   the others have the same content in every tenant.
-- Two tenants filled so compare as $3 subjects: $4 different, the rest identical. For tests and for the benchmark in tests/bench.
WITH version AS (
    INSERT INTO inventory.policy_version
        (workspace_id, id, tenant_id, policy_type, external_id, number, content, content_hash, normal_hash)
    SELECT $1, gen_random_uuid(), $2, 'windowsDriverUpdateProfile', 'driver-' || n, 1,
           jsonb_build_object('id', 'driver-' || n, 'displayName', 'Ring ' || n, 'approvalType', 'automatic'),
           h.hash, h.hash
    FROM generate_series(1, $3::int) n,
         sha256(convert_to(CASE WHEN n <= $4::int THEN $2::text || n ELSE n::text END, 'UTF8')) AS h (hash)
    RETURNING workspace_id, id, tenant_id, policy_type, external_id, content_hash, normal_hash
), item AS (
    INSERT INTO inventory.item
        (workspace_id, tenant_id, policy_type, external_id, subject_key, subject_name, display_name, platform,
         content_hash, normal_hash, normal_form, assignments_form, assignments_hash, facts, current_version_id)
    SELECT workspace_id, tenant_id, policy_type, external_id, policy_type || ': ring ' || external_id,
           'ring ' || external_id, 'Ring ' || external_id, 'windows10', content_hash, normal_hash,
           -- As large as a real one: reading it by mistake shows.
           jsonb_build_object('approvalType', 'automatic', 'description', repeat(md5(external_id), 60)),
           '[]', sha256(convert_to('[]', 'UTF8')), '{"complete": true}', id
    FROM version
)
INSERT INTO inventory.coverage (workspace_id, tenant_id, policy_type, state, run_id, observed_count)
VALUES ($1, $2, 'windowsDriverUpdateProfile', 'observed', gen_random_uuid(), $3::int)
ON CONFLICT ON CONSTRAINT coverage_pkey DO UPDATE SET state = 'observed', reason_code = NULL, observed_at = now()
