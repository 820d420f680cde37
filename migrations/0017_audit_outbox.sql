-- What the audit trail has yet to be told of changes of access and tenants: written in the transaction that makes the change,
-- delivered to the audit service afterwards until it took it (its entries are idempotent by id). Owner: compare-service.
CREATE TABLE access.audit_outbox (
    workspace_id  uuid        NOT NULL,
    entry_id      uuid        NOT NULL,
    event         jsonb       NOT NULL,  -- no secret, no payload: what the trail will show
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_outbox_pkey PRIMARY KEY (workspace_id, entry_id)
);
CREATE INDEX audit_outbox_oldest ON access.audit_outbox (created_at, entry_id);

ALTER TABLE access.audit_outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON access.audit_outbox USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');

GRANT SELECT, INSERT, DELETE ON access.audit_outbox TO tenantatlas_compare;
-- SKIP LOCKED by several replicas needs the right to lock a row.
GRANT UPDATE (created_at) ON access.audit_outbox TO tenantatlas_compare;
