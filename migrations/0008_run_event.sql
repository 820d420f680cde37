-- What watchers follow: one event per visible change of a run, and the audit entries of its start and end. All of them
-- are written by one trigger of operation.run in the transaction of the change; services cannot write or forge them.
--
-- Read the tail in the order (xid, seq), and only below the oldest transaction still writing:
--     WHERE (xid, seq) > ($cursor) AND xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, seq
-- Everything below xmin has ended and is visible, everything later has a higher xid, so what was read is final.
-- `seq` alone is not enough: it is drawn before the commit, and commits overtake one another.

CREATE TABLE operation.run_event (
    xid                 xid8        NOT NULL DEFAULT pg_current_xact_id(),
    seq                 bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    workspace_id        uuid        NOT NULL,
    run_id              uuid        NOT NULL,
    rev                 bigint      NOT NULL,  -- dense per run: a hole means a lost event
    kind                text        NOT NULL,
    at                  timestamptz NOT NULL DEFAULT clock_timestamp(),
    tenant_id           uuid,
    related_tenant_ids  uuid[]      NOT NULL,
    type                text        NOT NULL,
    status              text        NOT NULL,
    outcome             text        NOT NULL,
    initiator_subject   text,
    run                 jsonb       NOT NULL,  -- the run's visible columns after the change, by column name
    CONSTRAINT run_event_pkey PRIMARY KEY (workspace_id, run_id, rev),
    CONSTRAINT run_event_kind_known CHECK (
        kind IN ('created', 'claimed', 'released', 'progressed', 'cancel_requested', 'completed', 'imported'))
);
CREATE INDEX run_event_position ON operation.run_event (xid, seq);
CREATE INDEX run_event_of_workspace ON operation.run_event (workspace_id, xid, seq);

-- The oldest position kept. Retention raises it first and commits, then deletes: a token below it is answered
-- OUT_OF_RANGE and never with a gap. Not owned by a workspace, hence without a policy.
CREATE TABLE operation.watch_floor (
    singleton  boolean     NOT NULL DEFAULT true,
    xid        xid8        NOT NULL,
    seq        bigint      NOT NULL,
    moved_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT watch_floor_pkey PRIMARY KEY (singleton),
    CONSTRAINT watch_floor_single CHECK (singleton)
);
INSERT INTO operation.watch_floor (xid, seq) VALUES ('0', 0);

-- Once per statement, not per row: a batch of claims or completions writes its events and entries in two inserts. The
-- guards, which see each row before and after, have said in last_change what happened to it.
-- SECURITY DEFINER: it runs as the owner of the tables, so the services need (and have) no right to insert events.
CREATE FUNCTION operation.record_run_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO operation.run_event (workspace_id, run_id, rev, kind, tenant_id, related_tenant_ids, type, status,
        outcome, initiator_subject, run)
    SELECT c.workspace_id, c.id, c.rev, c.last_change, c.tenant_id, c.related_tenant_ids, c.type, c.status,
        c.outcome, c.initiator_subject,
        to_jsonb(c) - ARRAY['identity_hash', 'request_id', 'request_hash', 'lease_owner', 'lease_ttl_ms',
            'attempts_without_progress', 'last_change']
    FROM changed c WHERE c.last_change IS NOT NULL;

    INSERT INTO audit.entry (workspace_id, id, at, action, actor_kind, actor_subject, actor_name, target_kind,
        target_id, tenant_id, related_tenant_ids, run_id, outcome, detail, request_id)
    SELECT c.workspace_id, audit.entry_id(), clock_timestamp(),
        CASE WHEN c.imported THEN 'operation_run.imported'
            WHEN c.status = 'completed' THEN 'operation_run.completed'
            ELSE 'operation_run.queued' END,
        CASE WHEN c.initiator_subject IS NULL THEN 'system' ELSE 'user' END,
        c.initiator_subject, c.initiator_name, 'operation_run',
        c.id::text, c.tenant_id, c.related_tenant_ids, c.id, c.outcome,
        jsonb_strip_nulls(jsonb_build_object(
            'type', c.type,
            'source_tenant_id', c.context -> 'source_tenant_id',
            'target_tenant_id', c.context -> 'target_tenant_id',
            'selection', c.context -> 'selection',
            'outcome', c.outcome,
            'attempt', c.attempt,
            'cancel_requested_by', c.cancel_requested_by,
            'cancel_reason', c.cancel_reason,
            'counts', CASE WHEN c.status = 'completed' THEN jsonb_build_object(
                'total', c.total, 'processed', c.processed, 'succeeded', c.succeeded, 'failed', c.failed,
                'skipped', c.skipped, 'created', c.created, 'updated', c.updated, 'deleted', c.deleted,
                'unchanged', c.unchanged) END,
            'failure_summary', CASE WHEN c.failure_summary <> '[]' THEN c.failure_summary END)),
        c.request_id
    FROM changed c WHERE c.last_change IN ('created', 'completed', 'imported');
    RETURN NULL;
END
$$;
CREATE TRIGGER run_record_insert AFTER INSERT ON operation.run REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION operation.record_run_changes();
CREATE TRIGGER run_record_update AFTER UPDATE ON operation.run REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION operation.record_run_changes();

CREATE TRIGGER run_event_immutable BEFORE UPDATE ON operation.run_event
    FOR EACH ROW EXECUTE FUNCTION guard.refuse_change();

ALTER TABLE operation.run_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON operation.run_event USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');

GRANT SELECT, DELETE ON operation.run_event TO tenantatlas_operation;
GRANT SELECT, UPDATE ON operation.watch_floor TO tenantatlas_operation;
