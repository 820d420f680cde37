-- The roles services connect as. They log in; production gives them a password (ALTER ROLE ... PASSWORD), a private
-- development cluster trusts its own loopback. None of them owns a table, is a superuser or bypasses row-level security.
--
-- Roles belong to the cluster, migrations to a database: several databases of one cluster may be migrated at the same
-- time, so "already there" and "just being made by somebody else" are both fine.
DO $$
DECLARE
    service_role text;
BEGIN
    FOREACH service_role IN ARRAY ARRAY['tenantatlas_compare', 'tenantatlas_promotion', 'tenantatlas_operation'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = service_role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', service_role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;

-- One schema per area; its owning service alone gets USAGE. access_api is the published exception: read views for all.
CREATE SCHEMA access;
CREATE SCHEMA tenant;
CREATE SCHEMA inventory;
CREATE SCHEMA operation;
CREATE SCHEMA audit;
CREATE SCHEMA access_api;
-- Trigger functions that several schemas share. Nobody calls them by name, so nobody needs USAGE.
CREATE SCHEMA guard;

GRANT USAGE ON SCHEMA access, tenant, inventory TO tenantatlas_compare;
GRANT USAGE ON SCHEMA operation, audit TO tenantatlas_operation;
GRANT USAGE ON SCHEMA access_api TO tenantatlas_compare, tenantatlas_promotion, tenantatlas_operation;

-- The migrator keeps its own book in migration.applied (made before the first migration runs). Services read it to wait
-- for the schema they need.
GRANT USAGE ON SCHEMA migration TO tenantatlas_compare, tenantatlas_promotion, tenantatlas_operation;
GRANT SELECT ON migration.applied TO tenantatlas_compare, tenantatlas_promotion, tenantatlas_operation;

-- Raised by triggers with these codes, told apart by the constraint name each carries:
--   TA001  the change would leave a state that may not be left that way
--   TA002  the row is immutable
--   TA003  values that must agree do not
CREATE FUNCTION guard.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % refused', tg_table_schema, tg_table_name, tg_op
        USING ERRCODE = 'TA002', CONSTRAINT = tg_name, SCHEMA = tg_table_schema, TABLE = tg_table_name;
END
$$;
