-- When the trying began that a connection's state rests on, by the database's clock: a verdict never overwrites one of a try that
-- began later, whichever worker writes last. NULL: never tried, or tried by an older release. Owner: compare-service.
ALTER TABLE tenant.provider_connection ADD COLUMN tried_at timestamptz;
