-- Who may see and do what: workspaces, their members, and the memory of answered requests. Owner: compare-service.

CREATE TABLE access.workspace (
    id          uuid        NOT NULL,
    name        text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT workspace_pkey PRIMARY KEY (id),
    CONSTRAINT workspace_name_length CHECK (char_length(name) BETWEEN 1 AND 200)
);

CREATE TABLE access.member (
    workspace_id  uuid        NOT NULL,
    subject       text        NOT NULL,  -- the `sub` claim of the member's tokens
    role          text        NOT NULL,
    display_name  text        NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT member_pkey PRIMARY KEY (workspace_id, subject),
    CONSTRAINT member_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES access.workspace (id),
    CONSTRAINT member_role_known CHECK (role IN ('owner', 'manager', 'operator', 'readonly')),
    CONSTRAINT member_subject_length CHECK (char_length(subject) BETWEEN 1 AND 255)
);
-- Authorising a request starts from the subject; one index probe answers "not a member".
CREATE INDEX member_by_subject ON access.member (subject, workspace_id) INCLUDE (role);

-- One row per answered mutation of WorkspaceService and TenantService, written in the mutation's own transaction: the
-- same request id gets the stored response again, the same id with another body is refused by its hash.
CREATE TABLE access.request (
    workspace_id  uuid        NOT NULL,
    request_id    uuid        NOT NULL,
    method        text        NOT NULL,  -- the RPC's name, like `CreateWorkspace`
    subject       text        NOT NULL,
    request_hash  bytea       NOT NULL,  -- SHA-256 over the canonical request
    response      jsonb       NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT request_pkey PRIMARY KEY (workspace_id, request_id),
    CONSTRAINT request_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES access.workspace (id),
    CONSTRAINT request_hash_length CHECK (octet_length(request_hash) = 32)
);
-- A repeated CreateWorkspace does not know its workspace yet: it finds itself by who asked and the request id.
CREATE UNIQUE INDEX request_creates_once ON access.request (subject, request_id) WHERE method = 'CreateWorkspace';

-- The policy of every workspace-owned table reads two transaction-local settings: the workspace a transaction works in,
-- or the scope `system` of a worker that serves all. The sub-selects make them evaluated once per statement, not per row.
ALTER TABLE access.workspace ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON access.workspace USING (
    id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE access.member ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON access.member USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE access.request ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON access.request USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');

GRANT SELECT, INSERT, UPDATE ON access.workspace TO tenantatlas_compare;
GRANT SELECT, INSERT, UPDATE, DELETE ON access.member TO tenantatlas_compare;
GRANT SELECT, INSERT, DELETE ON access.request TO tenantatlas_compare;
