-- Managed tenants, how the provider is reached for each, and who is entitled to each. Owner: compare-service.

CREATE TABLE tenant.tenant (
    workspace_id        uuid        NOT NULL,
    id                  uuid        NOT NULL,
    name                text        NOT NULL,
    external_tenant_id  text        NOT NULL,  -- the provider's id of the tenant (a GUID in Microsoft's cloud)
    domain              text        NOT NULL DEFAULT '',
    aliases             text[]      NOT NULL DEFAULT '{}',
    lifecycle           text        NOT NULL DEFAULT 'draft',
    version             bigint      NOT NULL DEFAULT 1,  -- optimistic concurrency; raised by the trigger at every change
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    archived_at         timestamptz,
    CONSTRAINT tenant_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT tenant_external_id_unique UNIQUE (workspace_id, external_tenant_id),
    CONSTRAINT tenant_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES access.workspace (id),
    CONSTRAINT tenant_lifecycle_known CHECK (lifecycle IN ('draft', 'onboarding', 'active', 'archived')),
    CONSTRAINT tenant_archived_at_agrees CHECK ((lifecycle = 'archived') = (archived_at IS NOT NULL)),
    CONSTRAINT tenant_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT tenant_external_id_length CHECK (char_length(external_tenant_id) BETWEEN 1 AND 128),
    CONSTRAINT tenant_alias_count CHECK (cardinality(aliases) <= 50)
);
CREATE INDEX tenant_by_id ON tenant.tenant (id) INCLUDE (workspace_id);
CREATE INDEX tenant_by_name ON tenant.tenant (workspace_id, lower(name), id);

-- draft -> onboarding -> active <-> archived; cancelling the last resumable onboarding returns onboarding -> draft.
CREATE FUNCTION tenant.guard_tenant_update() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF (new.workspace_id, new.id, new.created_at) IS DISTINCT FROM (old.workspace_id, old.id, old.created_at) THEN
        RAISE EXCEPTION 'identity of tenant % may not change', old.id
            USING ERRCODE = 'TA002', CONSTRAINT = 'tenant_identity', SCHEMA = 'tenant', TABLE = 'tenant';
    END IF;
    IF new.lifecycle <> old.lifecycle AND (old.lifecycle, new.lifecycle) NOT IN (
        ('draft', 'onboarding'), ('onboarding', 'active'), ('onboarding', 'draft'),
        ('active', 'archived'), ('archived', 'active'))
    THEN
        RAISE EXCEPTION 'tenant %: % -> % is no lifecycle transition', old.id, old.lifecycle, new.lifecycle
            USING ERRCODE = 'TA001', CONSTRAINT = 'tenant_lifecycle', SCHEMA = 'tenant', TABLE = 'tenant';
    END IF;
    new.version := old.version + 1;
    new.updated_at := clock_timestamp();
    RETURN new;
END
$$;
CREATE TRIGGER tenant_guard_update BEFORE UPDATE ON tenant.tenant
    FOR EACH ROW EXECUTE FUNCTION tenant.guard_tenant_update();

CREATE TABLE tenant.provider_connection (
    workspace_id          uuid        NOT NULL,
    tenant_id             uuid        NOT NULL,
    id                    uuid        NOT NULL,
    provider              text        NOT NULL DEFAULT 'microsoft_graph',
    base_url              text        NOT NULL,  -- of the API, without the version segment
    authority             text        NOT NULL,  -- of the token endpoint: the URL before `/{tenant}/oauth2/v2.0/token`
    client_id             text        NOT NULL,
    credential_reference  text        NOT NULL,  -- where the secret is found; never the secret
    state                 text        NOT NULL DEFAULT 'unverified',
    state_reason_code     text,                  -- why verification failed
    verified_at           timestamptz,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT provider_connection_pkey PRIMARY KEY (workspace_id, tenant_id, id),
    CONSTRAINT provider_connection_tenant_fkey FOREIGN KEY (workspace_id, tenant_id)
        REFERENCES tenant.tenant (workspace_id, id),
    CONSTRAINT provider_connection_provider_known CHECK (provider IN ('microsoft_graph')),
    CONSTRAINT provider_connection_state_known CHECK (state IN ('unverified', 'verified', 'failed', 'disabled')),
    CONSTRAINT provider_connection_url CHECK (base_url ~ '^https?://[^[:space:]]+$' AND authority ~ '^https?://[^[:space:]]+$'),
    -- A pasted secret does not look like any of these, so it cannot be stored by mistake.
    CONSTRAINT provider_connection_credential_is_reference CHECK (char_length(credential_reference) <= 1000 AND (
        credential_reference ~ '^env:[A-Za-z_][A-Za-z0-9_]*$'
        OR credential_reference ~ '^file:/[^[:space:]]+$'
        OR credential_reference ~ '^k8s:[a-z0-9.-]+/[a-z0-9.-]+/[A-Za-z0-9._-]+$'))
);
-- At most one connection per tenant and provider is in use; replaced ones stay as disabled.
CREATE UNIQUE INDEX provider_connection_one_in_use ON tenant.provider_connection (workspace_id, tenant_id, provider)
    WHERE state <> 'disabled';

-- Entitlement to a tenant is holding a role on it; the workspace role alone entitles to none.
CREATE TABLE access.tenant_role (
    workspace_id  uuid        NOT NULL,
    tenant_id     uuid        NOT NULL,
    subject       text        NOT NULL,
    role          text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tenant_role_pkey PRIMARY KEY (workspace_id, tenant_id, subject),
    CONSTRAINT tenant_role_tenant_fkey FOREIGN KEY (workspace_id, tenant_id)
        REFERENCES tenant.tenant (workspace_id, id),
    -- Who leaves the workspace keeps no entitlement behind.
    CONSTRAINT tenant_role_member_fkey FOREIGN KEY (workspace_id, subject)
        REFERENCES access.member (workspace_id, subject) ON DELETE CASCADE,
    CONSTRAINT tenant_role_role_known CHECK (role IN ('owner', 'manager', 'operator', 'readonly'))
);
CREATE INDEX tenant_role_by_subject ON access.tenant_role (subject, workspace_id, tenant_id) INCLUDE (role);

ALTER TABLE tenant.tenant ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON tenant.tenant USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE tenant.provider_connection ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON tenant.provider_connection USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE access.tenant_role ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON access.tenant_role USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');

GRANT SELECT, INSERT, UPDATE ON tenant.tenant TO tenantatlas_compare;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenant.provider_connection TO tenantatlas_compare;
GRANT SELECT, INSERT, UPDATE, DELETE ON access.tenant_role TO tenantatlas_compare;
