-- The published contract of access facts: authorising a request is one indexed query that needs no other process.
-- The views belong to the migrator, which owns the tables below them, so they see through row-level security; they
-- offer reading only, and nothing but what is listed here. Columns may be added; none is renamed or removed.

-- One row per tenant the actor is entitled to, or one row with NULL tenant when entitled to none; no row: not a member.
CREATE VIEW access_api.actor_access AS
SELECT m.subject, m.workspace_id, m.role AS workspace_role, t.tenant_id, t.role AS tenant_role
FROM access.member m
LEFT JOIN access.tenant_role t ON t.subject = m.subject AND t.workspace_id = m.workspace_id;

-- Which workspace a tenant belongs to.
CREATE VIEW access_api.workspace_of_tenant AS
SELECT id AS tenant_id, workspace_id FROM tenant.tenant;

-- The workspaces of a subject, with their names.
CREATE VIEW access_api.member_workspaces AS
SELECT m.subject, m.workspace_id, w.name, m.role
FROM access.member m
JOIN access.workspace w ON w.id = m.workspace_id;

-- Names and lifecycles for banners and labels.
CREATE VIEW access_api.tenant_directory AS
SELECT workspace_id, id AS tenant_id, name, lifecycle FROM tenant.tenant;

GRANT SELECT ON access_api.actor_access, access_api.workspace_of_tenant, access_api.member_workspaces,
    access_api.tenant_directory
    TO tenantatlas_compare, tenantatlas_promotion, tenantatlas_operation;
