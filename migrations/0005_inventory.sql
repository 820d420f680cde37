-- What was last observed at the provider, and the content captured from it. Owner: compare-service.
-- Nothing here names tables of another service: runs are known by id only.

-- Captured content: immutable, numbered per policy. A new row only when the content changed (purpose `sync`), or what a
-- promotion found in the target before it wrote (purpose `pre_image`).
CREATE TABLE inventory.policy_version (
    workspace_id        uuid        NOT NULL,
    id                  uuid        NOT NULL,
    tenant_id           uuid        NOT NULL,
    policy_type         text        NOT NULL,
    external_id         text        NOT NULL,  -- the provider's id of the object, unique within tenant and policy type
    number              integer     NOT NULL,
    content             jsonb       NOT NULL,  -- as the provider said it, children included
    content_hash        bytea       NOT NULL,
    normal_hash         bytea       NOT NULL,
    purpose             text        NOT NULL DEFAULT 'sync',
    captured_at         timestamptz NOT NULL DEFAULT now(),
    captured_by_run_id  uuid,
    CONSTRAINT policy_version_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT policy_version_number_unique UNIQUE (workspace_id, tenant_id, policy_type, external_id, number),
    CONSTRAINT policy_version_tenant_fkey FOREIGN KEY (workspace_id, tenant_id)
        REFERENCES tenant.tenant (workspace_id, id),
    CONSTRAINT policy_version_number_positive CHECK (number >= 1),
    CONSTRAINT policy_version_hash_length CHECK (octet_length(content_hash) = 32 AND octet_length(normal_hash) = 32),
    CONSTRAINT policy_version_purpose_known CHECK (purpose IN ('sync', 'pre_image'))
);
CREATE TRIGGER policy_version_immutable BEFORE UPDATE OR DELETE ON inventory.policy_version
    FOR EACH ROW EXECUTE FUNCTION guard.refuse_change();
CREATE TRIGGER policy_version_no_truncate BEFORE TRUNCATE ON inventory.policy_version
    FOR EACH STATEMENT EXECUTE FUNCTION guard.refuse_change();

-- Last observed truth, one row per provider object. Large forms go out of line early (toast_tuple_target): a compare
-- walks thousands of rows for their hashes and should not read the forms with them.
CREATE TABLE inventory.item (
    workspace_id          uuid        NOT NULL,
    tenant_id             uuid        NOT NULL,
    policy_type           text        NOT NULL,
    external_id           text        NOT NULL,
    subject_key           text        NOT NULL,  -- identity across tenants: type, normalised name, discriminators
    subject_name          text        NOT NULL,  -- the normalised name within it
    display_name          text        NOT NULL,  -- as the provider says it
    odata_type            text        NOT NULL DEFAULT '',
    platform              text        NOT NULL DEFAULT '',
    content_hash          bytea       NOT NULL,  -- of the raw content: has anything changed at all?
    normal_hash           bytea       NOT NULL,  -- of the normal form: do two tenants mean the same?
    normal_form           jsonb       NOT NULL,
    assignments_form      jsonb,
    assignments_hash      bytea,
    facts                 jsonb       NOT NULL DEFAULT '{}',  -- what a preflight needs without reading the content
    current_version_id    uuid        NOT NULL,
    first_observed_at     timestamptz NOT NULL DEFAULT now(),
    last_observed_at      timestamptz NOT NULL DEFAULT now(),
    last_observed_run_id  uuid,
    missing_since         timestamptz,  -- first completed sync of its selection that no longer found it
    CONSTRAINT item_pkey PRIMARY KEY (workspace_id, tenant_id, policy_type, external_id),
    CONSTRAINT item_tenant_fkey FOREIGN KEY (workspace_id, tenant_id) REFERENCES tenant.tenant (workspace_id, id),
    CONSTRAINT item_current_version_fkey FOREIGN KEY (workspace_id, current_version_id)
        REFERENCES inventory.policy_version (workspace_id, id),
    CONSTRAINT item_hash_length CHECK (octet_length(content_hash) = 32 AND octet_length(normal_hash) = 32
        AND (assignments_hash IS NULL OR octet_length(assignments_hash) = 32)),
    CONSTRAINT item_assignments_agree CHECK ((assignments_form IS NULL) = (assignments_hash IS NULL)),
    -- An index entry may hold 2,700 bytes.
    CONSTRAINT item_subject_key_length CHECK (octet_length(subject_key) BETWEEN 1 AND 2000)
) WITH (toast_tuple_target = 256, fillfactor = 85);
CREATE INDEX item_by_subject ON inventory.item (workspace_id, tenant_id, subject_key);
CREATE INDEX item_by_name ON inventory.item (workspace_id, tenant_id, policy_type, subject_name);

-- What the newest sync could see of each policy type: an absent item means something only where it could look.
CREATE TABLE inventory.coverage (
    workspace_id       uuid        NOT NULL,
    tenant_id          uuid        NOT NULL,
    policy_type        text        NOT NULL,
    state              text        NOT NULL,
    observed_at        timestamptz NOT NULL DEFAULT now(),
    run_id             uuid        NOT NULL,
    observed_count     integer     NOT NULL DEFAULT 0,
    reason_code        text,
    approval_required  boolean     NOT NULL DEFAULT false,  -- Multi Admin Approval guards writes of this type
    CONSTRAINT coverage_pkey PRIMARY KEY (workspace_id, tenant_id, policy_type),
    CONSTRAINT coverage_tenant_fkey FOREIGN KEY (workspace_id, tenant_id) REFERENCES tenant.tenant (workspace_id, id),
    CONSTRAINT coverage_state_known CHECK (state IN ('observed', 'partial', 'denied', 'failed')),
    CONSTRAINT coverage_count_not_negative CHECK (observed_count >= 0),
    CONSTRAINT coverage_reason_agrees CHECK (
        state = 'partial' OR (state = 'observed') = (reason_code IS NULL))
);

-- Completed syncs by selection; the newest of a selection decides what is missing.
CREATE TABLE inventory.sync (
    workspace_id    uuid        NOT NULL,
    tenant_id       uuid        NOT NULL,
    run_id          uuid        NOT NULL,
    selection_hash  bytea       NOT NULL,
    completed_at    timestamptz NOT NULL DEFAULT now(),
    partial         boolean     NOT NULL,  -- absence has low confidence
    CONSTRAINT sync_pkey PRIMARY KEY (workspace_id, tenant_id, run_id),
    CONSTRAINT sync_tenant_fkey FOREIGN KEY (workspace_id, tenant_id) REFERENCES tenant.tenant (workspace_id, id),
    CONSTRAINT sync_selection_hash_length CHECK (octet_length(selection_hash) = 32)
);
CREATE INDEX sync_newest ON inventory.sync (workspace_id, tenant_id, selection_hash, completed_at DESC);

ALTER TABLE inventory.policy_version ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON inventory.policy_version USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE inventory.item ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON inventory.item USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE inventory.coverage ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON inventory.coverage USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE inventory.sync ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON inventory.sync USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');

GRANT SELECT, INSERT ON inventory.policy_version TO tenantatlas_compare;
GRANT SELECT, INSERT, UPDATE, DELETE ON inventory.item TO tenantatlas_compare;
GRANT SELECT, INSERT, UPDATE, DELETE ON inventory.coverage TO tenantatlas_compare;
GRANT SELECT, INSERT, DELETE ON inventory.sync TO tenantatlas_compare;
