-- Deadlines of a run: until when it may be taken up for the first time, and until when it must be over. Owner:
-- operation-run-service.
--
-- Both are set once, at the start, by the database's clock; NULL (runs from before, and imported ones): none. They are moments
-- on a clock that stands still while the run's type is paused: `operation.paused_time` tells for how long it stood, so that a
-- pause and its end change no run, however many are waiting.

ALTER TABLE operation.run ADD COLUMN queue_deadline timestamptz;
ALTER TABLE operation.run ADD COLUMN run_deadline timestamptz;
ALTER TABLE operation.run ADD CONSTRAINT run_deadlines_in_order CHECK (
    queue_deadline > created_at AND run_deadline >= queue_deadline);

-- For how long the type was paused, for this workspace or everywhere, between two moments. Pauses that overlap count once.
CREATE FUNCTION operation.paused_time(workspace uuid, run_type text, since timestamptz, until timestamptz) RETURNS interval
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT coalesce(sum(upper(p) - lower(p)), interval '0')
    FROM unnest((
        SELECT range_agg(tstzrange(greatest(paused_at, since), least(coalesce(resumed_at, until), until)))
        FROM operation.pause
        WHERE workspace_id IN (workspace, '00000000-0000-0000-0000-000000000000') AND type = run_type
            AND since < until AND paused_at < until AND coalesce(resumed_at, until) > greatest(paused_at, since))) p
$$;

-- Whether a deadline of a run has passed. The pauses are read only when it has by the wall clock. Inlined where it is called.
CREATE FUNCTION operation.deadline_passed(deadline timestamptz, workspace uuid, run_type text, created timestamptz)
RETURNS boolean
LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN deadline <= clock_timestamp()
        THEN deadline + operation.paused_time(workspace, run_type, created, clock_timestamp()) <= clock_timestamp()
        ELSE false END
$$;

-- Queued runs by the deadline that ends them. Those of a pause in their workspace are left out, as they are of a claim's index.
CREATE INDEX run_overdue_in_queue ON operation.run
    (type, (CASE WHEN started_at IS NULL THEN least(queue_deadline, run_deadline) ELSE run_deadline END))
    WHERE status = 'queued' AND NOT parked;

CREATE FUNCTION operation.guard_run_deadlines() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION 'the deadlines of operation run % were set when it was started', old.id
        USING ERRCODE = 'TA001', CONSTRAINT = 'run_deadlines_stay', SCHEMA = 'operation', TABLE = 'run';
END
$$;
CREATE TRIGGER run_guard_deadlines BEFORE UPDATE OF queue_deadline, run_deadline ON operation.run
    FOR EACH ROW
    WHEN (old.queue_deadline IS DISTINCT FROM new.queue_deadline OR old.run_deadline IS DISTINCT FROM new.run_deadline)
    EXECUTE FUNCTION operation.guard_run_deadlines();
