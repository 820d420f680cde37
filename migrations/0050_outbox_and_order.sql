-- What is refused for good, and what is kept for ever. Owner: compare-service.

-- An audit entry that the trail refuses for what it is would be tried for ever: it is parked, with the reason, and nothing is lost. An
-- operator who has mended the cause has all parked entries tried again by `SELECT access.redrive_audit_outbox()`, as the database's owner.
ALTER TABLE access.audit_outbox
    ADD COLUMN parked_at      timestamptz,
    ADD COLUMN parked_reason  text,
    ADD CONSTRAINT audit_outbox_parked_agrees CHECK ((parked_at IS NULL) = (parked_reason IS NULL)),
    ADD CONSTRAINT audit_outbox_parked_reason_form CHECK (parked_reason ~ '^[A-Z][A-Z0-9_]{0,62}$');
CREATE INDEX audit_outbox_owed ON access.audit_outbox (due_at, entry_id) WHERE parked_at IS NULL;
CREATE INDEX audit_outbox_parked ON access.audit_outbox (parked_at) WHERE parked_at IS NOT NULL;
DROP INDEX access.audit_outbox_due;
GRANT UPDATE (parked_at, parked_reason) ON access.audit_outbox TO tenantatlas_compare;

-- Says how many there were. Delivering one twice is harmless: the trail knows an entry by its id.
CREATE FUNCTION access.redrive_audit_outbox() RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog AS $$
    WITH again AS (
        UPDATE access.audit_outbox
        SET parked_at = NULL, parked_reason = NULL, attempts = 0, due_at = clock_timestamp()
        WHERE parked_at IS NOT NULL RETURNING 1)
    SELECT count(*) FROM again
$$;
REVOKE EXECUTE ON FUNCTION access.redrive_audit_outbox() FROM PUBLIC;

-- Times that schedules fired for are forgotten by age (`considered_until` keeps them from coming again), and sets whose run is
-- long over by state.
CREATE INDEX backup_slot_oldest ON inventory.backup_slot (fire_at) WHERE state <> 'due';
GRANT DELETE ON inventory.backup_slot TO tenantatlas_compare;
CREATE INDEX backup_set_open ON inventory.backup_set (created_at) WHERE state = 'in_progress';

-- Lists by name fold case as `lower(name COLLATE "C")` does: the same on every server, whatever its locale, so that a page token and a
-- second replica agree, and a restored copy sorts as the first did. The indexes by the database's own folding serve the release before.
CREATE INDEX tenant_by_folded_name ON tenant.tenant (workspace_id, lower(name COLLATE "C"), id);
CREATE INDEX backup_schedule_by_folded_name ON inventory.backup_schedule (workspace_id, tenant_id, lower(name COLLATE "C"), id);
