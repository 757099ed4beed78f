-- What arrives: readings, reports, rejections, and the blocks that carry readings to scoring.

-- The narrow table: 4 + 2 + 8 + 8 bytes of data. Hypertable on TimescaleDB, native day partitions on PostgreSQL: decided here, once.
DO $$
BEGIN
    IF (SELECT flavour FROM installation) = 'postgresql' THEN
        CREATE TABLE reading (
            series_id integer NOT NULL,
            flags smallint NOT NULL DEFAULT 0,
            observed_at timestamptz NOT NULL,
            value double precision NOT NULL,
            PRIMARY KEY (series_id, observed_at)
        ) PARTITION BY RANGE (observed_at);
    ELSE
        CREATE TABLE reading (
            series_id integer NOT NULL,
            flags smallint NOT NULL DEFAULT 0,
            observed_at timestamptz NOT NULL,
            value double precision NOT NULL,
            PRIMARY KEY (series_id, observed_at)
        );
        PERFORM public.create_hypertable('reading', 'observed_at', chunk_time_interval => interval '1 day', create_default_indexes => false);
    END IF;
END
$$;

-- Makes the day partitions that hold the given instants; on TimescaleDB chunks come by themselves and this does nothing.
-- SECURITY DEFINER: the programs' role has no right to create tables.
CREATE FUNCTION ensure_reading_partitions(days date[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wanted date;
    made integer := 0;
    partition_name text;
BEGIN
    IF (SELECT flavour FROM installation) <> 'postgresql' THEN
        RETURN 0;
    END IF;
    FOREACH wanted IN ARRAY days LOOP
        partition_name := 'reading_' || to_char(wanted, 'YYYYMMDD');
        IF to_regclass('public.' || partition_name) IS NULL THEN
            -- Two writers may want the same day at once: the lock makes the second one see the first one's table. It looks
            -- at the catalogue itself, because to_regclass would repeat its cached "no" from before the lock.
            PERFORM pg_advisory_xact_lock(hashtextextended('forewarn reading partitions', 0));
            IF NOT EXISTS (SELECT FROM pg_class WHERE relname = partition_name AND relnamespace = 'public'::regnamespace) THEN
                EXECUTE format('CREATE TABLE public.%I PARTITION OF public.reading FOR VALUES FROM (%L) TO (%L)', partition_name,
                    wanted::timestamp AT TIME ZONE 'UTC', (wanted + 1)::timestamp AT TIME ZONE 'UTC');
                made := made + 1;
            END IF;
        END IF;
    END LOOP;
    RETURN made;
END
$$;

-- Drops whole days before the given one; returns how many partitions or chunks went.
CREATE FUNCTION drop_readings_before(first_kept date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    partition_name text;
    dropped integer := 0;
BEGIN
    IF (SELECT flavour FROM installation) <> 'postgresql' THEN
        SELECT count(*) INTO dropped FROM public.drop_chunks('public.reading', older_than => first_kept::timestamp AT TIME ZONE 'UTC');
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

-- One row per shard. `head` is the position of its last block: taken under this row's lock in the writer's transaction, so
-- positions have no gaps and appear in order whatever the number of writers. `consumed` is scoring's offset.
CREATE TABLE shard (
    shard smallint PRIMARY KEY,
    head bigint NOT NULL DEFAULT 0,
    consumed bigint NOT NULL DEFAULT 0
);
INSERT INTO shard (shard) SELECT generate_series(0, (SELECT shard_count FROM installation) - 1);

CREATE TABLE reading_block (
    shard smallint NOT NULL,
    position bigint NOT NULL,
    received_at timestamptz NOT NULL,
    reading_count integer NOT NULL,
    payload bytea NOT NULL,  -- see store/blocks.py
    reports jsonb NOT NULL DEFAULT '[]',  -- firmware, event and status reports of this shard's devices, in order of arrival
    PRIMARY KEY (shard, position)
);
-- The bytes are used once, seconds later: compressing them would only cost.
ALTER TABLE reading_block ALTER COLUMN payload SET STORAGE EXTERNAL;

CREATE TABLE firmware_report (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id bigint NOT NULL REFERENCES device,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    component text NOT NULL,
    version text NOT NULL,
    state text NOT NULL CHECK (state IN ('DOWNLOADING', 'DOWNLOADED', 'VERIFIED', 'UPDATING', 'UPDATED', 'FAILED')),
    previous text,
    error text,
    UNIQUE (device_id, component, observed_at, state, version)
);

CREATE TABLE device_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id bigint NOT NULL REFERENCES device,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    code text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('INFO', 'MINOR', 'MAJOR', 'CRITICAL')),
    message text NOT NULL DEFAULT '',
    UNIQUE (device_id, code, observed_at)
);

CREATE TABLE status_report (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id bigint NOT NULL REFERENCES device,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('online', 'offline')),
    UNIQUE (device_id, observed_at, state)
);

CREATE TABLE rejection (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL,
    topic text NOT NULL,
    serial text,
    reason text NOT NULL,
    field text,
    detail text NOT NULL,
    payload bytea NOT NULL,
    payload_sha256 bytea NOT NULL GENERATED ALWAYS AS (sha256(payload)) STORED
);
CREATE INDEX rejection_received ON rejection (received_at DESC, id DESC);
CREATE INDEX rejection_reason ON rejection (reason, received_at DESC);
CREATE INDEX rejection_serial ON rejection (serial, received_at DESC) WHERE serial IS NOT NULL;

-- Removes at most `most` rejections received before the given instant, the oldest first; returns how many. SECURITY DEFINER:
-- the programs' role removes no rejection otherwise.
CREATE FUNCTION remove_rejections_before(first_kept timestamptz, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    removed integer;
BEGIN
    DELETE FROM public.rejection WHERE id = ANY (ARRAY(
        SELECT id FROM public.rejection WHERE received_at < first_kept ORDER BY received_at, id LIMIT most));
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

-- received = stored + duplicates + conflicts + rejected, per day; counted in the transaction that stores them.
CREATE TABLE ingest_ledger (
    day date NOT NULL,
    writer text NOT NULL,
    messages bigint NOT NULL DEFAULT 0,
    values_received bigint NOT NULL DEFAULT 0,
    stored bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    conflicts bigint NOT NULL DEFAULT 0,
    late bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, writer)
);

-- The last messages of a writer that cannot be known again by what is stored of them: refused ones, and those without a
-- time of their own. A broker that sends them again after a crash finds them here.
CREATE TABLE ingest_receipt (
    writer text NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    digests bytea NOT NULL,  -- of the messages of one transaction, 8 bytes each
    PRIMARY KEY (writer, id)
);

-- What each running program says of itself; /health reads it.
CREATE TABLE heartbeat (
    program text NOT NULL,
    instance text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (program, instance)
);
