-- Data quality by device and day with its alerts; rejections that can be replayed and are counted by their cause.

-- What a day of a device was worth. Judged again while the day lasts, and when late readings reach it.
CREATE TABLE data_quality_day (
    day date NOT NULL,
    device_id bigint NOT NULL REFERENCES device,
    expected bigint NOT NULL,  -- readings, of the sensors whose profile says how often they report
    present bigint NOT NULL,
    missing_ratio double precision,
    completeness double precision,
    received bigint NOT NULL,  -- values that came on this day, whatever time they are of
    duplicate_ratio double precision,
    inconsistent_ratio double precision,
    implausible_ratio double precision,
    skew_s double precision,
    least_completeness double precision NOT NULL,
    alerts text[] NOT NULL DEFAULT '{}',
    judged_until timestamptz NOT NULL,
    is_over boolean NOT NULL,
    judged_at timestamptz NOT NULL,
    PRIMARY KEY (day, device_id)
);
CREATE INDEX data_quality_day_device ON data_quality_day (device_id, day DESC);
CREATE INDEX data_quality_day_alerts ON data_quality_day (day DESC, device_id) WHERE alerts <> '{}';

-- The arbiter of "once": an alert is said when its row is made.
CREATE TABLE data_quality_alert (
    device_id bigint NOT NULL REFERENCES device,
    day date NOT NULL,
    kind text NOT NULL CHECK (kind IN ('missing', 'duplicate', 'inconsistent', 'implausible', 'clock_skew')),
    value double precision NOT NULL,
    most double precision NOT NULL,
    raised_at timestamptz NOT NULL,
    PRIMARY KEY (device_id, day, kind)
);
CREATE INDEX data_quality_alert_day ON data_quality_alert (day DESC, kind);

-- Which device is judged next, and since when readings of it can be expected at all.
CREATE TABLE data_quality_state (
    device_id bigint PRIMARY KEY REFERENCES device,
    first_observed_at timestamptz,
    judged_at timestamptz NOT NULL,
    late bigint NOT NULL DEFAULT 0,  -- late values received when its past was judged last
    past_judged_at timestamptz NOT NULL
);
CREATE INDEX data_quality_state_judged ON data_quality_state (judged_at);

ALTER TABLE rejection
    ADD COLUMN weight integer NOT NULL DEFAULT 1 CHECK (weight >= 0),
    ADD COLUMN size bigint,
    ADD COLUMN content_type text NOT NULL DEFAULT '',
    ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- orders safely, as in change_log
    ADD COLUMN replay_requested_at timestamptz,
    ADD COLUMN replay_requested_by text,
    ADD COLUMN replayed_at timestamptz,
    ADD COLUMN replay_outcome jsonb;

-- A field without what differs from message to message: "SN-1[17].values.flow" is "*[*].values.flow".
CREATE FUNCTION rejection_field_pattern(field text, serial text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(regexp_replace(
        CASE WHEN serial <> '' AND starts_with(field, serial) THEN '*' || substr(field, length(serial) + 1) ELSE field END,
        '\[[0-9]+\]', '[*]', 'g'), '')
$$;
CREATE INDEX rejection_cause ON rejection (reason, rejection_field_pattern(field, serial), received_at DESC);
CREATE INDEX rejection_to_replay ON rejection (replay_requested_at, id) WHERE replay_requested_at IS NOT NULL AND replayed_at IS NULL;
CREATE INDEX rejection_order ON rejection (xid, id);

-- Rejections by cause and serial, folded from `rejection` behind its writers: no reader counts the rejections themselves.
CREATE TABLE rejection_group (
    day date NOT NULL,
    reason text NOT NULL,
    field_pattern text NOT NULL,
    serial text NOT NULL,  -- '' where it is not known; '*' for all serials beyond the first thousand
    count bigint NOT NULL DEFAULT 0,
    replayed bigint NOT NULL DEFAULT 0,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    example_id bigint NOT NULL,
    PRIMARY KEY (day, reason, field_pattern, serial)
);
CREATE TABLE rejection_total (
    reason text PRIMARY KEY,
    count bigint NOT NULL
);
CREATE TABLE rejection_fold (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    xid xid8 NOT NULL DEFAULT '0',
    id bigint NOT NULL DEFAULT 0
);
INSERT INTO rejection_fold DEFAULT VALUES;

-- Values that were refused and have been replayed since: they stand in `stored`, `duplicates` or `conflicts` now.
ALTER TABLE ingest_ledger ADD COLUMN replayed bigint NOT NULL DEFAULT 0;

-- The sum of all days that retention has removed, so that what is counted since the beginning never goes down.
CREATE TABLE ingest_ledger_past (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    messages bigint NOT NULL DEFAULT 0,
    values_received bigint NOT NULL DEFAULT 0,
    stored bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    conflicts bigint NOT NULL DEFAULT 0,
    late bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    replayed bigint NOT NULL DEFAULT 0
);
INSERT INTO ingest_ledger_past DEFAULT VALUES;
CREATE FUNCTION keep_ledger_sum() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE public.ingest_ledger_past p SET
        messages = p.messages + g.messages, values_received = p.values_received + g.values_received, stored = p.stored + g.stored,
        duplicates = p.duplicates + g.duplicates, conflicts = p.conflicts + g.conflicts, late = p.late + g.late,
        rejected = p.rejected + g.rejected, replayed = p.replayed + g.replayed
    FROM (SELECT sum(messages) AS messages, sum(values_received) AS values_received, sum(stored) AS stored,
            sum(duplicates) AS duplicates, sum(conflicts) AS conflicts, sum(late) AS late, sum(rejected) AS rejected,
            sum(replayed) AS replayed FROM gone) g
    WHERE g.messages IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER ingest_ledger_past AFTER DELETE ON ingest_ledger REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION keep_ledger_sum();

GRANT SELECT ON data_quality_day, data_quality_alert, data_quality_state, rejection_group, rejection_total, rejection_fold,
    ingest_ledger_past TO forewarn_app;
GRANT INSERT, UPDATE, DELETE ON data_quality_day TO forewarn_app;
GRANT INSERT ON data_quality_alert TO forewarn_app;
GRANT INSERT, UPDATE ON data_quality_state, rejection_total TO forewarn_app;
GRANT INSERT, UPDATE, DELETE ON rejection_group TO forewarn_app;
GRANT UPDATE ON rejection_fold TO forewarn_app;
-- What was refused and why stays as it was written; only what became of it is added.
GRANT UPDATE (weight, replay_requested_at, replay_requested_by, replayed_at, replay_outcome) ON rejection TO forewarn_app;

COMMENT ON TABLE data_quality_day IS 'Per device and day (UTC): which share of the expected readings came, and what was wrong with those that did.';
COMMENT ON COLUMN data_quality_day.completeness IS 'Share of the expected readings that are there; NULL where none can be expected.';
COMMENT ON COLUMN data_quality_day.least_completeness IS 'From which completeness on the silence of the monitors means health, by the profile of that moment.';
COMMENT ON COLUMN data_quality_day.judged_until IS 'Readings up to here were looked at.';
COMMENT ON TABLE data_quality_alert IS 'A day of a device went over a limit of its model''s profile; said once (dataquality.alert).';
COMMENT ON TABLE data_quality_state IS 'When each device was judged last, and its first reading.';
COMMENT ON COLUMN rejection.weight IS 'How many values are lost by it; 0 for a mere remark.';
COMMENT ON COLUMN rejection.size IS 'Bytes of the message as it came; the payload may be only its beginning.';
COMMENT ON COLUMN rejection.replayed_at IS 'When its message was decoded again; NULL while a request waits.';
COMMENT ON COLUMN rejection.replay_outcome IS 'What came of that: result, values stored, duplicates, conflicts, or why it is still refused.';
COMMENT ON TABLE rejection_group IS 'Rejections by day, cause and serial, counted behind their writers.';
COMMENT ON TABLE rejection_total IS 'Rejections by reason since the beginning; never less, whatever retention removes.';
COMMENT ON TABLE rejection_fold IS 'Up to where rejections were counted.';
COMMENT ON TABLE ingest_ledger_past IS 'One row: the sum of the ledger''s days that retention has removed.';
COMMENT ON COLUMN ingest_ledger.replayed IS 'Values once refused that were replayed since; `rejected` is without them.';
