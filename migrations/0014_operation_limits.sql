-- Room for everything that the API admits. Owner: operation-run-service.
--
-- The API limits JSON by its text: 64 KiB for a context, 60 KiB for a plan, a detail or an audit detail. As jsonb the same value
-- takes up to six times that (a digit and its comma are two bytes of text, and twelve as an element of an array), so these limits
-- are a backstop only: nothing that was admitted may be refused here, least of all at the end of a run, which would then never end
-- and keep its tenant locked.
--
-- The entry of a run's end repeats the parts of its context that say what it was about, and adds counts, the reason of a cancel
-- (500 characters) and the failure summary (at most 32 lines of at most 500 characters): below 1 MiB together, whatever started.
ALTER TABLE operation.run DROP CONSTRAINT run_context_size;
ALTER TABLE operation.run ADD CONSTRAINT run_context_size CHECK (
    jsonb_typeof(context) = 'object' AND pg_column_size(context) <= 524288);

ALTER TABLE operation.run_item DROP CONSTRAINT run_item_plan_size;
ALTER TABLE operation.run_item ADD CONSTRAINT run_item_plan_size CHECK (
    pg_column_size(plan) <= 524288 AND pg_column_size(detail) <= 524288);

ALTER TABLE audit.entry DROP CONSTRAINT entry_detail_size;
ALTER TABLE audit.entry ADD CONSTRAINT entry_detail_size CHECK (pg_column_size(detail) <= 1048576);
