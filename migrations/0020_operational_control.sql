-- Operational controls: pausing a type of runs, in one workspace or everywhere. Owner: operation-run-service.
--
-- A row is one pause, from the moment it was ordered to the moment it was lifted; it is never removed. The rows are truth:
-- a start of a paused type is refused by the table of runs itself, and a claim passes over the runs of a pause.

CREATE TABLE operation.pause (
    workspace_id        uuid        NOT NULL,  -- the nil UUID, which is never given to a workspace: everywhere
    id                  uuid        NOT NULL,
    type                text        NOT NULL,
    reason              text        NOT NULL,
    paused_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    paused_by_kind      text        NOT NULL,
    paused_by_subject   text        NOT NULL,
    paused_by_name      text        NOT NULL,
    pause_request_id    uuid        NOT NULL,
    resumed_at          timestamptz,
    resume_reason       text,
    resumed_by_kind     text,
    resumed_by_subject  text,
    resumed_by_name     text,
    resume_request_id   uuid,
    CONSTRAINT pause_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT pause_type_length CHECK (char_length(type) BETWEEN 1 AND 100),
    CONSTRAINT pause_reason_length CHECK (char_length(reason) BETWEEN 1 AND 500),
    CONSTRAINT pause_by_kind_known CHECK (
        paused_by_kind IN ('user', 'service') AND coalesce(resumed_by_kind, 'user') IN ('user', 'service')),
    CONSTRAINT pause_resume_agrees CHECK (
        num_nulls(resumed_at, resume_reason, resumed_by_kind, resumed_by_subject, resumed_by_name, resume_request_id)
            IN (0, 6))
);
-- A type is paused once per workspace, and once everywhere.
CREATE UNIQUE INDEX pause_open ON operation.pause (workspace_id, type) WHERE resumed_at IS NULL;
-- A claim asks by type, across workspaces.
CREATE INDEX pause_of_type ON operation.pause (type, workspace_id) WHERE resumed_at IS NULL;

CREATE FUNCTION operation.guard_pause() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF tg_op = 'INSERT' AND new.resumed_at IS NOT NULL THEN
        RAISE EXCEPTION 'a pause begins unlifted'
            USING ERRCODE = 'TA001', CONSTRAINT = 'pause_start_state', SCHEMA = 'operation', TABLE = 'pause';
    ELSIF tg_op = 'UPDATE' AND (old.resumed_at IS NOT NULL
        OR (new.workspace_id, new.id, new.type, new.reason, new.paused_at, new.paused_by_kind, new.paused_by_subject,
            new.paused_by_name, new.pause_request_id)
        IS DISTINCT FROM
           (old.workspace_id, old.id, old.type, old.reason, old.paused_at, old.paused_by_kind, old.paused_by_subject,
            old.paused_by_name, old.pause_request_id))
    THEN
        RAISE EXCEPTION 'pause % of % may only be lifted, once', old.id, old.type
            USING ERRCODE = 'TA001', CONSTRAINT = 'pause_lifted_once', SCHEMA = 'operation', TABLE = 'pause';
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER pause_guard BEFORE INSERT OR UPDATE ON operation.pause
    FOR EACH ROW EXECUTE FUNCTION operation.guard_pause();
CREATE TRIGGER pause_stays BEFORE DELETE ON operation.pause
    FOR EACH ROW EXECUTE FUNCTION guard.refuse_change();

-- Queued runs of a paused workspace and type stand aside, so that claims need not read past them again and again. It is
-- no more than that: whether a run may be claimed is asked of the pauses themselves, because a run may be queued by a
-- transaction that does not see a pause yet. Only a pause sets the flag and only its end clears it, so none is left behind.
ALTER TABLE operation.run ADD COLUMN parked boolean NOT NULL DEFAULT false;
DROP INDEX operation.run_claimable;
CREATE INDEX run_claimable ON operation.run (type, created_at, id) WHERE status = 'queued' AND NOT parked;
CREATE INDEX run_parked ON operation.run (workspace_id, type) WHERE status = 'queued' AND parked;

-- The audit entries of a pause and of its end, and the flag, in the transaction that makes them true. A pause everywhere
-- concerns every workspace, so each one's trail tells of it.
-- SECURITY DEFINER: no service reads the list of all workspaces or sets the flag by itself.
CREATE FUNCTION operation.apply_pause() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    everywhere CONSTANT boolean := new.workspace_id = '00000000-0000-0000-0000-000000000000';
    begins CONSTANT boolean := tg_op = 'INSERT';
BEGIN
    INSERT INTO audit.entry (workspace_id, id, at, action, actor_kind, actor_subject, actor_name, target_kind, target_id,
        outcome, detail, request_id)
    SELECT w.id, audit.entry_id(), clock_timestamp(),
        CASE WHEN begins THEN 'operational_control.paused' ELSE 'operational_control.resumed' END,
        CASE WHEN begins THEN new.paused_by_kind ELSE new.resumed_by_kind END,
        CASE WHEN begins THEN new.paused_by_subject ELSE new.resumed_by_subject END,
        CASE WHEN begins THEN new.paused_by_name ELSE new.resumed_by_name END,
        'operational_control', new.type, 'succeeded',
        jsonb_build_object(
            'type', new.type,
            'scope', CASE WHEN everywhere THEN 'everywhere' ELSE 'workspace' END,
            'reason', CASE WHEN begins THEN new.reason ELSE new.resume_reason END,
            'paused_at', new.paused_at),
        CASE WHEN begins THEN new.pause_request_id ELSE new.resume_request_id END
    FROM access.workspace w WHERE everywhere OR w.id = new.workspace_id;

    -- Everywhere: claims leave the type out altogether.
    IF NOT everywhere AND begins THEN
        UPDATE operation.run SET parked = true
        WHERE workspace_id = new.workspace_id AND type = new.type AND status = 'queued' AND NOT parked;
    ELSIF NOT everywhere THEN
        UPDATE operation.run SET parked = false
        WHERE workspace_id = new.workspace_id AND type = new.type AND status = 'queued' AND parked;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER pause_apply AFTER INSERT OR UPDATE ON operation.pause
    FOR EACH ROW EXECUTE FUNCTION operation.apply_pause();

-- As in 0007, and: a paused type takes no new queued run.
CREATE OR REPLACE FUNCTION operation.guard_run_insert() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    -- A run starts queued, or is blocked at dispatch, or is history brought in from elsewhere.
    IF NOT (new.status = 'queued'
        OR (new.status = 'completed' AND (new.outcome = 'blocked' OR new.imported)))
        OR (new.imported AND new.status <> 'completed')
        OR new.parked
    THEN
        RAISE EXCEPTION 'operation run % may not start as % %', new.id, new.status, new.outcome
            USING ERRCODE = 'TA001', CONSTRAINT = 'run_start_state', SCHEMA = 'operation', TABLE = 'run';
    END IF;
    IF new.status = 'queued' AND EXISTS (
        SELECT FROM operation.pause p
        WHERE p.workspace_id IN (new.workspace_id, '00000000-0000-0000-0000-000000000000')
            AND p.type = new.type AND p.resumed_at IS NULL)
    THEN
        RAISE EXCEPTION 'operation run %: % is paused', new.id, new.type
            USING ERRCODE = 'TA001', CONSTRAINT = 'run_type_paused', SCHEMA = 'operation', TABLE = 'run';
    END IF;
    new.rev := 1;
    new.last_change := CASE WHEN new.imported THEN 'imported' ELSE 'created' END;
    RETURN new;
END
$$;

-- A parked run is not claimed, whoever tries.
CREATE FUNCTION operation.guard_run_parked() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION 'operation run % is paused', old.id
        USING ERRCODE = 'TA001', CONSTRAINT = 'run_parked_stays', SCHEMA = 'operation', TABLE = 'run';
END
$$;
CREATE TRIGGER run_guard_parked BEFORE UPDATE ON operation.run
    FOR EACH ROW WHEN (old.parked AND new.status = 'running') EXECUTE FUNCTION operation.guard_run_parked();

ALTER TABLE operation.pause ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON operation.pause USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
-- What is paused everywhere is seen from everywhere.
CREATE POLICY everywhere ON operation.pause FOR SELECT USING (workspace_id = '00000000-0000-0000-0000-000000000000');

GRANT SELECT, INSERT, UPDATE ON operation.pause TO tenantatlas_operation;

-- What a repeated request is answered with, for the mutations that make no run. Written in the transaction of the mutation.
CREATE TABLE operation.answered_request (
    workspace_id  uuid        NOT NULL,  -- the nil UUID: a request that concerns all workspaces
    request_id    uuid        NOT NULL,
    method        text        NOT NULL,  -- the RPC's name, like `PauseOperationType`
    request_hash  bytea       NOT NULL,  -- SHA-256 over who asked and what: the same id with another body is refused
    answer        jsonb       NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT answered_request_pkey PRIMARY KEY (workspace_id, request_id),
    CONSTRAINT answered_request_hash_length CHECK (octet_length(request_hash) = 32)
);
CREATE INDEX answered_request_oldest ON operation.answered_request (created_at);  -- retention

ALTER TABLE operation.answered_request ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON operation.answered_request USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');

GRANT SELECT, INSERT, DELETE ON operation.answered_request TO tenantatlas_operation;
