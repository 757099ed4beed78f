-- Firmware at any moment, and connectivity from facts. The truth of firmware is firmware_report; what device.firmware,
-- device_history and breach.firmware say of it is derived, and mended when a report comes late.

-- What the master data said before the device said anything: the first report may differ from it.
ALTER TABLE device ADD COLUMN registered_firmware text NOT NULL DEFAULT '';
UPDATE device d SET registered_firmware = CASE
    WHEN EXISTS (SELECT FROM firmware_report f WHERE f.device_id = d.id AND f.component = 'main' AND f.state = 'UPDATED')
    THEN coalesce((SELECT h.before FROM device_history h WHERE h.device_id = d.id AND h.field = 'firmware:main'
        ORDER BY h.at, h.id LIMIT 1), d.firmware)
    ELSE d.firmware END;
CREATE FUNCTION keep_registered_firmware() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.registered_firmware := NEW.firmware;
    RETURN NEW;
END
$$;
CREATE TRIGGER device_registered_firmware BEFORE INSERT ON device FOR EACH ROW EXECUTE FUNCTION keep_registered_firmware();

-- Only what changes a version is looked for by time: a device may say a thousand times that it is downloading.
CREATE INDEX firmware_report_step ON firmware_report (device_id, component, observed_at DESC, id DESC)
    WHERE state IN ('UPDATED', 'FAILED');

-- The reports that say what a component runs from then on: UPDATED, and the FAILED that rolls back what was UPDATED. The same
-- rules as domain/firmware.py, which explains them.
CREATE VIEW firmware_step AS
SELECT r.id, r.device_id, r.component, r.observed_at, r.previous,
    CASE r.state WHEN 'UPDATED' THEN r.version ELSE r.previous END AS version
FROM firmware_report r
WHERE r.state = 'UPDATED' OR (r.state = 'FAILED' AND r.previous <> r.version AND r.version = (
    SELECT u.version FROM firmware_report u
    WHERE u.device_id = r.device_id AND u.component = r.component AND u.state = 'UPDATED'
        AND (u.observed_at, u.id) < (r.observed_at, r.id)
    ORDER BY u.observed_at DESC, u.id DESC LIMIT 1));

-- From when to when each component ran which version; until NULL: it still does.
CREATE VIEW firmware_interval AS
SELECT device_id, component, version, observed_at AS since,
    lead(observed_at) OVER (PARTITION BY device_id, component ORDER BY observed_at, id) AS until
FROM (
    SELECT s.*, lag(version) OVER (PARTITION BY device_id, component ORDER BY observed_at, id) AS known FROM firmware_step s
) step
WHERE known IS DISTINCT FROM version;

-- What each component of a device ran at an instant. `since` NULL: only later reports (`previous`) or the master data tell.
CREATE FUNCTION firmware_of(device bigint, instant timestamptz)
RETURNS TABLE (component text, version text, since timestamptz, source text)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT c.component, coalesce(past.version, first.previous, d.registered_firmware), past.observed_at,
        CASE WHEN past.version IS NOT NULL THEN 'reported' WHEN first.previous IS NOT NULL THEN 'previous' ELSE 'registered' END
    FROM device d
    CROSS JOIN LATERAL (
        SELECT 'main' AS component UNION SELECT f.component FROM firmware_report f WHERE f.device_id = d.id
    ) c
    LEFT JOIN LATERAL (
        SELECT s.version, s.observed_at FROM firmware_step s
        WHERE s.device_id = d.id AND s.component = c.component AND s.observed_at <= instant
        ORDER BY s.observed_at DESC, s.id DESC LIMIT 1
    ) past ON true
    LEFT JOIN LATERAL (
        SELECT nullif(s.previous, '') AS previous FROM firmware_step s
        WHERE s.device_id = d.id AND s.component = c.component
        ORDER BY s.observed_at, s.id LIMIT 1
    ) first ON past.version IS NULL
    WHERE d.id = device
        AND (past.version IS NOT NULL OR first.previous IS NOT NULL OR (c.component = 'main' AND d.registered_firmware <> ''))
    ORDER BY c.component
$$;

CREATE FUNCTION firmware_at(serial text, instant timestamptz)
RETURNS TABLE (component text, version text, since timestamptz, source text)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT f.component, f.version, f.since, f.source
    FROM device d CROSS JOIN LATERAL firmware_of(d.id, instant) f WHERE d.serial = $1
$$;

-- The version of the main component then; '' where nothing is known. Without settings of its own, so that it is planned with
-- the query that calls it.
CREATE FUNCTION main_firmware_of(device bigint, instant timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT s.version FROM public.firmware_step s WHERE s.device_id = $1 AND s.component = 'main' AND s.observed_at <= $2
            ORDER BY s.observed_at DESC, s.id DESC LIMIT 1),
        (SELECT nullif(s.previous, '') FROM public.firmware_step s WHERE s.device_id = $1 AND s.component = 'main'
            ORDER BY s.observed_at, s.id LIMIT 1),
        (SELECT d.registered_firmware FROM public.device d WHERE d.id = $1),
        '')
$$;

-- Brings all that is derived from the reports of one component up to them: device_history (the rows that devices made), for
-- the main component also device.firmware and the firmware of breaches. What is right already is not touched. SECURITY
-- DEFINER: the programs' role changes no history otherwise. The caller holds the device's row.
CREATE FUNCTION mend_firmware(device bigint, part text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    mended integer;
    current_version text;
BEGIN
    WITH step AS (
        SELECT s.id, s.observed_at, s.version, s.previous,
            lag(s.version) OVER (ORDER BY s.observed_at, s.id) AS known, row_number() OVER (ORDER BY s.observed_at, s.id) AS place
        FROM public.firmware_step s WHERE s.device_id = device AND s.component = part
    ), wanted AS (
        SELECT observed_at AS at, before, version AS after FROM (
            SELECT step.*, CASE WHEN place > 1 THEN known ELSE coalesce(nullif(previous, ''),
                (SELECT nullif(d.registered_firmware, '') FROM public.device d WHERE d.id = device AND part = 'main')) END AS before
            FROM step
        ) change
        WHERE before IS DISTINCT FROM version
    ), gone AS (
        DELETE FROM public.device_history h
        WHERE h.device_id = device AND h.field = 'firmware:' || part AND h.source = 'device' AND NOT EXISTS (
            SELECT FROM wanted w WHERE (w.at, w.after) = (h.at, h.after) AND w.before IS NOT DISTINCT FROM h.before)
        RETURNING h.id
    ), come AS (
        INSERT INTO public.device_history (device_id, at, field, before, after, source)
        SELECT device, w.at, 'firmware:' || part, w.before, w.after, 'device' FROM wanted w WHERE NOT EXISTS (
            SELECT FROM public.device_history h
            WHERE h.device_id = device AND h.field = 'firmware:' || part AND h.source = 'device'
                AND (w.at, w.after) = (h.at, h.after) AND w.before IS NOT DISTINCT FROM h.before)
        ORDER BY w.at
        RETURNING id
    )
    SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM come) INTO mended;
    IF part <> 'main' THEN
        RETURN;
    END IF;
    SELECT s.version INTO current_version FROM public.firmware_step s
    WHERE s.device_id = device AND s.component = 'main' ORDER BY s.observed_at DESC, s.id DESC LIMIT 1;
    UPDATE public.device d SET firmware = coalesce(current_version, d.registered_firmware),
        row_version = d.row_version + 1, updated_at = now()
    WHERE d.id = device AND d.firmware <> coalesce(current_version, d.registered_firmware);
    IF mended > 0 THEN
        UPDATE public.breach b SET firmware = judged.version
        FROM (
            SELECT id, public.main_firmware_of(device_id, first_seen) AS version FROM public.breach WHERE device_id = device
        ) AS judged
        WHERE b.id = judged.id AND b.firmware <> judged.version;
    END IF;
END
$$;

-- What was derived from reports until now did not follow those that came late.
SELECT mend_firmware(device_id, component) FROM (SELECT DISTINCT device_id, component FROM firmware_step) known;

-- The facts from which connectivity follows, see domain/connectivity.py. Room is left on every page: rows are updated every
-- few seconds.
CREATE TABLE device_connection (
    device_id bigint PRIMARY KEY REFERENCES device,
    word text CHECK (word IN ('online', 'offline')),
    word_observed_at timestamptz,
    word_received_at timestamptz,
    word_is_repeat boolean NOT NULL DEFAULT false,
    before_at timestamptz,
    lag interval,
    run_received_at timestamptz,
    run_observed_at timestamptz,
    last_received_at timestamptz,
    last_observed_at timestamptz
) WITH (fillfactor = 60);
-- What was known until now: the newest status of each device, and its last readings. Then connectivity is judged anew.
INSERT INTO device_connection (device_id, word, word_observed_at, word_received_at, last_received_at, last_observed_at)
SELECT d.id, s.state, s.observed_at, s.received_at, d.last_seen_at,
    CASE WHEN d.last_seen_at IS NOT NULL THEN coalesce(o.observed_at, d.last_seen_at) END
FROM device d
LEFT JOIN LATERAL (
    SELECT state, observed_at, received_at FROM status_report WHERE device_id = d.id ORDER BY received_at DESC, id DESC LIMIT 1
) s ON true
LEFT JOIN LATERAL (SELECT max(last_observed_at) AS observed_at FROM series WHERE device_id = d.id) o ON true
WHERE s.state IS NOT NULL OR d.last_seen_at IS NOT NULL;

ALTER TABLE device ADD COLUMN connectivity_reason text NOT NULL DEFAULT '';
ALTER TABLE status_report ADD COLUMN is_repeat boolean NOT NULL DEFAULT false;
CREATE INDEX status_report_received ON status_report (device_id, received_at DESC);

GRANT SELECT ON firmware_step, firmware_interval, device_connection TO forewarn_app;
GRANT INSERT, UPDATE ON device_connection TO forewarn_app;
REVOKE ALL ON FUNCTION firmware_of(bigint, timestamptz), firmware_at(text, timestamptz), main_firmware_of(bigint, timestamptz),
    mend_firmware(bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION firmware_of(bigint, timestamptz), firmware_at(text, timestamptz),
    main_firmware_of(bigint, timestamptz), mend_firmware(bigint, text) TO forewarn_app;

COMMENT ON COLUMN device.registered_firmware IS 'Firmware as the master data had it when the device was registered; reports outrank it.';
COMMENT ON COLUMN device.firmware IS 'What the main component runs by the newest report, else as registered.';
COMMENT ON COLUMN device.connectivity IS 'Apart from lifecycle: from status, will, readings and silence (device_connection).';
COMMENT ON COLUMN device.connectivity_reason IS 'Why: readings, said_online, said_offline, silent; empty before it was first judged.';
COMMENT ON COLUMN status_report.is_repeat IS 'Retained, or sent again by the broker: it does not say when it became true.';
COMMENT ON VIEW firmware_step IS 'The reports that change what a component runs: UPDATED, and FAILED that rolls back.';
COMMENT ON VIEW firmware_interval IS 'From when to when each component ran which version, from the reports.';
COMMENT ON TABLE device_connection IS 'The facts from which connectivity follows: the newest word, the readings around it.';
COMMENT ON COLUMN device_connection.before_at IS 'The last sign of life before the word.';
COMMENT ON COLUMN device_connection.lag IS 'Receipt minus device time of the last readings before the word.';
COMMENT ON COLUMN device_connection.run_received_at IS 'Since when, after the word, readings come at the pace of real time.';
