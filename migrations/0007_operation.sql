-- Operation runs, the only execution truth. Owner: operation-run-service.
--
--                 claim (attempt + 1, fence rises)
--      queued ------------------------------------> running      outcome is `pending` in both
--        |  ^                                        |   |
--        |  +---- release, rescue while attempts ----+   |
--        |        remain (fence never falls)             |
--        | cancel, give up                               | finish, cancel, give up
--        v                                               v
--      completed: succeeded | partially_succeeded | blocked | failed | cancelled      absorbs everything
--
-- The trigger run_guard_update enforces these arrows, whoever writes. The next migration adds the trigger that writes the
-- event and the audit entry of every change, so that no state change can be without them.

CREATE TABLE operation.run (
    workspace_id         uuid        NOT NULL,
    id                   uuid        NOT NULL,
    tenant_id            uuid,                      -- the run tenant: the one a mutation changes; NULL for tenantless runs
    related_tenant_ids   uuid[]      NOT NULL DEFAULT '{}',  -- others it references, like a promotion's source
    type                 text        NOT NULL,
    status               text        NOT NULL DEFAULT 'queued',
    outcome              text        NOT NULL DEFAULT 'pending',
    -- identity
    dedupe_rule          text        NOT NULL,
    identity_hash        bytea       NOT NULL,      -- SHA-256 over what makes two runs the same
    mutates_tenant       boolean     NOT NULL,
    request_id           uuid,
    request_hash         bytea,
    initiator_subject    text,                      -- NULL: the system started it
    initiator_name       text        NOT NULL,
    -- By convention of all types: source_tenant_id, target_tenant_id and selection, which the audit entries repeat.
    -- No secrets, no payloads.
    context              jsonb       NOT NULL DEFAULT '{}',
    -- counts, derived from the items
    total                integer,                   -- NULL: not known (yet), progress is indeterminate
    processed            integer     NOT NULL DEFAULT 0,
    succeeded            integer     NOT NULL DEFAULT 0,
    failed               integer     NOT NULL DEFAULT 0,
    skipped              integer     NOT NULL DEFAULT 0,
    created              integer     NOT NULL DEFAULT 0,
    updated              integer     NOT NULL DEFAULT 0,
    deleted              integer     NOT NULL DEFAULT 0,
    unchanged            integer     NOT NULL DEFAULT 0,
    failure_summary      jsonb       NOT NULL DEFAULT '[]',  -- [{code, message, count}]
    created_at           timestamptz NOT NULL DEFAULT now(),
    started_at           timestamptz,               -- first claim; kept through rescues
    completed_at         timestamptz,
    updated_at           timestamptz NOT NULL DEFAULT now(),  -- of the newest visible change; set by the trigger
    -- claim, lease, fence. All times are the database's: no worker clock takes part.
    not_before           timestamptz NOT NULL DEFAULT now(),  -- no claim before; backoff after a rescue
    attempt              integer     NOT NULL DEFAULT 0,
    attempts_without_progress integer NOT NULL DEFAULT 0,
    max_attempts         integer     NOT NULL DEFAULT 5,
    lease_ttl_ms         integer     NOT NULL DEFAULT 30000,
    fence                bigint      NOT NULL DEFAULT 0,
    lease_owner          text,
    lease_expires_at     timestamptz,
    last_progress_at     timestamptz,
    cancel_requested_at  timestamptz,
    cancel_requested_by  text,
    cancel_reason        text,
    start_traceparent    text,
    rev                  bigint      NOT NULL DEFAULT 1,  -- dense: one more per visible change, set by the trigger
    last_change          text,  -- what the newest statement did, NULL if nothing visible; from the guards to the event
    imported             boolean     NOT NULL DEFAULT false,  -- history of an older system; read-only

    CONSTRAINT run_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT run_status_known CHECK (status IN ('queued', 'running', 'completed')),
    CONSTRAINT run_outcome_known CHECK (
        outcome IN ('pending', 'succeeded', 'partially_succeeded', 'blocked', 'failed', 'cancelled')),
    CONSTRAINT run_outcome_agrees CHECK ((status = 'completed') = (outcome <> 'pending')),
    CONSTRAINT run_completed_at_agrees CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
    CONSTRAINT run_started_at_agrees CHECK (status <> 'running' OR started_at IS NOT NULL),
    CONSTRAINT run_lease_agrees CHECK (
        (status = 'running') = (lease_owner IS NOT NULL) AND (status = 'running') = (lease_expires_at IS NOT NULL)),
    CONSTRAINT run_succeeded_means_all CHECK (outcome <> 'succeeded' OR (failed = 0 AND skipped = 0)),
    CONSTRAINT run_cancel_agrees CHECK ((cancel_requested_at IS NULL) = (cancel_requested_by IS NULL)),
    CONSTRAINT run_cancelled_was_asked CHECK (outcome <> 'cancelled' OR imported OR cancel_requested_at IS NOT NULL),
    CONSTRAINT run_dedupe_rule_known CHECK (dedupe_rule IN ('while_active', 'unique', 'forever')),
    CONSTRAINT run_identity_hash_length CHECK (octet_length(identity_hash) = 32),
    CONSTRAINT run_request_agrees CHECK (
        (request_id IS NULL) = (request_hash IS NULL) AND (request_hash IS NULL OR octet_length(request_hash) = 32)),
    CONSTRAINT run_mutation_has_tenant CHECK (NOT mutates_tenant OR tenant_id IS NOT NULL),
    CONSTRAINT run_counts_add_up CHECK (processed = succeeded + failed + skipped),
    CONSTRAINT run_counts_within_total CHECK (total IS NULL OR processed <= total),
    CONSTRAINT run_effects_within_succeeded CHECK (created + updated + deleted + unchanged <= succeeded),
    CONSTRAINT run_counts_not_negative CHECK (
        coalesce(total, 0) >= 0 AND succeeded >= 0 AND failed >= 0 AND skipped >= 0
        AND created >= 0 AND updated >= 0 AND deleted >= 0 AND unchanged >= 0),
    CONSTRAINT run_attempts_within_max CHECK (
        attempt >= 0 AND attempts_without_progress BETWEEN 0 AND attempt AND max_attempts BETWEEN 1 AND 100),
    CONSTRAINT run_lease_ttl_range CHECK (lease_ttl_ms BETWEEN 100 AND 3600000),
    CONSTRAINT run_fence_not_negative CHECK (fence >= 0),
    CONSTRAINT run_failure_summary_is_list CHECK (jsonb_typeof(failure_summary) = 'array'),
    -- Every event repeats the context, so it has to stay small; lists of items belong into items.
    CONSTRAINT run_context_size CHECK (jsonb_typeof(context) = 'object' AND pg_column_size(context) <= 65536)
) WITH (fillfactor = 70);  -- progress updates touch no indexed column: room on the page keeps them heap-only

-- Identity: decided by these indexes, not by a check before the insert.
CREATE UNIQUE INDEX run_identity_while_active ON operation.run (workspace_id, type, identity_hash)
    WHERE dedupe_rule = 'while_active' AND status <> 'completed';
CREATE UNIQUE INDEX run_identity_forever ON operation.run (workspace_id, type, identity_hash)
    WHERE dedupe_rule = 'forever';
CREATE UNIQUE INDEX run_request_once ON operation.run (workspace_id, request_id)
    WHERE request_id IS NOT NULL;
-- One mutating run per target tenant at a time.
CREATE UNIQUE INDEX run_one_mutation_per_tenant ON operation.run (workspace_id, tenant_id)
    WHERE mutates_tenant AND status <> 'completed';

CREATE INDEX run_by_id ON operation.run (id);  -- a canonical link names no workspace
CREATE INDEX run_claimable ON operation.run (type, created_at, id) WHERE status = 'queued';
-- Running rows are few. Their lease times are left out of the index on purpose: a renewal stays heap-only.
CREATE INDEX run_running ON operation.run (id) WHERE status = 'running';
CREATE INDEX run_newest ON operation.run (workspace_id, created_at DESC, id DESC);
CREATE INDEX run_newest_of_tenant ON operation.run (workspace_id, tenant_id, created_at DESC, id DESC);
CREATE INDEX run_newest_of_type ON operation.run (workspace_id, type, created_at DESC, id DESC);
CREATE INDEX run_active ON operation.run (workspace_id, created_at DESC, id DESC) WHERE status <> 'completed';
CREATE INDEX run_completed ON operation.run (completed_at) WHERE status = 'completed';  -- retention

CREATE FUNCTION operation.guard_run_insert() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    -- A run starts queued, or is blocked at dispatch, or is history brought in from elsewhere.
    IF NOT (new.status = 'queued'
        OR (new.status = 'completed' AND (new.outcome = 'blocked' OR new.imported)))
        OR (new.imported AND new.status <> 'completed')
    THEN
        RAISE EXCEPTION 'operation run % may not start as % %', new.id, new.status, new.outcome
            USING ERRCODE = 'TA001', CONSTRAINT = 'run_start_state', SCHEMA = 'operation', TABLE = 'run';
    END IF;
    new.rev := 1;
    new.last_change := CASE WHEN new.imported THEN 'imported' ELSE 'created' END;
    RETURN new;
END
$$;
CREATE TRIGGER run_guard_insert BEFORE INSERT ON operation.run
    FOR EACH ROW EXECUTE FUNCTION operation.guard_run_insert();

CREATE FUNCTION operation.guard_run_update() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    broken text;
BEGIN
    IF old.status = 'completed' THEN
        broken := 'run_terminal_absorbs';
    ELSIF (new.workspace_id, new.id, new.tenant_id, new.related_tenant_ids, new.type, new.dedupe_rule,
           new.identity_hash, new.mutates_tenant, new.request_id, new.request_hash, new.initiator_subject,
           new.initiator_name, new.created_at, new.imported)
        IS DISTINCT FROM
          (old.workspace_id, old.id, old.tenant_id, old.related_tenant_ids, old.type, old.dedupe_rule,
           old.identity_hash, old.mutates_tenant, old.request_id, old.request_hash, old.initiator_subject,
           old.initiator_name, old.created_at, old.imported)
    THEN
        broken := 'run_identity_immutable';
    ELSIF new.fence < old.fence THEN
        broken := 'run_fence_never_falls';
    ELSIF old.status = 'queued' AND new.status = 'running'
        AND (new.fence = old.fence OR new.attempt <> old.attempt + 1)
    THEN
        broken := 'run_claim_raises_fence';
    ELSIF new.attempt <> old.attempt AND NOT (old.status = 'queued' AND new.status = 'running') THEN
        broken := 'run_attempt_is_a_claim';
    ELSIF old.status = 'running' AND new.status = 'running'
        AND (new.fence, new.lease_owner) IS DISTINCT FROM (old.fence, old.lease_owner)
    THEN
        -- A lease changes hands through the queue only.
        broken := 'run_lease_stays';
    ELSIF old.cancel_requested_at IS NOT NULL
        AND (new.cancel_requested_at, new.cancel_requested_by) IS DISTINCT FROM
            (old.cancel_requested_at, old.cancel_requested_by)
    THEN
        broken := 'run_cancel_is_durable';
    ELSIF old.started_at IS NOT NULL AND new.started_at IS DISTINCT FROM old.started_at THEN
        broken := 'run_started_once';
    END IF;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'operation run %: % -> % refused (%)', old.id, old.status, new.status, broken
            USING ERRCODE = 'TA001', CONSTRAINT = broken, SCHEMA = 'operation', TABLE = 'run';
    END IF;

    -- rev counts what watchers can see. A renewed lease changes nothing they see: no rev, no event.
    IF (new.status, new.outcome, new.total, new.processed, new.succeeded, new.failed, new.skipped, new.created,
        new.updated, new.deleted, new.unchanged, new.failure_summary, new.context, new.attempt, new.not_before,
        new.fence, new.cancel_requested_at, new.cancel_reason)
       IS DISTINCT FROM
       (old.status, old.outcome, old.total, old.processed, old.succeeded, old.failed, old.skipped, old.created,
        old.updated, old.deleted, old.unchanged, old.failure_summary, old.context, old.attempt, old.not_before,
        old.fence, old.cancel_requested_at, old.cancel_reason)
    THEN
        new.rev := old.rev + 1;
        new.updated_at := clock_timestamp();
        new.last_change := CASE
            WHEN new.status = 'completed' THEN 'completed'
            WHEN old.status = 'queued' AND new.status = 'running' THEN 'claimed'
            WHEN old.status = 'running' AND new.status = 'queued' THEN 'released'
            WHEN old.cancel_requested_at IS NULL AND new.cancel_requested_at IS NOT NULL THEN 'cancel_requested'
            ELSE 'progressed' END;
    ELSE
        new.rev := old.rev;
        new.updated_at := old.updated_at;
        new.last_change := NULL;
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER run_guard_update BEFORE UPDATE ON operation.run
    FOR EACH ROW EXECUTE FUNCTION operation.guard_run_update();

CREATE FUNCTION operation.guard_run_delete() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF old.status <> 'completed' THEN
        RAISE EXCEPTION 'operation run % is %: only completed runs leave by retention', old.id, old.status
            USING ERRCODE = 'TA001', CONSTRAINT = 'run_active_stays', SCHEMA = 'operation', TABLE = 'run';
    END IF;
    RETURN old;
END
$$;
CREATE TRIGGER run_guard_delete BEFORE DELETE ON operation.run
    FOR EACH ROW EXECUTE FUNCTION operation.guard_run_delete();

-- The steps of a run. pending -> succeeded | failed | skipped, once; the first outcome stands.
CREATE TABLE operation.run_item (
    workspace_id    uuid        NOT NULL,
    run_id          uuid        NOT NULL,
    ordinal         integer     NOT NULL,  -- order of execution, from 0
    key             text        NOT NULL,  -- what the item is about, stable across attempts; unique in the run
    label           text        NOT NULL,
    policy_type     text        NOT NULL DEFAULT '',
    plan            jsonb       NOT NULL DEFAULT '{}',
    state           text        NOT NULL DEFAULT 'pending',
    effect          text        NOT NULL DEFAULT 'none',
    reason_code     text,
    message         text,
    detail          jsonb       NOT NULL DEFAULT '{}',
    -- what the newest attempt is about to do to the outside, written before it does it
    intent_attempt  integer,
    intent_fence    bigint,
    intent_hash     bytea,
    intent_at       timestamptz,
    receipt         jsonb,                 -- the provider's answer: ids, never content
    attempt         integer     NOT NULL DEFAULT 0,
    fence           bigint      NOT NULL DEFAULT 0,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT run_item_pkey PRIMARY KEY (workspace_id, run_id, ordinal),
    CONSTRAINT run_item_key_unique UNIQUE (workspace_id, run_id, key),
    CONSTRAINT run_item_run_fkey FOREIGN KEY (workspace_id, run_id)
        REFERENCES operation.run (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT run_item_ordinal_not_negative CHECK (ordinal >= 0),
    CONSTRAINT run_item_state_known CHECK (state IN ('pending', 'succeeded', 'failed', 'skipped')),
    CONSTRAINT run_item_effect_known CHECK (effect IN ('none', 'created', 'updated', 'deleted', 'unchanged')),
    CONSTRAINT run_item_effect_agrees CHECK (effect = 'none' OR state = 'succeeded'),
    CONSTRAINT run_item_reason_agrees CHECK (state NOT IN ('failed', 'skipped') OR reason_code IS NOT NULL),
    CONSTRAINT run_item_intent_agrees CHECK (
        num_nulls(intent_attempt, intent_fence, intent_hash, intent_at) IN (0, 4)),
    CONSTRAINT run_item_plan_size CHECK (pg_column_size(plan) <= 65536 AND pg_column_size(detail) <= 65536)
) WITH (fillfactor = 70);

CREATE FUNCTION operation.guard_run_item_update() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    broken text;
BEGIN
    IF old.state <> 'pending' THEN
        broken := 'run_item_terminal_absorbs';
    ELSIF (new.workspace_id, new.run_id, new.ordinal, new.key) IS DISTINCT FROM
          (old.workspace_id, old.run_id, old.ordinal, old.key) THEN
        broken := 'run_item_identity_immutable';
    ELSIF new.fence < old.fence OR new.intent_fence < old.intent_fence THEN
        broken := 'run_item_fence_never_falls';
    END IF;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'item % of operation run %: % -> % refused (%)', old.ordinal, old.run_id, old.state, new.state, broken
            USING ERRCODE = 'TA001', CONSTRAINT = broken, SCHEMA = 'operation', TABLE = 'run_item';
    END IF;
    new.updated_at := clock_timestamp();
    RETURN new;
END
$$;
CREATE TRIGGER run_item_guard_update BEFORE UPDATE ON operation.run_item
    FOR EACH ROW EXECUTE FUNCTION operation.guard_run_item_update();

-- The last word on "counts are derived from the items": a completed run whose items say something else does not commit,
-- whichever statement came first. Runs without items (their type has none) are left alone.
CREATE FUNCTION operation.check_run_counts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    tally record;
BEGIN
    SELECT count(*) AS total,
        count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
        count(*) FILTER (WHERE state = 'failed') AS failed,
        count(*) FILTER (WHERE state = 'skipped') AS skipped,
        count(*) FILTER (WHERE effect = 'created') AS created,
        count(*) FILTER (WHERE effect = 'updated') AS updated,
        count(*) FILTER (WHERE effect = 'deleted') AS deleted,
        count(*) FILTER (WHERE effect = 'unchanged') AS unchanged
    INTO tally
    FROM operation.run_item WHERE workspace_id = new.workspace_id AND run_id = new.id;
    IF tally.total > 0 AND (tally.total, tally.succeeded, tally.failed, tally.skipped,
            tally.created, tally.updated, tally.deleted, tally.unchanged)
        IS DISTINCT FROM (new.total, new.succeeded, new.failed, new.skipped,
            new.created, new.updated, new.deleted, new.unchanged)
    THEN
        RAISE EXCEPTION 'counts of operation run % do not agree with its items', new.id
            USING ERRCODE = 'TA003', CONSTRAINT = 'run_counts_agree', SCHEMA = 'operation', TABLE = 'run';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER run_counts_agree AFTER UPDATE ON operation.run
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (new.status = 'completed') EXECUTE FUNCTION operation.check_run_counts();

ALTER TABLE operation.run ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON operation.run USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE operation.run_item ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON operation.run_item USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');

GRANT SELECT, INSERT, UPDATE, DELETE ON operation.run TO tenantatlas_operation;
GRANT SELECT, INSERT, UPDATE, DELETE ON operation.run_item TO tenantatlas_operation;
