-- The runs of a workspace that ended last: what a watch begins with, beside the active ones. Owner: operation-run-service.
CREATE INDEX run_ended_last ON operation.run (workspace_id, completed_at DESC, id DESC) WHERE status = 'completed';
