-- The chain of seals over the audit trail: one chain per workspace, in which every seal holds a hash of its entry and of the
-- seal before it. Who changes, removes or slips in an entry, whatever rights he has, breaks it; `tenantatlas-audit-verify` and
-- VerifyAuditTrail find where. Owner: operation-run-service.
--
-- Sealed apart from the transactions that write entries, within about a second, one at a time: a chain that every transaction
-- extended itself would make all transactions of a workspace wait for one another. What is written but not sealed yet is in
-- `audit.unsealed`, so that an entry that is in neither can be told. The time of sealing is part of the hash: an entry may tell of
-- what happened earlier, and the chain tells when it came. A chain cannot show that its end was cut off together with
-- the entries: whoever wants to know that keeps the position and hash of an earlier answer elsewhere.

CREATE TABLE audit.unsealed (
    workspace_id  uuid    NOT NULL,
    entry_id      uuid    NOT NULL,
    seq           bigint  NOT NULL GENERATED ALWAYS AS IDENTITY,
    CONSTRAINT unsealed_pkey PRIMARY KEY (workspace_id, entry_id)
);
CREATE INDEX unsealed_in_order ON audit.unsealed (seq);

CREATE TABLE audit.seal (
    workspace_id  uuid         NOT NULL,
    position      bigint       NOT NULL,  -- from 1, dense
    entry_id      uuid         NOT NULL,
    previous      bytea        NOT NULL,  -- the hash of the seal before it; 32 zero bytes for the first
    hash          bytea        NOT NULL,
    sealed_at     timestamptz  NOT NULL,
    CONSTRAINT seal_pkey PRIMARY KEY (workspace_id, position),
    CONSTRAINT seal_once UNIQUE (workspace_id, entry_id),
    CONSTRAINT seal_position_positive CHECK (position >= 1),
    CONSTRAINT seal_hash_length CHECK (octet_length(hash) = 32 AND octet_length(previous) = 32)
);
CREATE TRIGGER seal_append_only BEFORE UPDATE OR DELETE ON audit.seal
    FOR EACH ROW EXECUTE FUNCTION guard.refuse_change();
CREATE TRIGGER seal_no_truncate BEFORE TRUNCATE ON audit.seal
    FOR EACH STATEMENT EXECUTE FUNCTION guard.refuse_change();

-- SECURITY DEFINER: no service puts anything into the queue, or takes it out, by itself.
CREATE FUNCTION audit.await_seal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO audit.unsealed (workspace_id, entry_id) SELECT a.workspace_id, a.id FROM added a;
    RETURN NULL;
END
$$;
CREATE TRIGGER entry_await_seal AFTER INSERT ON audit.entry REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION audit.await_seal();
INSERT INTO audit.unsealed (workspace_id, entry_id) SELECT workspace_id, id FROM audit.entry ORDER BY at, id;

-- A value as part of what is hashed: its length in bytes and its bytes, or the length -1 for NULL, so that no two lists of values
-- have the same bytes. `domain::audit` does the same.
CREATE FUNCTION audit.part(value text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN value IS NULL THEN int8send(-1)
        ELSE int8send(octet_length(convert_to(value, 'UTF8'))) || convert_to(value, 'UTF8') END
$$;

CREATE FUNCTION audit.seal_hash(place bigint, previous bytea, sealed_at timestamptz, e audit.entry) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT sha256(
        audit.part(place::text) || previous || audit.part((extract(epoch FROM sealed_at) * 1000000)::bigint::text)
        || audit.part(e.workspace_id::text) || audit.part(e.id::text)
        || audit.part((extract(epoch FROM e.at) * 1000000)::bigint::text)
        || audit.part(e.action) || audit.part(e.actor_kind) || audit.part(e.actor_subject) || audit.part(e.actor_name)
        || audit.part(e.target_kind) || audit.part(e.target_id) || audit.part(e.tenant_id::text)
        || audit.part(e.related_tenant_ids::text) || audit.part(e.run_id::text) || audit.part(e.outcome)
        || audit.part(e.detail::text) || audit.part(e.request_id::text))
$$;

-- Seals up to `most` entries, the oldest first; returns how many. One sealer at a time: another one finds nothing to do.
-- An entry that has gone before it was sealed stays in the queue, where verification finds it.
CREATE FUNCTION audit.seal_entries(most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    entry audit.entry;
    head_position bigint;
    head_hash bytea;
    moment timestamptz;
    sealed integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('audit.seal_entries', 0)) THEN
        RETURN 0;
    END IF;
    FOR entry IN
        SELECT e.* FROM audit.unsealed u JOIN audit.entry e ON e.workspace_id = u.workspace_id AND e.id = u.entry_id
        ORDER BY u.seq LIMIT most
    LOOP
        SELECT s.position, s.hash INTO head_position, head_hash FROM audit.seal s
        WHERE s.workspace_id = entry.workspace_id ORDER BY s.position DESC LIMIT 1;
        head_position := coalesce(head_position, 0) + 1;
        head_hash := coalesce(head_hash, decode(repeat('00', 32), 'hex'));
        moment := clock_timestamp();
        INSERT INTO audit.seal (workspace_id, position, entry_id, previous, hash, sealed_at)
        VALUES (entry.workspace_id, head_position, entry.id, head_hash,
            audit.seal_hash(head_position, head_hash, moment, entry), moment);
        DELETE FROM audit.unsealed u WHERE u.workspace_id = entry.workspace_id AND u.entry_id = entry.id;
        sealed := sealed + 1;
    END LOOP;
    RETURN sealed;
END
$$;

ALTER TABLE audit.seal ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON audit.seal USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');
ALTER TABLE audit.unsealed ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace_scope ON audit.unsealed USING (
    workspace_id = (SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')::uuid)
    OR (SELECT current_setting('tenantatlas.scope', true)) = 'system');

GRANT SELECT ON audit.seal, audit.unsealed TO tenantatlas_operation;
REVOKE EXECUTE ON FUNCTION audit.seal_entries(integer), audit.seal_hash(bigint, bytea, timestamptz, audit.entry),
    audit.part(text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.seal_entries(integer) TO tenantatlas_operation;
