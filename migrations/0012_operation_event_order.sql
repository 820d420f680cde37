-- The events of one run in the order in which they happened, whatever transactions wrote them. Owner: operation-run-service.
--
-- A transaction may have its number before it holds the run's row: it waited for the lock, or wrote something else first.
-- The one that went ahead of it then has the higher number, and its event would be read later although it happened before.
-- So an event takes the number of its predecessor when that is higher than its own. This keeps what the tail relies on
-- (migration 0008): an event's `xid` is never below the transaction that writes it, so below xmin everything still has
-- ended and nothing is ever added; and it is never above a transaction that has ended, because the predecessor's has.
--
-- What a snapshot has seen is another question, and only the true writer answers it: `written_by`.

ALTER TABLE operation.run_event ADD COLUMN written_by xid8 NOT NULL DEFAULT pg_current_xact_id();

CREATE FUNCTION operation.order_run_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    predecessor xid8;
BEGIN
    SELECT e.xid INTO predecessor FROM operation.run_event e
    WHERE e.workspace_id = new.workspace_id AND e.run_id = new.run_id AND e.rev = new.rev - 1;
    IF predecessor > new.xid THEN
        new.xid := predecessor;
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER run_event_order BEFORE INSERT ON operation.run_event
    FOR EACH ROW EXECUTE FUNCTION operation.order_run_event();
