-- Backup schedules, the times they fired for, and the sets that backups leave. Owner: compare-service.

CREATE TABLE inventory.backup_schedule (
    workspace_id      uuid        NOT NULL,
    id                uuid        NOT NULL,
    tenant_id         uuid        NOT NULL,
    name              text        NOT NULL,
    cron              text        NOT NULL,
    time_zone         text        NOT NULL,
    policy_types      text[]      NOT NULL DEFAULT '{}',  -- empty: all
    catch_up          text        NOT NULL,
    catch_up_most     integer,
    overlap           text        NOT NULL,
    keep_last         integer     NOT NULL,
    keep_days         integer     NOT NULL,
    version           bigint      NOT NULL DEFAULT 1,
    considered_until  timestamptz NOT NULL,  -- times up to this one have been decided about; never goes back
    next_fire_at      timestamptz,           -- NULL: archived, or at the end of the calendar
    created_by        text        NOT NULL,  -- `sub`
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    archived_at       timestamptz,
    CONSTRAINT backup_schedule_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT backup_schedule_tenant_fkey FOREIGN KEY (workspace_id, tenant_id)
        REFERENCES tenant.tenant (workspace_id, id),
    CONSTRAINT backup_schedule_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT backup_schedule_cron_length CHECK (char_length(cron) BETWEEN 1 AND 100),
    CONSTRAINT backup_schedule_catch_up_known CHECK (catch_up IN ('skip', 'latest', 'all')),
    CONSTRAINT backup_schedule_catch_up_agrees CHECK ((catch_up = 'all') = (catch_up_most IS NOT NULL)
        AND (catch_up_most IS NULL OR catch_up_most BETWEEN 1 AND 100)),
    CONSTRAINT backup_schedule_overlap_known CHECK (overlap IN ('skip', 'allow')),
    CONSTRAINT backup_schedule_keep_range CHECK (keep_last BETWEEN 1 AND 3660 AND keep_days BETWEEN 0 AND 3660),
    CONSTRAINT backup_schedule_archived_fires_no_more CHECK (archived_at IS NULL OR next_fire_at IS NULL)
);
CREATE INDEX backup_schedule_by_name ON inventory.backup_schedule (workspace_id, tenant_id, lower(name), id);
CREATE INDEX backup_schedule_due ON inventory.backup_schedule (next_fire_at) WHERE next_fire_at IS NOT NULL;

-- What may not go back, whoever writes: a replica whose clock or memory is behind must not make a time due again.
CREATE FUNCTION inventory.guard_backup_schedule_update() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF (new.workspace_id, new.id, new.tenant_id, new.created_at)
        IS DISTINCT FROM (old.workspace_id, old.id, old.tenant_id, old.created_at)
        OR old.archived_at IS NOT NULL
        OR new.considered_until < old.considered_until
    THEN
        RAISE EXCEPTION 'backup schedule % may not be changed so', old.id
            USING ERRCODE = 'TA001', CONSTRAINT = 'backup_schedule_goes_on', SCHEMA = 'inventory', TABLE = 'backup_schedule';
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER backup_schedule_guard_update BEFORE UPDATE ON inventory.backup_schedule
    FOR EACH ROW EXECUTE FUNCTION inventory.guard_backup_schedule_update();

-- One row per time a schedule fires for: written before the run is asked for, so that a process that dies in between loses none;
-- its key lets a time come once. A run is started by a request id that follows from schedule and time.
CREATE TABLE inventory.backup_slot (
    workspace_id  uuid        NOT NULL,
    schedule_id   uuid        NOT NULL,
    fire_at       timestamptz NOT NULL,
    state         text        NOT NULL DEFAULT 'due',
    reason        text,                                 -- why it was passed over
    run_id        uuid,
    not_before    timestamptz NOT NULL DEFAULT now(),   -- whoever tries to start it keeps the others away until then
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT backup_slot_pkey PRIMARY KEY (workspace_id, schedule_id, fire_at),
    CONSTRAINT backup_slot_schedule_fkey FOREIGN KEY (workspace_id, schedule_id)
        REFERENCES inventory.backup_schedule (workspace_id, id),
    CONSTRAINT backup_slot_state_known CHECK (state IN ('due', 'started', 'passed_over')),
    CONSTRAINT backup_slot_state_agrees CHECK (
        (state = 'started') = (run_id IS NOT NULL) AND (state = 'passed_over') = (reason IS NOT NULL))
);
CREATE INDEX backup_slot_due ON inventory.backup_slot (not_before, fire_at) WHERE state = 'due';

-- What a backup leaves. Its id is that of its run, so that whoever works on the run again goes on with the same set.
CREATE TABLE inventory.backup_set (
    workspace_id  uuid        NOT NULL,
    id            uuid        NOT NULL,
    tenant_id     uuid        NOT NULL,
    schedule_id   uuid        NOT NULL,
    run_type      text        NOT NULL,
    fire_at       timestamptz,           -- of a scheduled backup: the time it was meant for
    state         text        NOT NULL DEFAULT 'in_progress',
    entry_count   integer     NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    completed_at  timestamptz,
    CONSTRAINT backup_set_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT backup_set_schedule_fkey FOREIGN KEY (workspace_id, schedule_id)
        REFERENCES inventory.backup_schedule (workspace_id, id),
    CONSTRAINT backup_set_tenant_fkey FOREIGN KEY (workspace_id, tenant_id) REFERENCES tenant.tenant (workspace_id, id),
    CONSTRAINT backup_set_state_known CHECK (state IN ('in_progress', 'complete', 'partial')),
    CONSTRAINT backup_set_completed_at_agrees CHECK ((state = 'in_progress') = (completed_at IS NULL)),
    CONSTRAINT backup_set_entry_count_not_negative CHECK (entry_count >= 0)
);
CREATE INDEX backup_set_newest ON inventory.backup_set (workspace_id, tenant_id, created_at DESC, id DESC);
CREATE INDEX backup_set_of_schedule ON inventory.backup_set (workspace_id, schedule_id, created_at DESC, id DESC);

-- The versions of a set. References only: pruning a set deletes these rows and no version.
CREATE TABLE inventory.backup_set_entry (
    workspace_id  uuid NOT NULL,
    set_id        uuid NOT NULL,
    policy_type   text NOT NULL,
    external_id   text NOT NULL,
    display_name  text NOT NULL,
    version_id    uuid NOT NULL,
    CONSTRAINT backup_set_entry_pkey PRIMARY KEY (workspace_id, set_id, policy_type, external_id),
    CONSTRAINT backup_set_entry_set_fkey FOREIGN KEY (workspace_id, set_id)
        REFERENCES inventory.backup_set (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT backup_set_entry_version_fkey FOREIGN KEY (workspace_id, version_id)
        REFERENCES inventory.policy_version (workspace_id, id)
);

ALTER TABLE inventory.backup_schedule ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON inventory.backup_schedule USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE inventory.backup_slot ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON inventory.backup_slot USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE inventory.backup_set ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON inventory.backup_set USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE inventory.backup_set_entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON inventory.backup_set_entry USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');

GRANT SELECT, INSERT, UPDATE ON inventory.backup_schedule TO tenantatlas_compare;
GRANT SELECT, INSERT, UPDATE ON inventory.backup_slot TO tenantatlas_compare;
GRANT SELECT, INSERT, UPDATE, DELETE ON inventory.backup_set TO tenantatlas_compare;
GRANT SELECT, INSERT, DELETE ON inventory.backup_set_entry TO tenantatlas_compare;
