-- What a compare, a list and a repeated capture need to know without opening a document. Owner: compare-service.

-- How far an item's hashes can be trusted, out of its facts: a compare reads thousands of rows and should decode no JSON.
ALTER TABLE inventory.item
    ADD COLUMN evidence text NOT NULL DEFAULT 'whole',
    ADD CONSTRAINT item_evidence_known CHECK (evidence IN ('whole', 'secrets_hidden', 'incomplete'));

-- Whether the read that no longer found it had seen everything of its type: only then is the absence certain.
ALTER TABLE inventory.item
    ADD COLUMN missing_confirmed boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT item_missing_confirmed_agrees CHECK (NOT missing_confirmed OR missing_since IS NOT NULL);

-- Capturing the same pre-image for the same run again returns the version there is.
CREATE UNIQUE INDEX policy_version_pre_image_once ON inventory.policy_version
    (workspace_id, tenant_id, policy_type, external_id, captured_by_run_id, content_hash)
    WHERE purpose = 'pre_image';

-- Lists of workspaces show when each was created.
CREATE OR REPLACE VIEW access_api.member_workspaces AS
SELECT m.subject, m.workspace_id, w.name, m.role, w.created_at
FROM access.member m
JOIN access.workspace w ON w.id = m.workspace_id;
