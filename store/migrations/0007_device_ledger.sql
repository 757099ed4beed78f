-- What became of all that each device sent, by day, with what its own counter and clock tell of it.

-- One row for each transaction of ingest: the counts of its devices as bytes (store/ledger_blocks.py). Adding to thousands of
-- rows of device_day in every transaction would cost more than the readings do; they are folded every few seconds instead.
CREATE TABLE ledger_block (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    writer text NOT NULL,
    day date NOT NULL,
    payload bytea NOT NULL
);
-- Small numbers that are packed already, and gone in seconds.
ALTER TABLE ledger_block ALTER COLUMN payload SET STORAGE EXTERNAL;

-- No reference to device: folding never fails for a device that is gone, and device 0 stands for what names no device.
-- Room is left on every page, because each row is updated every few seconds of its day and then never again.
CREATE TABLE device_day (
    day date NOT NULL,
    device_id bigint NOT NULL,
    messages bigint NOT NULL DEFAULT 0,
    received bigint NOT NULL DEFAULT 0,
    stored bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    conflicts bigint NOT NULL DEFAULT 0,
    late bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    inconsistent bigint NOT NULL DEFAULT 0,
    implausible bigint NOT NULL DEFAULT 0,
    seq_missing bigint NOT NULL DEFAULT 0,
    seq_filled bigint NOT NULL DEFAULT 0,
    seq_back bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, device_id)
) WITH (fillfactor = 60);
CREATE INDEX device_day_device ON device_day (device_id, day);

CREATE TABLE device_ingest_state (
    device_id bigint PRIMARY KEY,
    last_seq bigint,
    last_seq_observed_at timestamptz,
    skew_s double precision,
    skew_at timestamptz,
    envelope_s double precision,
    envelope_since_us bigint,
    earlier_envelope_s double precision,
    level_s double precision,
    level_since_us bigint
) WITH (fillfactor = 60);

-- Removes at most `most` rows of days before the given one, the oldest first; returns how many. SECURITY DEFINER: the
-- programs' role removes no counts otherwise.
CREATE FUNCTION remove_device_days_before(first_kept date, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    removed integer;
BEGIN
    DELETE FROM public.device_day WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.device_day WHERE day < first_kept ORDER BY day LIMIT most));
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

GRANT SELECT ON ledger_block, device_day, device_ingest_state TO forewarn_app;
GRANT INSERT, DELETE ON ledger_block TO forewarn_app;
GRANT INSERT, UPDATE ON device_day, device_ingest_state TO forewarn_app;
REVOKE ALL ON FUNCTION remove_device_days_before(date, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remove_device_days_before(date, integer) TO forewarn_app;

COMMENT ON TABLE ledger_block IS 'Counts by device of one transaction of ingest, not yet added to device_day; gone in seconds.';
COMMENT ON TABLE device_day IS 'Per UTC day of receipt and device: received = stored + duplicates + conflicts + rejected. Device 0: what names no device.';
COMMENT ON COLUMN device_day.messages IS 'Messages that hold something of the device; one of a gateway counts for each device in it.';
COMMENT ON COLUMN device_day.late IS 'Of those stored: older than what their series already had.';
COMMENT ON COLUMN device_day.inconsistent IS 'Of those rejected: another unit, a sensor that the model lacks, a gateway that does not own the device.';
COMMENT ON COLUMN device_day.implausible IS 'Rejected as from the future, or stored although observed before the device was installed.';
COMMENT ON COLUMN device_day.seq_missing IS 'Numbers that the device''s counter left out when it moved on.';
COMMENT ON COLUMN device_day.seq_filled IS 'Messages that came after a later number had come: they take from seq_missing.';
COMMENT ON COLUMN device_day.seq_back IS 'How often the counter went back while time went on: a restart of the device.';
COMMENT ON TABLE device_ingest_state IS 'Where each device''s counter stands, and how far its clock is ahead.';
COMMENT ON COLUMN device_ingest_state.skew_s IS 'Above 0: the device''s clock is ahead. Never above the truth: the shortest delay on the way is taken off.';
COMMENT ON COLUMN device_ingest_state.envelope_s IS 'Shortest time from observation to receipt since envelope_since_us; negative for a clock that is ahead.';
COMMENT ON COLUMN device_ingest_state.earlier_envelope_s IS 'The same of the window before.';
COMMENT ON COLUMN device_ingest_state.level_s IS 'Where the lower one of both stood when it last moved by more than a second, at level_since_us.';
