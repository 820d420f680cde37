-- The append-only record of who did what. Owner: operation-run-service. No role may change or remove a row; the
-- triggers hold even for the owner of the table.

CREATE TABLE audit.entry (
    workspace_id        uuid        NOT NULL,
    id                  uuid        NOT NULL,
    at                  timestamptz NOT NULL DEFAULT now(),
    action              text        NOT NULL,  -- `<noun>.<participle>`, like `operation_run.completed`
    actor_kind          text        NOT NULL,
    actor_subject       text,
    actor_name          text        NOT NULL,
    target_kind         text        NOT NULL,
    target_id           text        NOT NULL,
    tenant_id           uuid,
    related_tenant_ids  uuid[]      NOT NULL DEFAULT '{}',
    run_id              uuid,
    outcome             text        NOT NULL,
    detail              jsonb       NOT NULL DEFAULT '{}',  -- no payloads, no secrets
    request_id          uuid,
    CONSTRAINT entry_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT entry_action_form CHECK (action ~ '^[a-z0-9_]+(\.[a-z0-9_]+)+$'),
    CONSTRAINT entry_actor_kind_known CHECK (actor_kind IN ('user', 'service', 'system')),
    CONSTRAINT entry_actor_named CHECK (actor_kind = 'system' OR actor_subject IS NOT NULL),
    CONSTRAINT entry_detail_size CHECK (pg_column_size(detail) <= 65536)
);
CREATE INDEX entry_newest ON audit.entry (workspace_id, at DESC, id DESC);
CREATE INDEX entry_by_run ON audit.entry (workspace_id, run_id) WHERE run_id IS NOT NULL;
CREATE INDEX entry_by_tenant ON audit.entry (workspace_id, tenant_id, at DESC) WHERE tenant_id IS NOT NULL;
-- A caller that repeats its request writes no second entry of the same action.
CREATE UNIQUE INDEX entry_request_once ON audit.entry (workspace_id, request_id, action, target_id)
    WHERE request_id IS NOT NULL;

CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE ON audit.entry
    FOR EACH ROW EXECUTE FUNCTION guard.refuse_change();
CREATE TRIGGER entry_no_truncate BEFORE TRUNCATE ON audit.entry
    FOR EACH STATEMENT EXECUTE FUNCTION guard.refuse_change();

-- Callers bring their own ids; entries written by triggers need one made here. UUIDv7: milliseconds first, so that new
-- rows land at the end of the index.
CREATE FUNCTION audit.entry_id() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6),
            52, 1), 53, 1),
        'hex')::uuid
$$;

ALTER TABLE audit.entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON audit.entry USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');

GRANT SELECT, INSERT ON audit.entry TO tenantatlas_operation;
