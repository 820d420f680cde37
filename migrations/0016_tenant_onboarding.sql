-- Onboarding as a workflow record of its own, and the tenant each member selected last. Owner: compare-service.

-- One row per onboarding, kept as history. Its checkpoints are read off the tenant and its connection, so they are not
-- stored: what is identified, connected and verified cannot disagree with a copy. `version` is what an editor must have seen.
CREATE TABLE tenant.onboarding (
    workspace_id    uuid        NOT NULL,
    id              uuid        NOT NULL,
    tenant_id       uuid        NOT NULL,
    state           text        NOT NULL DEFAULT 'in_progress',
    version         bigint      NOT NULL DEFAULT 1,
    started_by      text        NOT NULL,  -- `sub`
    editor          text        NOT NULL,  -- `sub` of who works on it now
    editor_name     text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz,
    CONSTRAINT onboarding_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT onboarding_tenant_fkey FOREIGN KEY (workspace_id, tenant_id) REFERENCES tenant.tenant (workspace_id, id),
    CONSTRAINT onboarding_state_known CHECK (state IN ('in_progress', 'completed', 'cancelled')),
    CONSTRAINT onboarding_ended_at_agrees CHECK ((state = 'in_progress') = (ended_at IS NULL))
);
-- A tenant has one onboarding under way at most: cancelling it is cancelling the last one that could be resumed.
CREATE UNIQUE INDEX onboarding_one_in_progress ON tenant.onboarding (workspace_id, tenant_id)
    WHERE state = 'in_progress';
CREATE INDEX onboarding_newest ON tenant.onboarding (workspace_id, created_at DESC, id);

-- in_progress -> completed | cancelled, once. The version belongs to the trigger.
CREATE FUNCTION tenant.guard_onboarding_update() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF (new.workspace_id, new.id, new.tenant_id, new.started_by, new.created_at)
        IS DISTINCT FROM (old.workspace_id, old.id, old.tenant_id, old.started_by, old.created_at)
    THEN
        RAISE EXCEPTION 'identity of onboarding % may not change', old.id
            USING ERRCODE = 'TA002', CONSTRAINT = 'onboarding_identity', SCHEMA = 'tenant', TABLE = 'onboarding';
    END IF;
    IF old.state <> 'in_progress' THEN
        RAISE EXCEPTION 'onboarding % is %', old.id, old.state
            USING ERRCODE = 'TA001', CONSTRAINT = 'onboarding_terminal_absorbs', SCHEMA = 'tenant', TABLE = 'onboarding';
    END IF;
    new.version := old.version + 1;
    new.updated_at := clock_timestamp();
    RETURN new;
END
$$;
CREATE TRIGGER onboarding_guard_update BEFORE UPDATE ON tenant.onboarding
    FOR EACH ROW EXECUTE FUNCTION tenant.guard_onboarding_update();

-- A tenant is in `onboarding` exactly while one is under way. Both change in one transaction, in either order: checked at
-- its end, from whichever side was touched.
CREATE FUNCTION tenant.check_onboarding_agrees() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    checked uuid := CASE tg_table_name WHEN 'tenant' THEN to_jsonb(new) ->> 'id' ELSE to_jsonb(new) ->> 'tenant_id' END;
    is_onboarding boolean := (SELECT lifecycle = 'onboarding' FROM tenant.tenant
        WHERE workspace_id = new.workspace_id AND id = checked);
    in_progress boolean := EXISTS (SELECT FROM tenant.onboarding
        WHERE workspace_id = new.workspace_id AND tenant_id = checked AND state = 'in_progress');
BEGIN
    IF is_onboarding IS DISTINCT FROM in_progress THEN
        RAISE EXCEPTION 'tenant % and its onboarding disagree', checked
            USING ERRCODE = 'TA003', CONSTRAINT = 'tenant_onboarding_agrees', SCHEMA = 'tenant', TABLE = 'tenant';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER tenant_onboarding_agrees AFTER INSERT OR UPDATE OF lifecycle ON tenant.tenant
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tenant.check_onboarding_agrees();
CREATE CONSTRAINT TRIGGER onboarding_agrees AFTER INSERT OR UPDATE OF state ON tenant.onboarding
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tenant.check_onboarding_agrees();

-- Remembered tenant context: a convenience, checked whenever it is read, never a reason to allow anything.
CREATE TABLE access.selected_tenant (
    workspace_id  uuid        NOT NULL,
    subject       text        NOT NULL,
    tenant_id     uuid        NOT NULL,  -- no foreign key: a memory may be stale, and is told to be
    selected_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT selected_tenant_pkey PRIMARY KEY (workspace_id, subject),
    CONSTRAINT selected_tenant_member_fkey FOREIGN KEY (workspace_id, subject)
        REFERENCES access.member (workspace_id, subject) ON DELETE CASCADE
);
-- For banners of records that refer to a tenant.
CREATE VIEW access_api.selected_tenant AS
SELECT workspace_id, subject, tenant_id, selected_at FROM access.selected_tenant;

ALTER TABLE tenant.onboarding ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON tenant.onboarding USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE access.selected_tenant ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON access.selected_tenant USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');

GRANT SELECT, INSERT, UPDATE ON tenant.onboarding TO tenantatlas_compare;
GRANT SELECT, INSERT, UPDATE, DELETE ON access.selected_tenant TO tenantatlas_compare;
GRANT SELECT ON access_api.selected_tenant TO tenantatlas_compare, tenantatlas_promotion, tenantatlas_operation;
