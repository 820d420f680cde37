-- Completed runs of an older system, brought in as history. Owner: operation-run-service.
--
-- Such a run arrives completed and stays as it arrived: `run_terminal_absorbs` refuses every change, and it takes no items. It is
-- known by the id it had there, once per workspace.

ALTER TABLE operation.run ADD COLUMN external_id text;
ALTER TABLE operation.run ADD COLUMN imported_by_subject text;
ALTER TABLE operation.run ADD COLUMN imported_by_name text;
ALTER TABLE operation.run ADD COLUMN imported_at timestamptz;
ALTER TABLE operation.run ADD CONSTRAINT run_imported_agrees CHECK (
    num_nulls(external_id, imported_by_subject, imported_by_name, imported_at) = CASE WHEN imported THEN 0 ELSE 4 END
    AND (NOT imported OR (char_length(external_id) BETWEEN 1 AND 200 AND dedupe_rule = 'unique' AND attempt = 0 AND fence = 0
        AND request_id IS NULL AND queue_deadline IS NULL AND run_deadline IS NULL)));
ALTER TABLE operation.run ADD CONSTRAINT run_imported_times CHECK (
    NOT imported OR (created_at <= coalesce(started_at, created_at) AND coalesce(started_at, created_at) <= completed_at));
CREATE UNIQUE INDEX run_external_once ON operation.run (workspace_id, external_id) WHERE imported;

CREATE FUNCTION operation.guard_run_item_insert() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    of_run uuid;
BEGIN
    SELECT n.run_id INTO of_run FROM added n
    JOIN operation.run r ON r.workspace_id = n.workspace_id AND r.id = n.run_id WHERE r.imported LIMIT 1;
    IF of_run IS NOT NULL THEN
        RAISE EXCEPTION 'operation run % is imported: it takes no items', of_run
            USING ERRCODE = 'TA001', CONSTRAINT = 'run_imported_without_items', SCHEMA = 'operation', TABLE = 'run_item';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER run_item_guard_insert AFTER INSERT ON operation.run_item REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION operation.guard_run_item_insert();

-- As in 0022, and: an import is told as the deed of whoever brought the run in.
CREATE OR REPLACE FUNCTION operation.record_run_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO operation.run_event (workspace_id, run_id, rev, kind, tenant_id, related_tenant_ids, type, status,
        outcome, initiator_subject, run)
    SELECT c.workspace_id, c.id, c.rev, c.last_change, c.tenant_id, c.related_tenant_ids, c.type, c.status,
        c.outcome, c.initiator_subject,
        to_jsonb(c) - ARRAY['identity_hash', 'request_id', 'request_hash', 'lease_owner', 'lease_ttl_ms',
            'attempts_without_progress', 'last_change', 'imported_by_subject', 'imported_by_name', 'imported_at']
    FROM changed c WHERE c.last_change IS NOT NULL;

    INSERT INTO audit.entry (workspace_id, id, at, action, actor_kind, actor_subject, actor_name, target_kind,
        target_id, tenant_id, related_tenant_ids, run_id, outcome, detail, request_id)
    SELECT c.workspace_id, audit.entry_id(), clock_timestamp(),
        CASE WHEN c.imported THEN 'operation_run.imported'
            WHEN c.status = 'completed' THEN 'operation_run.completed'
            ELSE 'operation_run.queued' END,
        CASE WHEN c.initiator_subject IS NULL AND NOT c.imported THEN 'system' ELSE 'user' END,
        CASE WHEN c.imported THEN c.imported_by_subject ELSE c.initiator_subject END,
        CASE WHEN c.imported THEN c.imported_by_name ELSE c.initiator_name END, 'operation_run',
        c.id::text, c.tenant_id, c.related_tenant_ids, c.id, c.outcome,
        jsonb_strip_nulls(jsonb_build_object(
            'type', c.type,
            'source_tenant_id', c.context -> 'source_tenant_id',
            'target_tenant_id', c.context -> 'target_tenant_id',
            'selection', c.context -> 'selection',
            'outcome', c.outcome,
            'attempt', c.attempt,
            'external_id', c.external_id,
            'completed_at', CASE WHEN c.imported THEN c.completed_at END,
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
