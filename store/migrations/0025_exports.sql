-- Who took what out: written before the first byte leaves, and never changed.

CREATE SEQUENCE export_number;
CREATE TABLE export_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,  -- EX-2026-000001
    at timestamptz NOT NULL,
    user_id bigint REFERENCES app_user,
    actor text NOT NULL,
    role text NOT NULL,
    permission text NOT NULL,
    customer_id bigint REFERENCES customer,
    list text NOT NULL,
    format text NOT NULL CHECK (format IN ('csv', 'json')),
    filter jsonb NOT NULL,
    columns text[] NOT NULL,
    is_identifiable boolean NOT NULL,
    row_count bigint NOT NULL CHECK (row_count >= 0),
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    sha256 text NOT NULL,
    reason text NOT NULL DEFAULT '',
    approval_request_id bigint UNIQUE REFERENCES approval_request,  -- the arbiter: what was granted is taken once
    request_id text NOT NULL DEFAULT '',
    CHECK (NOT is_identifiable OR (approval_request_id IS NOT NULL AND reason <> ''))
);
CREATE INDEX export_log_actor ON export_log (actor, id DESC);
CREATE INDEX export_log_list ON export_log (list, id DESC);

CREATE TRIGGER export_log_write_once BEFORE UPDATE OR DELETE ON export_log FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER export_log_no_truncate BEFORE TRUNCATE ON export_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON export_log TO forewarn_app;
GRANT USAGE ON SEQUENCE export_number, export_log_id_seq TO forewarn_app;

COMMENT ON TABLE export_log IS 'Every file of data that somebody took out: who, what, when and why. Written once, before its first byte left.';
COMMENT ON COLUMN export_log.actor IS 'Name of the account, or token:<name>.';
COMMENT ON COLUMN export_log.customer_id IS 'Whose rows alone the taker sees; NULL: all.';
COMMENT ON COLUMN export_log.list IS 'Which list, e.g. work_orders; readings for the readings of one sensor.';
COMMENT ON COLUMN export_log.filter IS 'As it was given; {}: everything.';
COMMENT ON COLUMN export_log.is_identifiable IS 'Some of the columns name people: taken with a second person only.';
COMMENT ON COLUMN export_log.sha256 IS 'Of the bytes that were handed out, watermark included.';
COMMENT ON COLUMN export_log.approval_request_id IS 'The request by which a second person granted exactly this export.';

-- The audit is found by action and by time among millions of events. Its time never goes back, whatever the clock does: so the events of
-- a time are those between two numbers.
CREATE INDEX audit_event_action ON audit_event (action, seq DESC);
CREATE INDEX audit_event_at ON audit_event (at, seq);
ALTER TABLE audit_head ADD COLUMN at timestamptz NOT NULL DEFAULT '-infinity';
UPDATE audit_head SET at = coalesce((SELECT max(e.at) FROM audit_event e), '-infinity');
CREATE OR REPLACE FUNCTION chain_audit_event() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    head audit_head;
BEGIN
    SELECT * INTO head FROM audit_head FOR UPDATE;
    NEW.seq := head.seq + 1;
    NEW.at := greatest(clock_timestamp(), head.at);
    NEW.prev_hash := head.hash;
    NEW.hash := encode(sha256(convert_to(audit_text(NEW), 'UTF8')), 'hex');
    UPDATE audit_head SET seq = NEW.seq, hash = NEW.hash, at = NEW.at;
    RETURN NEW;
END
$$;
COMMENT ON COLUMN audit_head.at IS 'Time of the newest event: no later one has an earlier time.';
