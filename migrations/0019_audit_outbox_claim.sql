-- Delivery of the audit outbox happens outside of transactions, by any replica: an entry is claimed by moving the time it is
-- due, delivered, and then removed; one whose replica died, or that was refused, is due again later. Owner: compare-service.
ALTER TABLE access.audit_outbox
    ADD COLUMN attempts  integer     NOT NULL DEFAULT 0,
    ADD COLUMN due_at    timestamptz NOT NULL DEFAULT now();
CREATE INDEX audit_outbox_due ON access.audit_outbox (due_at, entry_id);

GRANT UPDATE (attempts, due_at) ON access.audit_outbox TO tenantatlas_compare;
