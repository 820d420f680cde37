-- Caches of a tenant's groups and role definitions, each filled by a sync of its own. Owner: compare-service.
-- Lists, labels and search read these; none of them calls the provider.

CREATE TABLE inventory.directory_group (
    workspace_id      uuid        NOT NULL,
    tenant_id         uuid        NOT NULL,
    external_id       text        NOT NULL,
    display_name      text        NOT NULL,
    folded_name       text        NOT NULL,  -- what it is found and sorted by
    security_enabled  boolean     NOT NULL,
    mail_enabled      boolean     NOT NULL,
    membership        text        NOT NULL,
    on_premises       boolean     NOT NULL,
    role_assignable   boolean     NOT NULL,
    observed_at       timestamptz NOT NULL,  -- since when it is known so: when the provider was asked
    CONSTRAINT directory_group_pkey PRIMARY KEY (workspace_id, tenant_id, external_id),
    CONSTRAINT directory_group_tenant_fkey FOREIGN KEY (workspace_id, tenant_id)
        REFERENCES tenant.tenant (workspace_id, id),
    CONSTRAINT directory_group_membership_known CHECK (membership IN ('assigned', 'dynamic'))
);
CREATE INDEX directory_group_by_name ON inventory.directory_group
    (workspace_id, tenant_id, folded_name COLLATE "C", external_id COLLATE "C");

CREATE TABLE inventory.directory_role_definition (
    workspace_id  uuid        NOT NULL,
    tenant_id     uuid        NOT NULL,
    scope         text        NOT NULL,
    external_id   text        NOT NULL,
    display_name  text        NOT NULL,
    folded_name   text        NOT NULL,
    description   text        NOT NULL,
    built_in      boolean     NOT NULL,
    template_id   text        NOT NULL,
    observed_at   timestamptz NOT NULL,
    CONSTRAINT directory_role_definition_pkey PRIMARY KEY (workspace_id, tenant_id, scope, external_id),
    CONSTRAINT directory_role_definition_tenant_fkey FOREIGN KEY (workspace_id, tenant_id)
        REFERENCES tenant.tenant (workspace_id, id),
    CONSTRAINT directory_role_definition_scope_known CHECK (scope IN ('directory', 'intune'))
);
CREATE INDEX directory_role_definition_by_name ON inventory.directory_role_definition
    (workspace_id, tenant_id, folded_name COLLATE "C", scope COLLATE "C", external_id COLLATE "C");

-- The newest reading of each collection that saw all of it.
CREATE TABLE inventory.directory_sync (
    workspace_id    uuid        NOT NULL,
    tenant_id       uuid        NOT NULL,
    collection      text        NOT NULL,
    run_id          uuid        NOT NULL,
    began_at        timestamptz NOT NULL,  -- by the database's clock: what it saw is at least as new
    observed_count  integer     NOT NULL,
    CONSTRAINT directory_sync_pkey PRIMARY KEY (workspace_id, tenant_id, collection),
    CONSTRAINT directory_sync_tenant_fkey FOREIGN KEY (workspace_id, tenant_id)
        REFERENCES tenant.tenant (workspace_id, id),
    CONSTRAINT directory_sync_collection_known CHECK (
        collection IN ('group', 'directoryRoleDefinition', 'intuneRoleDefinition')),
    CONSTRAINT directory_sync_count_not_negative CHECK (observed_count >= 0)
);

ALTER TABLE inventory.directory_group ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON inventory.directory_group USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE inventory.directory_role_definition ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON inventory.directory_role_definition USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE inventory.directory_sync ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON inventory.directory_sync USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');

GRANT SELECT, INSERT, UPDATE, DELETE ON inventory.directory_group TO tenantatlas_compare;
GRANT SELECT, INSERT, UPDATE, DELETE ON inventory.directory_role_definition TO tenantatlas_compare;
GRANT SELECT, INSERT, UPDATE, DELETE ON inventory.directory_sync TO tenantatlas_compare;
