-- Roll-ups of readings by minute, hour and day, under the same names and with the same figures on every flavour: continuous
-- aggregates on TimescaleDB's community edition, tables elsewhere. How they stay exact: docs/adr/0013-rollups.md.

-- How far the roll-ups are. A reading is in a level's rows if its bucket ends at or before the level's instant and no row of
-- rollup_late names it; store/rollups.py reads everything else from the finer level, and in the end from reading itself.
CREATE TABLE rollup_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    announced_to timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',  -- who stores a reading of before says so in rollup_late
    minutes_to timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',  -- reading_1m; always a full hour
    hours_to timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',  -- reading_1h; a multiple of six hours
    days_to timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',  -- reading_1d
    raw_from timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',  -- readings of before were removed, of all series
    final_before timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',  -- readings of before were removed, of some series or all
    minutes_from timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',  -- rows of reading_1m of before were removed
    hours_from timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',  -- and of reading_1h
    refreshed_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO rollup_state DEFAULT VALUES;

-- What was stored behind announced_to: readings of one series within one UTC day, from the first to the last.
CREATE TABLE rollup_late (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_id integer NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL
);
CREATE INDEX rollup_late_series ON rollup_late (series_id);

-- NULL: as for all. Later than rollup_state.raw_from where the sensor's retention class is shorter.
ALTER TABLE series ADD COLUMN raw_from timestamptz;

-- Finds an hour among the readings of all series: rows lie in the order in which they arrived.
CREATE INDEX reading_observed ON reading USING brin (observed_at) WITH (pages_per_range = 32, autosummarize = on);

DO $$
DECLARE
    level record;
BEGIN
    IF (SELECT flavour FROM installation) = 'timescaledb-community' THEN
        -- Readings are decimals of few digits. As bits they have nothing in common, so that the columnstore's packing of floats
        -- (Gorilla) leaves six bytes of eight; its dictionary leaves less than two. It takes the dictionary for every type that it
        -- does not know, and a domain is one; everybody else sees a double precision.
        CREATE DOMAIN reading_value AS double precision;
        ALTER TABLE reading ALTER COLUMN value TYPE reading_value;
        CREATE MATERIALIZED VIEW reading_1m
            WITH (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '10 days') AS
            SELECT series_id, public.time_bucket('1 minute', observed_at) AS bucket,
                min(value) FILTER (WHERE flags & 4 = 0) AS minimum,
                max(value) FILTER (WHERE flags & 4 = 0) AS maximum,
                sum(value) FILTER (WHERE flags & 4 = 0) AS sum,
                count(*) FILTER (WHERE flags & 4 = 0) AS n,
                bit_or(flags) AS flags
            FROM reading GROUP BY 1, 2 WITH NO DATA;
        CREATE MATERIALIZED VIEW reading_1h
            WITH (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '90 days') AS
            SELECT series_id, public.time_bucket('1 hour', bucket) AS bucket, min(minimum) AS minimum, max(maximum) AS maximum,
                sum(sum) AS sum, sum(n)::bigint AS n, bit_or(flags) AS flags
            FROM reading_1m GROUP BY 1, 2 WITH NO DATA;
        CREATE MATERIALIZED VIEW reading_1d
            WITH (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '365 days') AS
            SELECT series_id, public.time_bucket('1 day', bucket) AS bucket, min(minimum) AS minimum, max(maximum) AS maximum,
                sum(sum) AS sum, sum(n)::bigint AS n, bit_or(flags) AS flags
            FROM reading_1h GROUP BY 1, 2 WITH NO DATA;
        -- What is three days old is rarely added to. Late readings can be, at a price.
        ALTER TABLE reading SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'series_id', timescaledb.orderby = 'observed_at');
        CALL public.add_columnstore_policy('reading', after => interval '3 days');
        ALTER MATERIALIZED VIEW reading_1m SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'series_id', timescaledb.orderby = 'bucket');
        CALL public.add_columnstore_policy('reading_1m', after => interval '3 days');
        ALTER MATERIALIZED VIEW reading_1h SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'series_id', timescaledb.orderby = 'bucket');
        CALL public.add_columnstore_policy('reading_1h', after => interval '7 days');
        RETURN;
    END IF;
    FOR level IN SELECT * FROM (VALUES ('reading_1m', interval '10 days'), ('reading_1h', interval '90 days'), ('reading_1d', NULL)) AS l (name, span) LOOP
        EXECUTE format('CREATE TABLE %I (
                series_id integer NOT NULL,
                flags smallint NOT NULL,  -- every mark that a reading of the bucket carries
                bucket timestamptz NOT NULL,  -- begin, in UTC
                minimum double precision,  -- these without readings marked bad; NULL where there are only such
                maximum double precision,
                sum double precision,
                n bigint NOT NULL,
                PRIMARY KEY (series_id, bucket)
            ) %s', level.name, CASE WHEN level.span IS NOT NULL AND (SELECT flavour FROM installation) = 'postgresql' THEN 'PARTITION BY RANGE (bucket)' END);
        IF level.span IS NOT NULL AND (SELECT flavour FROM installation) <> 'postgresql' THEN
            PERFORM public.create_hypertable(level.name, 'bucket', chunk_time_interval => level.span, create_default_indexes => false);
        END IF;
    END LOOP;
    GRANT INSERT, UPDATE, DELETE ON reading_1m, reading_1h, reading_1d TO forewarn_app;
    GRANT UPDATE (announced_to, minutes_to, hours_to, days_to, refreshed_at) ON rollup_state TO forewarn_app;
END
$$;

-- Makes the month partitions of reading_1m and reading_1h that hold [first, last); on TimescaleDB chunks come by themselves.
CREATE FUNCTION ensure_rollup_partitions(first timestamptz, last timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    month timestamp;
    level text;
    partition_name text;
BEGIN
    IF (SELECT flavour FROM installation) <> 'postgresql' THEN
        RETURN;
    END IF;
    FOR month IN SELECT generate_series(date_trunc('month', first AT TIME ZONE 'UTC'), last AT TIME ZONE 'UTC', interval '1 month') LOOP
        FOREACH level IN ARRAY ARRAY['reading_1m', 'reading_1h'] LOOP
            partition_name := level || '_' || to_char(month, 'YYYYMM');
            IF NOT EXISTS (SELECT FROM pg_class WHERE relname = partition_name AND relnamespace = 'public'::regnamespace) THEN
                EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)', partition_name, level,
                    month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
            END IF;
        END LOOP;
    END LOOP;
END
$$;

-- Where readings may begin at or after `at`: the begin of the first partition or chunk that reaches beyond it; NULL: there is none.
CREATE FUNCTION find_readings_after(at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (SELECT flavour FROM installation) <> 'postgresql' THEN
        RETURN (SELECT min(range_start) FROM timescaledb_information.chunks
            WHERE hypertable_schema = 'public' AND hypertable_name = 'reading' AND range_end > at);
    END IF;
    -- Names are compared as text and read as a day at the very end: a planner may look at a condition before it joins, and then
    -- every relation of the database would have to be named by a day.
    RETURN (SELECT to_date(right(min(c.relname::text COLLATE "C"), 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC'
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.reading'::regclass
            AND c.relname::text COLLATE "C" >= 'reading_' || to_char(at AT TIME ZONE 'UTC', 'YYYYMMDD'));
END
$$;

-- Drops whole days before the given one; returns how many partitions or chunks went. Their roll-ups stay as they are, for good.
CREATE OR REPLACE FUNCTION drop_readings_before(first_kept date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    kept_from timestamptz := first_kept::timestamp AT TIME ZONE 'UTC';
    partition_name text;
    dropped integer := 0;
BEGIN
    UPDATE public.rollup_state SET raw_from = kept_from, final_before = greatest(final_before, kept_from) WHERE raw_from < kept_from;
    DELETE FROM public.rollup_late WHERE last_at < kept_from;
    IF (SELECT flavour FROM installation) <> 'postgresql' THEN
        SELECT count(*) INTO dropped FROM public.drop_chunks('public.reading', older_than => kept_from);
        RETURN dropped;
    END IF;
    FOR partition_name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.reading'::regclass AND c.relname < 'reading_' || to_char(first_kept, 'YYYYMMDD')
    LOOP
        EXECUTE format('DROP TABLE public.%I', partition_name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

-- Removes the readings of these series from the UTC days [first, last) and remembers that they are gone; returns how many they
-- were. Roll-ups stay. On the columnstore whole segments go without being unpacked.
CREATE FUNCTION remove_readings(series_ids integer[], first timestamptz, last timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    removed bigint;
BEGIN
    DELETE FROM public.reading WHERE series_id = ANY (series_ids) AND observed_at >= first AND observed_at < last;
    GET DIAGNOSTICS removed = ROW_COUNT;
    UPDATE public.rollup_state SET final_before = last WHERE final_before < last;
    UPDATE public.series SET raw_from = last WHERE id = ANY (series_ids) AND (raw_from IS NULL OR raw_from < last);
    DELETE FROM public.rollup_late WHERE series_id = ANY (series_ids) AND last_at < last;
    RETURN removed;
END
$$;

-- Removes roll-ups of one level before the given instant, as far as whole months, chunks or, by day, rows go.
CREATE FUNCTION drop_rollups_before(level text, first_kept timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    store_flavour text := (SELECT flavour FROM installation);
    partition_name text;
    dropped integer := 0;
BEGIN
    IF level NOT IN ('reading_1m', 'reading_1h', 'reading_1d') THEN
        RAISE EXCEPTION 'no roll-up is named %', level;
    END IF;
    UPDATE public.rollup_state SET
        minutes_from = CASE WHEN level = 'reading_1m' THEN greatest(minutes_from, first_kept) ELSE minutes_from END,
        hours_from = CASE WHEN level = 'reading_1h' THEN greatest(hours_from, first_kept) ELSE hours_from END;
    IF store_flavour = 'timescaledb-community' OR (store_flavour = 'timescaledb-apache' AND level <> 'reading_1d') THEN
        SELECT count(*) INTO dropped FROM public.drop_chunks(('public.' || level)::regclass, older_than => first_kept);
    ELSIF level = 'reading_1d' THEN
        DELETE FROM public.reading_1d WHERE bucket < first_kept;
        GET DIAGNOSTICS dropped = ROW_COUNT;
    ELSE
        FOR partition_name IN
            SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = ('public.' || level)::regclass AND c.relname < level || '_' || to_char(first_kept AT TIME ZONE 'UTC', 'YYYYMM')
        LOOP
            EXECUTE format('DROP TABLE public.%I', partition_name);
            dropped := dropped + 1;
        END LOOP;
    END IF;
    RETURN dropped;
END
$$;

-- Removes the oldest rows of one of these tables, received before the given instant: looks at the oldest `most` only, so that a
-- round costs the same whatever the table has grown to. Simulated events of the outbox never leave the system; others stay.
CREATE FUNCTION remove_rows_before(name text, first_kept timestamptz, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    removed integer;
BEGIN
    CASE name
        WHEN 'device_event' THEN
            DELETE FROM public.device_event WHERE id = ANY (ARRAY(
                SELECT id FROM (SELECT id, received_at FROM public.device_event ORDER BY id LIMIT most) AS oldest
                WHERE received_at < first_kept));
        WHEN 'status_report' THEN
            DELETE FROM public.status_report WHERE id = ANY (ARRAY(
                SELECT id FROM (SELECT id, received_at FROM public.status_report ORDER BY id LIMIT most) AS oldest
                WHERE received_at < first_kept));
        WHEN 'ingest_ledger' THEN
            DELETE FROM public.ingest_ledger WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM public.ingest_ledger WHERE day < (first_kept AT TIME ZONE 'UTC')::date ORDER BY day LIMIT most));
        WHEN 'outbox' THEN
            DELETE FROM public.outbox WHERE id = ANY (ARRAY(
                SELECT id FROM (SELECT id, created_at FROM public.outbox WHERE is_simulated ORDER BY id LIMIT most) AS oldest
                WHERE created_at < first_kept));
    END CASE;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;
CREATE INDEX outbox_simulated ON outbox (id) WHERE is_simulated;

-- Every breach transition up to this one has its decision, and none before it is still to be committed: who counts those that
-- wait begins behind it. Moved by housekeeping.
CREATE TABLE triage_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    decided_to bigint NOT NULL DEFAULT 0
);
INSERT INTO triage_state DEFAULT VALUES;
GRANT SELECT, UPDATE ON triage_state TO forewarn_app;
COMMENT ON TABLE triage_state IS 'Up to which breach transition every one is decided.';

-- The community edition's refresher, run every minute by TimescaleDB's scheduler as the owner of the aggregates. It takes the
-- steps of store/rollup_refresh.py in their order and, like that, may be killed between any two. `config`: "now", for tests.
DO $outer$
BEGIN
    IF (SELECT flavour FROM installation) <> 'timescaledb-community' THEN
        RETURN;
    END IF;
    CREATE PROCEDURE refresh_rollups(job_id integer, config jsonb) LANGUAGE plpgsql AS $$
    DECLARE
        epoch CONSTANT timestamptz := '1970-01-01 00:00:00+00';
        wanted timestamptz := date_bin('1 hour', coalesce((config ->> 'now')::timestamptz, clock_timestamp()) - interval '10 minutes', epoch);
        state public.rollup_state;
        horizon xid8;
        step_from timestamptz;
        step_to timestamptz;
        late record;
    BEGIN
        PERFORM pg_advisory_lock(hashtextextended('forewarn refresh of roll-ups', 0));
        -- 1. From now on writers name what they add before `wanted`; those who could not know yet have ended when step 2 begins.
        UPDATE public.rollup_state SET announced_to = wanted WHERE announced_to < wanted;
        COMMIT;
        horizon := pg_snapshot_xmax(pg_current_snapshot());
        COMMIT;
        FOR attempt IN 1..300 LOOP
            EXIT WHEN pg_snapshot_xmin(pg_current_snapshot()) >= horizon;
            PERFORM pg_sleep(0.1);
            COMMIT;
        END LOOP;
        IF pg_snapshot_xmin(pg_current_snapshot()) < horizon THEN
            PERFORM pg_advisory_unlock(hashtextextended('forewarn refresh of roll-ups', 0));
            RETURN;
        END IF;
        -- 2. Forward, a day at most at once; ten where a long past is to be caught up with.
        LOOP
            SELECT * INTO state FROM public.rollup_state;
            EXIT WHEN state.minutes_to >= state.announced_to;
            step_from := least(greatest(state.minutes_to, coalesce(public.find_readings_after(state.minutes_to), state.announced_to)), state.announced_to);
            step_to := least(
                step_from + CASE WHEN state.announced_to - step_from > interval '60 days' THEN interval '10 days' ELSE interval '1 day' END,
                state.announced_to);
            IF step_to > step_from THEN
                CALL public.refresh_continuous_aggregate('public.reading_1m', step_from, step_to);
            END IF;
            UPDATE public.rollup_state SET minutes_to = step_to, refreshed_at = clock_timestamp();
            COMMIT;
        END LOOP;
        LOOP
            SELECT * INTO state FROM public.rollup_state;
            step_to := date_bin('6 hours', state.minutes_to, epoch);
            EXIT WHEN state.hours_to >= step_to;
            step_from := least(greatest(state.hours_to, coalesce(date_bin('6 hours', public.find_readings_after(state.hours_to), epoch), step_to)), step_to);
            step_to := least(step_from + interval '30 days', step_to);
            IF step_to > step_from THEN
                CALL public.refresh_continuous_aggregate('public.reading_1h', step_from, step_to);
            END IF;
            UPDATE public.rollup_state SET hours_to = step_to;
            COMMIT;
        END LOOP;
        SELECT * INTO state FROM public.rollup_state;
        step_to := date_bin('1 day', state.hours_to, epoch);
        step_from := date_bin('1 day', least(greatest(state.days_to, coalesce(public.find_readings_after(state.days_to), step_to)), step_to), epoch);
        IF state.days_to < step_to THEN
            IF step_to > step_from THEN
                CALL public.refresh_continuous_aggregate('public.reading_1d', step_from, step_to);
            END IF;
            UPDATE public.rollup_state SET days_to = step_to;
            COMMIT;
        END IF;
        -- 3. What came late. Where readings were removed a refresh would remove their roll-ups too: there the mark stays.
        LOOP
            SELECT array_agg(id) AS ids, range_agg(tstzrange(date_bin('1 hour', first_at, epoch), date_bin('1 hour', last_at, epoch) + interval '1 hour')) AS spans
                INTO late FROM (SELECT * FROM public.rollup_late WHERE first_at >= state.final_before ORDER BY id LIMIT 1000) AS next;
            EXIT WHEN late.ids IS NULL;
            FOR step_from, step_to IN SELECT lower(span), least(upper(span), state.minutes_to) FROM unnest(late.spans) AS span LOOP
                IF step_to > step_from THEN
                    CALL public.refresh_continuous_aggregate('public.reading_1m', step_from, step_to);
                END IF;
                IF least(step_to, state.hours_to) > step_from THEN
                    CALL public.refresh_continuous_aggregate('public.reading_1h', step_from, least(step_to, state.hours_to));
                END IF;
                IF least(step_to, state.days_to) > step_from THEN
                    CALL public.refresh_continuous_aggregate('public.reading_1d', date_bin('1 day', step_from, epoch),
                        least(date_bin('1 day', step_to - interval '1 microsecond', epoch) + interval '1 day', state.days_to));
                END IF;
            END LOOP;
            DELETE FROM public.rollup_late WHERE id = ANY (late.ids);
            UPDATE public.rollup_state SET refreshed_at = clock_timestamp();
            COMMIT;
        END LOOP;
        PERFORM pg_advisory_unlock(hashtextextended('forewarn refresh of roll-ups', 0));
    END
    $$;
    REVOKE ALL ON PROCEDURE refresh_rollups(integer, jsonb) FROM PUBLIC;
    PERFORM public.add_job('public.refresh_rollups', interval '1 minute', config => '{}');
END
$outer$;

GRANT SELECT ON rollup_state, rollup_late, reading_1m, reading_1h, reading_1d TO forewarn_app;
GRANT INSERT, DELETE ON rollup_late TO forewarn_app;
REVOKE ALL ON FUNCTION ensure_rollup_partitions(timestamptz, timestamptz), find_readings_after(timestamptz),
    remove_readings(integer[], timestamptz, timestamptz), drop_rollups_before(text, timestamptz),
    remove_rows_before(text, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_rollup_partitions(timestamptz, timestamptz), find_readings_after(timestamptz),
    remove_readings(integer[], timestamptz, timestamptz), drop_rollups_before(text, timestamptz),
    remove_rows_before(text, timestamptz, integer) TO forewarn_app;

COMMENT ON TABLE rollup_state IS 'How far the roll-ups are, and from when on readings are kept.';
COMMENT ON TABLE rollup_late IS 'Readings that came after their bucket was rolled up: of one series within one day, until they are in.';
COMMENT ON COLUMN series.raw_from IS 'Readings of before were removed by retention; NULL: as rollup_state.raw_from says.';
DO $$
DECLARE
    kind text := CASE WHEN (SELECT flavour FROM installation) = 'timescaledb-community' THEN 'VIEW' ELSE 'TABLE' END;
BEGIN
    EXECUTE format('COMMENT ON %s reading_1m IS %L', kind, 'Minimum, maximum, sum and count of each series by minute; bad readings (flag 4) left out.');
    EXECUTE format('COMMENT ON %s reading_1h IS %L', kind, 'The same by hour.');
    EXECUTE format('COMMENT ON %s reading_1d IS %L', kind, 'The same by day, in UTC.');
END
$$;
