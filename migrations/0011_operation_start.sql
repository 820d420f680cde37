-- What a repeated start is answered with, and what an intent was going to do. Owner: operation-run-service.

-- One row per request id that made a run or joined one. A start that joined an active run made no row in operation.run,
-- so the unique index there (run_request_once) cannot remember it; without this table a repeated request would start a
-- second run once the joined one is over. Written in the transaction that decides the answer.
CREATE TABLE operation.start_answer (
    workspace_id  uuid        NOT NULL,
    request_id    uuid        NOT NULL,
    request_hash  bytea       NOT NULL,  -- SHA-256 over who asked and what: the same id with another body is refused
    run_id        uuid        NOT NULL,
    outcome       text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT start_answer_pkey PRIMARY KEY (workspace_id, request_id),
    CONSTRAINT start_answer_run_fkey FOREIGN KEY (workspace_id, run_id)
        REFERENCES operation.run (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT start_answer_outcome_known CHECK (outcome IN ('queued', 'deduped')),
    CONSTRAINT start_answer_hash_length CHECK (octet_length(request_hash) = 32)
);
-- For the cascade: a run that leaves takes its answers along.
CREATE INDEX start_answer_by_run ON operation.start_answer (workspace_id, run_id);

ALTER TABLE operation.start_answer ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON operation.start_answer USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');

GRANT SELECT, INSERT, DELETE ON operation.start_answer TO tenantatlas_operation;

-- Whether the newest attempt was about to create or to update: whoever claims the run next looks for the effect of that.
ALTER TABLE operation.run_item ADD COLUMN intent_action text;
ALTER TABLE operation.run_item ADD CONSTRAINT run_item_intent_action_agrees CHECK (
    (intent_action IS NULL) = (intent_at IS NULL) AND (intent_action IS NULL OR intent_action IN ('create', 'update')));

-- Items that may have been written and whose effect nobody has seen yet.
CREATE INDEX run_item_in_flight ON operation.run_item (workspace_id, run_id)
    WHERE state = 'pending' AND intent_fence IS NOT NULL;
