-- Notifications: that a run has ended, for whoever started it. Owner: operation-run-service.
--
-- Written by the triggers of operation.run in the transaction that ends it, and so with its last event and its audit entry.
-- One per run, to its initiator alone; none for runs the system started, none for imported history, none before the end.

CREATE TABLE operation.notification (
    workspace_id  uuid        NOT NULL,
    run_id        uuid        NOT NULL,
    subject       text        NOT NULL,
    created_at    timestamptz NOT NULL,  -- when the run ended
    read_at       timestamptz,
    CONSTRAINT notification_pkey PRIMARY KEY (workspace_id, run_id),
    CONSTRAINT notification_run_fkey FOREIGN KEY (workspace_id, run_id)
        REFERENCES operation.run (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX notification_newest ON operation.notification (workspace_id, subject, created_at DESC, run_id DESC);
CREATE INDEX notification_unread ON operation.notification (workspace_id, subject, created_at DESC, run_id DESC)
    WHERE read_at IS NULL;

ALTER TABLE operation.notification ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON operation.notification USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');

-- A service may mark one read, and no more.
GRANT SELECT, UPDATE (read_at) ON operation.notification TO tenantatlas_operation;

-- As in 0008, and the notification.
CREATE OR REPLACE FUNCTION operation.record_run_changes() RETURNS trigger
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

    INSERT INTO operation.notification (workspace_id, run_id, subject, created_at)
    SELECT c.workspace_id, c.id, c.initiator_subject, c.completed_at
    FROM changed c WHERE c.last_change = 'completed' AND c.initiator_subject IS NOT NULL;
    RETURN NULL;
END
$$;
