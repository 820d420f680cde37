-- Where the work on a run is seen in a tracing tool: the context of the newest sign of life of its worker. A renewal sets it, so it is
-- no change that a watcher is told of by itself; the run's next event carries it.
ALTER TABLE operation.run ADD COLUMN work_traceparent text
    CONSTRAINT run_work_traceparent_form CHECK (work_traceparent ~ '^[0-9a-f]{2}(-[0-9a-f]+){3}$');
