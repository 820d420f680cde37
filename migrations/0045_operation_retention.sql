-- Completed runs leave after a time, and what they leave behind. Owner: operation-run-service.
--
-- With a run go its items, its start's answer and its notification. Its audit entries stay. Its events have gone before it: they
-- are kept for a shorter time.

-- The runs that leave next. An imported run counts from the day it was brought in.
CREATE INDEX run_leaves_next ON operation.run ((coalesce(imported_at, completed_at))) WHERE status = 'completed';
DROP INDEX operation.run_completed;

-- An identity that may be used once, ever, stays used when its run has gone. A few dozen bytes for each, kept for good.
CREATE TABLE operation.spent_identity (
    workspace_id   uuid        NOT NULL,
    type           text        NOT NULL,
    identity_hash  bytea       NOT NULL,
    run_id         uuid        NOT NULL,
    completed_at   timestamptz NOT NULL,
    CONSTRAINT spent_identity_pkey PRIMARY KEY (workspace_id, type, identity_hash),
    CONSTRAINT spent_identity_hash_length CHECK (octet_length(identity_hash) = 32)
);
ALTER TABLE operation.spent_identity ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON operation.spent_identity USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
GRANT SELECT ON operation.spent_identity TO tenantatlas_operation;
CREATE TRIGGER spent_identity_stays BEFORE UPDATE OR DELETE ON operation.spent_identity
    FOR EACH ROW EXECUTE FUNCTION guard.refuse_change();

-- SECURITY DEFINER: no service adds to what is spent, or takes from it.
CREATE FUNCTION operation.keep_spent_identities() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO operation.spent_identity (workspace_id, type, identity_hash, run_id, completed_at)
    SELECT g.workspace_id, g.type, g.identity_hash, g.id, g.completed_at FROM gone g WHERE g.dedupe_rule = 'forever'
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER run_keep_spent_identities AFTER DELETE ON operation.run REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION operation.keep_spent_identities();

CREATE FUNCTION operation.guard_spent_identity() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF EXISTS (
        SELECT FROM operation.spent_identity s
        WHERE s.workspace_id = new.workspace_id AND s.type = new.type AND s.identity_hash = new.identity_hash)
    THEN
        RAISE EXCEPTION 'operation run %: its identity was used by a run that is no longer kept', new.id
            USING ERRCODE = 'TA001', CONSTRAINT = 'run_identity_spent', SCHEMA = 'operation', TABLE = 'run';
    END IF;
    RETURN NULL;
END
$$;
-- After the row, not before: whoever waited in the index for a run that was just being removed sees by now what it left.
CREATE TRIGGER run_guard_spent_identity AFTER INSERT ON operation.run
    FOR EACH ROW WHEN (new.dedupe_rule = 'forever') EXECUTE FUNCTION operation.guard_spent_identity();
