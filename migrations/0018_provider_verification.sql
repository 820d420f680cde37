-- What a verification learned that its state does not say: the policy types the connection may not read. It stands with the connection it
-- was learned of, so that another connection starts without. Owner: compare-service.
ALTER TABLE tenant.provider_connection
    ADD COLUMN denied_types text[] NOT NULL DEFAULT '{}',
    ADD CONSTRAINT provider_connection_denied_count CHECK (cardinality(denied_types) <= 500);
