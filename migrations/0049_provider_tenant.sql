-- One Microsoft tenant, several workspaces. Owner: compare-service (the connection), operation-run-service (the run).
--
-- Registering an external tenant id proves nothing and gives nothing, so it is never refused: a refusal would tell a stranger whom this
-- installation serves, and would let a stranger keep the tenant's own workspace out. What counts is who may use a secret that the
-- operator has placed for that tenant, and who writes to it at a time.

-- A credential belongs to the workspace that first proved that its connection works with it, as long as that connection is in use. To every
-- other workspace the secret is absent, in the words in which an absent one is told (`CREDENTIAL_UNAVAILABLE`). Two workspaces that both
-- manage the tenant have a credential each.
UPDATE tenant.provider_connection c SET verified_at = NULL, state = 'unverified'
WHERE c.verified_at IS NOT NULL AND c.state <> 'disabled' AND EXISTS (
    SELECT FROM tenant.provider_connection earlier
    WHERE earlier.credential_reference = c.credential_reference AND earlier.verified_at IS NOT NULL AND earlier.state <> 'disabled'
      AND (earlier.verified_at, earlier.id) < (c.verified_at, c.id));
CREATE UNIQUE INDEX provider_connection_credential_holder ON tenant.provider_connection (credential_reference)
    WHERE verified_at IS NOT NULL AND state <> 'disabled';

-- Whoever changes a tenant of the provider changes it alone, whichever workspace it comes from. The scope is a digest of the provider's id,
-- so that the table of runs does not repeat it; the database fills it in, so that an older release takes part during a rollout. NULL: the run
-- changes nothing, or began before this. Only a run whose preflight rests on what was read from the tenant gets here, so that "another
-- change is under way" is told to nobody who could not see it in the tenant itself; the run of another workspace is never shown.
-- Not by workspace: where runs are distributed by it, this index needs a table of its own that every node has.
CREATE OR REPLACE VIEW access_api.tenant_directory AS
SELECT workspace_id, id AS tenant_id, name, lifecycle,
    sha256(convert_to(lower(external_tenant_id), 'UTF8')) AS provider_scope
FROM tenant.tenant;

ALTER TABLE operation.run ADD COLUMN provider_scope bytea;
CREATE UNIQUE INDEX run_one_mutation_per_provider_tenant ON operation.run (provider_scope)
    WHERE mutates_tenant AND status <> 'completed';

CREATE FUNCTION operation.set_provider_scope() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    new.provider_scope := (SELECT d.provider_scope FROM access_api.tenant_directory d
                           WHERE d.workspace_id = new.workspace_id AND d.tenant_id = new.tenant_id);
    RETURN new;
END
$$;
CREATE TRIGGER run_set_provider_scope BEFORE INSERT ON operation.run
    FOR EACH ROW WHEN (new.mutates_tenant AND new.status <> 'completed')
    EXECUTE FUNCTION operation.set_provider_scope();
