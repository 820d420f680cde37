-- What explaining a run takes: why it last went back to the queue, and whether anybody asks for runs of its type. Owner:
-- operation-run-service.

ALTER TABLE operation.run ADD COLUMN release_reason text;
ALTER TABLE operation.run ADD CONSTRAINT run_release_reason_form CHECK (release_reason ~ '^[A-Z][A-Z0-9_]{0,62}$');

-- When a worker last asked for runs of a type, to within a few seconds. Not owned by a workspace, hence without a policy.
CREATE TABLE operation.claim_heard (
    type    text        NOT NULL,
    worker  text        NOT NULL,
    at      timestamptz NOT NULL,
    CONSTRAINT claim_heard_pkey PRIMARY KEY (type)
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE ON operation.claim_heard TO tenantatlas_operation;
