-- The schema that store/migrations give, on plain PostgreSQL. Generated; `make schema` writes it anew.
CREATE SCHEMA public;
COMMENT ON SCHEMA public IS 'standard public schema';
CREATE TABLE public.audit_event (
    seq bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    role text NOT NULL,
    permission text NOT NULL,
    action text NOT NULL,
    entity text NOT NULL,
    entity_id text NOT NULL,
    before jsonb,
    after jsonb,
    reason text DEFAULT ''::text NOT NULL,
    request_id text DEFAULT ''::text NOT NULL,
    prev_hash text NOT NULL,
    hash text NOT NULL
);
COMMENT ON TABLE public.audit_event IS 'Every change by people and programs, chained by hashes. Written once.';
CREATE FUNCTION public.audit_text(e public.audit_event) RETURNS text
    LANGUAGE sql STABLE
    SET "TimeZone" TO 'UTC'
    AS $$
    SELECT string_agg(octet_length(coalesce(part, '')) || ':' || coalesce(part, ''), ',' ORDER BY place)
    FROM unnest(ARRAY[
        e.seq::text, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), e.actor, e.role, e.permission, e.action,
        e.entity, e.entity_id, e.before::text, e.after::text, e.reason, e.request_id, e.prev_hash
    ]) WITH ORDINALITY AS parts (part, place)
$$;
CREATE FUNCTION public.bump_registry_version() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    UPDATE installation SET registry_version = registry_version + 1;
    PERFORM pg_notify('forewarn_registry', '');
    RETURN NULL;
END
$$;
CREATE FUNCTION public.chain_audit_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
CREATE TABLE public.service_contract (
    id bigint NOT NULL,
    code text NOT NULL,
    customer_id bigint NOT NULL,
    coverage text DEFAULT ''::text NOT NULL,
    starts_on date NOT NULL,
    ends_on date NOT NULL,
    status text DEFAULT 'ACTIVE'::text NOT NULL,
    remind_days integer DEFAULT 60 NOT NULL,
    is_simulated boolean DEFAULT false NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    sla_policy_id bigint,
    region text DEFAULT ''::text NOT NULL,
    external_refs jsonb DEFAULT '[]'::jsonb NOT NULL,
    covers_all boolean DEFAULT true NOT NULL,
    status_since timestamp with time zone DEFAULT now() NOT NULL,
    status_reason text DEFAULT ''::text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT service_contract_check CHECK ((ends_on >= starts_on)),
    CONSTRAINT service_contract_status_check CHECK ((status = ANY (ARRAY['DRAFT'::text, 'ACTIVE'::text, 'EXPIRED'::text, 'TERMINATED'::text])))
);
COMMENT ON TABLE public.service_contract IS 'What a customer has been promised, from when to when.';
COMMENT ON COLUMN public.service_contract.sla_policy_id IS 'NULL: the times of the device model''s profile.';
COMMENT ON COLUMN public.service_contract.region IS 'That of its customer when it was made, unless another was named.';
COMMENT ON COLUMN public.service_contract.covers_all IS 'All devices of the customer; else those of service_contract_device.';
COMMENT ON COLUMN public.service_contract.status_since IS 'Since when it is DRAFT, ACTIVE, EXPIRED or TERMINATED.';
COMMENT ON COLUMN public.service_contract.status_reason IS 'Why it was terminated.';
CREATE FUNCTION public.contract_covers(k public.service_contract, device bigint) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT k.covers_all OR EXISTS (
        SELECT FROM public.service_contract_device x WHERE x.contract_id = k.id AND x.device_id = device)
$$;
CREATE FUNCTION public.drop_readings_before(first_kept date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.drop_rollups_before(level text, first_kept timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.ensure_reading_partitions(days date[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.ensure_rollup_partitions(first timestamp with time zone, last timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.find_readings_after(at timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.find_table_size(name text) RETURNS bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    found regclass := to_regclass('public.' || quote_ident(name));
    made_of regclass;
BEGIN
    IF found IS NULL THEN
        RETURN NULL;
    END IF;
    IF (SELECT flavour FROM installation) <> 'postgresql' THEN
        SELECT format('%I.%I', c.materialization_hypertable_schema, c.materialization_hypertable_name)::regclass INTO made_of
        FROM timescaledb_information.continuous_aggregates c WHERE c.view_schema = 'public' AND c.view_name = name;
        IF made_of IS NOT NULL THEN
            RETURN public.hypertable_size(made_of);
        END IF;
        IF EXISTS (SELECT FROM timescaledb_information.hypertables h WHERE h.hypertable_schema = 'public' AND h.hypertable_name = name) THEN
            RETURN public.hypertable_size(found);
        END IF;
    END IF;
    RETURN (SELECT coalesce(sum(pg_total_relation_size(t.relid)), pg_total_relation_size(found)) FROM pg_partition_tree(found) t);
END
$$;
COMMENT ON FUNCTION public.find_table_size(name text) IS 'Bytes of a table with indexes and all its parts; NULL: there is none of that name.';
CREATE FUNCTION public.firmware_at(serial text, instant timestamp with time zone) RETURNS TABLE(component text, version text, since timestamp with time zone, source text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
    SELECT f.component, f.version, f.since, f.source
    FROM device d CROSS JOIN LATERAL firmware_of(d.id, instant) f WHERE d.serial = $1
$_$;
CREATE FUNCTION public.firmware_of(device bigint, instant timestamp with time zone) RETURNS TABLE(component text, version text, since timestamp with time zone, source text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.keep_approved_capa() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (SELECT FROM public.capa WHERE id = coalesce(NEW.capa_id, OLD.capa_id)
        AND state IN ('IMPLEMENTATION', 'VERIFICATION', 'EFFECTIVENESS', 'CLOSED', 'REJECTED'))
    THEN
        RAISE EXCEPTION 'the plan of a CAPA that was approved is not changed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN coalesce(NEW, OLD);
END
$$;
CREATE FUNCTION public.keep_approved_field_action() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.state = 'DRAFT' OR (OLD.kind, OLD.title, OLD.description, OLD.instructions, OLD.device_model_id, OLD.firmware_id, OLD.priority, OLD.needs_visit,
            OLD.max_attempts, OLD.install_attempts, OLD.not_before, OLD.waves, OLD.scope, OLD.scope_sha256, OLD.item_count, OLD.halt_p,
            OLD.capa_id, OLD.author_ids)
        IS DISTINCT FROM (NEW.kind, NEW.title, NEW.description, NEW.instructions, NEW.device_model_id, NEW.firmware_id, NEW.priority,
            NEW.needs_visit, NEW.max_attempts, NEW.install_attempts, NEW.not_before, NEW.waves, NEW.scope, NEW.scope_sha256,
            NEW.item_count, NEW.halt_p, NEW.capa_id, NEW.author_ids)
    THEN
        RAISE EXCEPTION 'a field action that was approved is not changed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE FUNCTION public.keep_approved_firmware() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.state = 'DRAFT' OR (OLD.device_model_id, OLD.component, OLD.version, OLD.sha256, OLD.url, OLD.size_bytes, OLD.notes, OLD.author_ids)
        IS DISTINCT FROM (NEW.device_model_id, NEW.component, NEW.version, NEW.sha256, NEW.url, NEW.size_bytes, NEW.notes, NEW.author_ids)
    THEN
        RAISE EXCEPTION 'firmware that was approved is not changed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE FUNCTION public.keep_frozen_items() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (SELECT FROM touched t JOIN public.field_action a ON a.id = t.field_action_id WHERE a.state <> 'DRAFT') THEN
        RAISE EXCEPTION 'the scope of a field action that was approved is frozen' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION public.keep_ledger_sum() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.keep_registered_firmware() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.registered_firmware := NEW.firmware;
    RETURN NEW;
END
$$;
CREATE FUNCTION public.kpi_alarm_stale(instant timestamp with time zone) RETURNS TABLE(kpi text, device_id bigint, device_model_id integer, customer_id bigint, region text, firmware text, is_simulated boolean, numerator double precision, denominator double precision)
    LANGUAGE sql STABLE
    AS $_$
    SELECT 'alarm_stale', a.device_id, a.device_model_id, a.customer_id, a.region, a.firmware, a.is_simulated,
        (a.at < $1 - interval '24 hours')::integer::double precision, 1::double precision
    FROM public.kpi_alarm a WHERE a.at <= $1 AND coalesce(a.cleared_at, 'infinity'::timestamptz) > $1
$_$;
COMMENT ON FUNCTION public.kpi_alarm_stale(instant timestamp with time zone) IS 'Key figure: alarms standing at an instant, and whether for more than a day.';
CREATE FUNCTION public.kpi_alarm_stale_of_anybody(instant timestamp with time zone) RETURNS TABLE(kpi text, device_id bigint, device_model_id integer, customer_id bigint, region text, firmware text, is_simulated boolean, numerator double precision, denominator double precision)
    LANGUAGE sql STABLE
    AS $_$
    SELECT 'alarm_stale', a.device_id, a.device_model_id, a.customer_id, a.region, a.firmware, a.is_simulated,
        (a.at < $1 - interval '24 hours')::integer::double precision, 1::double precision
    FROM public.kpi_alarm_of_anybody a WHERE a.at <= $1 AND coalesce(a.cleared_at, 'infinity'::timestamptz) > $1
$_$;
COMMENT ON FUNCTION public.kpi_alarm_stale_of_anybody(instant timestamp with time zone) IS 'Key figure: alarms standing at an instant, without whose they were.';
CREATE FUNCTION public.kpi_capa_age(instant timestamp with time zone) RETURNS TABLE(kpi text, device_id bigint, device_model_id integer, customer_id bigint, region text, firmware text, is_simulated boolean, numerator double precision, denominator double precision)
    LANGUAGE sql STABLE
    AS $_$
    SELECT 'capa_age', NULL::bigint, q.device_model_id, NULL::bigint, q.region, CASE q.scope_kind WHEN 'FIRMWARE' THEN q.scope_value ELSE '' END,
        q.is_simulated, date_part('epoch', $1 - q.decided_at) / 86400, 1::double precision
    FROM public.capa q
    WHERE q.state NOT IN ('PROPOSED', 'REJECTED') AND q.decided_at <= $1 AND (q.closed_at IS NULL OR q.closed_at > $1)
$_$;
COMMENT ON FUNCTION public.kpi_capa_age(instant timestamp with time zone) IS 'Key figure: CAPAs open at an instant, with their age in days.';
CREATE FUNCTION public.kpi_firmware_coverage(instant timestamp with time zone) RETURNS TABLE(kpi text, device_id bigint, device_model_id integer, customer_id bigint, region text, firmware text, is_simulated boolean, numerator double precision, denominator double precision)
    LANGUAGE sql STABLE
    AS $_$
    SELECT 'firmware_coverage', s.device_id, s.device_model_id, s.customer_id, s.region, NULL::text, s.is_simulated,
        EXISTS (
            SELECT FROM public.firmware_interval i
            WHERE i.device_id = s.device_id AND i.component = 'main' AND i.since <= $1 AND (i.until IS NULL OR i.until > $1)
                AND i.version = r.version
        )::integer::double precision, 1::double precision
    FROM public.kpi_service_spell s
    JOIN (
        SELECT DISTINCT ON (f.device_model_id) f.device_model_id, f.version FROM public.firmware_record f
        WHERE f.component = 'main' AND f.released_at <= $1 AND (f.withdrawn_at IS NULL OR f.withdrawn_at > $1)
        ORDER BY f.device_model_id, f.released_at DESC, f.id DESC
    ) r ON r.device_model_id = s.device_model_id
    WHERE s.since <= $1 AND s.until > $1
$_$;
COMMENT ON FUNCTION public.kpi_firmware_coverage(instant timestamp with time zone) IS 'Key figure: devices in the field at an instant, and whether they run the newest released firmware.';
CREATE FUNCTION public.kpi_operation(cuts timestamp with time zone[], by_firmware boolean) RETURNS TABLE(bucket integer, device_id bigint, device_model_id integer, customer_id bigint, region text, firmware text, is_simulated boolean, service_s double precision, down_s double precision)
    LANGUAGE sql STABLE
    AS $_$
    WITH service AS MATERIALIZED (
        SELECT s.device_id, s.device_model_id, s.customer_id, s.region, s.is_simulated, range_agg(tstzrange(s.since, s.until)) AS during,
            range_agg(tstzrange(s.since, s.until)) FILTER (WHERE s.is_down) AS down
        FROM public.kpi_service_spell s WHERE s.since < $1[cardinality($1)] AND s.until > $1[1]
        GROUP BY s.device_id, s.device_model_id, s.customer_id, s.region, s.is_simulated
    ), failure AS MATERIALIZED (
        SELECT v.device_id, range_agg(tstzrange(v.started_at, v.resolved_at)) AS down FROM public.kpi_order_version v
        WHERE v.type = 'CORRECTIVE' AND v.outcome = 'CONFIRMED' AND v.device_id IS NOT NULL AND v.resolved_at > $1[1]
            AND v.started_at < $1[cardinality($1)] AND v.resolved_at > v.started_at
        GROUP BY v.device_id
    ), stretch AS (
        SELECT b.bucket, s.*, w.firmware, f.down AS failed,
            tstzmultirange(tstzrange(greatest($1[b.bucket], w.since), least($1[b.bucket + 1], w.until))) AS clip
        FROM service s
        LEFT JOIN failure f ON f.device_id = s.device_id
        LEFT JOIN public.kpi_firmware_spell w ON $2 AND w.device_id = s.device_id
        CROSS JOIN generate_series(1, cardinality($1) - 1) AS b (bucket)
        WHERE greatest($1[b.bucket], w.since) < least($1[b.bucket + 1], w.until)
    )
    SELECT t.bucket, t.device_id, t.device_model_id, t.customer_id, t.region, t.firmware, t.is_simulated, x.service_s, coalesce(y.down_s, 0)
    FROM stretch t
    CROSS JOIN LATERAL (
        SELECT sum(date_part('epoch', upper(r) - lower(r))) AS service_s FROM unnest(t.during * t.clip) AS r
    ) x
    LEFT JOIN LATERAL (
        SELECT sum(date_part('epoch', upper(r) - lower(r))) AS down_s
        FROM unnest((coalesce(t.down, '{}') + coalesce(t.failed, '{}')) * t.during * t.clip) AS r
        WHERE t.down IS NOT NULL OR t.failed IS NOT NULL
    ) y ON true
    WHERE x.service_s > 0
$_$;
COMMENT ON FUNCTION public.kpi_operation(cuts timestamp with time zone[], by_firmware boolean) IS 'Seconds in the field and down between cuts, by device.';
CREATE FUNCTION public.kpi_trace_coverage(instant timestamp with time zone) RETURNS TABLE(kpi text, device_id bigint, device_model_id integer, customer_id bigint, region text, firmware text, is_simulated boolean, numerator double precision, denominator double precision)
    LANGUAGE sql STABLE
    AS $_$
    SELECT 'trace_coverage', s.device_id, s.device_model_id, s.customer_id, s.region, NULL::text, s.is_simulated,
        (d.lot <> '' AND d.udi <> '' AND d.made_on IS NOT NULL AND d.installed_on IS NOT NULL AND d.firmware <> '' AND s.customer_id IS NOT NULL
        )::integer::double precision, 1::double precision
    FROM public.kpi_service_spell s JOIN public.device d ON d.id = s.device_id
    WHERE s.since <= $1 AND s.until > $1
$_$;
COMMENT ON FUNCTION public.kpi_trace_coverage(instant timestamp with time zone) IS 'Key figure: devices in the field at an instant, and whether they can be traced.';
CREATE FUNCTION public.log_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    r jsonb := to_jsonb(NEW);
    owner bigint := (r ->> 'customer_id')::bigint;  -- whose users may hear of it
BEGIN
    IF TG_TABLE_NAME = 'device' THEN
        SELECT s.customer_id INTO owner FROM public.site s WHERE s.id = (r ->> 'site_id')::bigint;
    ELSIF TG_TABLE_NAME = 'breach' THEN
        SELECT s.customer_id INTO owner FROM public.device d JOIN public.site s ON s.id = d.site_id WHERE d.id = (r ->> 'device_id')::bigint;
    END IF;
    INSERT INTO change_log (entity, entity_id, row_version, customer_id)
    VALUES (TG_TABLE_NAME, coalesce(r ->> 'code', r ->> 'serial', r ->> 'id'), coalesce((r ->> 'row_version')::integer, 1), owner);
    PERFORM pg_notify('forewarn_change', '');
    RETURN NULL;
END
$$;
CREATE FUNCTION public.main_firmware_of(device bigint, instant timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE
    AS $_$
    SELECT coalesce(
        (SELECT s.version FROM public.firmware_step s WHERE s.device_id = $1 AND s.component = 'main' AND s.observed_at <= $2
            ORDER BY s.observed_at DESC, s.id DESC LIMIT 1),
        (SELECT nullif(s.previous, '') FROM public.firmware_step s WHERE s.device_id = $1 AND s.component = 'main'
            ORDER BY s.observed_at, s.id LIMIT 1),
        (SELECT d.registered_firmware FROM public.device d WHERE d.id = $1),
        '')
$_$;
CREATE FUNCTION public.mend_firmware(device bigint, part text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.notify_transition() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_notify('forewarn_transition', '');
    RETURN NULL;
END
$$;
CREATE FUNCTION public.orders_within(order_id bigint) RETURNS SETOF bigint
    LANGUAGE sql STABLE ROWS 2
    AS $_$
    WITH RECURSIVE within (id) AS (
        SELECT $1 UNION SELECT o.id FROM public.work_order o JOIN within w ON o.merged_into_id = w.id
    )
    SELECT id FROM within
$_$;
CREATE FUNCTION public.record_device_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    decided timestamptz := coalesce(nullif(current_setting('forewarn.at', true), '')::timestamptz, now());
    said text := coalesce(nullif(current_setting('forewarn.source', true), ''), 'import');
BEGIN
    -- Who decided first may have waited for who changed it first: the history is in the order of the changes.
    SELECT greatest(decided, max(h.at)) INTO decided FROM device_history h
    WHERE h.device_id = NEW.id AND h.field IN ('serial', 'udi', 'customer', 'site', 'lifecycle');
    INSERT INTO device_history (device_id, at, field, before, after, source)
    SELECT NEW.id, decided, c.field, nullif(c.before, ''), nullif(c.after, ''), said
    FROM (VALUES (1, 'serial', OLD.serial, NEW.serial), (2, 'udi', OLD.udi, NEW.udi),
        (3, 'customer', (SELECT u.code FROM site s JOIN customer u ON u.id = s.customer_id WHERE s.id = OLD.site_id),
            (SELECT u.code FROM site s JOIN customer u ON u.id = s.customer_id WHERE s.id = NEW.site_id)),
        (4, 'site', (SELECT s.code FROM site s WHERE s.id = OLD.site_id), (SELECT s.code FROM site s WHERE s.id = NEW.site_id)),
        (5, 'lifecycle', OLD.lifecycle, NEW.lifecycle)) AS c (place, field, before, after)
    WHERE c.before IS DISTINCT FROM c.after
    ORDER BY c.place;
    RETURN NULL;
END
$$;
CREATE FUNCTION public.record_gateway_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO device_history (device_id, at, field, before, after, source)
    VALUES (NEW.id, now(), 'gateway', (SELECT name FROM gateway WHERE id = OLD.gateway_id),
        (SELECT name FROM gateway WHERE id = NEW.gateway_id),
        coalesce(nullif(current_setting('forewarn.source', true), ''), 'import'));
    RETURN NULL;
END
$$;
CREATE FUNCTION public.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are written once', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE FUNCTION public.refuse_needed_job() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ended_run e WHERE e.kind = 'model_job' AND e.id = OLD.id) THEN
        RAISE EXCEPTION 'rows of % are written once', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION public.refuse_needed_job() IS 'Refuses to delete a job that has not ended or that a decision rests on; what may go is the view ended_run.';
CREATE FUNCTION public.rejection_field_pattern(field text, serial text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(regexp_replace(
        CASE WHEN serial <> '' AND starts_with(field, serial) THEN '*' || substr(field, length(serial) + 1) ELSE field END,
        '\[[0-9]+\]', '[*]', 'g'), '')
$$;
CREATE FUNCTION public.remove_device_days_before(first_kept date, most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    removed integer;
BEGIN
    DELETE FROM public.device_day WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.device_day WHERE day < first_kept ORDER BY day LIMIT most));
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;
CREATE FUNCTION public.remove_readings(series_ids integer[], first timestamp with time zone, last timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.remove_rejections_before(first_kept timestamp with time zone, most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    removed integer;
BEGIN
    DELETE FROM public.rejection WHERE id = ANY (ARRAY(
        SELECT id FROM public.rejection WHERE received_at < first_kept ORDER BY received_at, id LIMIT most));
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;
CREATE FUNCTION public.remove_rows_before(name text, first_kept timestamp with time zone, most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.remove_runs_before(first_kept timestamp with time zone, most integer) RETURNS integer
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    WITH oldest AS (
        SELECT kind, id FROM public.ended_run WHERE finished_at < first_kept ORDER BY finished_at LIMIT most
    ), runs AS (
        DELETE FROM public.lab_run r USING oldest o WHERE o.kind = 'lab_run' AND r.id = o.id RETURNING r.id
    ), jobs AS (
        DELETE FROM public.model_job j USING oldest o WHERE o.kind = 'model_job' AND j.id = o.id RETURNING j.id
    )
    SELECT ((SELECT count(*) FROM runs) + (SELECT count(*) FROM jobs))::integer
$$;
COMMENT ON FUNCTION public.remove_runs_before(first_kept timestamp with time zone, most integer) IS 'Removes the oldest of ended_run that ended before then; how many.';
CREATE FUNCTION public.surviving_order(order_id bigint) RETURNS bigint
    LANGUAGE sql STABLE
    AS $_$
    WITH RECURSIVE chain (id, next) AS (
        SELECT o.id, o.merged_into_id FROM public.work_order o WHERE o.id = $1
        UNION SELECT o.id, o.merged_into_id FROM public.work_order o JOIN chain c ON o.id = c.next
    )
    SELECT id FROM chain WHERE next IS NULL
$_$;
CREATE TABLE public.anomaly_checkpoint (
    shard smallint NOT NULL,
    "position" bigint NOT NULL,
    code_version text NOT NULL,
    state bytea NOT NULL,
    saved_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY public.anomaly_checkpoint ALTER COLUMN state SET STORAGE EXTERNAL;
COMMENT ON TABLE public.anomaly_checkpoint IS 'Detector state of one shard with the position it belongs to.';
CREATE TABLE public.api_token (
    id bigint NOT NULL,
    name text NOT NULL,
    token_hash bytea NOT NULL,
    role text NOT NULL,
    customer_id bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone
);
COMMENT ON TABLE public.api_token IS 'Tokens of other systems; only a hash is kept.';
ALTER TABLE public.api_token ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.api_token_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.app_session (
    token_hash bytea NOT NULL,
    user_id bigint NOT NULL,
    csrf_token text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone DEFAULT now() NOT NULL,
    id bigint NOT NULL,
    method text DEFAULT 'PASSWORD'::text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    browser text DEFAULT ''::text NOT NULL,
    reauthenticated_at timestamp with time zone,
    CONSTRAINT app_session_browser_check CHECK ((length(browser) <= 300)),
    CONSTRAINT app_session_method_check CHECK ((method = ANY (ARRAY['PASSWORD'::text, 'SECOND_FACTOR'::text, 'RECOVERY_CODE'::text, 'PROVIDER'::text])))
);
COMMENT ON TABLE public.app_session IS 'Signed-in sessions; only a hash of the token is kept.';
COMMENT ON COLUMN public.app_session.id IS 'What its owner and administrators name it by; it opens nothing.';
COMMENT ON COLUMN public.app_session.method IS 'How it was opened: a password alone, with a code, with a recovery code, or by the provider.';
COMMENT ON COLUMN public.app_session.address IS 'From where it was opened.';
COMMENT ON COLUMN public.app_session.browser IS 'What the browser called itself when it was opened.';
COMMENT ON COLUMN public.app_session.reauthenticated_at IS 'The provider has just asked its owner again: one new password may be set, within minutes.';
ALTER TABLE public.app_session ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.app_session_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.app_user (
    id bigint NOT NULL,
    name text NOT NULL,
    full_name text NOT NULL,
    password_hash text,
    must_change_password boolean DEFAULT false NOT NULL,
    roles text[] NOT NULL,
    customer_id bigint,
    language text DEFAULT ''::text NOT NULL,
    status text DEFAULT 'ACTIVE'::text NOT NULL,
    failed_count integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    row_version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT app_user_language_check CHECK ((language = ANY (ARRAY[''::text, 'en'::text, 'zh'::text]))),
    CONSTRAINT app_user_name_check CHECK ((name ~ '^[a-z0-9][a-z0-9._-]{0,63}$'::text)),
    CONSTRAINT app_user_status_check CHECK ((status = ANY (ARRAY['ACTIVE'::text, 'DISABLED'::text])))
);
COMMENT ON TABLE public.app_user IS 'People who sign in; passwords as argon2id.';
COMMENT ON COLUMN public.app_user.password_hash IS 'argon2id; NULL: an account of the provider that has no password to sign with yet.';
ALTER TABLE public.app_user ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.app_user_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.approval_request (
    id bigint NOT NULL,
    code text NOT NULL,
    kind text NOT NULL,
    entity text NOT NULL,
    entity_id text NOT NULL,
    payload jsonb NOT NULL,
    subject jsonb NOT NULL,
    content_sha256 text NOT NULL,
    reason text NOT NULL,
    state text NOT NULL,
    asked_by_id bigint NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    decided_by_id bigint,
    decided_by text,
    decided_at timestamp with time zone,
    decision_reason text DEFAULT ''::text NOT NULL,
    outcome jsonb,
    region text DEFAULT ''::text NOT NULL,
    is_simulated boolean DEFAULT false NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT approval_request_check CHECK ((expires_at > asked_at)),
    CONSTRAINT approval_request_check1 CHECK (((state = ANY (ARRAY['GRANTED'::text, 'REFUSED'::text, 'WITHDRAWN'::text])) = (decided_by_id IS NOT NULL))),
    CONSTRAINT approval_request_check2 CHECK (((state <> ALL (ARRAY['GRANTED'::text, 'REFUSED'::text])) OR (decided_by_id <> asked_by_id))),
    CONSTRAINT approval_request_check3 CHECK (((state <> 'WITHDRAWN'::text) OR (decided_by_id = asked_by_id))),
    CONSTRAINT approval_request_kind_check CHECK ((kind = ANY (ARRAY['sla_waiver'::text, 'plan_skip'::text, 'key_field_change'::text, 'identifiable_export'::text, 'retention_change'::text]))),
    CONSTRAINT approval_request_reason_check CHECK ((reason <> ''::text)),
    CONSTRAINT approval_request_state_check CHECK ((state = ANY (ARRAY['ASKED'::text, 'GRANTED'::text, 'REFUSED'::text, 'WITHDRAWN'::text, 'EXPIRED'::text])))
);
COMMENT ON TABLE public.approval_request IS 'Changes that take two people: one asks and signs, another grants or refuses and signs. Decided once.';
COMMENT ON COLUMN public.approval_request.payload IS 'The change that is asked for, exactly as it is carried out when it is granted.';
COMMENT ON COLUMN public.approval_request.subject IS 'The record as it was when the change was asked for: one that differs when it is granted is not changed.';
COMMENT ON COLUMN public.approval_request.content_sha256 IS 'Of kind, record, payload, subject and asker: what both people signed.';
COMMENT ON COLUMN public.approval_request.asked_by IS 'Name of the account.';
COMMENT ON COLUMN public.approval_request.decided_by IS 'Name of the account; of a withdrawn request the asker. NULL: open, or expired.';
COMMENT ON COLUMN public.approval_request.outcome IS 'What carrying it out gave, in the transaction that granted it.';
ALTER TABLE public.approval_request ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.approval_request_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.approval_request_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.attachment (
    id bigint NOT NULL,
    work_order_id bigint NOT NULL,
    order_version integer NOT NULL,
    sha256 text NOT NULL,
    kind text NOT NULL,
    media_type text NOT NULL,
    visibility text NOT NULL,
    size bigint NOT NULL,
    file_name text NOT NULL,
    note text DEFAULT ''::text NOT NULL,
    captured_at timestamp with time zone NOT NULL,
    captured_by text NOT NULL,
    uploaded_at timestamp with time zone NOT NULL,
    uploaded_by text NOT NULL,
    CONSTRAINT attachment_file_name_check CHECK ((file_name <> ''::text)),
    CONSTRAINT attachment_kind_check CHECK ((kind = ANY (ARRAY['PHOTO'::text, 'SERVICE_REPORT'::text, 'TEST_REPORT'::text, 'CERTIFICATE'::text, 'DEVICE_LOG'::text, 'CUSTOMER_DOCUMENT'::text, 'OTHER'::text]))),
    CONSTRAINT attachment_media_type_check CHECK ((media_type = ANY (ARRAY['image/jpeg'::text, 'image/png'::text, 'image/webp'::text, 'application/pdf'::text, 'video/mp4'::text, 'text/csv'::text, 'text/plain'::text]))),
    CONSTRAINT attachment_note_check CHECK ((length(note) <= 10000)),
    CONSTRAINT attachment_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT attachment_size_check CHECK ((size > 0)),
    CONSTRAINT attachment_visibility_check CHECK ((visibility = ANY (ARRAY['INTERNAL'::text, 'CUSTOMER'::text])))
);
COMMENT ON TABLE public.attachment IS 'Files of orders, written once; their bytes stand outside the database under the hash.';
COMMENT ON COLUMN public.attachment.media_type IS 'What the content is, whatever the sender called it.';
ALTER TABLE public.attachment ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.attachment_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.audit_head (
    only_row boolean DEFAULT true NOT NULL,
    seq bigint NOT NULL,
    hash text NOT NULL,
    at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT audit_head_only_row_check CHECK (only_row)
);
COMMENT ON TABLE public.audit_head IS 'The end of the audit chain; its lock orders the writers.';
COMMENT ON COLUMN public.audit_head.at IS 'Time of the newest event: no later one has an earlier time.';
CREATE TABLE public.baseline_reset (
    id bigint NOT NULL,
    device_id bigint NOT NULL,
    work_order_id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    shard smallint NOT NULL,
    "position" bigint NOT NULL,
    CONSTRAINT baseline_reset_reason_check CHECK ((reason = ANY (ARRAY['fault_mended'::text, 'sensor_mended'::text, 'maintenance'::text])))
);
COMMENT ON TABLE public.baseline_reset IS 'Work after which the learning detectors of a device began a new baseline. Written once.';
COMMENT ON COLUMN public.baseline_reset.at IS 'When the work was recorded as done; they begin with their first reading of this device time or later.';
COMMENT ON COLUMN public.baseline_reset.reason IS 'fault_mended: outcome CONFIRMED; sensor_mended: outcome SENSOR_FAULT; maintenance: a preventive order or a calibration.';
COMMENT ON COLUMN public.baseline_reset."position" IS 'Of the block of its shard with which scoring hears of it: a replay hears it at the same place.';
ALTER TABLE public.baseline_reset ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.baseline_reset_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.breach (
    id uuid NOT NULL,
    device_id bigint NOT NULL,
    series_id integer,
    monitor text NOT NULL,
    profile_version integer NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    fault_group text NOT NULL,
    state text NOT NULL,
    first_seen timestamp with time zone NOT NULL,
    raised_at timestamp with time zone NOT NULL,
    last_seen timestamp with time zone NOT NULL,
    cleared_at timestamp with time zone,
    count integer NOT NULL,
    peak double precision NOT NULL,
    score double precision NOT NULL,
    firmware text DEFAULT ''::text NOT NULL,
    reason_code text NOT NULL,
    params jsonb NOT NULL,
    acknowledged_by text,
    acknowledged_at timestamp with time zone,
    is_simulated boolean DEFAULT false NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT breach_kind_check CHECK ((kind = ANY (ARRAY['LIMIT'::text, 'ANOMALY'::text, 'FORECAST'::text, 'DEVICE_CODE'::text, 'OFFLINE'::text, 'STALE'::text]))),
    CONSTRAINT breach_severity_check CHECK ((severity = ANY (ARRAY['INFO'::text, 'MINOR'::text, 'MAJOR'::text, 'CRITICAL'::text]))),
    CONSTRAINT breach_state_check CHECK ((state = ANY (ARRAY['ACTIVE'::text, 'CLEARED'::text, 'DISCARDED'::text])))
);
COMMENT ON TABLE public.breach IS 'One episode of a monitor being violated on one device.';
CREATE TABLE public.breach_transition (
    id bigint NOT NULL,
    breach_id uuid NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    score double precision NOT NULL,
    reason_code text NOT NULL,
    params jsonb NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT breach_transition_kind_check CHECK ((kind = ANY (ARRAY['RAISED'::text, 'ESCALATED'::text, 'CLEARED'::text]))),
    CONSTRAINT breach_transition_severity_check CHECK ((severity = ANY (ARRAY['INFO'::text, 'MINOR'::text, 'MAJOR'::text, 'CRITICAL'::text])))
);
COMMENT ON TABLE public.breach_transition IS 'Steps of breaches: raised, escalated, cleared. Each is triaged once.';
ALTER TABLE public.breach_transition ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.breach_transition_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.capa (
    id bigint NOT NULL,
    code text NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    device_model_id integer NOT NULL,
    scope_kind text NOT NULL,
    scope_value text DEFAULT ''::text NOT NULL,
    fault_group text NOT NULL,
    trigger text NOT NULL,
    statistics jsonb NOT NULL,
    decision_reason text,
    decided_by text,
    decided_at timestamp with time zone,
    ineffective_of bigint,
    closed_at timestamp with time zone,
    is_simulated boolean DEFAULT false NOT NULL,
    region text DEFAULT ''::text NOT NULL,
    external_refs jsonb DEFAULT '[]'::jsonb NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    round integer DEFAULT 1 NOT NULL,
    plan_version integer DEFAULT 1 NOT NULL,
    author_ids bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    problem text DEFAULT ''::text NOT NULL,
    investigated_round integer DEFAULT 0 NOT NULL,
    state_since timestamp with time zone,
    before_until timestamp with time zone,
    effective_from timestamp with time zone,
    effective_until timestamp with time zone,
    effectiveness_verdict text,
    CONSTRAINT capa_closed_when_effective CHECK (((state <> 'CLOSED'::text) OR (NOT (effectiveness_verdict IS DISTINCT FROM 'MET'::text)))),
    CONSTRAINT capa_effectiveness_verdict_check CHECK ((effectiveness_verdict = ANY (ARRAY['MET'::text, 'FAILED'::text, 'INCONCLUSIVE'::text]))),
    CONSTRAINT capa_kind_check CHECK ((kind = ANY (ARRAY['CORRECTIVE'::text, 'PREVENTIVE'::text]))),
    CONSTRAINT capa_period CHECK ((effective_until > effective_from)),
    CONSTRAINT capa_problem_check CHECK ((length(problem) <= 10000)),
    CONSTRAINT capa_scope_kind_check CHECK ((scope_kind = ANY (ARRAY['MODEL'::text, 'LOT'::text, 'FIRMWARE'::text, 'DEVICE'::text]))),
    CONSTRAINT capa_state_check CHECK ((state = ANY (ARRAY['PROPOSED'::text, 'OPEN'::text, 'REJECTED'::text, 'INVESTIGATION'::text, 'ACTION_PLAN'::text, 'IMPLEMENTATION'::text, 'VERIFICATION'::text, 'EFFECTIVENESS'::text, 'CLOSED'::text])))
);
COMMENT ON TABLE public.capa IS 'Corrective and preventive actions; the machine makes PROPOSED only.';
COMMENT ON COLUMN public.capa.round IS 'Counts up when a check failed and the cause is looked at again.';
COMMENT ON COLUMN public.capa.plan_version IS 'Counts up with every change of root cause, actions or plan of effectiveness; a signature names the one it is on.';
COMMENT ON COLUMN public.capa.author_ids IS 'Who wrote any part of root cause, actions or plan of effectiveness; none of them approves or closes.';
COMMENT ON COLUMN public.capa.problem IS 'The problem as the investigation states it.';
COMMENT ON COLUMN public.capa.investigated_round IS 'The round in which the root cause was last written.';
COMMENT ON COLUMN public.capa.before_until IS 'End of the window that the effect is compared with: when its plan was first begun.';
COMMENT ON COLUMN public.capa.effective_from IS 'Begin of the period in which the effect is measured: after the last action was done.';
COMMENT ON COLUMN public.capa.effectiveness_verdict IS 'Of the newest final figures of this plan; NULL: the period is not over. CLOSED needs MET.';
CREATE TABLE public.capa_action (
    id bigint NOT NULL,
    capa_id bigint NOT NULL,
    number integer NOT NULL,
    round integer NOT NULL,
    kind text NOT NULL,
    state text DEFAULT 'OPEN'::text NOT NULL,
    text text NOT NULL,
    owner_id bigint,
    due_on date,
    done_evidence text DEFAULT ''::text NOT NULL,
    evidence jsonb DEFAULT '[]'::jsonb NOT NULL,
    done_by_id bigint,
    done_at timestamp with time zone,
    verified_note text DEFAULT ''::text NOT NULL,
    verified_by_id bigint,
    verified_at timestamp with time zone,
    cancel_reason text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT capa_action_check CHECK (((state = ANY (ARRAY['DONE'::text, 'VERIFIED'::text])) = (done_at IS NOT NULL))),
    CONSTRAINT capa_action_check1 CHECK (((state = 'VERIFIED'::text) = (verified_at IS NOT NULL))),
    CONSTRAINT capa_action_check2 CHECK (((state = 'CANCELLED'::text) = (cancel_reason <> ''::text))),
    CONSTRAINT capa_action_check3 CHECK (((verified_by_id IS NULL) OR (verified_by_id <> done_by_id))),
    CONSTRAINT capa_action_kind_check CHECK ((kind = ANY (ARRAY['CORRECTION'::text, 'CORRECTIVE'::text, 'PREVENTIVE'::text]))),
    CONSTRAINT capa_action_number_check CHECK ((number >= 1)),
    CONSTRAINT capa_action_state_check CHECK ((state = ANY (ARRAY['OPEN'::text, 'DONE'::text, 'VERIFIED'::text, 'CANCELLED'::text]))),
    CONSTRAINT capa_action_text_check CHECK (((length(text) >= 1) AND (length(text) <= 10000)))
);
COMMENT ON TABLE public.capa_action IS 'What is done about a CAPA: corrections, corrective and preventive actions.';
COMMENT ON COLUMN public.capa_action.round IS 'The round in which it was planned.';
COMMENT ON COLUMN public.capa_action.owner_id IS 'Who sees to it.';
COMMENT ON COLUMN public.capa_action.done_by_id IS 'Who said that it is done; never the one who verifies it.';
ALTER TABLE public.capa_action ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.capa_action_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.capa_cause (
    id bigint NOT NULL,
    capa_id bigint NOT NULL,
    place integer NOT NULL,
    category text NOT NULL,
    verdict text NOT NULL,
    statement text NOT NULL,
    evidence jsonb DEFAULT '[]'::jsonb NOT NULL,
    CONSTRAINT capa_cause_category_check CHECK ((category = ANY (ARRAY['MACHINE'::text, 'METHOD'::text, 'MATERIAL'::text, 'MEASUREMENT'::text, 'PEOPLE'::text, 'ENVIRONMENT'::text]))),
    CONSTRAINT capa_cause_place_check CHECK ((place >= 1)),
    CONSTRAINT capa_cause_statement_check CHECK (((length(statement) >= 1) AND (length(statement) <= 10000))),
    CONSTRAINT capa_cause_verdict_check CHECK ((verdict = ANY (ARRAY['CANDIDATE'::text, 'RULED_OUT'::text, 'CONTRIBUTING'::text, 'ROOT'::text])))
);
COMMENT ON TABLE public.capa_cause IS 'Candidate causes of a CAPA after Ishikawa, and what the investigation made of each.';
COMMENT ON COLUMN public.capa_cause.evidence IS 'References: [{kind, ref, note}].';
ALTER TABLE public.capa_cause ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.capa_cause_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.capa_device (
    capa_id bigint NOT NULL,
    device_id bigint NOT NULL,
    added_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE public.capa_device IS 'The devices on which the effect of a CAPA is measured, before and after.';
CREATE TABLE public.capa_effectiveness_plan (
    capa_id bigint NOT NULL,
    metric text NOT NULL,
    limit_kind text NOT NULL,
    "limit" double precision NOT NULL,
    period_days integer NOT NULL,
    before_days integer NOT NULL,
    delay_days integer NOT NULL,
    max_p double precision NOT NULL,
    CONSTRAINT capa_effectiveness_plan_before_days_check CHECK (((before_days >= 1) AND (before_days <= 1095))),
    CONSTRAINT capa_effectiveness_plan_check CHECK (((limit_kind <> 'RATIO'::text) OR ("limit" <= (1)::double precision))),
    CONSTRAINT capa_effectiveness_plan_delay_days_check CHECK (((delay_days >= 0) AND (delay_days <= 365))),
    CONSTRAINT capa_effectiveness_plan_limit_check CHECK (("limit" > (0)::double precision)),
    CONSTRAINT capa_effectiveness_plan_limit_kind_check CHECK ((limit_kind = ANY (ARRAY['RATE'::text, 'RATIO'::text]))),
    CONSTRAINT capa_effectiveness_plan_max_p_check CHECK (((max_p > (0)::double precision) AND (max_p <= (0.2)::double precision))),
    CONSTRAINT capa_effectiveness_plan_metric_check CHECK ((metric = ANY (ARRAY['BREACH_RATE'::text, 'WORK_ORDER_RATE'::text, 'CONFIRMED_FAILURE_RATE'::text]))),
    CONSTRAINT capa_effectiveness_plan_period_days_check CHECK (((period_days >= 1) AND (period_days <= 1095)))
);
COMMENT ON TABLE public.capa_effectiveness_plan IS 'How the effect of a CAPA is judged.';
COMMENT ON COLUMN public.capa_effectiveness_plan."limit" IS 'RATE: events per 1,000 device-days; RATIO: rate after over rate before.';
COMMENT ON COLUMN public.capa_effectiveness_plan.max_p IS 'Chance of so few events, were the true rate at the limit, below which the effect is shown.';
CREATE TABLE public.capa_effectiveness_result (
    id bigint NOT NULL,
    capa_id bigint NOT NULL,
    round integer NOT NULL,
    plan_version integer NOT NULL,
    computed_at timestamp with time zone NOT NULL,
    is_final boolean NOT NULL,
    verdict text NOT NULL,
    figures jsonb NOT NULL,
    CONSTRAINT capa_effectiveness_result_verdict_check CHECK ((verdict = ANY (ARRAY['MET'::text, 'FAILED'::text, 'INCONCLUSIVE'::text])))
);
COMMENT ON TABLE public.capa_effectiveness_result IS 'What was computed of the effect of a CAPA, each time it differed. Written once.';
COMMENT ON COLUMN public.capa_effectiveness_result.figures IS 'Windows, events, device-days, rates per 1,000 device-days, intervals, ratio, p, verdict and its reason.';
ALTER TABLE public.capa_effectiveness_result ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.capa_effectiveness_result_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.capa ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.capa_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.capa_member (
    capa_id bigint NOT NULL,
    work_order_id bigint NOT NULL,
    added_at timestamp with time zone DEFAULT now() NOT NULL,
    excluded_reason text
);
COMMENT ON TABLE public.capa_member IS 'The work orders that a CAPA is about.';
CREATE SEQUENCE public.capa_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.capa_why (
    capa_id bigint NOT NULL,
    cause_id bigint NOT NULL,
    place integer NOT NULL,
    statement text NOT NULL,
    evidence jsonb DEFAULT '[]'::jsonb NOT NULL,
    CONSTRAINT capa_why_place_check CHECK (((place >= 1) AND (place <= 10))),
    CONSTRAINT capa_why_statement_check CHECK (((length(statement) >= 1) AND (length(statement) <= 10000)))
);
COMMENT ON TABLE public.capa_why IS 'The chain of whys of a cause, in the order in which they were asked.';
CREATE TABLE public.change_log (
    id bigint NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    entity text NOT NULL,
    entity_id text NOT NULL,
    row_version integer NOT NULL,
    customer_id bigint
);
COMMENT ON TABLE public.change_log IS 'What consoles follow: which record changed. Short-lived.';
ALTER TABLE public.change_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.change_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.checklist_answer (
    id bigint NOT NULL,
    checklist_id bigint NOT NULL,
    item text NOT NULL,
    value jsonb NOT NULL,
    is_ok boolean NOT NULL,
    remark text DEFAULT ''::text NOT NULL,
    answered_by text NOT NULL,
    answered_at timestamp with time zone NOT NULL,
    CONSTRAINT checklist_answer_remark_check CHECK ((length(remark) <= 10000))
);
COMMENT ON TABLE public.checklist_answer IS 'Answers to the lines of checklists, all of them; the newest of a line counts.';
COMMENT ON COLUMN public.checklist_answer.is_ok IS 'Yes, or a number within its limits; what is not has a remark.';
ALTER TABLE public.checklist_answer ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.checklist_answer_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.checklist_template (
    id bigint NOT NULL,
    code text NOT NULL,
    kind text NOT NULL,
    device_model_id integer,
    current_version integer DEFAULT 1 NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT checklist_template_code_check CHECK ((code ~ '^[a-z0-9][a-z0-9._-]{0,63}$'::text)),
    CONSTRAINT checklist_template_kind_check CHECK ((kind = ANY (ARRAY['CORRECTIVE'::text, 'PREVENTIVE'::text, 'INSTALLATION'::text, 'COMPLAINT_EVIDENCE'::text, 'RECALL'::text])))
);
COMMENT ON TABLE public.checklist_template IS 'Checklists that orders get when they are assigned, by kind and device model.';
ALTER TABLE public.checklist_template ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.checklist_template_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.checklist_template_version (
    template_id bigint NOT NULL,
    version integer NOT NULL,
    title jsonb NOT NULL,
    items jsonb NOT NULL,
    sha256 text NOT NULL,
    made_by text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    reason text DEFAULT ''::text NOT NULL
);
COMMENT ON TABLE public.checklist_template_version IS 'What a template said, version by version.';
CREATE TABLE public.complaint (
    id bigint NOT NULL,
    code text NOT NULL,
    state text NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    received_at timestamp with time zone NOT NULL,
    severity text NOT NULL,
    device_name text DEFAULT ''::text NOT NULL,
    device_identification text DEFAULT ''::text NOT NULL,
    reporter_name text DEFAULT ''::text NOT NULL,
    reporter_address text DEFAULT ''::text NOT NULL,
    reporter_phone text DEFAULT ''::text NOT NULL,
    details text NOT NULL,
    correction text DEFAULT ''::text NOT NULL,
    reply text DEFAULT ''::text NOT NULL,
    device_id bigint,
    customer_id bigint,
    fault_group text,
    work_order_id bigint,
    joined_as text,
    investigated boolean,
    investigation text DEFAULT ''::text NOT NULL,
    not_investigated_reason text DEFAULT ''::text NOT NULL,
    investigation_decided_by_id bigint,
    investigation_decided_by text,
    closed_at timestamp with time zone,
    external_refs jsonb DEFAULT '[]'::jsonb NOT NULL,
    region text DEFAULT ''::text NOT NULL,
    is_simulated boolean DEFAULT false NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT complaint_check CHECK (((work_order_id IS NULL) = (joined_as IS NULL))),
    CONSTRAINT complaint_check1 CHECK (((work_order_id IS NULL) OR ((device_id IS NOT NULL) AND (fault_group IS NOT NULL)))),
    CONSTRAINT complaint_check2 CHECK (((investigated IS DISTINCT FROM false) OR ((not_investigated_reason <> ''::text) AND (investigation_decided_by_id IS NOT NULL)))),
    CONSTRAINT complaint_check3 CHECK (((state = 'CLOSED'::text) = (closed_at IS NOT NULL))),
    CONSTRAINT complaint_details_check CHECK ((details <> ''::text)),
    CONSTRAINT complaint_joined_as_check CHECK ((joined_as = ANY (ARRAY['OPENED'::text, 'JOINED'::text, 'REOPENED'::text]))),
    CONSTRAINT complaint_severity_check CHECK ((severity = ANY (ARRAY['MINOR'::text, 'MAJOR'::text, 'CRITICAL'::text]))),
    CONSTRAINT complaint_state_check CHECK ((state = ANY (ARRAY['RECEIVED'::text, 'INVESTIGATION'::text, 'RESOLVED'::text, 'CLOSED'::text])))
);
COMMENT ON TABLE public.complaint IS 'Complaints with the fields of 21 CFR 820.35(a).';
COMMENT ON COLUMN public.complaint.version IS 'Counts up when a closed complaint is reopened; a signature names the one it is on.';
COMMENT ON COLUMN public.complaint.device_identification IS 'UDI, UPC, serial or lot as the complainant gave it.';
COMMENT ON COLUMN public.complaint.correction IS 'Any correction or corrective action taken.';
COMMENT ON COLUMN public.complaint.reply IS 'Any reply to the complainant.';
COMMENT ON COLUMN public.complaint.device_id IS 'NULL: the device is not known here, or not yet.';
COMMENT ON COLUMN public.complaint.fault_group IS 'Of the device model''s profile, chosen by a person; with the device it says which work order it belongs to.';
COMMENT ON COLUMN public.complaint.work_order_id IS 'The order that it opened, joined or reopened.';
COMMENT ON COLUMN public.complaint.investigated IS 'NULL: not decided yet.';
COMMENT ON COLUMN public.complaint.investigation_decided_by_id IS 'Who decided that it is, or is not, investigated.';
ALTER TABLE public.complaint ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.complaint_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.complaint_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.complaint_reference (
    system text NOT NULL,
    type text NOT NULL,
    external_id text NOT NULL,
    complaint_id bigint NOT NULL,
    CONSTRAINT complaint_reference_external_id_check CHECK ((external_id <> ''::text)),
    CONSTRAINT complaint_reference_system_check CHECK ((system <> ''::text))
);
COMMENT ON TABLE public.complaint_reference IS 'What other systems call a complaint; sent again, it is the same one.';
CREATE TABLE public.customer (
    id bigint NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    channel text DEFAULT 'DIRECT'::text NOT NULL,
    status text DEFAULT 'ACTIVE'::text NOT NULL,
    region text DEFAULT ''::text NOT NULL,
    contacts jsonb DEFAULT '[]'::jsonb NOT NULL,
    external_refs jsonb DEFAULT '[]'::jsonb NOT NULL,
    is_simulated boolean DEFAULT false NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT customer_channel_check CHECK ((channel = ANY (ARRAY['DIRECT'::text, 'DISTRIBUTOR'::text]))),
    CONSTRAINT customer_status_check CHECK ((status = ANY (ARRAY['PROSPECT'::text, 'ACTIVE'::text, 'INACTIVE'::text]))),
    CONSTRAINT customer_type_check CHECK ((type = ANY (ARRAY['HOSPITAL'::text, 'CLINIC'::text, 'LAB'::text, 'DISTRIBUTOR'::text])))
);
COMMENT ON TABLE public.customer IS 'Who owns or runs devices.';
ALTER TABLE public.customer ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.customer_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.data_quality_alert (
    device_id bigint NOT NULL,
    day date NOT NULL,
    kind text NOT NULL,
    value double precision NOT NULL,
    most double precision NOT NULL,
    raised_at timestamp with time zone NOT NULL,
    CONSTRAINT data_quality_alert_kind_check CHECK ((kind = ANY (ARRAY['missing'::text, 'duplicate'::text, 'inconsistent'::text, 'implausible'::text, 'clock_skew'::text])))
);
COMMENT ON TABLE public.data_quality_alert IS 'A day of a device went over a limit of its model''s profile; said once (dataquality.alert).';
CREATE TABLE public.data_quality_day (
    day date NOT NULL,
    device_id bigint NOT NULL,
    expected bigint NOT NULL,
    present bigint NOT NULL,
    missing_ratio double precision,
    completeness double precision,
    received bigint NOT NULL,
    duplicate_ratio double precision,
    inconsistent_ratio double precision,
    implausible_ratio double precision,
    skew_s double precision,
    least_completeness double precision NOT NULL,
    alerts text[] DEFAULT '{}'::text[] NOT NULL,
    judged_until timestamp with time zone NOT NULL,
    is_over boolean NOT NULL,
    judged_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE public.data_quality_day IS 'Per device and day (UTC): which share of the expected readings came, and what was wrong with those that did.';
COMMENT ON COLUMN public.data_quality_day.completeness IS 'Share of the expected readings that are there; NULL where none can be expected.';
COMMENT ON COLUMN public.data_quality_day.least_completeness IS 'From which completeness on the silence of the monitors means health, by the profile of that moment.';
COMMENT ON COLUMN public.data_quality_day.judged_until IS 'Readings up to here were looked at.';
CREATE TABLE public.data_quality_state (
    device_id bigint NOT NULL,
    first_observed_at timestamp with time zone,
    judged_at timestamp with time zone NOT NULL,
    late bigint DEFAULT 0 NOT NULL,
    past_judged_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE public.data_quality_state IS 'When each device was judged last, and its first reading.';
CREATE TABLE public.device (
    id bigint NOT NULL,
    device_model_id integer NOT NULL,
    serial text NOT NULL,
    lot text DEFAULT ''::text NOT NULL,
    udi text DEFAULT ''::text NOT NULL,
    site_id bigint,
    gateway_id integer,
    made_on date,
    purchased_on date,
    installed_on date,
    warranty_end date,
    calibration_due date,
    firmware text DEFAULT ''::text NOT NULL,
    lifecycle text DEFAULT 'IN_SERVICE'::text NOT NULL,
    lifecycle_since timestamp with time zone DEFAULT now() NOT NULL,
    connectivity text DEFAULT 'UNKNOWN'::text NOT NULL,
    connectivity_since timestamp with time zone,
    last_seen_at timestamp with time zone,
    shard smallint NOT NULL,
    region text DEFAULT ''::text NOT NULL,
    external_refs jsonb DEFAULT '[]'::jsonb NOT NULL,
    is_simulated boolean DEFAULT false NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    registered_firmware text DEFAULT ''::text NOT NULL,
    connectivity_reason text DEFAULT ''::text NOT NULL,
    expires_on date,
    CONSTRAINT device_connectivity_check CHECK ((connectivity = ANY (ARRAY['UNKNOWN'::text, 'ONLINE'::text, 'STALE'::text, 'OFFLINE'::text]))),
    CONSTRAINT device_lifecycle_check CHECK ((lifecycle = ANY (ARRAY['REGISTERED'::text, 'INSTALLED'::text, 'IN_SERVICE'::text, 'UNDER_MAINTENANCE'::text, 'QUARANTINED'::text, 'DECOMMISSIONED'::text]))),
    CONSTRAINT device_serial_check CHECK ((serial ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'::text))
);
COMMENT ON TABLE public.device IS 'The installed base: one row a serial.';
COMMENT ON COLUMN public.device.firmware IS 'What the main component runs by the newest report, else as registered.';
COMMENT ON COLUMN public.device.connectivity IS 'Apart from lifecycle: from status, will, readings and silence (device_connection).';
COMMENT ON COLUMN public.device.last_seen_at IS 'Receiver''s time of its last message, written every few seconds.';
COMMENT ON COLUMN public.device.shard IS 'Which sequence of blocks carries its readings to scoring.';
COMMENT ON COLUMN public.device.registered_firmware IS 'Firmware as the master data had it when the device was registered; reports outrank it.';
COMMENT ON COLUMN public.device.connectivity_reason IS 'Why: readings, said_online, said_offline, silent; empty before it was first judged.';
COMMENT ON COLUMN public.device.expires_on IS 'The last day on which it may be used, of UDI carriers AI 17. NULL: not known, or without end.';
CREATE TABLE public.device_account (
    id bigint NOT NULL,
    username text NOT NULL,
    kind text NOT NULL,
    device_id bigint,
    gateway_id integer,
    method text NOT NULL,
    thingsboard boolean DEFAULT false NOT NULL,
    state text DEFAULT 'ACTIVE'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    rotated_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone,
    changed_by text NOT NULL,
    CONSTRAINT device_account_check CHECK (((kind = 'device'::text) = (device_id IS NOT NULL))),
    CONSTRAINT device_account_check1 CHECK (((kind = 'gateway'::text) = (gateway_id IS NOT NULL))),
    CONSTRAINT device_account_check2 CHECK (((state = 'REVOKED'::text) = (revoked_at IS NOT NULL))),
    CONSTRAINT device_account_kind_check CHECK ((kind = ANY (ARRAY['device'::text, 'gateway'::text]))),
    CONSTRAINT device_account_method_check CHECK ((method = ANY (ARRAY['password'::text, 'certificate'::text]))),
    CONSTRAINT device_account_state_check CHECK ((state = ANY (ARRAY['ACTIVE'::text, 'REVOKED'::text])))
);
COMMENT ON TABLE public.device_account IS 'Accounts of devices and gateways at the broker, without their secrets.';
COMMENT ON COLUMN public.device_account.username IS 'A serial, or gateway/ and a gateway''s name; also the common name of its certificate.';
COMMENT ON COLUMN public.device_account.thingsboard IS 'A gateway that may publish on v1/gateway/..., where topics name no gateway.';
COMMENT ON COLUMN public.device_account.rotated_at IS 'When its present password or method was set.';
ALTER TABLE public.device_account ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.device_account_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.device_attribute (
    device_id bigint NOT NULL,
    key text NOT NULL,
    value jsonb NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    CONSTRAINT device_attribute_key_check CHECK (((length(key) >= 1) AND (length(key) <= 100))),
    CONSTRAINT device_attribute_value_check CHECK ((pg_column_size(value) <= 16384))
);
COMMENT ON TABLE public.device_attribute IS 'Attributes as devices and gateways reported them, at most 100 of a device; the newest by time stays.';
COMMENT ON COLUMN public.device_attribute.observed_at IS 'Since when the device says so: its own time, or that of the receipt.';
CREATE TABLE public.device_claim (
    id bigint NOT NULL,
    device_id bigint NOT NULL,
    code_hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    withdrawn_at timestamp with time zone,
    CONSTRAINT device_claim_check CHECK (((used_at IS NULL) OR (withdrawn_at IS NULL)))
);
COMMENT ON TABLE public.device_claim IS 'Codes by which a device fetches its account itself, each once; only a hash is kept.';
ALTER TABLE public.device_claim ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.device_claim_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.device_connection (
    device_id bigint NOT NULL,
    word text,
    word_observed_at timestamp with time zone,
    word_received_at timestamp with time zone,
    word_is_repeat boolean DEFAULT false NOT NULL,
    before_at timestamp with time zone,
    lag interval,
    run_received_at timestamp with time zone,
    run_observed_at timestamp with time zone,
    last_received_at timestamp with time zone,
    last_observed_at timestamp with time zone,
    CONSTRAINT device_connection_word_check CHECK ((word = ANY (ARRAY['online'::text, 'offline'::text])))
)
WITH (fillfactor='60');
COMMENT ON TABLE public.device_connection IS 'The facts from which connectivity follows: the newest word, the readings around it.';
COMMENT ON COLUMN public.device_connection.before_at IS 'The last sign of life before the word.';
COMMENT ON COLUMN public.device_connection.lag IS 'Receipt minus device time of the last readings before the word.';
COMMENT ON COLUMN public.device_connection.run_received_at IS 'Since when, after the word, readings come at the pace of real time.';
CREATE TABLE public.device_day (
    day date NOT NULL,
    device_id bigint NOT NULL,
    messages bigint DEFAULT 0 NOT NULL,
    received bigint DEFAULT 0 NOT NULL,
    stored bigint DEFAULT 0 NOT NULL,
    duplicates bigint DEFAULT 0 NOT NULL,
    conflicts bigint DEFAULT 0 NOT NULL,
    late bigint DEFAULT 0 NOT NULL,
    rejected bigint DEFAULT 0 NOT NULL,
    inconsistent bigint DEFAULT 0 NOT NULL,
    implausible bigint DEFAULT 0 NOT NULL,
    seq_missing bigint DEFAULT 0 NOT NULL,
    seq_filled bigint DEFAULT 0 NOT NULL,
    seq_back bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='60');
COMMENT ON TABLE public.device_day IS 'Per UTC day of receipt and device: received = stored + duplicates + conflicts + rejected. Device 0: what names no device.';
COMMENT ON COLUMN public.device_day.messages IS 'Messages that hold something of the device; one of a gateway counts for each device in it.';
COMMENT ON COLUMN public.device_day.late IS 'Of those stored: older than what their series already had.';
COMMENT ON COLUMN public.device_day.inconsistent IS 'Of those rejected: another unit, a sensor that the model lacks, a gateway that does not own the device.';
COMMENT ON COLUMN public.device_day.implausible IS 'Rejected as from the future, or stored although observed before the device was installed.';
COMMENT ON COLUMN public.device_day.seq_missing IS 'Numbers that the device''s counter left out when it moved on.';
COMMENT ON COLUMN public.device_day.seq_filled IS 'Messages that came after a later number had come: they take from seq_missing.';
COMMENT ON COLUMN public.device_day.seq_back IS 'How often the counter went back while time went on: a restart of the device.';
CREATE TABLE public.device_event (
    id bigint NOT NULL,
    device_id bigint NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    code text NOT NULL,
    severity text NOT NULL,
    message text DEFAULT ''::text NOT NULL,
    CONSTRAINT device_event_severity_check CHECK ((severity = ANY (ARRAY['INFO'::text, 'MINOR'::text, 'MAJOR'::text, 'CRITICAL'::text])))
);
COMMENT ON TABLE public.device_event IS 'The devices'' own alarms, each once.';
ALTER TABLE public.device_event ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.device_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.device_history (
    id bigint NOT NULL,
    device_id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    field text NOT NULL,
    before text,
    after text,
    source text NOT NULL
);
COMMENT ON TABLE public.device_history IS 'What changed about a device and when: firmware by component, site, lifecycle, connectivity.';
ALTER TABLE public.device_history ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.device_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.device ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.device_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.device_ingest_state (
    device_id bigint NOT NULL,
    last_seq bigint,
    last_seq_observed_at timestamp with time zone,
    skew_s double precision,
    skew_at timestamp with time zone,
    envelope_s double precision,
    envelope_since_us bigint,
    earlier_envelope_s double precision,
    level_s double precision,
    level_since_us bigint
)
WITH (fillfactor='60');
COMMENT ON TABLE public.device_ingest_state IS 'Where each device''s counter stands, and how far its clock is ahead.';
COMMENT ON COLUMN public.device_ingest_state.skew_s IS 'Above 0: the device''s clock is ahead. Never above the truth: the shortest delay on the way is taken off.';
COMMENT ON COLUMN public.device_ingest_state.envelope_s IS 'Shortest time from observation to receipt since envelope_since_us; negative for a clock that is ahead.';
COMMENT ON COLUMN public.device_ingest_state.earlier_envelope_s IS 'The same of the window before.';
COMMENT ON COLUMN public.device_ingest_state.level_s IS 'Where the lower one of both stood when it last moved by more than a second, at level_since_us.';
CREATE TABLE public.device_model (
    id integer NOT NULL,
    key text NOT NULL,
    manufacturer text NOT NULL,
    name jsonb NOT NULL,
    udi_di text NOT NULL,
    safety_critical boolean NOT NULL,
    current_version integer NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    external_refs jsonb DEFAULT '[]'::jsonb NOT NULL
);
COMMENT ON TABLE public.device_model IS 'A device model; its rules are in the profile of its current version.';
ALTER TABLE public.device_model ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.device_model_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.device_model_profile (
    device_model_id integer NOT NULL,
    version integer NOT NULL,
    body jsonb NOT NULL,
    sha256 text NOT NULL,
    applied_by text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT device_model_profile_version_check CHECK ((version >= 1))
);
COMMENT ON TABLE public.device_model_profile IS 'Every version of a profile that was applied: sensors, units, limits, monitors, ticket policy. Never changed.';
CREATE TABLE public.device_notice (
    device_id bigint NOT NULL,
    field_action_id bigint NOT NULL,
    wanted jsonb,
    revision bigint DEFAULT 1 NOT NULL,
    wanted_at timestamp with time zone NOT NULL,
    published_revision bigint DEFAULT 0 NOT NULL,
    published_serial text DEFAULT ''::text NOT NULL,
    published_gateway text DEFAULT ''::text NOT NULL,
    published_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    last_error text DEFAULT ''::text NOT NULL
);
COMMENT ON TABLE public.device_notice IS 'What the broker is to keep for each device on down/firmware, and what it was last given.';
COMMENT ON COLUMN public.device_notice.wanted IS 'The payload; NULL: the topic is to be empty.';
COMMENT ON COLUMN public.device_notice.published_serial IS 'Serial below whose topic it was published; empty: nothing is there.';
COMMENT ON COLUMN public.device_notice.published_gateway IS 'Gateway below whose topic it was published as well.';
CREATE TABLE public.device_usage (
    device_id bigint NOT NULL,
    sensor text NOT NULL,
    total double precision NOT NULL,
    last_value double precision NOT NULL,
    last_at timestamp with time zone NOT NULL,
    window_total double precision NOT NULL,
    window_at timestamp with time zone NOT NULL,
    earlier_total double precision NOT NULL,
    earlier_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE public.device_usage IS 'What counters of devices have counted in all.';
COMMENT ON COLUMN public.device_usage.earlier_total IS 'With earlier_at where the present rate is measured from: 45 to 90 days back.';
CREATE TABLE public.distribution_day (
    device_model_id integer NOT NULL,
    is_simulated boolean NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    firmware text NOT NULL,
    day date NOT NULL,
    devices integer NOT NULL,
    edges double precision[] NOT NULL,
    counts bigint[] NOT NULL,
    CONSTRAINT distribution_day_kind_check CHECK ((kind = ANY (ARRAY['input'::text, 'score'::text])))
);
COMMENT ON TABLE public.distribution_day IS 'Histograms of a day: hourly means of sensors, hourly maxima of scores as shares of raise_at.';
CREATE TABLE public.drift_alert (
    id bigint NOT NULL,
    device_model_id integer NOT NULL,
    is_simulated boolean NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    firmware text NOT NULL,
    psi double precision NOT NULL,
    raised_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT drift_alert_kind_check CHECK ((kind = ANY (ARRAY['input'::text, 'score'::text])))
);
COMMENT ON TABLE public.drift_alert IS 'A drift that was said (model.drift); open until it is over.';
ALTER TABLE public.drift_alert ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.drift_alert_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.drift_day (
    device_model_id integer NOT NULL,
    is_simulated boolean NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    firmware text NOT NULL,
    day date NOT NULL,
    psi double precision NOT NULL,
    usual_psi double precision NOT NULL,
    devices integer NOT NULL,
    n bigint NOT NULL,
    reference_n bigint NOT NULL,
    state text NOT NULL,
    judged_at timestamp with time zone NOT NULL,
    CONSTRAINT drift_day_kind_check CHECK ((kind = ANY (ARRAY['input'::text, 'score'::text]))),
    CONSTRAINT drift_day_psi_check CHECK ((psi >= (0)::double precision)),
    CONSTRAINT drift_day_state_check CHECK ((state = ANY (ARRAY['STABLE'::text, 'WATCH'::text, 'DRIFT'::text])))
);
COMMENT ON TABLE public.drift_day IS 'Population stability index of the last week against the reference, day by day.';
COMMENT ON COLUMN public.drift_day.usual_psi IS 'The median index of the weeks of the reference, each against the others.';
CREATE TABLE public.lab_run (
    id bigint NOT NULL,
    code text NOT NULL,
    request jsonb NOT NULL,
    profile jsonb NOT NULL,
    profile_version integer NOT NULL,
    profile_sha256 text NOT NULL,
    proposal text,
    requested_by text NOT NULL,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    state text DEFAULT 'QUEUED'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    progress double precision DEFAULT 0 NOT NULL,
    seconds_left double precision,
    message text DEFAULT ''::text NOT NULL,
    result jsonb,
    error text,
    cancelled_by text,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    cancel_reason text,
    CONSTRAINT lab_run_cancel_reason_check CHECK ((length(cancel_reason) <= 10000)),
    CONSTRAINT lab_run_check CHECK (((state = 'DONE'::text) = (result IS NOT NULL))),
    CONSTRAINT lab_run_check1 CHECK (((state = ANY (ARRAY['DONE'::text, 'FAILED'::text, 'CANCELLED'::text])) = (finished_at IS NOT NULL))),
    CONSTRAINT lab_run_check2 CHECK (((state = 'CANCELLED'::text) = (cancelled_by IS NOT NULL))),
    CONSTRAINT lab_run_progress_check CHECK (((progress >= (0)::double precision) AND (progress <= (1)::double precision))),
    CONSTRAINT lab_run_state_check CHECK ((state = ANY (ARRAY['QUEUED'::text, 'RUNNING'::text, 'DONE'::text, 'FAILED'::text, 'CANCELLED'::text])))
);
COMMENT ON TABLE public.lab_run IS 'Runs of the lab: would this profile catch that fault? Simulated devices, which exist nowhere but in the run.';
COMMENT ON COLUMN public.lab_run.request IS 'What was asked for: device model, fault, devices, days, seeds, share of the devices that have it.';
COMMENT ON COLUMN public.lab_run.profile IS 'The profile that was judged, as it was when the run was asked for.';
COMMENT ON COLUMN public.lab_run.profile_version IS 'Its version; of a proposal, that which it would have.';
COMMENT ON COLUMN public.lab_run.profile_sha256 IS 'Hash of the profile, as in device_model_profile.';
COMMENT ON COLUMN public.lab_run.proposal IS 'Code of the threshold proposal or of the draft that was judged; NULL: what was live.';
COMMENT ON COLUMN public.lab_run.attempts IS 'How often it was begun and not handed back; when three workers died while they ran it, it has failed.';
COMMENT ON COLUMN public.lab_run.seconds_left IS 'Estimated; NULL: not known yet, or over.';
COMMENT ON COLUMN public.lab_run.result IS 'Figures, monitors, single faults and two examples with their signals: docs/how-to/lab.md.';
COMMENT ON COLUMN public.lab_run.cancel_reason IS 'Why it was called off, where that was said.';
CREATE TABLE public.model_job (
    id bigint NOT NULL,
    kind text NOT NULL,
    model_id bigint,
    request jsonb NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    state text DEFAULT 'QUEUED'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    progress double precision DEFAULT 0 NOT NULL,
    seconds_left double precision,
    message text DEFAULT ''::text NOT NULL,
    result jsonb,
    error text,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    cancelled_by text,
    cancel_reason text,
    CONSTRAINT model_job_cancel_reason_check CHECK ((length(cancel_reason) <= 10000)),
    CONSTRAINT model_job_cancelled_check CHECK ((((state = 'CANCELLED'::text) = (cancelled_by IS NOT NULL)) AND ((cancelled_by IS NULL) = (cancel_reason IS NULL)))),
    CONSTRAINT model_job_kind_check CHECK ((kind = ANY (ARRAY['train'::text, 'backtest'::text]))),
    CONSTRAINT model_job_progress_check CHECK (((progress >= (0)::double precision) AND (progress <= (1)::double precision))),
    CONSTRAINT model_job_state_check CHECK ((state = ANY (ARRAY['QUEUED'::text, 'RUNNING'::text, 'DONE'::text, 'FAILED'::text, 'CANCELLED'::text])))
);
COMMENT ON TABLE public.model_job IS 'Training and backtests that people asked for: run one at a time by a process beside scoring.';
COMMENT ON COLUMN public.model_job.request IS 'What was asked for: window, device model, firmware, proposed monitors.';
COMMENT ON COLUMN public.model_job.attempts IS 'How often it was begun and not handed back; when ten workers died while they ran it, it has failed.';
COMMENT ON COLUMN public.model_job.cancelled_by IS 'Who called it off; NULL: nobody did.';
COMMENT ON COLUMN public.model_job.cancel_reason IS 'Why it was called off.';
CREATE TABLE public.threshold_proposal (
    id bigint NOT NULL,
    code text NOT NULL,
    device_model_id integer NOT NULL,
    monitor text NOT NULL,
    profile_version integer NOT NULL,
    state text NOT NULL,
    raise_at double precision NOT NULL,
    clear_at double precision NOT NULL,
    proposed_raise_at double precision NOT NULL,
    proposed_clear_at double precision NOT NULL,
    basis jsonb NOT NULL,
    backtest_job_id bigint,
    backtest jsonb,
    backtested_at timestamp with time zone,
    endorsed_by_id bigint,
    endorsed_by text,
    endorsed_at timestamp with time zone,
    decided_by_id bigint,
    decided_by text,
    decided_at timestamp with time zone,
    reason text DEFAULT ''::text NOT NULL,
    made_version integer,
    row_version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT threshold_proposal_check CHECK (((state <> 'ACCEPTED'::text) OR ((backtest IS NOT NULL) AND (decided_by IS NOT NULL) AND (reason <> ''::text) AND (made_version IS NOT NULL)))),
    CONSTRAINT threshold_proposal_check1 CHECK (((endorsed_by_id IS NULL) OR (decided_by_id IS NULL) OR (state <> 'ACCEPTED'::text) OR (endorsed_by_id <> decided_by_id))),
    CONSTRAINT threshold_proposal_state_check CHECK ((state = ANY (ARRAY['PROPOSED'::text, 'BACKTESTED'::text, 'ENDORSED'::text, 'ACCEPTED'::text, 'REJECTED'::text])))
);
COMMENT ON TABLE public.threshold_proposal IS 'A threshold that the machine proposes from outcomes of orders; people decide, after its backtest.';
COMMENT ON COLUMN public.threshold_proposal.backtest_job_id IS 'The job that evaluates the proposed threshold beside the one that is live.';
COMMENT ON COLUMN public.threshold_proposal.endorsed_by IS 'The first of two people, on safety-critical models.';
COMMENT ON COLUMN public.threshold_proposal.made_version IS 'The profile version that accepting made.';
CREATE VIEW public.ended_run AS
 SELECT 'lab_run'::text AS kind,
    r.id,
    r.finished_at
   FROM public.lab_run r
  WHERE ((r.state = ANY (ARRAY['FAILED'::text, 'CANCELLED'::text])) OR ((r.state = 'DONE'::text) AND (r.proposal IS NULL)))
UNION ALL
 SELECT 'model_job'::text AS kind,
    j.id,
    j.finished_at
   FROM public.model_job j
  WHERE (((j.state = ANY (ARRAY['FAILED'::text, 'CANCELLED'::text])) OR ((j.state = 'DONE'::text) AND (j.model_id IS NULL))) AND (NOT (EXISTS ( SELECT
           FROM public.threshold_proposal t
          WHERE (t.backtest_job_id = j.id)))));
COMMENT ON VIEW public.ended_run IS 'Runs of the lab, trainings and backtests that ended and that no decision rests on: retention removes them.';
COMMENT ON COLUMN public.ended_run.kind IS 'The table that it is a row of.';
CREATE TABLE public.evidence (
    breach_id uuid NOT NULL,
    body jsonb NOT NULL,
    sha256 text NOT NULL,
    frozen_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE public.evidence IS 'What was known when a breach was raised: raw window, limits or band, score, contributions. Written once.';
CREATE TABLE public.export_log (
    id bigint NOT NULL,
    code text NOT NULL,
    at timestamp with time zone NOT NULL,
    user_id bigint,
    actor text NOT NULL,
    role text NOT NULL,
    permission text NOT NULL,
    customer_id bigint,
    list text NOT NULL,
    format text NOT NULL,
    filter jsonb NOT NULL,
    columns text[] NOT NULL,
    is_identifiable boolean NOT NULL,
    row_count bigint NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    approval_request_id bigint,
    request_id text DEFAULT ''::text NOT NULL,
    CONSTRAINT export_log_check CHECK (((NOT is_identifiable) OR ((approval_request_id IS NOT NULL) AND (reason <> ''::text)))),
    CONSTRAINT export_log_format_check CHECK ((format = ANY (ARRAY['csv'::text, 'json'::text]))),
    CONSTRAINT export_log_row_count_check CHECK ((row_count >= 0)),
    CONSTRAINT export_log_size_bytes_check CHECK ((size_bytes >= 0))
);
COMMENT ON TABLE public.export_log IS 'Every file of data that somebody took out: who, what, when and why. Written once, before its first byte left.';
COMMENT ON COLUMN public.export_log.actor IS 'Name of the account, or token:<name>.';
COMMENT ON COLUMN public.export_log.customer_id IS 'Whose rows alone the taker sees; NULL: all.';
COMMENT ON COLUMN public.export_log.list IS 'Which list, e.g. work_orders; readings for the readings of one sensor.';
COMMENT ON COLUMN public.export_log.filter IS 'As it was given; {}: everything.';
COMMENT ON COLUMN public.export_log.is_identifiable IS 'Some of the columns name people: taken with a second person only.';
COMMENT ON COLUMN public.export_log.sha256 IS 'Of the bytes that were handed out, watermark included.';
COMMENT ON COLUMN public.export_log.approval_request_id IS 'The request by which a second person granted exactly this export.';
ALTER TABLE public.export_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.export_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.export_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.field_action (
    id bigint NOT NULL,
    code text NOT NULL,
    kind text NOT NULL,
    state text DEFAULT 'DRAFT'::text NOT NULL,
    title text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    instructions text DEFAULT ''::text NOT NULL,
    device_model_id integer NOT NULL,
    firmware_id bigint,
    priority text NOT NULL,
    needs_visit boolean NOT NULL,
    max_attempts integer NOT NULL,
    install_attempts integer NOT NULL,
    not_before timestamp with time zone,
    waves jsonb NOT NULL,
    current_wave integer DEFAULT 0 NOT NULL,
    wave_opened_at timestamp with time zone,
    scope jsonb NOT NULL,
    scope_sha256 text DEFAULT ''::text NOT NULL,
    scope_frozen_at timestamp with time zone,
    item_count integer DEFAULT 0 NOT NULL,
    halt_p double precision NOT NULL,
    watched_from timestamp with time zone,
    looks integer DEFAULT 0 NOT NULL,
    next_look_hours double precision DEFAULT 0 NOT NULL,
    halted_at timestamp with time zone,
    halt_reason text DEFAULT ''::text NOT NULL,
    halt_statistics jsonb,
    accepted_findings text[] DEFAULT '{}'::text[] NOT NULL,
    effectiveness jsonb,
    author_ids bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    content_version integer DEFAULT 1 NOT NULL,
    capa_id bigint,
    cancel_reason text DEFAULT ''::text NOT NULL,
    region text DEFAULT ''::text NOT NULL,
    is_simulated boolean DEFAULT false NOT NULL,
    external_refs jsonb DEFAULT '[]'::jsonb NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    executing_at timestamp with time zone,
    closed_at timestamp with time zone,
    CONSTRAINT field_action_check CHECK (((kind = 'FIRMWARE'::text) = (firmware_id IS NOT NULL))),
    CONSTRAINT field_action_check1 CHECK (((halted_at IS NULL) = (halt_reason = ''::text))),
    CONSTRAINT field_action_halt_p_check CHECK (((halt_p > (0)::double precision) AND (halt_p <= (0.2)::double precision))),
    CONSTRAINT field_action_install_attempts_check CHECK (((install_attempts >= 1) AND (install_attempts <= 20))),
    CONSTRAINT field_action_kind_check CHECK ((kind = ANY (ARRAY['RECALL'::text, 'CORRECTION'::text, 'FIRMWARE'::text]))),
    CONSTRAINT field_action_max_attempts_check CHECK (((max_attempts >= 1) AND (max_attempts <= 20))),
    CONSTRAINT field_action_priority_check CHECK ((priority = ANY (ARRAY['P1'::text, 'P2'::text, 'P3'::text, 'P4'::text]))),
    CONSTRAINT field_action_state_check CHECK ((state = ANY (ARRAY['DRAFT'::text, 'APPROVED'::text, 'NOTIFYING'::text, 'EXECUTING'::text, 'EFFECTIVENESS'::text, 'CLOSED'::text, 'CANCELLED'::text]))),
    CONSTRAINT field_action_title_check CHECK ((title <> ''::text))
);
COMMENT ON TABLE public.field_action IS 'Recalls, corrections and firmware campaigns.';
COMMENT ON COLUMN public.field_action.device_model_id IS 'All devices of an action are of one model.';
COMMENT ON COLUMN public.field_action.needs_visit IS 'Somebody must go there: scheduling a device makes a work order, or joins one.';
COMMENT ON COLUMN public.field_action.max_attempts IS 'Failed attempts to reach who has a device, after which it is UNREACHABLE.';
COMMENT ON COLUMN public.field_action.install_attempts IS 'Updates that failed at a device, after which it is told no more and visited instead.';
COMMENT ON COLUMN public.field_action.waves IS 'Parts of the roll-out: [{share, serials, soak_h, done_share}].';
COMMENT ON COLUMN public.field_action.current_wave IS 'The last wave that is open; 0: none.';
COMMENT ON COLUMN public.field_action.scope IS 'The query that the frozen devices were found by.';
COMMENT ON COLUMN public.field_action.scope_sha256 IS 'Over every frozen serial and its wave; part of what approvers sign. Empty: nothing is frozen.';
COMMENT ON COLUMN public.field_action.halt_p IS 'Chance of a false alarm, over all looks, at which the campaign stops by itself.';
COMMENT ON COLUMN public.field_action.watched_from IS 'Devices upgraded since then are compared with themselves before; set at the start, and anew when it goes on after a halt for that rate.';
COMMENT ON COLUMN public.field_action.halted_at IS 'Since when it stands still; its state stays. NULL: it does not.';
COMMENT ON COLUMN public.field_action.halt_reason IS 'breach_rate, release_regression, firmware_withdrawn, person.';
COMMENT ON COLUMN public.field_action.accepted_findings IS 'Findings of the release comparison with which a person let it go on: they halt it no more.';
COMMENT ON COLUMN public.field_action.effectiveness IS 'Figures at EFFECTIVENESS, computed by service-link; kept as they were at CLOSED.';
CREATE TABLE public.field_action_communication (
    id bigint NOT NULL,
    field_action_id bigint NOT NULL,
    item_id bigint,
    customer_id bigint,
    at timestamp with time zone NOT NULL,
    channel text NOT NULL,
    by text NOT NULL,
    contact text DEFAULT ''::text NOT NULL,
    text text DEFAULT ''::text NOT NULL,
    result text NOT NULL,
    is_simulated boolean DEFAULT false NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT field_action_communication_channel_check CHECK ((channel = ANY (ARRAY['EMAIL'::text, 'PHONE'::text, 'LETTER'::text, 'VISIT'::text, 'PORTAL'::text, 'DEVICE'::text, 'OTHER'::text]))),
    CONSTRAINT field_action_communication_check CHECK ((num_nonnulls(item_id, customer_id) >= 1)),
    CONSTRAINT field_action_communication_result_check CHECK ((result = ANY (ARRAY['SENT'::text, 'REACHED'::text, 'ACKNOWLEDGED'::text, 'NO_ANSWER'::text, 'UNDELIVERABLE'::text, 'REFUSED'::text, 'FAILED'::text]))),
    CONSTRAINT field_action_communication_text_check CHECK ((length(text) <= 10000))
);
COMMENT ON TABLE public.field_action_communication IS 'What was said to whom by which way, and what came of it. Written once.';
COMMENT ON COLUMN public.field_action_communication.by IS 'Name of the account, or the program.';
COMMENT ON COLUMN public.field_action_communication.contact IS 'Who was spoken to: personal data, shown with customer.read_contacts alone.';
ALTER TABLE public.field_action_communication ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.field_action_communication_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.field_action ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.field_action_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.field_action_item (
    id bigint NOT NULL,
    field_action_id bigint NOT NULL,
    device_id bigint NOT NULL,
    wave integer NOT NULL,
    state text DEFAULT 'IDENTIFIED'::text NOT NULL,
    state_since timestamp with time zone NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    install_failures integer DEFAULT 0 NOT NULL,
    notified_at timestamp with time zone,
    acknowledged_at timestamp with time zone,
    scheduled_for timestamp with time zone,
    remediated_at timestamp with time zone,
    remediated_by_id bigint,
    verified_at timestamp with time zone,
    evidence text DEFAULT ''::text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    work_order_id bigint,
    row_version integer DEFAULT 1 NOT NULL,
    CONSTRAINT field_action_item_state_check CHECK ((state = ANY (ARRAY['IDENTIFIED'::text, 'NOTIFIED'::text, 'ACKNOWLEDGED'::text, 'SCHEDULED'::text, 'REMEDIATED'::text, 'VERIFIED'::text, 'UNREACHABLE'::text, 'SCRAPPED'::text]))),
    CONSTRAINT field_action_item_wave_check CHECK ((wave >= 1))
);
COMMENT ON TABLE public.field_action_item IS 'The devices of each action. Which they are is frozen with the approval.';
COMMENT ON COLUMN public.field_action_item.attempts IS 'Failed attempts to reach who has the device, since somebody was last reached.';
COMMENT ON COLUMN public.field_action_item.install_failures IS 'FAILED reports of the wanted version since the device was notified.';
COMMENT ON COLUMN public.field_action_item.remediated_at IS 'Of a campaign: the device time of the UPDATED that it rests on.';
COMMENT ON COLUMN public.field_action_item.remediated_by_id IS 'Who did the work; NULL: the device reported it.';
ALTER TABLE public.field_action_item ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.field_action_item_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.field_action_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.site (
    id bigint NOT NULL,
    customer_id bigint NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    department text DEFAULT ''::text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    time_zone text DEFAULT 'UTC'::text NOT NULL,
    region text DEFAULT ''::text NOT NULL,
    external_refs jsonb DEFAULT '[]'::jsonb NOT NULL,
    is_simulated boolean DEFAULT false NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    service_calendar_id bigint
);
COMMENT ON TABLE public.site IS 'Where devices stand: a department of a customer, with its time zone.';
COMMENT ON COLUMN public.site.service_calendar_id IS 'When the site is served; NULL: as the policy of its contract says, else around the clock.';
CREATE VIEW public.field_action_place AS
 SELECT i.field_action_id,
    i.id AS item_id,
    i.device_id,
    i.state,
    i.wave,
    d.serial,
    d.region,
    s.customer_id,
    c.code AS customer_code,
    (i.state = ANY (ARRAY['IDENTIFIED'::text, 'NOTIFIED'::text, 'ACKNOWLEDGED'::text, 'SCHEDULED'::text])) AS is_open,
    (i.state = ANY (ARRAY['REMEDIATED'::text, 'VERIFIED'::text])) AS is_remediated
   FROM (((public.field_action_item i
     JOIN public.device d ON ((d.id = i.device_id)))
     LEFT JOIN public.site s ON ((s.id = d.site_id)))
     LEFT JOIN public.customer c ON ((c.id = s.customer_id)));
COMMENT ON VIEW public.field_action_place IS 'Each device of each action with where it stands and who has it now.';
CREATE TABLE public.firmware_report (
    id bigint NOT NULL,
    device_id bigint NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    component text NOT NULL,
    version text NOT NULL,
    state text NOT NULL,
    previous text,
    error text,
    CONSTRAINT firmware_report_state_check CHECK ((state = ANY (ARRAY['DOWNLOADING'::text, 'DOWNLOADED'::text, 'VERIFIED'::text, 'UPDATING'::text, 'UPDATED'::text, 'FAILED'::text])))
);
COMMENT ON TABLE public.firmware_report IS 'What devices said of their firmware, each report once.';
CREATE VIEW public.firmware_step AS
 SELECT id,
    device_id,
    component,
    observed_at,
    previous,
        CASE state
            WHEN 'UPDATED'::text THEN version
            ELSE previous
        END AS version
   FROM public.firmware_report r
  WHERE ((state = 'UPDATED'::text) OR ((state = 'FAILED'::text) AND (previous <> version) AND (version = ( SELECT u.version
           FROM public.firmware_report u
          WHERE ((u.device_id = r.device_id) AND (u.component = r.component) AND (u.state = 'UPDATED'::text) AND (ROW(u.observed_at, u.id) < ROW(r.observed_at, r.id)))
          ORDER BY u.observed_at DESC, u.id DESC
         LIMIT 1))));
COMMENT ON VIEW public.firmware_step IS 'The reports that change what a component runs: UPDATED, and FAILED that rolls back.';
CREATE VIEW public.firmware_interval AS
 SELECT device_id,
    component,
    version,
    observed_at AS since,
    lead(observed_at) OVER (PARTITION BY device_id, component ORDER BY observed_at, id) AS until
   FROM ( SELECT s.id,
            s.device_id,
            s.component,
            s.observed_at,
            s.previous,
            s.version,
            lag(s.version) OVER (PARTITION BY s.device_id, s.component ORDER BY s.observed_at, s.id) AS known
           FROM public.firmware_step s) step
  WHERE (known IS DISTINCT FROM version);
COMMENT ON VIEW public.firmware_interval IS 'From when to when each component ran which version, from the reports.';
CREATE TABLE public.firmware_record (
    id bigint NOT NULL,
    code text NOT NULL,
    device_model_id integer NOT NULL,
    component text NOT NULL,
    version text NOT NULL,
    sha256 text NOT NULL,
    url text DEFAULT ''::text NOT NULL,
    size_bytes bigint,
    notes text DEFAULT ''::text NOT NULL,
    state text DEFAULT 'DRAFT'::text NOT NULL,
    author_ids bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    content_version integer DEFAULT 1 NOT NULL,
    released_at timestamp with time zone,
    withdrawn_at timestamp with time zone,
    withdraw_reason text DEFAULT ''::text NOT NULL,
    is_simulated boolean DEFAULT false NOT NULL,
    external_refs jsonb DEFAULT '[]'::jsonb NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT firmware_record_component_check CHECK (((length(component) >= 1) AND (length(component) <= 100))),
    CONSTRAINT firmware_record_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT firmware_record_size_bytes_check CHECK ((size_bytes > 0)),
    CONSTRAINT firmware_record_state_check CHECK ((state = ANY (ARRAY['DRAFT'::text, 'APPROVED'::text, 'RELEASED'::text, 'WITHDRAWN'::text]))),
    CONSTRAINT firmware_record_version_check CHECK (((length(version) >= 1) AND (length(version) <= 200)))
);
COMMENT ON TABLE public.firmware_record IS 'Firmware that may be installed: a version of a component of a device model, approved by two people.';
COMMENT ON COLUMN public.firmware_record.sha256 IS 'Of the image, hexadecimal; devices are told it and check it.';
COMMENT ON COLUMN public.firmware_record.author_ids IS 'Who wrote any part of it; none of them may approve it.';
COMMENT ON COLUMN public.firmware_record.content_version IS 'Counts up with every change of the draft; a signature names the one it is on.';
ALTER TABLE public.firmware_record ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.firmware_record_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.firmware_record_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.firmware_regression (
    device_model_id integer NOT NULL,
    version text NOT NULL,
    is_simulated boolean NOT NULL,
    measure text NOT NULL,
    subject text NOT NULL,
    unit text NOT NULL,
    devices integer NOT NULL,
    controls integer NOT NULL,
    before double precision,
    after double precision,
    effect double precision,
    low double precision,
    high double precision,
    p double precision NOT NULL,
    p_valid double precision NOT NULL,
    q double precision NOT NULL,
    share double precision,
    monitor text,
    fault_group text,
    verdict text NOT NULL,
    look integer NOT NULL,
    judged_at timestamp with time zone NOT NULL,
    CONSTRAINT firmware_regression_measure_check CHECK ((measure = ANY (ARRAY['rate'::text, 'level'::text, 'spread'::text]))),
    CONSTRAINT firmware_regression_p_check CHECK (((p >= (0)::double precision) AND (p <= (1)::double precision))),
    CONSTRAINT firmware_regression_p_valid_check CHECK (((p_valid >= (0)::double precision) AND (p_valid <= (1)::double precision))),
    CONSTRAINT firmware_regression_q_check CHECK (((q >= (0)::double precision) AND (q <= (1)::double precision))),
    CONSTRAINT firmware_regression_verdict_check CHECK ((verdict = ANY (ARRAY['WORSE'::text, 'CHANGED'::text, 'IMPROVED'::text, 'NONE'::text, 'TOO_FEW'::text])))
);
COMMENT ON TABLE public.firmware_regression IS 'Before and after an update, each device against itself: breach rates by fault group, level and spread by signal.';
COMMENT ON COLUMN public.firmware_regression.p IS 'Of the last look alone.';
COMMENT ON COLUMN public.firmware_regression.p_valid IS 'Valid at every look: ten times the smallest p so far, as there are at most ten looks; at most 1.';
COMMENT ON COLUMN public.firmware_regression.q IS 'p_valid after false-discovery correction over all that is compared of all releases.';
COMMENT ON COLUMN public.firmware_regression.share IS 'Which share of the way from the usual level to the limit of `monitor` was used up; below 0: away from it.';
CREATE TABLE public.firmware_regression_proposal (
    device_model_id integer NOT NULL,
    version text NOT NULL,
    is_simulated boolean NOT NULL,
    fault_group text NOT NULL,
    capa_code text NOT NULL,
    proposed_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE public.firmware_regression_proposal IS 'That a CAPA was proposed (or joined) for a release and fault group: once.';
CREATE TABLE public.firmware_release (
    device_model_id integer NOT NULL,
    version text NOT NULL,
    is_simulated boolean NOT NULL,
    first_update_at timestamp with time zone NOT NULL,
    devices integer NOT NULL,
    controls integer DEFAULT 0 NOT NULL,
    customers integer NOT NULL,
    device_hours double precision NOT NULL,
    looks integer DEFAULT 0 NOT NULL,
    next_look_hours double precision NOT NULL,
    looked_at timestamp with time zone,
    watched_at timestamp with time zone NOT NULL,
    CONSTRAINT firmware_release_looks_check CHECK ((looks >= 0))
);
COMMENT ON TABLE public.firmware_release IS 'A firmware version that reached devices of a model lately, and how far its comparison is.';
COMMENT ON COLUMN public.firmware_release.controls IS 'Devices of the model that were not updated in that time, at the last look.';
COMMENT ON COLUMN public.firmware_release.device_hours IS 'Hours of its devices on the new version that can be compared, at most 168 of each.';
COMMENT ON COLUMN public.firmware_release.looks IS 'How many tests were made, of ten at most; every one costs a tenth of the allowed error.';
ALTER TABLE public.firmware_report ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.firmware_report_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.gateway (
    id integer NOT NULL,
    name text NOT NULL,
    site_id bigint,
    is_simulated boolean DEFAULT false NOT NULL
);
COMMENT ON TABLE public.gateway IS 'A gateway that publishes for devices behind it.';
ALTER TABLE public.gateway ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.gateway_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.heartbeat (
    program text NOT NULL,
    instance text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone NOT NULL,
    details jsonb DEFAULT '{}'::jsonb NOT NULL
);
COMMENT ON TABLE public.heartbeat IS 'The last sign of life of each program.';
CREATE TABLE public.idempotency_key (
    key text NOT NULL,
    caller text NOT NULL,
    request_sha256 text NOT NULL,
    status integer NOT NULL,
    response jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE public.idempotency_key IS 'Answers to POSTs, so that a repeated one is answered once.';
CREATE TABLE public.ingest_ledger (
    day date NOT NULL,
    writer text NOT NULL,
    messages bigint DEFAULT 0 NOT NULL,
    values_received bigint DEFAULT 0 NOT NULL,
    stored bigint DEFAULT 0 NOT NULL,
    duplicates bigint DEFAULT 0 NOT NULL,
    conflicts bigint DEFAULT 0 NOT NULL,
    late bigint DEFAULT 0 NOT NULL,
    rejected bigint DEFAULT 0 NOT NULL,
    replayed bigint DEFAULT 0 NOT NULL
);
COMMENT ON TABLE public.ingest_ledger IS 'Per day and writer: received = stored + duplicates + conflicts + rejected.';
COMMENT ON COLUMN public.ingest_ledger.replayed IS 'Values once refused that were replayed since; `rejected` is without them.';
CREATE TABLE public.ingest_ledger_past (
    only_row boolean DEFAULT true NOT NULL,
    messages bigint DEFAULT 0 NOT NULL,
    values_received bigint DEFAULT 0 NOT NULL,
    stored bigint DEFAULT 0 NOT NULL,
    duplicates bigint DEFAULT 0 NOT NULL,
    conflicts bigint DEFAULT 0 NOT NULL,
    late bigint DEFAULT 0 NOT NULL,
    rejected bigint DEFAULT 0 NOT NULL,
    replayed bigint DEFAULT 0 NOT NULL,
    CONSTRAINT ingest_ledger_past_only_row_check CHECK (only_row)
);
COMMENT ON TABLE public.ingest_ledger_past IS 'One row: the sum of the ledger''s days that retention has removed.';
CREATE TABLE public.ingest_receipt (
    writer text NOT NULL,
    id bigint NOT NULL,
    digests bytea NOT NULL
);
COMMENT ON TABLE public.ingest_receipt IS 'Digests of the last messages that could not be known again otherwise, per writer and transaction.';
ALTER TABLE public.ingest_receipt ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ingest_receipt_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.installation (
    only_row boolean DEFAULT true NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    flavour text NOT NULL,
    shard_count smallint DEFAULT 4 NOT NULL,
    registry_version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT installation_flavour_check CHECK ((flavour = ANY (ARRAY['postgresql'::text, 'timescaledb-apache'::text, 'timescaledb-community'::text]))),
    CONSTRAINT installation_only_row_check CHECK (only_row),
    CONSTRAINT installation_shard_count_check CHECK (((shard_count >= 1) AND (shard_count <= 256)))
);
COMMENT ON TABLE public.installation IS 'One row: what this installation is, its store flavour, its number of shards.';
COMMENT ON COLUMN public.installation.registry_version IS 'Counts up with every change that ingest and anomaly must know of.';
CREATE VIEW public.kpi_alarm_of_anybody AS
 SELECT b.id AS breach_id,
    b.raised_at AS at,
    b.cleared_at,
    b.device_id,
    d.serial,
    b.monitor,
    d.device_model_id,
    NULL::bigint AS customer_id,
    d.region,
    b.firmware,
    b.is_simulated
   FROM (public.breach b
     JOIN public.device d ON ((d.id = b.device_id)))
  WHERE ((b.state <> 'DISCARDED'::text) AND (b.severity <> 'INFO'::text));
COMMENT ON VIEW public.kpi_alarm_of_anybody IS 'Breaches as alarms: each episode above INFO once, without whose the device was.';
CREATE VIEW public.kpi_owner_spell AS
 WITH step AS (
         SELECT h.device_id,
            h.at,
            h.before,
            h.after,
            lead(h.at) OVER w AS next_at,
            row_number() OVER w AS place
           FROM public.device_history h
          WHERE (h.field = 'customer'::text)
          WINDOW w AS (PARTITION BY h.device_id ORDER BY h.at, h.id)
        )
 SELECT p.device_id,
    c.id AS customer_id,
    p.since,
    p.until
   FROM (( SELECT step.device_id,
            step.before AS code,
            '-infinity'::timestamp with time zone AS since,
            step.at AS until
           FROM step
          WHERE (step.place = 1)
        UNION ALL
         SELECT step.device_id,
            step.after,
            step.at,
            COALESCE(step.next_at, 'infinity'::timestamp with time zone) AS "coalesce"
           FROM step) p
     LEFT JOIN public.customer c ON ((c.code = p.code)))
UNION ALL
 SELECT d.id AS device_id,
    s.customer_id,
    '-infinity'::timestamp with time zone AS since,
    'infinity'::timestamp with time zone AS until
   FROM (public.device d
     LEFT JOIN public.site s ON ((s.id = d.site_id)))
  WHERE (NOT (EXISTS ( SELECT
           FROM public.device_history h
          WHERE ((h.device_id = d.id) AND (h.field = 'customer'::text)))));
COMMENT ON VIEW public.kpi_owner_spell IS 'From when to when each device stood at which customer.';
CREATE VIEW public.kpi_alarm AS
 SELECT a.breach_id,
    a.at,
    a.cleared_at,
    a.device_id,
    a.serial,
    a.monitor,
    a.device_model_id,
    w.customer_id,
    a.region,
    a.firmware,
    a.is_simulated
   FROM (public.kpi_alarm_of_anybody a
     LEFT JOIN public.kpi_owner_spell w ON (((w.device_id = a.device_id) AND (w.since <= a.at) AND (w.until > a.at))));
COMMENT ON VIEW public.kpi_alarm IS 'Breaches as alarms: each episode above INFO once.';
CREATE VIEW public.kpi_capa_effectiveness AS
 SELECT 'capa_effectiveness'::text AS kpi,
    r.computed_at AS at,
    r.computed_at AS began_at,
        CASE
            WHEN (r.verdict = 'INCONCLUSIVE'::text) THEN 'infinity'::timestamp with time zone
            ELSE '-infinity'::timestamp with time zone
        END AS known_at,
    NULL::bigint AS device_id,
    q.device_model_id,
    NULL::bigint AS customer_id,
    q.region,
        CASE q.scope_kind
            WHEN 'FIRMWARE'::text THEN q.scope_value
            ELSE ''::text
        END AS firmware,
    q.is_simulated,
    ((((r.verdict = 'MET'::text) AND (NOT (EXISTS ( SELECT
           FROM public.capa n
          WHERE ((n.ineffective_of = q.id) AND (r.round = q.round)))))))::integer)::double precision AS numerator,
    (1)::double precision AS denominator
   FROM (( SELECT DISTINCT ON (e.capa_id, e.round, e.plan_version) e.id,
            e.capa_id,
            e.round,
            e.plan_version,
            e.computed_at,
            e.is_final,
            e.verdict,
            e.figures
           FROM public.capa_effectiveness_result e
          WHERE e.is_final
          ORDER BY e.capa_id, e.round, e.plan_version, e.id DESC) r
     JOIN public.capa q ON ((q.id = r.capa_id)));
COMMENT ON VIEW public.kpi_capa_effectiveness IS 'Key figure: final figures of CAPAs, and whether they were effective.';
CREATE TABLE public.signature (
    id bigint NOT NULL,
    entity text NOT NULL,
    entity_id bigint NOT NULL,
    entity_version integer NOT NULL,
    content_sha256 text NOT NULL,
    signer_id bigint NOT NULL,
    printed_name text NOT NULL,
    meaning text NOT NULL,
    signed_at timestamp with time zone DEFAULT now() NOT NULL,
    content text,
    CONSTRAINT signature_content_hashed CHECK (((content IS NULL) OR (content_sha256 = encode(sha256(convert_to(content, 'UTF8'::name)), 'hex'::text))))
);
COMMENT ON TABLE public.signature IS 'Who signed which version of what, and what it means. Written once.';
COMMENT ON COLUMN public.signature.content IS 'The canonical JSON that was signed; its SHA-256 is content_sha256. NULL: signed before it was kept.';
CREATE TABLE public.sla_clock (
    work_order_id bigint NOT NULL,
    version integer NOT NULL,
    clock text NOT NULL,
    state text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    allowed_s double precision NOT NULL,
    used_s double precision NOT NULL,
    due_at timestamp with time zone,
    due_soon_at timestamp with time zone,
    paused_since timestamp with time zone,
    pause_reason text DEFAULT ''::text NOT NULL,
    met_at timestamp with time zone,
    breached_at timestamp with time zone,
    breach_said boolean DEFAULT false NOT NULL,
    warned_at timestamp with time zone,
    waived_at timestamp with time zone,
    waiver_reason text DEFAULT ''::text NOT NULL,
    stopped_at timestamp with time zone,
    policy_version_id bigint,
    calendar_version_id bigint,
    CONSTRAINT sla_clock_check CHECK (((state = 'BREACHED'::text) = (breached_at IS NOT NULL))),
    CONSTRAINT sla_clock_clock_check CHECK ((clock = ANY (ARRAY['RESPONSE'::text, 'RESOLUTION'::text]))),
    CONSTRAINT sla_clock_state_check CHECK ((state = ANY (ARRAY['RUNNING'::text, 'PAUSED'::text, 'MET'::text, 'BREACHED'::text, 'STOPPED'::text])))
);
COMMENT ON TABLE public.sla_clock IS 'SLA clocks as their events leave them; derived from sla_event alone.';
COMMENT ON COLUMN public.sla_clock.state IS 'RUNNING becomes BREACHED within a tick of its due time. BREACHED stays, also when the work is done.';
COMMENT ON COLUMN public.sla_clock.allowed_s IS 'Working time of the limit that governs, in seconds.';
COMMENT ON COLUMN public.sla_clock.used_s IS 'Working time used of that limit when the last event was written, in seconds.';
COMMENT ON COLUMN public.sla_clock.due_at IS 'NULL while it is paused, and of a stopped one. Of a breached one when its time was used up.';
COMMENT ON COLUMN public.sla_clock.breach_said IS 'Whether sla.breached was said.';
COMMENT ON COLUMN public.sla_clock.warned_at IS 'When sla.due_soon was said of the limit that governs.';
COMMENT ON COLUMN public.sla_clock.waived_at IS 'From then on out of the figures, by two people; a breach stays visible.';
COMMENT ON COLUMN public.sla_clock.stopped_at IS 'The order ended, or the clock was waived, before what it waited for had happened.';
CREATE TABLE public.work_order (
    id bigint NOT NULL,
    code text NOT NULL,
    type text NOT NULL,
    source text NOT NULL,
    priority text NOT NULL,
    state text NOT NULL,
    hold_reason text,
    device_id bigint,
    gateway_id integer,
    site_id bigint,
    customer_id bigint,
    contract_id bigint,
    fault_group text NOT NULL,
    title_code text NOT NULL,
    title_params jsonb NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    assignee_id bigint,
    breach_count integer DEFAULT 0 NOT NULL,
    last_breach_at timestamp with time zone,
    quiet_since timestamp with time zone,
    ready_to_verify_at timestamp with time zone,
    reopen_count integer DEFAULT 0 NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    recurrence_of bigint,
    parent_id bigint,
    outcome text,
    failure_code text,
    close_out jsonb,
    response_due_at timestamp with time zone,
    resolution_due_at timestamp with time zone,
    responded_at timestamp with time zone,
    resolved_at timestamp with time zone,
    response_breached boolean DEFAULT false NOT NULL,
    resolution_breached boolean DEFAULT false NOT NULL,
    response_warned boolean DEFAULT false NOT NULL,
    resolution_warned boolean DEFAULT false NOT NULL,
    inbox_reason text,
    closed_at timestamp with time zone,
    cancel_reason text,
    region text DEFAULT ''::text NOT NULL,
    external_refs jsonb DEFAULT '[]'::jsonb NOT NULL,
    is_simulated boolean DEFAULT false NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    merged_into_id bigint,
    CONSTRAINT work_order_check CHECK (((state <> 'ON_HOLD'::text) OR (hold_reason IS NOT NULL))),
    CONSTRAINT work_order_check1 CHECK ((num_nonnulls(device_id, gateway_id, site_id) >= 1)),
    CONSTRAINT work_order_hold_reason_check CHECK ((hold_reason = ANY (ARRAY['PARTS'::text, 'CUSTOMER'::text, 'ACCESS'::text, 'VENDOR'::text]))),
    CONSTRAINT work_order_inbox_reason_check CHECK ((inbox_reason = ANY (ARRAY['NEW'::text, 'REOPENED'::text, 'ESCALATED'::text, 'CAME_BACK'::text]))),
    CONSTRAINT work_order_merged_is_cancelled CHECK (((merged_into_id IS NULL) OR ((state = 'CANCELLED'::text) AND (merged_into_id <> id)))),
    CONSTRAINT work_order_outcome_check CHECK ((outcome = ANY (ARRAY['CONFIRMED'::text, 'NO_FAULT_FOUND'::text, 'SENSOR_FAULT'::text, 'FALSE_ALARM'::text]))),
    CONSTRAINT work_order_priority_check CHECK ((priority = ANY (ARRAY['P1'::text, 'P2'::text, 'P3'::text, 'P4'::text]))),
    CONSTRAINT work_order_source_check CHECK ((source = ANY (ARRAY['AUTOMATIC'::text, 'MANUAL'::text, 'COMPLAINT'::text, 'PLAN'::text]))),
    CONSTRAINT work_order_state_check CHECK ((state = ANY (ARRAY['NEW'::text, 'TRIAGED'::text, 'ASSIGNED'::text, 'IN_PROGRESS'::text, 'ON_HOLD'::text, 'WORK_DONE'::text, 'VERIFIED'::text, 'CLOSED'::text, 'CANCELLED'::text]))),
    CONSTRAINT work_order_type_check CHECK ((type = ANY (ARRAY['CORRECTIVE'::text, 'PREDICTIVE'::text, 'PREVENTIVE'::text, 'CALIBRATION'::text, 'INSTALL'::text, 'TRAINING'::text, 'FIRMWARE'::text, 'RECALL'::text])))
);
COMMENT ON TABLE public.work_order IS 'Work to be done on a device or gateway.';
COMMENT ON COLUMN public.work_order.version IS 'Counts up when a closed order is reopened; a signature belongs to a version.';
COMMENT ON COLUMN public.work_order.merged_into_id IS 'The order that went on in place of this one, which turned out to be the same.';
CREATE VIEW public.kpi_order_version AS
 SELECT w.id AS work_order_id,
    w.version,
    w.type,
    w.source,
    w.state,
    w.device_id,
    w.customer_id,
    w.region,
    w.is_simulated,
    w.fault_group,
    w.created_at AS started_at,
    w.responded_at,
    w.resolved_at,
    w.outcome,
    w.closed_at
   FROM public.work_order w
  WHERE ((w.state <> 'CANCELLED'::text) AND (w.version = 1))
UNION ALL
 SELECT w.id AS work_order_id,
    w.version,
    w.type,
    w.source,
    w.state,
    w.device_id,
    w.customer_id,
    w.region,
    w.is_simulated,
    w.fault_group,
    COALESCE(( SELECT c.started_at
           FROM public.sla_clock c
          WHERE ((c.work_order_id = w.id) AND (c.version = w.version) AND (c.clock = 'RESOLUTION'::text))), w.created_at) AS started_at,
    w.responded_at,
    w.resolved_at,
    w.outcome,
    w.closed_at
   FROM public.work_order w
  WHERE ((w.state <> 'CANCELLED'::text) AND (w.version > 1))
UNION ALL
 SELECT w.id AS work_order_id,
    g.entity_version AS version,
    w.type,
    w.source,
    'CLOSED'::text AS state,
    w.device_id,
    w.customer_id,
    w.region,
    w.is_simulated,
    w.fault_group,
        CASE
            WHEN (g.entity_version = 1) THEN w.created_at
            ELSE COALESCE(( SELECT c.started_at
               FROM public.sla_clock c
              WHERE ((c.work_order_id = w.id) AND (c.version = g.entity_version) AND (c.clock = 'RESOLUTION'::text))), w.created_at)
        END AS started_at,
    ( SELECT c.met_at
           FROM public.sla_clock c
          WHERE ((c.work_order_id = w.id) AND (c.version = g.entity_version) AND (c.clock = 'RESPONSE'::text))) AS responded_at,
    COALESCE((((g.content)::jsonb ->> 'resolved_at'::text))::timestamp with time zone, ( SELECT c.met_at
           FROM public.sla_clock c
          WHERE ((c.work_order_id = w.id) AND (c.version = g.entity_version) AND (c.clock = 'RESOLUTION'::text)))) AS resolved_at,
    ((g.content)::jsonb ->> 'outcome'::text) AS outcome,
    g.signed_at AS closed_at
   FROM (public.work_order w
     JOIN public.signature g ON (((g.entity = 'work_order'::text) AND (g.entity_id = w.id) AND (g.entity_version < w.version))))
  WHERE (w.version > 1);
COMMENT ON VIEW public.kpi_order_version IS 'Every version of every order that was not cancelled: began, answered, restored, outcome, closed.';
CREATE VIEW public.kpi_failure AS
 SELECT 'failure'::text AS kpi,
    v.started_at AS at,
    v.started_at AS began_at,
        CASE
            WHEN (v.outcome IS NULL) THEN 'infinity'::timestamp with time zone
            ELSE '-infinity'::timestamp with time zone
        END AS known_at,
    v.device_id,
    d.device_model_id,
    v.customer_id,
    v.region,
    NULL::text AS firmware,
    v.is_simulated,
    (1)::double precision AS numerator,
    (1)::double precision AS denominator,
    v.resolved_at AS restored_at
   FROM (public.kpi_order_version v
     JOIN public.device d ON ((d.id = v.device_id)))
  WHERE ((v.type = 'CORRECTIVE'::text) AND ((v.outcome = 'CONFIRMED'::text) OR (v.outcome IS NULL)));
COMMENT ON VIEW public.kpi_failure IS 'Confirmed failures of devices, and corrective orders of which nobody has said yet (known_at infinity).';
CREATE VIEW public.kpi_firmware_spell AS
 WITH step AS (
         SELECT h.device_id,
            h.at,
            h.before,
            h.after,
            lead(h.at) OVER w AS next_at,
            row_number() OVER w AS place
           FROM public.device_history h
          WHERE (h.field = 'firmware:main'::text)
          WINDOW w AS (PARTITION BY h.device_id ORDER BY h.at, h.id)
        )
 SELECT step.device_id,
    COALESCE(NULLIF(step.before, ''::text), step.after, ''::text) AS firmware,
    '-infinity'::timestamp with time zone AS since,
    step.at AS until
   FROM step
  WHERE (step.place = 1)
UNION ALL
 SELECT step.device_id,
    COALESCE(step.after, ''::text) AS firmware,
    step.at AS since,
    COALESCE(step.next_at, 'infinity'::timestamp with time zone) AS until
   FROM step
UNION ALL
 SELECT d.id AS device_id,
    d.firmware,
    '-infinity'::timestamp with time zone AS since,
    'infinity'::timestamp with time zone AS until
   FROM public.device d
  WHERE (NOT (EXISTS ( SELECT
           FROM public.device_history h
          WHERE ((h.device_id = d.id) AND (h.field = 'firmware:main'::text)))));
COMMENT ON VIEW public.kpi_firmware_spell IS 'From when to when each device had which firmware on its main component.';
CREATE TABLE public.work_order_visit (
    id bigint NOT NULL,
    work_order_id bigint NOT NULL,
    order_version integer NOT NULL,
    technician_id bigint NOT NULL,
    arrived_at timestamp with time zone NOT NULL,
    left_at timestamp with time zone,
    outcome text,
    note text DEFAULT ''::text NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT work_order_visit_check CHECK ((left_at >= arrived_at)),
    CONSTRAINT work_order_visit_check1 CHECK (((left_at IS NULL) = (outcome IS NULL))),
    CONSTRAINT work_order_visit_note_check CHECK ((length(note) <= 10000)),
    CONSTRAINT work_order_visit_outcome_check CHECK ((outcome = ANY (ARRAY['COMPLETED'::text, 'PARTS_NEEDED'::text, 'NO_ACCESS'::text, 'FOLLOW_UP'::text])))
);
COMMENT ON TABLE public.work_order_visit IS 'A technician at the place of an order: arrival, departure, what came of it.';
COMMENT ON COLUMN public.work_order_visit.left_at IS 'NULL while the visit is under way.';
CREATE VIEW public.kpi_first_time_fix AS
 SELECT 'first_time_fix'::text AS kpi,
    v.closed_at AS at,
    v.started_at AS began_at,
        CASE
            WHEN (v.outcome = 'FALSE_ALARM'::text) THEN 'infinity'::timestamp with time zone
            ELSE (v.closed_at + '30 days'::interval)
        END AS known_at,
    v.device_id,
    d.device_model_id,
    v.customer_id,
    v.region,
    NULL::text AS firmware,
    v.is_simulated,
    (
        CASE
            WHEN ((w.version = 1) AND (( SELECT count(*) AS count
               FROM unnest(( SELECT range_agg(tstzrange(t.arrived_at, COALESCE(t.left_at, 'infinity'::timestamp with time zone), '[]'::text)) AS range_agg
                       FROM public.work_order_visit t
                      WHERE (t.work_order_id = ANY (
                            CASE
                                WHEN (EXISTS ( SELECT
                                   FROM public.work_order o
                                  WHERE (o.merged_into_id = w.id))) THEN ARRAY( SELECT public.orders_within(w.id) AS orders_within)
                                ELSE ARRAY[w.id]
                            END)))) unnest(unnest)) <= 1) AND (NOT (EXISTS ( SELECT
               FROM public.work_order o
              WHERE ((o.device_id = v.device_id) AND (o.fault_group = v.fault_group) AND (o.id <> v.work_order_id) AND (o.type = ANY (ARRAY['CORRECTIVE'::text, 'PREDICTIVE'::text])) AND (o.state <> 'CANCELLED'::text) AND (o.outcome IS DISTINCT FROM 'FALSE_ALARM'::text) AND (o.created_at > v.closed_at) AND (o.created_at <= (v.closed_at + '30 days'::interval))))))) THEN 1
            ELSE 0
        END)::double precision AS numerator,
    (1)::double precision AS denominator
   FROM ((public.kpi_order_version v
     JOIN public.work_order w ON ((w.id = v.work_order_id)))
     LEFT JOIN public.device d ON ((d.id = v.device_id)))
  WHERE ((v.type = 'CORRECTIVE'::text) AND (v.version = 1) AND (v.state = 'CLOSED'::text));
COMMENT ON VIEW public.kpi_first_time_fix IS 'Key figure: corrective orders at their first closing, and whether that was the end of it.';
CREATE TABLE public.part_usage (
    id bigint NOT NULL,
    work_order_id bigint NOT NULL,
    order_version integer NOT NULL,
    state text NOT NULL,
    item text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    quantity numeric(12,3) NOT NULL,
    lot text DEFAULT ''::text NOT NULL,
    serial_in text DEFAULT ''::text NOT NULL,
    serial_out text DEFAULT ''::text NOT NULL,
    requested_quantity numeric(12,3),
    requested_by text,
    requested_at timestamp with time zone,
    decided_by_id bigint,
    decided_by text,
    decided_at timestamp with time zone,
    reason text DEFAULT ''::text NOT NULL,
    CONSTRAINT part_usage_check CHECK (((state = 'REQUESTED'::text) = (decided_at IS NULL))),
    CONSTRAINT part_usage_check1 CHECK (((state <> 'USED'::text) OR (decided_by_id IS NOT NULL))),
    CONSTRAINT part_usage_check2 CHECK ((((serial_in = ''::text) AND (serial_out = ''::text)) OR (quantity = (1)::numeric))),
    CONSTRAINT part_usage_item_check CHECK ((item <> ''::text)),
    CONSTRAINT part_usage_quantity_check CHECK ((quantity > (0)::numeric)),
    CONSTRAINT part_usage_requested_quantity_check CHECK ((requested_quantity > (0)::numeric)),
    CONSTRAINT part_usage_state_check CHECK ((state = ANY (ARRAY['REQUESTED'::text, 'USED'::text, 'WITHDRAWN'::text])))
);
COMMENT ON TABLE public.part_usage IS 'Parts of an order: asked for, then used (signed) or withdrawn.';
COMMENT ON COLUMN public.part_usage.quantity IS 'What was asked for; once used, what was used.';
COMMENT ON COLUMN public.part_usage.requested_quantity IS 'What was asked for; NULL: the part was at hand.';
CREATE VIEW public.kpi_part_trace AS
 SELECT 'part_trace_coverage'::text AS kpi,
    u.decided_at AS at,
    u.decided_at AS began_at,
    '-infinity'::timestamp with time zone AS known_at,
    w.device_id,
    d.device_model_id,
    w.customer_id,
    w.region,
    NULL::text AS firmware,
    w.is_simulated,
    ((((u.lot <> ''::text) OR (u.serial_in <> ''::text)))::integer)::double precision AS numerator,
    (1)::double precision AS denominator
   FROM ((public.part_usage u
     JOIN public.work_order w ON ((w.id = u.work_order_id)))
     LEFT JOIN public.device d ON ((d.id = w.device_id)))
  WHERE (u.state = 'USED'::text);
COMMENT ON VIEW public.kpi_part_trace IS 'Key figure: parts that were used, and whether lot or serial is known.';
CREATE TABLE public.maintenance_plan (
    id bigint NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    state text NOT NULL,
    order_type text NOT NULL,
    kind text NOT NULL,
    anchor text NOT NULL,
    device_model_id integer NOT NULL,
    device_id bigint,
    every_count integer,
    every_unit text,
    usage_sensor text,
    usage_every double precision,
    fault_group text,
    lead_days integer NOT NULL,
    priority text NOT NULL,
    instructions text DEFAULT ''::text NOT NULL,
    starts_on date NOT NULL,
    ended_at timestamp with time zone,
    end_reason text DEFAULT ''::text NOT NULL,
    external_refs jsonb DEFAULT '[]'::jsonb NOT NULL,
    region text DEFAULT ''::text NOT NULL,
    is_simulated boolean DEFAULT false NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT maintenance_plan_anchor_check CHECK ((anchor = ANY (ARRAY['FIXED'::text, 'FLOATING'::text]))),
    CONSTRAINT maintenance_plan_check CHECK ((((kind = 'CALENDAR'::text) = (every_count IS NOT NULL)) AND ((kind = 'CALENDAR'::text) = (every_unit IS NOT NULL)))),
    CONSTRAINT maintenance_plan_check1 CHECK ((((kind = 'USAGE'::text) = (usage_sensor IS NOT NULL)) AND ((kind = 'USAGE'::text) = (usage_every IS NOT NULL)))),
    CONSTRAINT maintenance_plan_check2 CHECK (((kind = 'CONDITION'::text) = (fault_group IS NOT NULL))),
    CONSTRAINT maintenance_plan_check3 CHECK (((state = 'ENDED'::text) = (ended_at IS NOT NULL))),
    CONSTRAINT maintenance_plan_every_count_check CHECK (((every_count >= 1) AND (every_count <= 1200))),
    CONSTRAINT maintenance_plan_every_unit_check CHECK ((every_unit = ANY (ARRAY['DAY'::text, 'WEEK'::text, 'MONTH'::text, 'YEAR'::text]))),
    CONSTRAINT maintenance_plan_kind_check CHECK ((kind = ANY (ARRAY['CALENDAR'::text, 'USAGE'::text, 'CONDITION'::text]))),
    CONSTRAINT maintenance_plan_lead_days_check CHECK (((lead_days >= 0) AND (lead_days <= 365))),
    CONSTRAINT maintenance_plan_name_check CHECK ((name <> ''::text)),
    CONSTRAINT maintenance_plan_order_type_check CHECK ((order_type = ANY (ARRAY['PREVENTIVE'::text, 'CALIBRATION'::text]))),
    CONSTRAINT maintenance_plan_priority_check CHECK ((priority = ANY (ARRAY['P1'::text, 'P2'::text, 'P3'::text, 'P4'::text]))),
    CONSTRAINT maintenance_plan_state_check CHECK ((state = ANY (ARRAY['ACTIVE'::text, 'ENDED'::text]))),
    CONSTRAINT maintenance_plan_usage_every_check CHECK (((usage_every > (0)::double precision) AND (usage_every < 'Infinity'::double precision)))
);
COMMENT ON TABLE public.maintenance_plan IS 'Planned maintenance and calibration of a device model, or of one device of it.';
COMMENT ON COLUMN public.maintenance_plan.anchor IS 'FIXED counts from the installation; FLOATING from the day on which it was done last.';
COMMENT ON COLUMN public.maintenance_plan.device_id IS 'NULL: every installed device of the model.';
COMMENT ON COLUMN public.maintenance_plan.usage_sensor IS 'The sensor that counts, e.g. run hours.';
COMMENT ON COLUMN public.maintenance_plan.fault_group IS 'Of CONDITION: a breach of it makes the work due.';
COMMENT ON COLUMN public.maintenance_plan.lead_days IS 'The work order opens so many days before it is due; of CONDITION within how many days it is due.';
COMMENT ON COLUMN public.maintenance_plan.starts_on IS 'Nothing is due before.';
CREATE TABLE public.plan_occurrence (
    id bigint NOT NULL,
    code text NOT NULL,
    plan_id bigint NOT NULL,
    device_id bigint NOT NULL,
    number integer NOT NULL,
    state text NOT NULL,
    due_on date,
    usage_target double precision,
    usage_total double precision,
    breach_id uuid,
    work_order_id bigint,
    done_on date,
    skip_request text,
    skip_reason text DEFAULT ''::text NOT NULL,
    ended_at timestamp with time zone,
    is_simulated boolean NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT plan_occurrence_check CHECK ((((state = 'DONE'::text) = (done_on IS NOT NULL)) AND ((state = 'SKIPPED'::text) = (skip_request IS NOT NULL)))),
    CONSTRAINT plan_occurrence_check1 CHECK (((state <> 'DONE'::text) OR (work_order_id IS NOT NULL))),
    CONSTRAINT plan_occurrence_check2 CHECK (((state = ANY (ARRAY['DONE'::text, 'SKIPPED'::text])) = (ended_at IS NOT NULL))),
    CONSTRAINT plan_occurrence_number_check CHECK ((number >= 1)),
    CONSTRAINT plan_occurrence_state_check CHECK ((state = ANY (ARRAY['UPCOMING'::text, 'DUE'::text, 'OVERDUE'::text, 'DONE'::text, 'SKIPPED'::text])))
);
COMMENT ON TABLE public.plan_occurrence IS 'One time that planned work is due at one device; what became of it follows from its work order.';
COMMENT ON COLUMN public.plan_occurrence.number IS 'Counts up for plan and device.';
COMMENT ON COLUMN public.plan_occurrence.due_on IS 'On the calendar of the device''s site. Of USAGE a forecast, NULL as long as none can be made.';
COMMENT ON COLUMN public.plan_occurrence.usage_target IS 'At which total of the counter it is due.';
COMMENT ON COLUMN public.plan_occurrence.usage_total IS 'The total when it was last looked at.';
COMMENT ON COLUMN public.plan_occurrence.breach_id IS 'Of CONDITION: the breach that made it due.';
COMMENT ON COLUMN public.plan_occurrence.skip_request IS 'The approval request by which two people left it out.';
CREATE VIEW public.kpi_planned_maintenance AS
 SELECT x.kpi,
    ((o.due_on)::timestamp without time zone AT TIME ZONE 'UTC'::text) AS at,
    ((o.due_on)::timestamp without time zone AT TIME ZONE 'UTC'::text) AS began_at,
        CASE
            WHEN (o.state = 'SKIPPED'::text) THEN 'infinity'::timestamp with time zone
            WHEN ((w.done_on IS NOT NULL) OR (o.state = 'OVERDUE'::text)) THEN '-infinity'::timestamp with time zone
            WHEN ((d.lifecycle = 'DECOMMISSIONED'::text) OR ((p.state = 'ENDED'::text) AND (o.work_order_id IS NULL))) THEN 'infinity'::timestamp with time zone
            ELSE ((((o.due_on + 1))::timestamp without time zone AT TIME ZONE 'UTC'::text) + '12:00:00'::interval)
        END AS known_at,
    o.device_id,
    d.device_model_id,
    s.customer_id,
    d.region,
    NULL::text AS firmware,
    o.is_simulated,
    ((x.is_done)::integer)::double precision AS numerator,
    (1)::double precision AS denominator
   FROM (((((public.plan_occurrence o
     JOIN public.maintenance_plan p ON ((p.id = o.plan_id)))
     JOIN public.device d ON ((d.id = o.device_id)))
     LEFT JOIN public.kpi_owner_spell s ON (((s.device_id = o.device_id) AND (s.since <= ((o.due_on)::timestamp without time zone AT TIME ZONE 'UTC'::text)) AND (s.until > ((o.due_on)::timestamp without time zone AT TIME ZONE 'UTC'::text)))))
     CROSS JOIN LATERAL ( SELECT COALESCE(o.done_on, ( SELECT ((e.close_out ->> 'serviced_on'::text))::date AS date
                   FROM public.work_order e
                  WHERE ((e.id = o.work_order_id) AND (e.resolved_at IS NOT NULL)))) AS done_on) w)
     CROSS JOIN LATERAL ( VALUES ('planned_maintenance_on_time'::text,COALESCE((w.done_on <= o.due_on), false)), ('first_maintenance_completion'::text,(w.done_on IS NOT NULL))) x(kpi, is_done))
  WHERE ((o.due_on IS NOT NULL) AND ((x.kpi = 'planned_maintenance_on_time'::text) OR ((o.number = 1) AND (p.order_type = 'PREVENTIVE'::text))));
COMMENT ON VIEW public.kpi_planned_maintenance IS 'Key figures: planned work that was due, whether it was done in time, and the first one of each device.';
CREATE VIEW public.kpi_recall AS
 SELECT x.kpi,
    x.at,
    i.notified_at AS began_at,
        CASE a.state
            WHEN 'CANCELLED'::text THEN 'infinity'::timestamp with time zone
            ELSE '-infinity'::timestamp with time zone
        END AS known_at,
    i.device_id,
    d.device_model_id,
    s.customer_id,
    d.region,
    NULL::text AS firmware,
    d.is_simulated,
    x.numerator,
    (1)::double precision AS denominator
   FROM ((((public.field_action_item i
     JOIN public.field_action a ON ((a.id = i.field_action_id)))
     JOIN public.device d ON ((d.id = i.device_id)))
     LEFT JOIN public.kpi_owner_spell s ON (((s.device_id = i.device_id) AND (s.since <= i.notified_at) AND (s.until > i.notified_at))))
     CROSS JOIN LATERAL ( VALUES ('recall_response'::text,i.notified_at,((((i.acknowledged_at IS NOT NULL) OR (i.state = ANY (ARRAY['ACKNOWLEDGED'::text, 'SCHEDULED'::text, 'REMEDIATED'::text, 'VERIFIED'::text, 'SCRAPPED'::text]))))::integer)::double precision), ('recall_response_time'::text,i.acknowledged_at,(date_part('epoch'::text, (i.acknowledged_at - i.notified_at)) / (3600)::double precision))) x(kpi, at, numerator))
  WHERE ((a.kind = ANY (ARRAY['RECALL'::text, 'CORRECTION'::text])) AND (i.notified_at IS NOT NULL) AND (x.at IS NOT NULL));
COMMENT ON VIEW public.kpi_recall IS 'Key figures: devices in recalls and corrections, whether those who have them answered, and how soon.';
CREATE VIEW public.kpi_response_time AS
 SELECT 'response_time'::text AS kpi,
    v.responded_at AS at,
    v.started_at AS began_at,
    '-infinity'::timestamp with time zone AS known_at,
    v.device_id,
    d.device_model_id,
    v.customer_id,
    v.region,
    NULL::text AS firmware,
    v.is_simulated,
    (date_part('epoch'::text, (v.responded_at - v.started_at)) / (3600)::double precision) AS numerator,
    (1)::double precision AS denominator
   FROM (public.kpi_order_version v
     LEFT JOIN public.device d ON ((d.id = v.device_id)))
  WHERE ((v.type = ANY (ARRAY['CORRECTIVE'::text, 'PREDICTIVE'::text])) AND (v.responded_at IS NOT NULL));
COMMENT ON VIEW public.kpi_response_time IS 'Key figure: hours from the beginning of an order about a fault to its assignment.';
CREATE VIEW public.kpi_service_spell AS
 WITH step AS (
         SELECT h.device_id,
            h.at,
            h.before,
            h.after,
            lead(h.at) OVER w AS next_at,
            row_number() OVER w AS place
           FROM public.device_history h
          WHERE (h.field = 'lifecycle'::text)
          WINDOW w AS (PARTITION BY h.device_id ORDER BY h.at, h.id)
        ), spell AS (
         SELECT step.device_id,
            step.before AS lifecycle,
            '-infinity'::timestamp with time zone AS since,
            step.at AS until
           FROM step
          WHERE ((step.place = 1) AND (step.before IS NOT NULL))
        UNION ALL
         SELECT step.device_id,
            step.after,
            step.at,
            COALESCE(step.next_at, 'infinity'::timestamp with time zone) AS "coalesce"
           FROM step
        UNION ALL
         SELECT d_1.id,
            x.lifecycle,
            x.since,
            x.until
           FROM (public.device d_1
             CROSS JOIN LATERAL ( VALUES (
                        CASE
                            WHEN (d_1.lifecycle = 'REGISTERED'::text) THEN d_1.lifecycle
                            ELSE 'IN_SERVICE'::text
                        END,'-infinity'::timestamp with time zone,d_1.lifecycle_since), (d_1.lifecycle,d_1.lifecycle_since,'infinity'::timestamp with time zone)) x(lifecycle, since, until))
          WHERE (NOT (EXISTS ( SELECT
                   FROM public.device_history h
                  WHERE ((h.device_id = d_1.id) AND (h.field = 'lifecycle'::text)))))
        )
 SELECT d.id AS device_id,
    d.device_model_id,
    p.customer_id,
    d.region,
    d.is_simulated,
    p.since,
    p.until,
    (p.lifecycle = ANY (ARRAY['UNDER_MAINTENANCE'::text, 'QUARANTINED'::text])) AS is_down
   FROM (public.device d
     JOIN LATERAL ( SELECT e.lifecycle,
            w.customer_id,
            GREATEST(e.since, w.since, d.created_at, ((d.installed_on)::timestamp without time zone AT TIME ZONE 'UTC'::text)) AS since,
            LEAST(e.until, w.until) AS until
           FROM (spell e
             JOIN public.kpi_owner_spell w ON ((w.device_id = e.device_id)))
          WHERE (e.device_id = d.id)) p ON ((p.until > p.since)))
  WHERE (p.lifecycle <> ALL (ARRAY['REGISTERED'::text, 'DECOMMISSIONED'::text]));
COMMENT ON VIEW public.kpi_service_spell IS 'When each device was in the field, and whether it was under maintenance or quarantined then.';
CREATE VIEW public.kpi_sla AS
 SELECT v.closed_at AS at,
    v.started_at AS began_at,
    v.device_id,
    d.device_model_id,
    v.customer_id,
    v.region,
    NULL::text AS firmware,
    v.is_simulated,
        CASE
            WHEN (num_nonnulls(m.is_response_met, m.is_resolution_met) > 0) THEN (COALESCE(m.is_response_met, true) AND COALESCE(m.is_resolution_met, true))
            ELSE NULL::boolean
        END AS is_met,
    m.is_response_met,
    m.is_resolution_met
   FROM ((((public.kpi_order_version v
     LEFT JOIN public.device d ON ((d.id = v.device_id)))
     LEFT JOIN public.sla_clock r ON (((r.work_order_id = v.work_order_id) AND (r.version = v.version) AND (r.clock = 'RESPONSE'::text))))
     LEFT JOIN public.sla_clock s ON (((s.work_order_id = v.work_order_id) AND (s.version = v.version) AND (s.clock = 'RESOLUTION'::text))))
     CROSS JOIN LATERAL ( SELECT
                CASE
                    WHEN ((r.waived_at IS NULL) AND (r.state = ANY (ARRAY['MET'::text, 'BREACHED'::text]))) THEN (r.state = 'MET'::text)
                    ELSE NULL::boolean
                END AS is_response_met,
                CASE
                    WHEN ((s.waived_at IS NULL) AND (s.state = ANY (ARRAY['MET'::text, 'BREACHED'::text]))) THEN (s.state = 'MET'::text)
                    ELSE NULL::boolean
                END AS is_resolution_met) m)
  WHERE ((v.state = 'CLOSED'::text) AND ((r.work_order_id IS NOT NULL) OR (s.work_order_id IS NOT NULL)));
COMMENT ON VIEW public.kpi_sla IS 'Key figures: closed orders and their clocks, and whether they were met.';
CREATE VIEW public.kpi_ticket AS
 SELECT 'ticket'::text AS kpi,
    w.created_at AS at,
    w.created_at AS began_at,
    '-infinity'::timestamp with time zone AS known_at,
    w.device_id,
    d.device_model_id,
    w.customer_id,
    w.region,
    NULL::text AS firmware,
    w.is_simulated,
    (1)::double precision AS numerator,
    (1)::double precision AS denominator,
    w.fault_group
   FROM (public.work_order w
     JOIN public.device d ON ((d.id = w.device_id)))
  WHERE ((w.source = 'AUTOMATIC'::text) AND (w.merged_into_id IS NULL));
COMMENT ON VIEW public.kpi_ticket IS 'Orders that the machine opened for devices.';
CREATE VIEW public.kpi_ticket_outcome AS
 SELECT 'alarm_confirmed'::text AS kpi,
    v.closed_at AS at,
    v.started_at AS began_at,
    '-infinity'::timestamp with time zone AS known_at,
    v.device_id,
    d.device_model_id,
    v.customer_id,
    v.region,
    NULL::text AS firmware,
    v.is_simulated,
    (((v.outcome = 'CONFIRMED'::text))::integer)::double precision AS numerator,
    (1)::double precision AS denominator
   FROM (public.kpi_order_version v
     JOIN public.device d ON ((d.id = v.device_id)))
  WHERE ((v.source = 'AUTOMATIC'::text) AND (v.state = 'CLOSED'::text) AND (v.outcome IS NOT NULL));
COMMENT ON VIEW public.kpi_ticket_outcome IS 'Key figure: closed orders that the machine opened, and whether the fault was confirmed.';
CREATE VIEW public.kpi_time_to_restore AS
 SELECT 'time_to_restore'::text AS kpi,
    restored_at AS at,
    began_at,
    known_at,
    device_id,
    device_model_id,
    customer_id,
    region,
    firmware,
    is_simulated,
    (date_part('epoch'::text, (restored_at - at)) / (3600)::double precision) AS numerator,
    (1)::double precision AS denominator
   FROM public.kpi_failure f
  WHERE ((known_at = '-infinity'::timestamp with time zone) AND (restored_at IS NOT NULL));
COMMENT ON VIEW public.kpi_time_to_restore IS 'Key figure: hours from the beginning of a failure to the end of the work.';
CREATE VIEW public.kpi_warning AS
SELECT
    NULL::text AS kpi,
    NULL::timestamp with time zone AS at,
    NULL::timestamp with time zone AS began_at,
    NULL::timestamp with time zone AS known_at,
    NULL::bigint AS device_id,
    NULL::integer AS device_model_id,
    NULL::bigint AS customer_id,
    NULL::text AS region,
    NULL::text AS firmware,
    NULL::boolean AS is_simulated,
    NULL::double precision AS numerator,
    NULL::double precision AS denominator;
COMMENT ON VIEW public.kpi_warning IS 'Key figures: confirmed failures, whether there was a warning, and how long before.';
ALTER TABLE public.lab_run ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.lab_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.lab_run_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.ledger_block (
    id bigint NOT NULL,
    writer text NOT NULL,
    day date NOT NULL,
    payload bytea NOT NULL
);
ALTER TABLE ONLY public.ledger_block ALTER COLUMN payload SET STORAGE EXTERNAL;
COMMENT ON TABLE public.ledger_block IS 'Counts by device of one transaction of ingest, not yet added to device_day; gone in seconds.';
ALTER TABLE public.ledger_block ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ledger_block_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.maintenance_plan ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.maintenance_plan_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.maintenance_plan_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.master_reference (
    entity text NOT NULL,
    system text NOT NULL,
    external_id text NOT NULL,
    type text DEFAULT ''::text NOT NULL,
    customer_id bigint,
    site_id bigint,
    contract_id bigint,
    device_model_id integer,
    device_id bigint,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT master_reference_check CHECK ((
CASE entity
    WHEN 'customer'::text THEN customer_id
    WHEN 'site'::text THEN site_id
    WHEN 'contract'::text THEN contract_id
    WHEN 'device_model'::text THEN (device_model_id)::bigint
    ELSE device_id
END IS NOT NULL)),
    CONSTRAINT master_reference_check1 CHECK ((num_nonnulls(customer_id, site_id, contract_id, device_model_id, device_id) = 1)),
    CONSTRAINT master_reference_entity_check CHECK ((entity = ANY (ARRAY['customer'::text, 'site'::text, 'contract'::text, 'device_model'::text, 'device'::text]))),
    CONSTRAINT master_reference_external_id_check CHECK (((length(external_id) >= 1) AND (length(external_id) <= 128))),
    CONSTRAINT master_reference_system_check CHECK (((system ~ '^[a-z][a-z0-9._-]{0,31}$'::text) AND (system <> 'forewarn'::text)))
);
COMMENT ON TABLE public.master_reference IS 'What other systems call customers, sites, contracts, device models and devices.';
COMMENT ON COLUMN public.master_reference.system IS 'A word of the installation''s own for the other system, e.g. erp. forewarn is never one: that is our own code.';
COMMENT ON COLUMN public.master_reference.external_id IS 'Unique in that system for its kind of record.';
COMMENT ON COLUMN public.master_reference.type IS 'What the other system calls the kind of record, e.g. res.partner.';
COMMENT ON COLUMN public.master_reference.made_at IS 'When it became known.';
ALTER TABLE public.model_job ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.model_job_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.model_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.model_record (
    id bigint NOT NULL,
    code text NOT NULL,
    kind text NOT NULL,
    device_model_id integer NOT NULL,
    firmware text DEFAULT ''::text NOT NULL,
    description jsonb NOT NULL,
    arrays bytea NOT NULL,
    sha256 text NOT NULL,
    provenance jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    state text DEFAULT 'DRAFT'::text NOT NULL,
    asked_by text,
    asked_by_id bigint,
    asked_at timestamp with time zone,
    approved_by text,
    live_since timestamp with time zone,
    live_until timestamp with time zone,
    replaced_id bigint,
    replaced_profile_version integer,
    row_version integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT model_record_kind_check CHECK ((kind = ANY (ARRAY['fleet_prior'::text, 'profile'::text]))),
    CONSTRAINT model_record_state_check CHECK ((state = ANY (ARRAY['DRAFT'::text, 'SHADOW'::text, 'LIVE'::text, 'RETIRED'::text])))
);
ALTER TABLE ONLY public.model_record ALTER COLUMN arrays SET STORAGE EXTERNAL;
COMMENT ON TABLE public.model_record IS 'Models: arrays and JSON with their provenance, written once, and the state of each (draft, shadow, live, retired).';
COMMENT ON COLUMN public.model_record.kind IS 'fleet_prior: where new devices start from; profile: a proposed profile of the device model.';
COMMENT ON COLUMN public.model_record.firmware IS 'For devices that run this version of the main component; empty: for all of the device model.';
COMMENT ON COLUMN public.model_record.description IS 'What the arrays mean, by detector and monitor; of a profile, the profile itself.';
COMMENT ON COLUMN public.model_record.arrays IS 'An npz file without pickles; empty for a profile.';
COMMENT ON COLUMN public.model_record.sha256 IS 'Of the arrays and the canonical JSON of the description.';
COMMENT ON COLUMN public.model_record.provenance IS 'Data window and its hash, devices, code version, seed, metrics.';
COMMENT ON COLUMN public.model_record.asked_by IS 'Who asked for the activation on a safety-critical device model; another person approves it.';
COMMENT ON COLUMN public.model_record.replaced_id IS 'The model that this one replaced when it became live: what a roll-back goes back to.';
COMMENT ON COLUMN public.model_record.replaced_profile_version IS 'The profile version that this proposal replaced when it became live.';
ALTER TABLE public.model_record ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.model_record_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.monitor_flag (
    device_model_id integer NOT NULL,
    monitor text NOT NULL,
    profile_version integer NOT NULL,
    false_alarms integer NOT NULL,
    flagged_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE public.monitor_flag IS 'Monitors whose orders were closed as false alarms too often, by profile version.';
CREATE TABLE public.monitor_quality (
    device_model_id integer NOT NULL,
    is_simulated boolean NOT NULL,
    rule text NOT NULL,
    monitor text NOT NULL,
    profile_version integer NOT NULL,
    confirmed integer NOT NULL,
    sensor_fault integer NOT NULL,
    no_fault_found integer NOT NULL,
    false_alarm integer NOT NULL,
    precision_mean double precision NOT NULL,
    precision_low double precision NOT NULL,
    precision_high double precision NOT NULL,
    tickets integer NOT NULL,
    device_days double precision NOT NULL,
    allowed_rate double precision NOT NULL,
    is_over_budget boolean NOT NULL,
    judged_at timestamp with time zone NOT NULL,
    lead_failures integer DEFAULT 0 NOT NULL,
    lead_median_h double precision,
    CONSTRAINT monitor_quality_lead CHECK (((lead_failures > 0) = (lead_median_h IS NOT NULL))),
    CONSTRAINT monitor_quality_lead_failures_check CHECK ((lead_failures >= 0))
);
COMMENT ON TABLE public.monitor_quality IS 'Precision of a monitor by the outcomes of its orders, and the tickets it opened against those it may open.';
COMMENT ON COLUMN public.monitor_quality.precision_mean IS 'Of the Beta posterior (Jeffreys prior); low and high bound 95 % of it.';
COMMENT ON COLUMN public.monitor_quality.tickets IS 'Orders of the last 30 days that it was behind.';
COMMENT ON COLUMN public.monitor_quality.allowed_rate IS 'Tickets per 1,000 device-days: those that may be in vain, over the share that is.';
COMMENT ON COLUMN public.monitor_quality.lead_failures IS 'Confirmed failures whose order was closed in the last 365 days and before which it had spoken.';
COMMENT ON COLUMN public.monitor_quality.lead_median_h IS 'Median of the hours from its first breach to those failures. NULL: there was none.';
CREATE TABLE public.outbox (
    id bigint NOT NULL,
    event_id uuid DEFAULT gen_random_uuid() NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    entity text NOT NULL,
    entity_id text NOT NULL,
    body jsonb NOT NULL,
    is_simulated boolean NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    planned_at timestamp with time zone,
    customer_id bigint
);
COMMENT ON TABLE public.outbox IS 'Events for other systems (CloudEvents 1.0), written with the change itself.';
COMMENT ON COLUMN public.outbox.planned_at IS 'When deliveries were planned for the webhooks that want it. NULL: still to be done.';
COMMENT ON COLUMN public.outbox.customer_id IS 'Whose record it is of, as of then. NULL: of no one customer''s.';
ALTER TABLE public.outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.part_usage ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.part_usage_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.pending_sign_in (
    token_hash bytea NOT NULL,
    user_id bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE public.pending_sign_in IS 'Who has given the right password and not yet a code; for minutes.';
ALTER TABLE public.plan_occurrence ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.plan_occurrence_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.plan_occurrence_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.provider_flow (
    state_hash bytea NOT NULL,
    browser_hash bytea NOT NULL,
    purpose text NOT NULL,
    session_id bigint,
    target text DEFAULT ''::text NOT NULL,
    begun_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT provider_flow_check CHECK (((purpose = 'SIGN_IN'::text) = (session_id IS NULL))),
    CONSTRAINT provider_flow_purpose_check CHECK ((purpose = ANY (ARRAY['SIGN_IN'::text, 'LINK'::text, 'PASSWORD'::text])))
);
COMMENT ON TABLE public.provider_flow IS 'Who was sent to the provider and has not come back; for minutes, good once, in one browser.';
COMMENT ON COLUMN public.provider_flow.browser_hash IS 'SHA-256 of a cookie from which nonce and code verifier are derived: neither is in this database.';
COMMENT ON COLUMN public.provider_flow.purpose IS 'SIGN_IN opens a session, LINK ties the account of a session to an identity, PASSWORD lets it set a password.';
CREATE TABLE public.provider_identity (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id bigint NOT NULL,
    linked_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone
);
COMMENT ON TABLE public.provider_identity IS 'Which account is whose at an OpenID Connect provider: by issuer and subject, never by an address.';
CREATE TABLE public.reading (
    series_id integer NOT NULL,
    flags smallint DEFAULT 0 NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    value double precision NOT NULL
)
PARTITION BY RANGE (observed_at);
COMMENT ON TABLE public.reading IS 'Every accepted reading once: series, device time, value. A hypertable, or partitions by day.';
COMMENT ON COLUMN public.reading.flags IS 'Bits: 1 time is that of receipt, 2 uncertain, 4 bad (never scored), 8 late.';
CREATE TABLE public.reading_1d (
    series_id integer NOT NULL,
    flags smallint NOT NULL,
    bucket timestamp with time zone NOT NULL,
    minimum double precision,
    maximum double precision,
    sum double precision,
    n bigint NOT NULL
);
COMMENT ON TABLE public.reading_1d IS 'The same by day, in UTC.';
CREATE TABLE public.reading_1h (
    series_id integer NOT NULL,
    flags smallint NOT NULL,
    bucket timestamp with time zone NOT NULL,
    minimum double precision,
    maximum double precision,
    sum double precision,
    n bigint NOT NULL
)
PARTITION BY RANGE (bucket);
COMMENT ON TABLE public.reading_1h IS 'The same by hour.';
CREATE TABLE public.reading_1m (
    series_id integer NOT NULL,
    flags smallint NOT NULL,
    bucket timestamp with time zone NOT NULL,
    minimum double precision,
    maximum double precision,
    sum double precision,
    n bigint NOT NULL
)
PARTITION BY RANGE (bucket);
COMMENT ON TABLE public.reading_1m IS 'Minimum, maximum, sum and count of each series by minute; bad readings (flag 4) left out.';
CREATE TABLE public.reading_block (
    shard smallint NOT NULL,
    "position" bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    reading_count integer NOT NULL,
    payload bytea NOT NULL,
    reports jsonb DEFAULT '[]'::jsonb NOT NULL
);
ALTER TABLE ONLY public.reading_block ALTER COLUMN payload SET STORAGE EXTERNAL;
COMMENT ON TABLE public.reading_block IS 'Accepted readings and reports of one shard from one transaction, for scoring; removed when check-pointed.';
CREATE TABLE public.recovery_code (
    user_id bigint NOT NULL,
    code_hash bytea NOT NULL,
    used_at timestamp with time zone
);
COMMENT ON TABLE public.recovery_code IS 'Codes for who has lost the app: SHA-256 of 80 random bits, each good once.';
CREATE TABLE public.rejection (
    id bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    topic text NOT NULL,
    serial text,
    reason text NOT NULL,
    field text,
    detail text NOT NULL,
    payload bytea NOT NULL,
    payload_sha256 bytea GENERATED ALWAYS AS (sha256(payload)) STORED NOT NULL,
    weight integer DEFAULT 1 NOT NULL,
    size bigint,
    content_type text DEFAULT ''::text NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    replay_requested_at timestamp with time zone,
    replay_requested_by text,
    replayed_at timestamp with time zone,
    replay_outcome jsonb,
    CONSTRAINT rejection_weight_check CHECK ((weight >= 0))
);
COMMENT ON TABLE public.rejection IS 'What arrived and could not be used, with its reason and payload.';
COMMENT ON COLUMN public.rejection.weight IS 'How many values are lost by it; 0 for a mere remark.';
COMMENT ON COLUMN public.rejection.size IS 'Bytes of the message as it came; the payload may be only its beginning.';
COMMENT ON COLUMN public.rejection.replayed_at IS 'When its message was decoded again; NULL while a request waits.';
COMMENT ON COLUMN public.rejection.replay_outcome IS 'What came of that: result, values stored, duplicates, conflicts, or why it is still refused.';
CREATE TABLE public.rejection_fold (
    only_row boolean DEFAULT true NOT NULL,
    xid xid8 DEFAULT '0'::xid8 NOT NULL,
    id bigint DEFAULT 0 NOT NULL,
    CONSTRAINT rejection_fold_only_row_check CHECK (only_row)
);
COMMENT ON TABLE public.rejection_fold IS 'Up to where rejections were counted.';
CREATE TABLE public.rejection_group (
    day date NOT NULL,
    reason text NOT NULL,
    field_pattern text NOT NULL,
    serial text NOT NULL,
    count bigint DEFAULT 0 NOT NULL,
    replayed bigint DEFAULT 0 NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    example_id bigint NOT NULL
);
COMMENT ON TABLE public.rejection_group IS 'Rejections by day, cause and serial, counted behind their writers.';
ALTER TABLE public.rejection ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rejection_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.rejection_total (
    reason text NOT NULL,
    count bigint NOT NULL
);
COMMENT ON TABLE public.rejection_total IS 'Rejections by reason since the beginning; never less, whatever retention removes.';
CREATE TABLE public.reminder (
    id bigint NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    ends_on date NOT NULL,
    device_id bigint,
    contract_id bigint,
    user_id bigint,
    customer_id bigint,
    region text DEFAULT ''::text NOT NULL,
    is_simulated boolean DEFAULT false NOT NULL,
    reminded_at timestamp with time zone NOT NULL,
    CONSTRAINT reminder_kind_check CHECK ((kind = ANY (ARRAY['WARRANTY'::text, 'CONTRACT'::text, 'CERTIFICATE'::text, 'CALIBRATION'::text])))
);
COMMENT ON TABLE public.reminder IS 'That something ends: each end is reminded of once.';
COMMENT ON COLUMN public.reminder.subject IS 'Serial, contract code, or technician and model.';
COMMENT ON COLUMN public.reminder.reminded_at IS 'When it was said.';
ALTER TABLE public.reminder ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.reminder_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.retention_class (
    class text NOT NULL,
    decided_days integer,
    decided_by text,
    decided_at timestamp with time zone,
    request text,
    reason text DEFAULT ''::text NOT NULL,
    setting_days integer,
    applied_days integer,
    applied_at timestamp with time zone,
    row_version integer DEFAULT 1 NOT NULL,
    CONSTRAINT retention_class_applied_days_check CHECK ((applied_days >= 0)),
    CONSTRAINT retention_class_check CHECK ((((decided_days IS NULL) = (decided_at IS NULL)) AND ((decided_days IS NULL) = (decided_by IS NULL)) AND ((decided_days IS NULL) = (request IS NULL)))),
    CONSTRAINT retention_class_check1 CHECK ((((applied_days IS NULL) = (applied_at IS NULL)) AND ((applied_days IS NULL) = (setting_days IS NULL)))),
    CONSTRAINT retention_class_decided_days_check CHECK (((decided_days >= 0) AND (decided_days <= 36500))),
    CONSTRAINT retention_class_setting_days_check CHECK ((setting_days >= 0))
);
COMMENT ON TABLE public.retention_class IS 'How long each class of what is measured and counted is kept. What is in no class stays for ever.';
COMMENT ON COLUMN public.retention_class.decided_days IS 'By two people; 0: for ever. NULL: as service-link is set.';
COMMENT ON COLUMN public.retention_class.decided_by IS 'Name of the account that granted it.';
COMMENT ON COLUMN public.retention_class.request IS 'The approval request by which two people decided it.';
COMMENT ON COLUMN public.retention_class.setting_days IS 'What service-link was set to when it last applied this. NULL: it has not yet.';
COMMENT ON COLUMN public.retention_class.applied_days IS 'What it applied: the decided days, else those of its setting.';
CREATE TABLE public.rollup_late (
    id bigint NOT NULL,
    series_id integer NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE public.rollup_late IS 'Readings that came after their bucket was rolled up: of one series within one day, until they are in.';
ALTER TABLE public.rollup_late ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rollup_late_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.rollup_state (
    only_row boolean DEFAULT true NOT NULL,
    announced_to timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    minutes_to timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    hours_to timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    days_to timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    raw_from timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    final_before timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    minutes_from timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    hours_from timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    refreshed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT rollup_state_only_row_check CHECK (only_row)
);
COMMENT ON TABLE public.rollup_state IS 'How far the roll-ups are, and from when on readings are kept.';
CREATE TABLE public.saved_view (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    page text NOT NULL,
    name text NOT NULL,
    query text NOT NULL,
    is_default boolean DEFAULT false NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT saved_view_name_check CHECK (((length(name) >= 1) AND (length(name) <= 40))),
    CONSTRAINT saved_view_page_check CHECK ((page = ANY (ARRAY['inbox'::text, 'work-orders'::text]))),
    CONSTRAINT saved_view_query_check CHECK ((length(query) <= 2000))
);
COMMENT ON TABLE public.saved_view IS 'Filters of a list under a name, of one account. They choose among what the account may see, and widen nothing.';
COMMENT ON COLUMN public.saved_view.page IS 'The list that it is a view of.';
COMMENT ON COLUMN public.saved_view.query IS 'What stands behind the question mark of its address; only what the list knows.';
COMMENT ON COLUMN public.saved_view.is_default IS 'The list opens with it when nothing else is asked for.';
COMMENT ON COLUMN public.saved_view.updated_at IS 'When it was last named, changed or made the default one.';
ALTER TABLE public.saved_view ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.saved_view_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.schema_migration (
    number integer NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE public.schema_migration IS 'Which migrations were applied, with their checksums.';
CREATE TABLE public.score_rollup (
    series_id integer NOT NULL,
    minute timestamp with time zone NOT NULL,
    detector text NOT NULL,
    max_score real NOT NULL,
    mean_score real NOT NULL,
    n integer NOT NULL
);
COMMENT ON TABLE public.score_rollup IS 'Highest and mean score of each series by minute and detector.';
CREATE TABLE public.second_factor (
    user_id bigint NOT NULL,
    sealed_secret bytea NOT NULL,
    begun_at timestamp with time zone NOT NULL,
    begun_session_id bigint NOT NULL,
    confirmed_at timestamp with time zone,
    last_step bigint DEFAULT 0 NOT NULL,
    failed_count integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    CONSTRAINT second_factor_failed_count_check CHECK ((failed_count >= 0))
);
COMMENT ON TABLE public.second_factor IS 'Codes of an app (RFC 6238) beside the password.';
COMMENT ON COLUMN public.second_factor.sealed_secret IS 'Encrypted by a key that is in a file and not in this database.';
COMMENT ON COLUMN public.second_factor.begun_session_id IS 'The session that alone may confirm it.';
COMMENT ON COLUMN public.second_factor.confirmed_at IS 'NULL: begun, and asked for by nothing yet.';
COMMENT ON COLUMN public.second_factor.last_step IS 'The time step of the last code that was taken: neither it nor an earlier one is taken again.';
CREATE TABLE public.series (
    id integer NOT NULL,
    device_id bigint NOT NULL,
    sensor text NOT NULL,
    last_observed_at timestamp with time zone,
    raw_from timestamp with time zone
);
COMMENT ON TABLE public.series IS 'One signal of one device; readings name it.';
COMMENT ON COLUMN public.series.raw_from IS 'Readings of before were removed by retention; NULL: as rollup_state.raw_from says.';
ALTER TABLE public.series ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.series_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.service_calendar (
    id bigint NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    current_version integer NOT NULL,
    checked_release text NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT service_calendar_code_check CHECK ((code ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'::text)),
    CONSTRAINT service_calendar_name_check CHECK ((name <> ''::text))
);
COMMENT ON TABLE public.service_calendar IS 'Working hours that sites and policies refer to; the hours themselves are in its versions.';
COMMENT ON COLUMN public.service_calendar.checked_release IS 'The release of the library of holidays that its days were last compared with.';
ALTER TABLE public.service_calendar ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.service_calendar_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.service_calendar_version (
    id bigint NOT NULL,
    service_calendar_id bigint NOT NULL,
    version integer NOT NULL,
    weekly jsonb NOT NULL,
    country text NOT NULL,
    subdivision text NOT NULL,
    own_days jsonb NOT NULL,
    calendar jsonb NOT NULL,
    sha256 text NOT NULL,
    first_year integer NOT NULL,
    last_year integer NOT NULL,
    holidays_release text NOT NULL,
    made_by text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    CONSTRAINT service_calendar_version_version_check CHECK ((version >= 1))
);
COMMENT ON TABLE public.service_calendar_version IS 'A calendar as it was at some time. Written once: clocks keep the version they began with.';
COMMENT ON COLUMN public.service_calendar_version.weekly IS 'Hours by weekday as they were given, e.g. {"monday": ["08:00-17:00"]}.';
COMMENT ON COLUMN public.service_calendar_version.country IS 'ISO 3166-1 alpha-2; empty: no public holidays.';
COMMENT ON COLUMN public.service_calendar_version.own_days IS 'Days with hours of their own, or without any, as they were given.';
COMMENT ON COLUMN public.service_calendar_version.calendar IS 'What clocks count by: weekly hours, and every holiday and own day from first_year to last_year.';
COMMENT ON COLUMN public.service_calendar_version.sha256 IS 'Of `calendar`.';
COMMENT ON COLUMN public.service_calendar_version.holidays_release IS 'Of the library that the public holidays come from.';
ALTER TABLE public.service_calendar_version ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.service_calendar_version_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.service_contract_device (
    contract_id bigint NOT NULL,
    device_id bigint NOT NULL
);
COMMENT ON TABLE public.service_contract_device IS 'The devices that a contract covers, where it does not cover all of its customer.';
ALTER TABLE public.service_contract ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.service_contract_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.shadow_checkpoint (
    shard smallint NOT NULL,
    model_id bigint NOT NULL,
    "position" bigint NOT NULL,
    state bytea NOT NULL
);
ALTER TABLE ONLY public.shadow_checkpoint ALTER COLUMN state SET STORAGE EXTERNAL;
COMMENT ON TABLE public.shadow_checkpoint IS 'Check-points of what is scored in shadow, by shard and model.';
CREATE TABLE public.shadow_count (
    model_id bigint NOT NULL,
    day date NOT NULL,
    monitor text NOT NULL,
    side text NOT NULL,
    raised bigint DEFAULT 0 NOT NULL,
    escalated bigint DEFAULT 0 NOT NULL,
    cleared bigint DEFAULT 0 NOT NULL,
    CONSTRAINT shadow_count_side_check CHECK ((side = ANY (ARRAY['live'::text, 'shadow'::text])))
);
COMMENT ON TABLE public.shadow_count IS 'What a model in shadow raised and cleared by day and monitor, beside what was delivered meanwhile.';
COMMENT ON COLUMN public.shadow_count.day IS 'Of event time, in UTC.';
CREATE TABLE public.shard (
    shard smallint NOT NULL,
    head bigint DEFAULT 0 NOT NULL,
    consumed bigint DEFAULT 0 NOT NULL
);
COMMENT ON TABLE public.shard IS 'Head and consumed position of each sequence of blocks.';
CREATE TABLE public.shelving (
    id bigint NOT NULL,
    device_id bigint NOT NULL,
    fault_group text,
    reason text NOT NULL,
    shelved_by text NOT NULL,
    shelved_at timestamp with time zone DEFAULT now() NOT NULL,
    shelved_until timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT shelving_reason_check CHECK ((reason <> ''::text))
);
COMMENT ON TABLE public.shelving IS 'A device, or one fault group of it, set aside by a person: reason and expiry.';
ALTER TABLE public.shelving ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.shelving_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.signature ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.signature_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.site ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.site_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.sla_event (
    id bigint NOT NULL,
    work_order_id bigint NOT NULL,
    version integer NOT NULL,
    clock text NOT NULL,
    kind text NOT NULL,
    at timestamp with time zone NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    allowed_s double precision,
    due_soon_share double precision,
    pauses text[],
    time_zone text,
    policy_version_id bigint,
    profile_version integer,
    calendar_version_id bigint,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT sla_event_allowed_s_check CHECK ((allowed_s > (0)::double precision)),
    CONSTRAINT sla_event_check CHECK (((kind = ANY (ARRAY['STARTED'::text, 'ESCALATED'::text])) = (allowed_s IS NOT NULL))),
    CONSTRAINT sla_event_check1 CHECK ((((allowed_s IS NULL) = (due_soon_share IS NULL)) AND ((allowed_s IS NULL) = (pauses IS NULL)) AND ((allowed_s IS NULL) = (time_zone IS NULL)))),
    CONSTRAINT sla_event_clock_check CHECK ((clock = ANY (ARRAY['RESPONSE'::text, 'RESOLUTION'::text]))),
    CONSTRAINT sla_event_kind_check CHECK ((kind = ANY (ARRAY['STARTED'::text, 'ESCALATED'::text, 'PAUSED'::text, 'RESUMED'::text, 'MET'::text, 'TAKEN_BACK'::text, 'STOPPED'::text, 'WAIVED'::text, 'DUE_SOON'::text, 'BREACHED'::text])))
);
COMMENT ON TABLE public.sla_event IS 'What happened to SLA clocks. Written once; a clock is derived from its events.';
COMMENT ON COLUMN public.sla_event.version IS 'Of the order: a reopened order has new clocks.';
COMMENT ON COLUMN public.sla_event.at IS 'When it happened; of BREACHED when the time was used up.';
COMMENT ON COLUMN public.sla_event.allowed_s IS 'Of STARTED and ESCALATED: working time in seconds. With the columns up to calendar_version_id the terms of a limit.';
COMMENT ON COLUMN public.sla_event.pauses IS 'Hold reasons that pause the clock.';
COMMENT ON COLUMN public.sla_event.time_zone IS 'The site''s, in which working hours are counted.';
COMMENT ON COLUMN public.sla_event.policy_version_id IS 'NULL: the times were those of the profile.';
COMMENT ON COLUMN public.sla_event.profile_version IS 'The profile''s version where the times were its.';
COMMENT ON COLUMN public.sla_event.calendar_version_id IS 'NULL: around the clock.';
COMMENT ON COLUMN public.sla_event.recorded_at IS 'When it was written, by the database clock.';
ALTER TABLE public.sla_event ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sla_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.sla_policy (
    id bigint NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    current_version integer NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT sla_policy_code_check CHECK ((code ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'::text)),
    CONSTRAINT sla_policy_name_check CHECK ((name <> ''::text))
);
COMMENT ON TABLE public.sla_policy IS 'Response and resolution times that contracts refer to; the times themselves are in its versions.';
ALTER TABLE public.sla_policy ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sla_policy_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.sla_policy_version (
    id bigint NOT NULL,
    sla_policy_id bigint NOT NULL,
    version integer NOT NULL,
    body jsonb NOT NULL,
    service_calendar_id bigint,
    made_by text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    CONSTRAINT sla_policy_version_version_check CHECK ((version >= 1))
);
COMMENT ON TABLE public.sla_policy_version IS 'A policy as it was at some time. Written once: clocks keep the version they began with.';
COMMENT ON COLUMN public.sla_policy_version.body IS 'Hours by priority, which hold reasons pause which clock, and when to warn.';
COMMENT ON COLUMN public.sla_policy_version.service_calendar_id IS 'For sites without a calendar of their own; NULL: around the clock.';
ALTER TABLE public.sla_policy_version ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sla_policy_version_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.sparkplug_edge (
    group_id text NOT NULL,
    edge_id text NOT NULL,
    epoch bigint NOT NULL,
    is_alive boolean NOT NULL,
    bd_seq bigint,
    former_bd_seq bigint,
    seq smallint,
    births_due boolean NOT NULL,
    asked_us bigint NOT NULL,
    asks integer NOT NULL,
    recent bytea NOT NULL,
    births bytea NOT NULL,
    updated_at timestamp with time zone NOT NULL
)
WITH (fillfactor='70');
ALTER TABLE ONLY public.sparkplug_edge ALTER COLUMN births SET STORAGE EXTERNAL;
COMMENT ON TABLE public.sparkplug_edge IS 'Where the conversation with each Sparkplug edge node stands; written with the readings that it explains.';
COMMENT ON COLUMN public.sparkplug_edge.epoch IS 'Counts births and gaps: what was declared in an earlier one is not believed.';
COMMENT ON COLUMN public.sparkplug_edge.bd_seq IS 'bdSeq of the last birth; a death with another one is not its death.';
COMMENT ON COLUMN public.sparkplug_edge.seq IS 'seq of the last message, 0 to 255.';
COMMENT ON COLUMN public.sparkplug_edge.asked_us IS 'When a rebirth was last asked for, in microseconds since 1970; asks: how often in a row.';
COMMENT ON COLUMN public.sparkplug_edge.recent IS 'Digests of the last messages, 8 bytes each.';
COMMENT ON COLUMN public.sparkplug_edge.births IS 'JSON: names, aliases, data types and units that node and devices declared when they were born.';
CREATE TABLE public.sparkplug_owner (
    is_the_only boolean DEFAULT true NOT NULL,
    term bigint DEFAULT 0 NOT NULL,
    writer text DEFAULT ''::text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sparkplug_owner_is_the_only_check CHECK (is_the_only)
);
COMMENT ON TABLE public.sparkplug_owner IS 'One row: which ingest process reads Sparkplug. It holds an advisory lock as well; the term counts the changes.';
CREATE TABLE public.status_report (
    id bigint NOT NULL,
    device_id bigint NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    state text NOT NULL,
    is_repeat boolean DEFAULT false NOT NULL,
    CONSTRAINT status_report_state_check CHECK ((state = ANY (ARRAY['online'::text, 'offline'::text])))
);
COMMENT ON TABLE public.status_report IS 'Online and offline, said by devices or by their will.';
COMMENT ON COLUMN public.status_report.is_repeat IS 'Retained, or sent again by the broker: it does not say when it became true.';
ALTER TABLE public.status_report ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.status_report_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.technician_certificate (
    user_id bigint NOT NULL,
    device_model_id integer NOT NULL,
    valid_until date NOT NULL,
    reference text DEFAULT ''::text NOT NULL,
    row_version integer DEFAULT 1 NOT NULL
);
COMMENT ON TABLE public.technician_certificate IS 'Who may work on which model, until when.';
COMMENT ON COLUMN public.technician_certificate.reference IS 'Number of the document, or where it is kept.';
CREATE TABLE public.technician_region (
    user_id bigint NOT NULL,
    region text NOT NULL,
    CONSTRAINT technician_region_region_check CHECK ((region <> ''::text))
);
COMMENT ON TABLE public.technician_region IS 'Regions in which a technician works; none: all.';
ALTER TABLE public.threshold_proposal ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.threshold_proposal_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.threshold_proposal_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.ticket_decision (
    transition_id bigint NOT NULL,
    decided_at timestamp with time zone DEFAULT now() NOT NULL,
    decision text NOT NULL,
    reason text NOT NULL,
    params jsonb DEFAULT '{}'::jsonb NOT NULL,
    work_order_id bigint,
    CONSTRAINT ticket_decision_decision_check CHECK ((decision = ANY (ARRAY['NOTHING'::text, 'OPENED'::text, 'JOINED'::text, 'REOPENED'::text, 'ESCALATED'::text, 'QUIET'::text, 'PARENT'::text])))
);
COMMENT ON TABLE public.ticket_decision IS 'What became of each breach transition, with the named reason.';
CREATE TABLE public.triage_state (
    only_row boolean DEFAULT true NOT NULL,
    decided_to bigint DEFAULT 0 NOT NULL,
    CONSTRAINT triage_state_only_row_check CHECK (only_row)
);
COMMENT ON TABLE public.triage_state IS 'Up to which breach transition every one is decided.';
CREATE TABLE public.unscored_monitor (
    device_id bigint NOT NULL,
    monitor text NOT NULL,
    shard smallint NOT NULL,
    reason text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE public.unscored_monitor IS 'Monitors that nobody judges, since their detector raised an error on them; the device is then of unknown health.';
COMMENT ON COLUMN public.unscored_monitor.reason IS 'The error.';
COMMENT ON COLUMN public.unscored_monitor.since IS 'When it was found, by the database clock.';
CREATE TABLE public.vigilance_assessment (
    id bigint NOT NULL,
    complaint_id bigint NOT NULL,
    version integer NOT NULL,
    aware_at timestamp with time zone NOT NULL,
    harm text NOT NULL,
    is_unanticipated boolean NOT NULL,
    needs_remedial_action boolean NOT NULL,
    jurisdictions text[] NOT NULL,
    reason text NOT NULL,
    assessed_by_id bigint NOT NULL,
    assessed_by text NOT NULL,
    assessed_at timestamp with time zone NOT NULL,
    decision text,
    reportable_in text[] DEFAULT '{}'::text[] NOT NULL,
    justification text DEFAULT ''::text NOT NULL,
    decided_by_id bigint,
    decided_by text,
    decided_at timestamp with time zone,
    threat_known_at timestamp with time zone,
    remedial_need_known_at timestamp with time zone,
    CONSTRAINT vigilance_assessment_check CHECK ((((decision IS NULL) = (decided_by_id IS NULL)) AND ((decision IS NULL) = (decided_at IS NULL)))),
    CONSTRAINT vigilance_assessment_check1 CHECK (((decision IS NULL) OR (justification <> ''::text))),
    CONSTRAINT vigilance_assessment_check2 CHECK (((reportable_in <@ jurisdictions) AND ((NOT (decision IS DISTINCT FROM 'REPORTABLE'::text)) = (cardinality(reportable_in) > 0)))),
    CONSTRAINT vigilance_assessment_check3 CHECK ((decided_by_id <> assessed_by_id)),
    CONSTRAINT vigilance_assessment_check4 CHECK ((threat_known_at >= aware_at)),
    CONSTRAINT vigilance_assessment_check5 CHECK ((remedial_need_known_at >= aware_at)),
    CONSTRAINT vigilance_assessment_decision_check CHECK ((decision = ANY (ARRAY['REPORTABLE'::text, 'NOT_REPORTABLE'::text]))),
    CONSTRAINT vigilance_assessment_harm_check CHECK ((harm = ANY (ARRAY['DEATH'::text, 'SERIOUS_INJURY'::text, 'SERIOUS_PUBLIC_HEALTH_THREAT'::text, 'MALFUNCTION_COULD_RECUR'::text, 'NONE'::text]))),
    CONSTRAINT vigilance_assessment_jurisdictions_check CHECK (((jurisdictions <@ ARRAY['EU'::text, 'US'::text, 'CN'::text]) AND (cardinality(jurisdictions) > 0))),
    CONSTRAINT vigilance_assessment_known_later CHECK ((((threat_known_at IS NULL) OR (harm <> 'NONE'::text)) AND ((remedial_need_known_at IS NULL) OR needs_remedial_action))),
    CONSTRAINT vigilance_assessment_reason_check CHECK ((reason <> ''::text)),
    CONSTRAINT vigilance_assessment_version_check CHECK ((version >= 1))
);
COMMENT ON TABLE public.vigilance_assessment IS 'What people know of the harm behind a complaint, and whether it is reported. The newest counts.';
COMMENT ON COLUMN public.vigilance_assessment.aware_at IS 'When somebody of the maker came to know of the incident: its own term runs from here.';
COMMENT ON COLUMN public.vigilance_assessment.is_unanticipated IS 'An unanticipated serious deterioration of health (EU MDR Article 87).';
COMMENT ON COLUMN public.vigilance_assessment.needs_remedial_action IS 'To prevent an unreasonable risk of substantial harm to the public health (21 CFR 803.53).';
COMMENT ON COLUMN public.vigilance_assessment.reportable_in IS 'Of `jurisdictions` those to which it is reported.';
COMMENT ON COLUMN public.vigilance_assessment.threat_known_at IS 'When a serious public health threat became known. NULL: with the incident, if at all.';
COMMENT ON COLUMN public.vigilance_assessment.remedial_need_known_at IS 'When the need for remedial action became known. NULL: with the incident, if at all.';
ALTER TABLE public.vigilance_assessment ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.vigilance_assessment_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.vigilance_clock (
    assessment_id bigint NOT NULL,
    jurisdiction text NOT NULL,
    state text NOT NULL,
    rule text NOT NULL,
    time_zone text NOT NULL,
    due_at timestamp with time zone NOT NULL,
    warn_at timestamp with time zone NOT NULL,
    holidays_release text DEFAULT ''::text NOT NULL,
    warned_at timestamp with time zone,
    overdue_at timestamp with time zone,
    submitted_at timestamp with time zone,
    submitted_by text,
    reference text DEFAULT ''::text NOT NULL,
    CONSTRAINT vigilance_clock_check CHECK ((warn_at <= due_at)),
    CONSTRAINT vigilance_clock_check1 CHECK ((((state = 'SUBMITTED'::text) = (submitted_at IS NOT NULL)) AND ((state = 'SUBMITTED'::text) = (reference <> ''::text)))),
    CONSTRAINT vigilance_clock_jurisdiction_check CHECK ((jurisdiction = ANY (ARRAY['EU'::text, 'US'::text, 'CN'::text]))),
    CONSTRAINT vigilance_clock_state_check CHECK ((state = ANY (ARRAY['RUNNING'::text, 'SUBMITTED'::text, 'NOT_REQUIRED'::text, 'SUPERSEDED'::text])))
);
COMMENT ON TABLE public.vigilance_clock IS 'Due times of reports to authorities, by assessment and jurisdiction: the first end of the terms that run.';
COMMENT ON COLUMN public.vigilance_clock.rule IS 'The rule that gave the time.';
COMMENT ON COLUMN public.vigilance_clock.due_at IS 'The end of the last day in the authority''s zone.';
COMMENT ON COLUMN public.vigilance_clock.holidays_release IS 'Of the library that the public holidays come from, where working days count.';
COMMENT ON COLUMN public.vigilance_clock.overdue_at IS 'When it was said that the time is over; stays when the report comes later.';
COMMENT ON COLUMN public.vigilance_clock.reference IS 'What the authority calls the report.';
CREATE TABLE public.webhook_attempt (
    delivery_id bigint NOT NULL,
    number integer NOT NULL,
    at timestamp with time zone NOT NULL,
    duration_ms integer NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    status integer,
    error text DEFAULT ''::text NOT NULL,
    detail text DEFAULT ''::text NOT NULL,
    response text DEFAULT ''::text NOT NULL,
    CONSTRAINT webhook_attempt_duration_ms_check CHECK ((duration_ms >= 0)),
    CONSTRAINT webhook_attempt_number_check CHECK ((number > 0)),
    CONSTRAINT webhook_attempt_response_check CHECK ((length(response) <= 2000))
);
COMMENT ON TABLE public.webhook_attempt IS 'Every attempt to deliver, with the beginning of what was answered.';
COMMENT ON COLUMN public.webhook_attempt.address IS 'The address that was connected to. Empty: none.';
COMMENT ON COLUMN public.webhook_attempt.status IS 'HTTP status of the answer. NULL: there was none.';
COMMENT ON COLUMN public.webhook_attempt.error IS 'Why it failed, as a code. Empty: it was delivered.';
CREATE TABLE public.webhook_delivery (
    id bigint NOT NULL,
    endpoint_id bigint NOT NULL,
    outbox_id bigint NOT NULL,
    entity text NOT NULL,
    entity_id text NOT NULL,
    state text DEFAULT 'WAITING'::text NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    replays integer DEFAULT 0 NOT NULL,
    not_before timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    lease uuid,
    leased_until timestamp with time zone,
    last_status integer,
    last_error text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT webhook_delivery_check CHECK ((attempts >= tries)),
    CONSTRAINT webhook_delivery_check1 CHECK (((lease IS NULL) = (leased_until IS NULL))),
    CONSTRAINT webhook_delivery_check2 CHECK (((state = 'WAITING'::text) OR (lease IS NULL))),
    CONSTRAINT webhook_delivery_check3 CHECK (((state = 'WAITING'::text) = (finished_at IS NULL))),
    CONSTRAINT webhook_delivery_replays_check CHECK ((replays >= 0)),
    CONSTRAINT webhook_delivery_state_check CHECK ((state = ANY (ARRAY['WAITING'::text, 'DELIVERED'::text, 'DEAD'::text, 'CANCELLED'::text]))),
    CONSTRAINT webhook_delivery_tries_check CHECK ((tries >= 0))
);
COMMENT ON TABLE public.webhook_delivery IS 'One event for one endpoint, until it is delivered, given up (DEAD) or cancelled.';
COMMENT ON COLUMN public.webhook_delivery.tries IS 'Attempts since it was planned, or asked for again.';
COMMENT ON COLUMN public.webhook_delivery.attempts IS 'Attempts in all.';
COMMENT ON COLUMN public.webhook_delivery.replays IS 'How often it was asked for again.';
COMMENT ON COLUMN public.webhook_delivery.not_before IS 'The first attempt is not before this.';
COMMENT ON COLUMN public.webhook_delivery.due_at IS 'When the next attempt is due, as far as nothing earlier of the record waits.';
COMMENT ON COLUMN public.webhook_delivery.lease IS 'Which claim is sending it now; void from leased_until on.';
ALTER TABLE public.webhook_delivery ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhook_delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.webhook_endpoint (
    id bigint NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    event_types text[] DEFAULT '{}'::text[] NOT NULL,
    customer_id bigint,
    delay_s integer DEFAULT 0 NOT NULL,
    state text DEFAULT 'ENABLED'::text NOT NULL,
    state_cause text DEFAULT 'PERSON'::text NOT NULL,
    state_reason text DEFAULT ''::text NOT NULL,
    state_since timestamp with time zone NOT NULL,
    sealed_secret bytea NOT NULL,
    previous_sealed_secret bytea,
    previous_until timestamp with time zone,
    created_by text NOT NULL,
    row_version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT webhook_endpoint_check CHECK (((previous_sealed_secret IS NULL) = (previous_until IS NULL))),
    CONSTRAINT webhook_endpoint_check1 CHECK (((state = 'RETIRED'::text) = (length(sealed_secret) = 0))),
    CONSTRAINT webhook_endpoint_check2 CHECK (((state <> 'RETIRED'::text) OR (previous_sealed_secret IS NULL))),
    CONSTRAINT webhook_endpoint_delay_s_check CHECK (((delay_s >= 0) AND (delay_s <= 3600))),
    CONSTRAINT webhook_endpoint_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT webhook_endpoint_state_cause_check CHECK ((state_cause = ANY (ARRAY['PERSON'::text, 'GONE'::text]))),
    CONSTRAINT webhook_endpoint_state_check CHECK ((state = ANY (ARRAY['ENABLED'::text, 'DISABLED'::text, 'RETIRED'::text]))),
    CONSTRAINT webhook_endpoint_url_check CHECK (((length(url) >= 1) AND (length(url) <= 2000)))
);
COMMENT ON TABLE public.webhook_endpoint IS 'Who is told of which events, at which address.';
COMMENT ON COLUMN public.webhook_endpoint.event_types IS 'The types that are wanted. Empty: all.';
COMMENT ON COLUMN public.webhook_endpoint.customer_id IS 'Events of this customer''s records alone. NULL: all events.';
COMMENT ON COLUMN public.webhook_endpoint.delay_s IS 'An event waits so long before its first attempt, in seconds.';
COMMENT ON COLUMN public.webhook_endpoint.state_cause IS 'PERSON set the state, or the receiver answered that it is GONE (410).';
COMMENT ON COLUMN public.webhook_endpoint.sealed_secret IS 'Signs what is sent; encrypted by FOREWARN_WEBHOOK_KEY_FILE. Empty once retired.';
COMMENT ON COLUMN public.webhook_endpoint.previous_sealed_secret IS 'The secret before; it signs as well until previous_until.';
ALTER TABLE public.webhook_endpoint ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhook_endpoint_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.webhook_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.work_order_breach (
    work_order_id bigint NOT NULL,
    breach_id uuid NOT NULL,
    linked_at timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE public.work_order_breach IS 'Which breaches an order is about.';
CREATE TABLE public.work_order_checklist (
    id bigint NOT NULL,
    work_order_id bigint NOT NULL,
    order_version integer NOT NULL,
    template_id bigint NOT NULL,
    template_version integer NOT NULL,
    made_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE public.work_order_checklist IS 'A checklist of one version of an order, frozen at a version of its template.';
ALTER TABLE public.work_order_checklist ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.work_order_checklist_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.work_order ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.work_order_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.work_order_note (
    id bigint NOT NULL,
    work_order_id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    author text NOT NULL,
    body text NOT NULL,
    CONSTRAINT work_order_note_body_check CHECK (((length(body) >= 1) AND (length(body) <= 10000)))
);
COMMENT ON TABLE public.work_order_note IS 'What people wrote on an order.';
ALTER TABLE public.work_order_note ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.work_order_note_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.work_order_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER TABLE public.work_order_visit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.work_order_visit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE ONLY public.anomaly_checkpoint
    ADD CONSTRAINT anomaly_checkpoint_pkey PRIMARY KEY (shard);
ALTER TABLE ONLY public.api_token
    ADD CONSTRAINT api_token_name_key UNIQUE (name);
ALTER TABLE ONLY public.api_token
    ADD CONSTRAINT api_token_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.api_token
    ADD CONSTRAINT api_token_token_hash_key UNIQUE (token_hash);
ALTER TABLE ONLY public.app_session
    ADD CONSTRAINT app_session_id_key UNIQUE (id);
ALTER TABLE ONLY public.app_session
    ADD CONSTRAINT app_session_pkey PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.app_user
    ADD CONSTRAINT app_user_name_key UNIQUE (name);
ALTER TABLE ONLY public.app_user
    ADD CONSTRAINT app_user_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.approval_request
    ADD CONSTRAINT approval_request_code_key UNIQUE (code);
ALTER TABLE ONLY public.approval_request
    ADD CONSTRAINT approval_request_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.attachment
    ADD CONSTRAINT attachment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.attachment
    ADD CONSTRAINT attachment_work_order_id_sha256_visibility_key UNIQUE (work_order_id, sha256, visibility);
ALTER TABLE ONLY public.audit_event
    ADD CONSTRAINT audit_event_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.audit_head
    ADD CONSTRAINT audit_head_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY public.baseline_reset
    ADD CONSTRAINT baseline_reset_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.baseline_reset
    ADD CONSTRAINT baseline_reset_shard_position_key UNIQUE (shard, "position");
ALTER TABLE ONLY public.breach
    ADD CONSTRAINT breach_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.breach_transition
    ADD CONSTRAINT breach_transition_breach_id_kind_at_key UNIQUE (breach_id, kind, at);
ALTER TABLE ONLY public.breach_transition
    ADD CONSTRAINT breach_transition_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.capa_action
    ADD CONSTRAINT capa_action_capa_id_number_key UNIQUE (capa_id, number);
ALTER TABLE ONLY public.capa_action
    ADD CONSTRAINT capa_action_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.capa_cause
    ADD CONSTRAINT capa_cause_capa_id_place_key UNIQUE (capa_id, place);
ALTER TABLE ONLY public.capa_cause
    ADD CONSTRAINT capa_cause_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.capa
    ADD CONSTRAINT capa_code_key UNIQUE (code);
ALTER TABLE ONLY public.capa_device
    ADD CONSTRAINT capa_device_pkey PRIMARY KEY (capa_id, device_id);
ALTER TABLE ONLY public.capa_effectiveness_plan
    ADD CONSTRAINT capa_effectiveness_plan_pkey PRIMARY KEY (capa_id);
ALTER TABLE ONLY public.capa_effectiveness_result
    ADD CONSTRAINT capa_effectiveness_result_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.capa_member
    ADD CONSTRAINT capa_member_pkey PRIMARY KEY (capa_id, work_order_id);
ALTER TABLE ONLY public.capa
    ADD CONSTRAINT capa_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.capa_why
    ADD CONSTRAINT capa_why_pkey PRIMARY KEY (cause_id, place);
ALTER TABLE ONLY public.change_log
    ADD CONSTRAINT change_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.checklist_answer
    ADD CONSTRAINT checklist_answer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.checklist_template
    ADD CONSTRAINT checklist_template_code_key UNIQUE (code);
ALTER TABLE ONLY public.checklist_template
    ADD CONSTRAINT checklist_template_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.checklist_template_version
    ADD CONSTRAINT checklist_template_version_pkey PRIMARY KEY (template_id, version);
ALTER TABLE ONLY public.complaint
    ADD CONSTRAINT complaint_code_key UNIQUE (code);
ALTER TABLE ONLY public.complaint
    ADD CONSTRAINT complaint_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.complaint_reference
    ADD CONSTRAINT complaint_reference_pkey PRIMARY KEY (system, type, external_id);
ALTER TABLE ONLY public.customer
    ADD CONSTRAINT customer_code_key UNIQUE (code);
ALTER TABLE ONLY public.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.data_quality_alert
    ADD CONSTRAINT data_quality_alert_pkey PRIMARY KEY (device_id, day, kind);
ALTER TABLE ONLY public.data_quality_day
    ADD CONSTRAINT data_quality_day_pkey PRIMARY KEY (day, device_id);
ALTER TABLE ONLY public.data_quality_state
    ADD CONSTRAINT data_quality_state_pkey PRIMARY KEY (device_id);
ALTER TABLE ONLY public.device_account
    ADD CONSTRAINT device_account_device_id_key UNIQUE (device_id);
ALTER TABLE ONLY public.device_account
    ADD CONSTRAINT device_account_gateway_id_key UNIQUE (gateway_id);
ALTER TABLE ONLY public.device_account
    ADD CONSTRAINT device_account_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.device_account
    ADD CONSTRAINT device_account_username_key UNIQUE (username);
ALTER TABLE ONLY public.device_attribute
    ADD CONSTRAINT device_attribute_pkey PRIMARY KEY (device_id, key);
ALTER TABLE ONLY public.device_claim
    ADD CONSTRAINT device_claim_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.device_connection
    ADD CONSTRAINT device_connection_pkey PRIMARY KEY (device_id);
ALTER TABLE ONLY public.device_day
    ADD CONSTRAINT device_day_pkey PRIMARY KEY (day, device_id);
ALTER TABLE ONLY public.device_event
    ADD CONSTRAINT device_event_device_id_code_observed_at_key UNIQUE (device_id, code, observed_at);
ALTER TABLE ONLY public.device_event
    ADD CONSTRAINT device_event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.device_history
    ADD CONSTRAINT device_history_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.device_ingest_state
    ADD CONSTRAINT device_ingest_state_pkey PRIMARY KEY (device_id);
ALTER TABLE ONLY public.device_model
    ADD CONSTRAINT device_model_key_key UNIQUE (key);
ALTER TABLE ONLY public.device_model
    ADD CONSTRAINT device_model_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.device_model_profile
    ADD CONSTRAINT device_model_profile_pkey PRIMARY KEY (device_model_id, version);
ALTER TABLE ONLY public.device_notice
    ADD CONSTRAINT device_notice_pkey PRIMARY KEY (device_id);
ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_serial_key UNIQUE (serial);
ALTER TABLE ONLY public.device_usage
    ADD CONSTRAINT device_usage_pkey PRIMARY KEY (device_id, sensor);
ALTER TABLE ONLY public.distribution_day
    ADD CONSTRAINT distribution_day_pkey PRIMARY KEY (device_model_id, is_simulated, kind, subject, firmware, day);
ALTER TABLE ONLY public.drift_alert
    ADD CONSTRAINT drift_alert_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.drift_day
    ADD CONSTRAINT drift_day_pkey PRIMARY KEY (device_model_id, is_simulated, kind, subject, firmware, day);
ALTER TABLE ONLY public.evidence
    ADD CONSTRAINT evidence_pkey PRIMARY KEY (breach_id);
ALTER TABLE ONLY public.export_log
    ADD CONSTRAINT export_log_approval_request_id_key UNIQUE (approval_request_id);
ALTER TABLE ONLY public.export_log
    ADD CONSTRAINT export_log_code_key UNIQUE (code);
ALTER TABLE ONLY public.export_log
    ADD CONSTRAINT export_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.field_action
    ADD CONSTRAINT field_action_code_key UNIQUE (code);
ALTER TABLE ONLY public.field_action_communication
    ADD CONSTRAINT field_action_communication_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.field_action_item
    ADD CONSTRAINT field_action_item_field_action_id_device_id_key UNIQUE (field_action_id, device_id);
ALTER TABLE ONLY public.field_action_item
    ADD CONSTRAINT field_action_item_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.field_action
    ADD CONSTRAINT field_action_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.firmware_record
    ADD CONSTRAINT firmware_record_code_key UNIQUE (code);
ALTER TABLE ONLY public.firmware_record
    ADD CONSTRAINT firmware_record_device_model_id_component_version_key UNIQUE (device_model_id, component, version);
ALTER TABLE ONLY public.firmware_record
    ADD CONSTRAINT firmware_record_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.firmware_regression
    ADD CONSTRAINT firmware_regression_pkey PRIMARY KEY (device_model_id, version, is_simulated, measure, subject);
ALTER TABLE ONLY public.firmware_regression_proposal
    ADD CONSTRAINT firmware_regression_proposal_pkey PRIMARY KEY (device_model_id, version, is_simulated, fault_group);
ALTER TABLE ONLY public.firmware_release
    ADD CONSTRAINT firmware_release_pkey PRIMARY KEY (device_model_id, version, is_simulated);
ALTER TABLE ONLY public.firmware_report
    ADD CONSTRAINT firmware_report_device_id_component_observed_at_state_versi_key UNIQUE (device_id, component, observed_at, state, version);
ALTER TABLE ONLY public.firmware_report
    ADD CONSTRAINT firmware_report_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_name_key UNIQUE (name);
ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.heartbeat
    ADD CONSTRAINT heartbeat_pkey PRIMARY KEY (program, instance);
ALTER TABLE ONLY public.idempotency_key
    ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (caller, key);
ALTER TABLE ONLY public.ingest_ledger_past
    ADD CONSTRAINT ingest_ledger_past_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY public.ingest_ledger
    ADD CONSTRAINT ingest_ledger_pkey PRIMARY KEY (day, writer);
ALTER TABLE ONLY public.ingest_receipt
    ADD CONSTRAINT ingest_receipt_pkey PRIMARY KEY (writer, id);
ALTER TABLE ONLY public.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY public.lab_run
    ADD CONSTRAINT lab_run_code_key UNIQUE (code);
ALTER TABLE ONLY public.lab_run
    ADD CONSTRAINT lab_run_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.ledger_block
    ADD CONSTRAINT ledger_block_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.maintenance_plan
    ADD CONSTRAINT maintenance_plan_code_key UNIQUE (code);
ALTER TABLE ONLY public.maintenance_plan
    ADD CONSTRAINT maintenance_plan_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.master_reference
    ADD CONSTRAINT master_reference_pkey PRIMARY KEY (entity, system, external_id);
ALTER TABLE ONLY public.model_job
    ADD CONSTRAINT model_job_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.model_record
    ADD CONSTRAINT model_record_code_key UNIQUE (code);
ALTER TABLE ONLY public.model_record
    ADD CONSTRAINT model_record_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.monitor_flag
    ADD CONSTRAINT monitor_flag_pkey PRIMARY KEY (device_model_id, monitor, profile_version);
ALTER TABLE ONLY public.monitor_quality
    ADD CONSTRAINT monitor_quality_pkey PRIMARY KEY (device_model_id, is_simulated, rule, monitor);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_event_id_key UNIQUE (event_id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.part_usage
    ADD CONSTRAINT part_usage_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.pending_sign_in
    ADD CONSTRAINT pending_sign_in_pkey PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.plan_occurrence
    ADD CONSTRAINT plan_occurrence_code_key UNIQUE (code);
ALTER TABLE ONLY public.plan_occurrence
    ADD CONSTRAINT plan_occurrence_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.plan_occurrence
    ADD CONSTRAINT plan_occurrence_plan_id_device_id_number_key UNIQUE (plan_id, device_id, number);
ALTER TABLE ONLY public.plan_occurrence
    ADD CONSTRAINT plan_occurrence_work_order_id_key UNIQUE (work_order_id);
ALTER TABLE ONLY public.provider_flow
    ADD CONSTRAINT provider_flow_pkey PRIMARY KEY (state_hash);
ALTER TABLE ONLY public.provider_identity
    ADD CONSTRAINT provider_identity_pkey PRIMARY KEY (issuer, subject);
ALTER TABLE ONLY public.provider_identity
    ADD CONSTRAINT provider_identity_user_id_key UNIQUE (user_id);
ALTER TABLE ONLY public.reading_1d
    ADD CONSTRAINT reading_1d_pkey PRIMARY KEY (series_id, bucket);
ALTER TABLE ONLY public.reading_1h
    ADD CONSTRAINT reading_1h_pkey PRIMARY KEY (series_id, bucket);
ALTER TABLE ONLY public.reading_1m
    ADD CONSTRAINT reading_1m_pkey PRIMARY KEY (series_id, bucket);
ALTER TABLE ONLY public.reading_block
    ADD CONSTRAINT reading_block_pkey PRIMARY KEY (shard, "position");
ALTER TABLE ONLY public.reading
    ADD CONSTRAINT reading_pkey PRIMARY KEY (series_id, observed_at);
ALTER TABLE ONLY public.recovery_code
    ADD CONSTRAINT recovery_code_pkey PRIMARY KEY (user_id, code_hash);
ALTER TABLE ONLY public.rejection_fold
    ADD CONSTRAINT rejection_fold_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY public.rejection_group
    ADD CONSTRAINT rejection_group_pkey PRIMARY KEY (day, reason, field_pattern, serial);
ALTER TABLE ONLY public.rejection
    ADD CONSTRAINT rejection_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.rejection_total
    ADD CONSTRAINT rejection_total_pkey PRIMARY KEY (reason);
ALTER TABLE ONLY public.reminder
    ADD CONSTRAINT reminder_kind_subject_ends_on_key UNIQUE (kind, subject, ends_on);
ALTER TABLE ONLY public.reminder
    ADD CONSTRAINT reminder_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.retention_class
    ADD CONSTRAINT retention_class_pkey PRIMARY KEY (class);
ALTER TABLE ONLY public.rollup_late
    ADD CONSTRAINT rollup_late_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.rollup_state
    ADD CONSTRAINT rollup_state_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY public.saved_view
    ADD CONSTRAINT saved_view_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.saved_view
    ADD CONSTRAINT saved_view_user_id_page_name_key UNIQUE (user_id, page, name);
ALTER TABLE ONLY public.schema_migration
    ADD CONSTRAINT schema_migration_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.score_rollup
    ADD CONSTRAINT score_rollup_pkey PRIMARY KEY (series_id, detector, minute);
ALTER TABLE ONLY public.second_factor
    ADD CONSTRAINT second_factor_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY public.series
    ADD CONSTRAINT series_device_id_sensor_key UNIQUE (device_id, sensor);
ALTER TABLE ONLY public.series
    ADD CONSTRAINT series_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.service_calendar
    ADD CONSTRAINT service_calendar_code_key UNIQUE (code);
ALTER TABLE ONLY public.service_calendar
    ADD CONSTRAINT service_calendar_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.service_calendar_version
    ADD CONSTRAINT service_calendar_version_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.service_calendar_version
    ADD CONSTRAINT service_calendar_version_service_calendar_id_version_key UNIQUE (service_calendar_id, version);
ALTER TABLE ONLY public.service_contract
    ADD CONSTRAINT service_contract_code_key UNIQUE (code);
ALTER TABLE ONLY public.service_contract_device
    ADD CONSTRAINT service_contract_device_pkey PRIMARY KEY (contract_id, device_id);
ALTER TABLE ONLY public.service_contract
    ADD CONSTRAINT service_contract_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.shadow_checkpoint
    ADD CONSTRAINT shadow_checkpoint_pkey PRIMARY KEY (shard, model_id);
ALTER TABLE ONLY public.shadow_count
    ADD CONSTRAINT shadow_count_pkey PRIMARY KEY (model_id, day, monitor, side);
ALTER TABLE ONLY public.shard
    ADD CONSTRAINT shard_pkey PRIMARY KEY (shard);
ALTER TABLE ONLY public.shelving
    ADD CONSTRAINT shelving_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.signature
    ADD CONSTRAINT signature_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.site
    ADD CONSTRAINT site_code_key UNIQUE (code);
ALTER TABLE ONLY public.site
    ADD CONSTRAINT site_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sla_clock
    ADD CONSTRAINT sla_clock_pkey PRIMARY KEY (work_order_id, version, clock);
ALTER TABLE ONLY public.sla_event
    ADD CONSTRAINT sla_event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sla_policy
    ADD CONSTRAINT sla_policy_code_key UNIQUE (code);
ALTER TABLE ONLY public.sla_policy
    ADD CONSTRAINT sla_policy_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sla_policy_version
    ADD CONSTRAINT sla_policy_version_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sla_policy_version
    ADD CONSTRAINT sla_policy_version_sla_policy_id_version_key UNIQUE (sla_policy_id, version);
ALTER TABLE ONLY public.sparkplug_edge
    ADD CONSTRAINT sparkplug_edge_pkey PRIMARY KEY (group_id, edge_id);
ALTER TABLE ONLY public.sparkplug_owner
    ADD CONSTRAINT sparkplug_owner_pkey PRIMARY KEY (is_the_only);
ALTER TABLE ONLY public.status_report
    ADD CONSTRAINT status_report_device_id_observed_at_state_key UNIQUE (device_id, observed_at, state);
ALTER TABLE ONLY public.status_report
    ADD CONSTRAINT status_report_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.technician_certificate
    ADD CONSTRAINT technician_certificate_pkey PRIMARY KEY (user_id, device_model_id);
ALTER TABLE ONLY public.technician_region
    ADD CONSTRAINT technician_region_pkey PRIMARY KEY (user_id, region);
ALTER TABLE ONLY public.threshold_proposal
    ADD CONSTRAINT threshold_proposal_code_key UNIQUE (code);
ALTER TABLE ONLY public.threshold_proposal
    ADD CONSTRAINT threshold_proposal_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.ticket_decision
    ADD CONSTRAINT ticket_decision_pkey PRIMARY KEY (transition_id);
ALTER TABLE ONLY public.triage_state
    ADD CONSTRAINT triage_state_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY public.unscored_monitor
    ADD CONSTRAINT unscored_monitor_pkey PRIMARY KEY (device_id, monitor);
ALTER TABLE ONLY public.vigilance_assessment
    ADD CONSTRAINT vigilance_assessment_complaint_id_version_key UNIQUE (complaint_id, version);
ALTER TABLE ONLY public.vigilance_assessment
    ADD CONSTRAINT vigilance_assessment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.vigilance_clock
    ADD CONSTRAINT vigilance_clock_pkey PRIMARY KEY (assessment_id, jurisdiction);
ALTER TABLE ONLY public.webhook_attempt
    ADD CONSTRAINT webhook_attempt_pkey PRIMARY KEY (delivery_id, number);
ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_outbox_id_endpoint_id_key UNIQUE (outbox_id, endpoint_id);
ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_endpoint
    ADD CONSTRAINT webhook_endpoint_code_key UNIQUE (code);
ALTER TABLE ONLY public.webhook_endpoint
    ADD CONSTRAINT webhook_endpoint_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.work_order_breach
    ADD CONSTRAINT work_order_breach_pkey PRIMARY KEY (work_order_id, breach_id);
ALTER TABLE ONLY public.work_order_checklist
    ADD CONSTRAINT work_order_checklist_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.work_order_checklist
    ADD CONSTRAINT work_order_checklist_work_order_id_order_version_template_i_key UNIQUE (work_order_id, order_version, template_id);
ALTER TABLE ONLY public.work_order
    ADD CONSTRAINT work_order_code_key UNIQUE (code);
ALTER TABLE ONLY public.work_order_note
    ADD CONSTRAINT work_order_note_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.work_order
    ADD CONSTRAINT work_order_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.work_order_visit
    ADD CONSTRAINT work_order_visit_pkey PRIMARY KEY (id);
CREATE INDEX app_session_user ON public.app_session USING btree (user_id);
CREATE INDEX approval_request_entity ON public.approval_request USING btree (entity, entity_id);
CREATE UNIQUE INDEX approval_request_one_open ON public.approval_request USING btree (kind, entity, entity_id) WHERE ((state = 'ASKED'::text) AND (kind <> 'identifiable_export'::text));
CREATE INDEX approval_request_waiting ON public.approval_request USING btree (expires_at) WHERE (state = 'ASKED'::text);
CREATE INDEX attachment_content ON public.attachment USING btree (sha256);
CREATE INDEX audit_event_action ON public.audit_event USING btree (action, seq DESC);
CREATE INDEX audit_event_actor ON public.audit_event USING btree (actor, seq DESC);
CREATE INDEX audit_event_at ON public.audit_event USING btree (at, seq);
CREATE INDEX audit_event_entity ON public.audit_event USING btree (entity, entity_id, seq DESC);
CREATE INDEX baseline_reset_device ON public.baseline_reset USING btree (device_id, at DESC);
CREATE INDEX breach_active ON public.breach USING btree (device_id, fault_group) WHERE (state = 'ACTIVE'::text);
CREATE INDEX breach_by_recorded ON public.breach USING btree (recorded_at, id);
CREATE INDEX breach_device ON public.breach USING btree (device_id, first_seen DESC);
CREATE INDEX breach_fault_group ON public.breach USING btree (fault_group, raised_at);
CREATE INDEX breach_monitor ON public.breach USING btree (monitor, recorded_at);
CREATE INDEX breach_raised ON public.breach USING btree (raised_at);
CREATE INDEX breach_severity ON public.breach USING btree (severity, recorded_at);
CREATE INDEX breach_standing ON public.breach USING btree (COALESCE(cleared_at, 'infinity'::timestamp with time zone));
COMMENT ON INDEX public.breach_standing IS 'Which breaches stood at an instant.';
CREATE INDEX capa_action_due ON public.capa_action USING btree (due_on, id) WHERE (state = 'OPEN'::text);
CREATE INDEX capa_action_owner ON public.capa_action USING btree (owner_id) WHERE (state = 'OPEN'::text);
CREATE INDEX capa_device_device ON public.capa_device USING btree (device_id);
CREATE INDEX capa_effectiveness_result_capa ON public.capa_effectiveness_result USING btree (capa_id, id DESC);
CREATE INDEX capa_measured ON public.capa USING btree (id) WHERE (state = 'EFFECTIVENESS'::text);
CREATE INDEX capa_member_order ON public.capa_member USING btree (work_order_id);
CREATE UNIQUE INDEX capa_one_live_per_scope ON public.capa USING btree (device_model_id, scope_kind, scope_value, fault_group) WHERE (state <> ALL (ARRAY['REJECTED'::text, 'CLOSED'::text]));
CREATE INDEX capa_why_capa ON public.capa_why USING btree (capa_id);
CREATE INDEX change_log_at ON public.change_log USING btree (at);
CREATE INDEX change_log_order ON public.change_log USING btree (xid, id);
CREATE INDEX checklist_answer_item ON public.checklist_answer USING btree (checklist_id, item, id DESC);
CREATE UNIQUE INDEX checklist_template_one_in_use ON public.checklist_template USING btree (kind, COALESCE(device_model_id, 0)) WHERE is_active;
CREATE INDEX complaint_customer ON public.complaint USING btree (customer_id);
CREATE INDEX complaint_device ON public.complaint USING btree (device_id);
CREATE INDEX complaint_open ON public.complaint USING btree (received_at, id) WHERE (state <> 'CLOSED'::text);
CREATE INDEX complaint_received ON public.complaint USING btree (received_at DESC, id DESC);
CREATE INDEX complaint_reference_complaint ON public.complaint_reference USING btree (complaint_id);
CREATE INDEX complaint_work_order ON public.complaint USING btree (work_order_id) WHERE (work_order_id IS NOT NULL);
CREATE INDEX data_quality_alert_day ON public.data_quality_alert USING btree (day DESC, kind);
CREATE INDEX data_quality_day_alerts ON public.data_quality_day USING btree (day DESC, device_id) WHERE (alerts <> '{}'::text[]);
CREATE INDEX data_quality_day_device ON public.data_quality_day USING btree (device_id, day DESC);
CREATE INDEX data_quality_state_judged ON public.data_quality_state USING btree (judged_at);
CREATE UNIQUE INDEX device_claim_open ON public.device_claim USING btree (device_id) WHERE ((used_at IS NULL) AND (withdrawn_at IS NULL));
CREATE INDEX device_day_device ON public.device_day USING btree (device_id, day);
CREATE INDEX device_gateway ON public.device USING btree (gateway_id);
CREATE INDEX device_history_customer ON public.device_history USING btree (device_id, at, id) WHERE (field = 'customer'::text);
COMMENT ON INDEX public.device_history_customer IS 'Who had each device from when to when.';
CREATE INDEX device_history_device ON public.device_history USING btree (device_id, at DESC);
CREATE INDEX device_history_firmware ON public.device_history USING btree (at) WHERE (field = 'firmware:main'::text);
CREATE INDEX device_model_firmware ON public.device USING btree (device_model_id, firmware);
CREATE INDEX device_notice_action ON public.device_notice USING btree (field_action_id);
CREATE INDEX device_notice_pending ON public.device_notice USING btree (device_id) WHERE (published_revision <> revision);
CREATE INDEX device_site ON public.device USING btree (site_id);
CREATE INDEX distribution_day_day ON public.distribution_day USING btree (day);
CREATE UNIQUE INDEX drift_alert_one_open ON public.drift_alert USING btree (device_model_id, is_simulated, kind, subject, firmware) WHERE (ended_at IS NULL);
CREATE INDEX drift_day_day ON public.drift_day USING btree (day DESC);
CREATE INDEX export_log_actor ON public.export_log USING btree (actor, id DESC);
CREATE INDEX export_log_list ON public.export_log USING btree (list, id DESC);
CREATE INDEX field_action_communication_action ON public.field_action_communication USING btree (field_action_id, id DESC);
CREATE INDEX field_action_communication_customer ON public.field_action_communication USING btree (field_action_id, customer_id);
CREATE INDEX field_action_communication_item ON public.field_action_communication USING btree (item_id) WHERE (item_id IS NOT NULL);
CREATE INDEX field_action_item_device ON public.field_action_item USING btree (device_id);
CREATE INDEX field_action_item_notified ON public.field_action_item USING btree (notified_at) WHERE (notified_at IS NOT NULL);
CREATE INDEX field_action_item_order ON public.field_action_item USING btree (work_order_id) WHERE (work_order_id IS NOT NULL);
CREATE INDEX field_action_item_state ON public.field_action_item USING btree (field_action_id, state);
CREATE INDEX field_action_live ON public.field_action USING btree (id) WHERE (state = ANY (ARRAY['NOTIFYING'::text, 'EXECUTING'::text, 'EFFECTIVENESS'::text]));
CREATE INDEX field_action_model ON public.field_action USING btree (device_model_id);
CREATE INDEX firmware_report_step ON public.firmware_report USING btree (device_id, component, observed_at DESC, id DESC) WHERE (state = ANY (ARRAY['UPDATED'::text, 'FAILED'::text]));
CREATE INDEX lab_run_waiting ON public.lab_run USING btree (id) WHERE (state = ANY (ARRAY['QUEUED'::text, 'RUNNING'::text]));
CREATE INDEX maintenance_plan_active ON public.maintenance_plan USING btree (device_model_id) WHERE (state = 'ACTIVE'::text);
CREATE UNIQUE INDEX master_reference_contract ON public.master_reference USING btree (contract_id, system) WHERE (contract_id IS NOT NULL);
CREATE UNIQUE INDEX master_reference_customer ON public.master_reference USING btree (customer_id, system) WHERE (customer_id IS NOT NULL);
CREATE UNIQUE INDEX master_reference_device ON public.master_reference USING btree (device_id, system) WHERE (device_id IS NOT NULL);
CREATE UNIQUE INDEX master_reference_model ON public.master_reference USING btree (device_model_id, system) WHERE (device_model_id IS NOT NULL);
CREATE UNIQUE INDEX master_reference_site ON public.master_reference USING btree (site_id, system) WHERE (site_id IS NOT NULL);
CREATE INDEX model_job_model ON public.model_job USING btree (model_id, id DESC) WHERE (model_id IS NOT NULL);
CREATE INDEX model_job_waiting ON public.model_job USING btree (id) WHERE (state = ANY (ARRAY['QUEUED'::text, 'RUNNING'::text]));
CREATE UNIQUE INDEX model_record_live ON public.model_record USING btree (device_model_id, kind, firmware) WHERE (state = 'LIVE'::text);
CREATE UNIQUE INDEX model_record_shadow ON public.model_record USING btree (device_model_id, kind, firmware) WHERE (state = 'SHADOW'::text);
CREATE INDEX outbox_created ON public.outbox USING brin (created_at);
CREATE INDEX outbox_simulated ON public.outbox USING btree (id) WHERE is_simulated;
CREATE INDEX outbox_unplanned ON public.outbox USING btree (id) WHERE ((planned_at IS NULL) AND (NOT is_simulated));
COMMENT ON INDEX public.outbox_unplanned IS 'Events for which no deliveries are planned yet.';
CREATE INDEX outbox_unplanned_record ON public.outbox USING btree (entity, entity_id, id) WHERE ((planned_at IS NULL) AND (NOT is_simulated));
COMMENT ON INDEX public.outbox_unplanned_record IS 'Whether an earlier event of a record is still to be planned.';
CREATE INDEX part_usage_decided ON public.part_usage USING btree (decided_at) WHERE (state = 'USED'::text);
CREATE INDEX part_usage_item ON public.part_usage USING btree (item) WHERE (state = 'USED'::text);
CREATE INDEX part_usage_lot ON public.part_usage USING btree (lot) WHERE (lot <> ''::text);
CREATE INDEX part_usage_order ON public.part_usage USING btree (work_order_id, id);
CREATE INDEX part_usage_serial_in ON public.part_usage USING btree (serial_in) WHERE (serial_in <> ''::text);
CREATE INDEX pending_sign_in_user ON public.pending_sign_in USING btree (user_id);
CREATE INDEX plan_occurrence_by_due ON public.plan_occurrence USING btree (COALESCE(due_on, '9999-12-31'::date), id);
CREATE INDEX plan_occurrence_device ON public.plan_occurrence USING btree (device_id);
CREATE INDEX plan_occurrence_due ON public.plan_occurrence USING btree (due_on, id);
CREATE UNIQUE INDEX plan_occurrence_one_open ON public.plan_occurrence USING btree (plan_id, device_id) WHERE (state = ANY (ARRAY['UPCOMING'::text, 'DUE'::text, 'OVERDUE'::text]));
CREATE INDEX provider_flow_session ON public.provider_flow USING btree (session_id);
CREATE INDEX reading_observed ON ONLY public.reading USING brin (observed_at) WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX rejection_cause ON public.rejection USING btree (reason, public.rejection_field_pattern(field, serial), received_at DESC);
CREATE INDEX rejection_order ON public.rejection USING btree (xid, id);
CREATE INDEX rejection_reason ON public.rejection USING btree (reason, received_at DESC);
CREATE INDEX rejection_received ON public.rejection USING btree (received_at DESC, id DESC);
CREATE INDEX rejection_serial ON public.rejection USING btree (serial, received_at DESC) WHERE (serial IS NOT NULL);
CREATE INDEX rejection_to_replay ON public.rejection USING btree (replay_requested_at, id) WHERE ((replay_requested_at IS NOT NULL) AND (replayed_at IS NULL));
CREATE INDEX reminder_ends ON public.reminder USING btree (ends_on, id);
CREATE INDEX rollup_late_series ON public.rollup_late USING btree (series_id);
CREATE UNIQUE INDEX saved_view_default ON public.saved_view USING btree (user_id, page) WHERE is_default;
CREATE INDEX score_rollup_minute ON public.score_rollup USING btree (minute);
CREATE INDEX service_contract_active ON public.service_contract USING btree (customer_id, ends_on) WHERE (status = 'ACTIVE'::text);
CREATE INDEX service_contract_customer ON public.service_contract USING btree (customer_id);
CREATE INDEX service_contract_device_device ON public.service_contract_device USING btree (device_id);
CREATE INDEX shelving_device ON public.shelving USING btree (device_id) WHERE (ended_at IS NULL);
CREATE INDEX signature_entity ON public.signature USING btree (entity, entity_id);
CREATE INDEX site_customer ON public.site USING btree (customer_id);
CREATE INDEX sla_clock_breached ON public.sla_clock USING btree (breached_at) WHERE (state = 'BREACHED'::text);
COMMENT ON INDEX public.sla_clock_breached IS 'Promised times that were missed lately, of all customers.';
CREATE INDEX sla_clock_due ON public.sla_clock USING btree (due_at) WHERE (state = 'RUNNING'::text);
CREATE INDEX sla_clock_due_soon ON public.sla_clock USING btree (due_soon_at) WHERE ((state = 'RUNNING'::text) AND (warned_at IS NULL));
CREATE INDEX sla_clock_ticking ON public.sla_clock USING btree (work_order_id, version) INCLUDE (state, due_at, due_soon_at) WHERE ((state = ANY (ARRAY['RUNNING'::text, 'BREACHED'::text])) AND (waived_at IS NULL));
COMMENT ON INDEX public.sla_clock_ticking IS 'Clocks that run or have breached, by order, with all that the ranking of customers asks of them.';
CREATE INDEX sla_clock_unsaid ON public.sla_clock USING btree (breached_at) WHERE ((state = 'BREACHED'::text) AND (NOT breach_said));
CREATE UNIQUE INDEX sla_event_one_breach ON public.sla_event USING btree (work_order_id, version, clock) WHERE (kind = 'BREACHED'::text);
CREATE UNIQUE INDEX sla_event_one_start ON public.sla_event USING btree (work_order_id, version, clock) WHERE (kind = 'STARTED'::text);
CREATE INDEX sla_event_order ON public.sla_event USING btree (work_order_id, id);
CREATE INDEX status_report_received ON public.status_report USING btree (device_id, received_at DESC);
CREATE UNIQUE INDEX threshold_proposal_one_open ON public.threshold_proposal USING btree (device_model_id, monitor) WHERE (state = ANY (ARRAY['PROPOSED'::text, 'BACKTESTED'::text, 'ENDORSED'::text]));
CREATE INDEX ticket_decision_order ON public.ticket_decision USING btree (work_order_id) WHERE (work_order_id IS NOT NULL);
CREATE INDEX ticket_decision_put_off ON public.ticket_decision USING btree (transition_id) WHERE (reason = ANY (ARRAY['shelved'::text, 'under_maintenance'::text, 'triage_failed'::text]));
CREATE INDEX unscored_monitor_shard ON public.unscored_monitor USING btree (shard);
CREATE INDEX vigilance_clock_due ON public.vigilance_clock USING btree (due_at) WHERE (state = 'RUNNING'::text);
CREATE INDEX webhook_delivery_dead ON public.webhook_delivery USING btree (endpoint_id, id) WHERE (state = 'DEAD'::text);
CREATE INDEX webhook_delivery_delivered ON public.webhook_delivery USING btree (endpoint_id, finished_at) WHERE (state = 'DELIVERED'::text);
CREATE INDEX webhook_delivery_due ON public.webhook_delivery USING btree (endpoint_id, due_at, id) WHERE (state = 'WAITING'::text);
CREATE INDEX webhook_delivery_finished ON public.webhook_delivery USING btree (finished_at) WHERE (state <> 'WAITING'::text);
CREATE INDEX webhook_delivery_of_endpoint ON public.webhook_delivery USING btree (endpoint_id, id);
CREATE INDEX webhook_delivery_oldest ON public.webhook_delivery USING btree (endpoint_id, created_at) WHERE (state = 'WAITING'::text);
COMMENT ON INDEX public.webhook_delivery_oldest IS 'Since when something waits for an endpoint.';
CREATE INDEX webhook_delivery_order ON public.webhook_delivery USING btree (endpoint_id, entity, entity_id, outbox_id) WHERE (state = 'WAITING'::text);
CREATE INDEX work_order_assignee ON public.work_order USING btree (assignee_id) WHERE (state <> ALL (ARRAY['CLOSED'::text, 'CANCELLED'::text]));
CREATE INDEX work_order_breach_breach ON public.work_order_breach USING btree (breach_id);
CREATE INDEX work_order_by_created ON public.work_order USING btree (created_at, id);
CREATE INDEX work_order_by_due ON public.work_order USING btree (COALESCE(
CASE
    WHEN ((state = ANY (ARRAY['CLOSED'::text, 'CANCELLED'::text])) OR (resolved_at IS NOT NULL)) THEN NULL::timestamp with time zone
    WHEN (responded_at IS NULL) THEN LEAST(response_due_at, resolution_due_at)
    ELSE resolution_due_at
END, 'infinity'::timestamp with time zone), ((- id)));
CREATE INDEX work_order_by_last_seen ON public.work_order USING btree (COALESCE(last_breach_at, '-infinity'::timestamp with time zone), id);
CREATE INDEX work_order_by_priority ON public.work_order USING btree (priority, ((- id)));
CREATE INDEX work_order_by_updated ON public.work_order USING btree (updated_at, id);
CREATE INDEX work_order_closed ON public.work_order USING btree (closed_at) WHERE (state = 'CLOSED'::text);
CREATE INDEX work_order_code_id ON public.work_order USING btree (code, id);
CREATE INDEX work_order_created ON public.work_order USING btree (created_at);
CREATE INDEX work_order_customer ON public.work_order USING btree (customer_id);
CREATE INDEX work_order_device_state ON public.work_order USING btree (device_id, state);
CREATE INDEX work_order_fault ON public.work_order USING btree (fault_group, closed_at DESC) WHERE (state = 'CLOSED'::text);
CREATE INDEX work_order_fault_created ON public.work_order USING btree (fault_group, created_at) INCLUDE (id, device_id, state, outcome);
COMMENT ON INDEX public.work_order_fault_created IS 'Orders with a fault by the time, with what tells whether one is looked at.';
CREATE INDEX work_order_gateway ON public.work_order USING btree (gateway_id) WHERE (gateway_id IS NOT NULL);
CREATE INDEX work_order_inbox ON public.work_order USING btree (COALESCE(
CASE
    WHEN ((state = ANY (ARRAY['CLOSED'::text, 'CANCELLED'::text])) OR (resolved_at IS NOT NULL)) THEN NULL::timestamp with time zone
    WHEN (responded_at IS NULL) THEN LEAST(response_due_at, resolution_due_at)
    ELSE resolution_due_at
END, 'infinity'::timestamp with time zone), ((- id))) WHERE ((inbox_reason IS NOT NULL) AND (state <> ALL (ARRAY['CLOSED'::text, 'CANCELLED'::text])));
CREATE INDEX work_order_inbox_kind ON public.work_order USING btree (priority, fault_group, region, customer_id, parent_id, device_id) WHERE ((inbox_reason IS NOT NULL) AND (state <> ALL (ARRAY['CLOSED'::text, 'CANCELLED'::text])));
COMMENT ON INDEX public.work_order_inbox_kind IS 'The inbox by what it is filtered by, to be counted.';
CREATE INDEX work_order_key ON public.work_order USING btree (device_id, fault_group, closed_at DESC);
CREATE INDEX work_order_load ON public.work_order USING btree (assignee_id, priority) WHERE (state = ANY (ARRAY['ASSIGNED'::text, 'IN_PROGRESS'::text, 'ON_HOLD'::text]));
CREATE INDEX work_order_mended ON public.work_order USING btree (fault_group, closed_at DESC) WHERE ((state = 'CLOSED'::text) AND (outcome = ANY (ARRAY['CONFIRMED'::text, 'SENSOR_FAULT'::text])));
CREATE INDEX work_order_merged ON public.work_order USING btree (merged_into_id) WHERE (merged_into_id IS NOT NULL);
CREATE INDEX work_order_merged_key ON public.work_order USING btree (device_id, fault_group) WHERE (merged_into_id IS NOT NULL);
CREATE INDEX work_order_note_order ON public.work_order_note USING btree (work_order_id, at);
CREATE UNIQUE INDEX work_order_one_open_per_device ON public.work_order USING btree (device_id, fault_group) WHERE ((source = 'AUTOMATIC'::text) AND (device_id IS NOT NULL) AND (state <> ALL (ARRAY['CLOSED'::text, 'CANCELLED'::text])));
CREATE UNIQUE INDEX work_order_one_open_per_gateway ON public.work_order USING btree (gateway_id, fault_group) WHERE ((source = 'AUTOMATIC'::text) AND (device_id IS NULL) AND (state <> ALL (ARRAY['CLOSED'::text, 'CANCELLED'::text])));
CREATE UNIQUE INDEX work_order_one_open_per_site ON public.work_order USING btree (site_id, fault_group) WHERE ((source = 'AUTOMATIC'::text) AND (device_id IS NULL) AND (gateway_id IS NULL) AND (state <> ALL (ARRAY['CLOSED'::text, 'CANCELLED'::text])));
CREATE INDEX work_order_open_due ON public.work_order USING btree (LEAST(response_due_at, resolution_due_at)) WHERE (state <> ALL (ARRAY['CLOSED'::text, 'CANCELLED'::text]));
CREATE INDEX work_order_parent ON public.work_order USING btree (parent_id) WHERE (parent_id IS NOT NULL);
CREATE INDEX work_order_recurrence ON public.work_order USING btree (recurrence_of) WHERE (recurrence_of IS NOT NULL);
CREATE INDEX work_order_region ON public.work_order USING btree (region, id);
CREATE INDEX work_order_reopened ON public.work_order USING btree (id) WHERE (version > 1);
CREATE INDEX work_order_resolved ON public.work_order USING btree (resolved_at) WHERE (resolved_at IS NOT NULL);
CREATE INDEX work_order_responded ON public.work_order USING btree (responded_at) WHERE (responded_at IS NOT NULL);
CREATE INDEX work_order_site ON public.work_order USING btree (site_id);
CREATE INDEX work_order_state ON public.work_order USING btree (state, priority, created_at);
CREATE UNIQUE INDEX work_order_visit_one_under_way ON public.work_order_visit USING btree (work_order_id, technician_id) WHERE (left_at IS NULL);
CREATE INDEX work_order_visit_order ON public.work_order_visit USING btree (work_order_id, arrived_at);
CREATE STATISTICS public.work_order_inbox_share (mcv) ON state, inbox_reason FROM public.work_order;
COMMENT ON STATISTICS public.work_order_inbox_share IS 'How many orders are in the inbox: those that are open and have a reason.';
CREATE OR REPLACE VIEW public.kpi_warning AS
 SELECT 'warning'::text AS kpi,
    at,
    at AS began_at,
    '-infinity'::timestamp with time zone AS known_at,
    device_id,
    device_model_id,
    customer_id,
    region,
    NULL::text AS firmware,
    is_simulated,
        CASE
            WHEN (warned_at < failed_at) THEN (date_part('epoch'::text, (failed_at - warned_at)) / (3600)::double precision)
            ELSE (0)::double precision
        END AS numerator,
    ((COALESCE((warned_at < failed_at), false))::integer)::double precision AS denominator
   FROM ( SELECT w.id,
            w.created_at AS at,
            w.device_id,
            d.device_model_id,
            w.customer_id,
            w.region,
            w.is_simulated,
            min(b.first_seen) FILTER (WHERE (b.kind = ANY (ARRAY['LIMIT'::text, 'ANOMALY'::text, 'FORECAST'::text]))) AS warned_at,
            LEAST(min(b.raised_at) FILTER (WHERE (b.kind = 'DEVICE_CODE'::text)), min(
                CASE
                    WHEN ((b.severity = 'CRITICAL'::text) AND (b.kind = ANY (ARRAY['LIMIT'::text, 'ANOMALY'::text]))) THEN ( SELECT min(t.at) AS min
                       FROM public.breach_transition t
                      WHERE ((t.breach_id = b.id) AND (t.severity = 'CRITICAL'::text) AND (t.kind <> 'CLEARED'::text)))
                    ELSE NULL::timestamp with time zone
                END), ( SELECT min(c.received_at) AS min
                   FROM public.complaint c
                  WHERE (c.work_order_id = w.id)),
                CASE
                    WHEN ((w.type = 'CORRECTIVE'::text) AND (w.source = 'MANUAL'::text)) THEN w.created_at
                    ELSE NULL::timestamp with time zone
                END) AS failed_at
           FROM (((public.work_order w
             JOIN public.device d ON ((d.id = w.device_id)))
             LEFT JOIN public.work_order_breach wb ON ((wb.work_order_id = w.id)))
             LEFT JOIN public.breach b ON (((b.id = wb.breach_id) AND (b.device_id = w.device_id))))
          WHERE ((w.type = ANY (ARRAY['CORRECTIVE'::text, 'PREDICTIVE'::text])) AND (w.state <> 'CANCELLED'::text) AND (w.outcome = 'CONFIRMED'::text))
          GROUP BY w.id, w.created_at, d.id) f
  WHERE (failed_at IS NOT NULL);
CREATE TRIGGER approval_request_change AFTER INSERT OR UPDATE ON public.approval_request FOR EACH ROW EXECUTE FUNCTION public.log_change();
CREATE TRIGGER approval_request_decided_once BEFORE UPDATE ON public.approval_request FOR EACH ROW WHEN ((old.state <> 'ASKED'::text)) EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER approval_request_kept BEFORE DELETE ON public.approval_request FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER attachment_write_once BEFORE DELETE OR UPDATE ON public.attachment FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER audit_event_chain BEFORE INSERT ON public.audit_event FOR EACH ROW EXECUTE FUNCTION public.chain_audit_event();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON public.audit_event FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER audit_event_write_once BEFORE DELETE OR UPDATE ON public.audit_event FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER breach_change AFTER INSERT OR UPDATE OF state, severity ON public.breach FOR EACH ROW EXECUTE FUNCTION public.log_change();
CREATE TRIGGER breach_transition_notify AFTER INSERT ON public.breach_transition FOR EACH STATEMENT EXECUTE FUNCTION public.notify_transition();
CREATE TRIGGER capa_action_approved BEFORE INSERT OR DELETE ON public.capa_action FOR EACH ROW EXECUTE FUNCTION public.keep_approved_capa();
CREATE TRIGGER capa_action_kept BEFORE UPDATE ON public.capa_action FOR EACH ROW WHEN (((((((((old.capa_id IS DISTINCT FROM new.capa_id) OR (old.number IS DISTINCT FROM new.number)) OR (old.round IS DISTINCT FROM new.round)) OR (old.kind IS DISTINCT FROM new.kind)) OR (old.text IS DISTINCT FROM new.text)) OR (old.owner_id IS DISTINCT FROM new.owner_id)) OR (old.due_on IS DISTINCT FROM new.due_on)) OR ((old.state = 'CANCELLED'::text) <> (new.state = 'CANCELLED'::text)))) EXECUTE FUNCTION public.keep_approved_capa();
CREATE TRIGGER capa_cause_approved BEFORE INSERT OR DELETE OR UPDATE ON public.capa_cause FOR EACH ROW EXECUTE FUNCTION public.keep_approved_capa();
CREATE TRIGGER capa_change AFTER INSERT OR UPDATE ON public.capa FOR EACH ROW EXECUTE FUNCTION public.log_change();
CREATE TRIGGER capa_effectiveness_plan_approved BEFORE INSERT OR DELETE OR UPDATE ON public.capa_effectiveness_plan FOR EACH ROW EXECUTE FUNCTION public.keep_approved_capa();
CREATE TRIGGER capa_effectiveness_result_no_truncate BEFORE TRUNCATE ON public.capa_effectiveness_result FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER capa_effectiveness_result_write_once BEFORE DELETE OR UPDATE ON public.capa_effectiveness_result FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER capa_why_approved BEFORE INSERT OR DELETE OR UPDATE ON public.capa_why FOR EACH ROW EXECUTE FUNCTION public.keep_approved_capa();
CREATE TRIGGER checklist_answer_write_once BEFORE DELETE OR UPDATE ON public.checklist_answer FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER checklist_template_version_write_once BEFORE DELETE OR UPDATE ON public.checklist_template_version FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER complaint_change AFTER INSERT OR UPDATE ON public.complaint FOR EACH ROW EXECUTE FUNCTION public.log_change();
CREATE TRIGGER device_change AFTER UPDATE OF connectivity, lifecycle, firmware ON public.device FOR EACH ROW WHEN (((old.connectivity IS DISTINCT FROM new.connectivity) OR (old.lifecycle IS DISTINCT FROM new.lifecycle) OR (old.firmware IS DISTINCT FROM new.firmware))) EXECUTE FUNCTION public.log_change();
CREATE TRIGGER device_gateway_change AFTER UPDATE OF gateway_id ON public.device FOR EACH ROW WHEN ((old.gateway_id IS DISTINCT FROM new.gateway_id)) EXECUTE FUNCTION public.record_gateway_change();
CREATE TRIGGER device_master_change AFTER UPDATE OF serial, udi, site_id, lifecycle ON public.device FOR EACH ROW WHEN (((((old.serial IS DISTINCT FROM new.serial) OR (old.udi IS DISTINCT FROM new.udi)) OR (old.site_id IS DISTINCT FROM new.site_id)) OR (old.lifecycle IS DISTINCT FROM new.lifecycle))) EXECUTE FUNCTION public.record_device_change();
CREATE TRIGGER device_registered_firmware BEFORE INSERT ON public.device FOR EACH ROW EXECUTE FUNCTION public.keep_registered_firmware();
CREATE TRIGGER device_registry_insert AFTER INSERT OR DELETE ON public.device FOR EACH STATEMENT EXECUTE FUNCTION public.bump_registry_version();
CREATE TRIGGER device_registry_update AFTER UPDATE OF device_model_id, serial, site_id, gateway_id, lifecycle, installed_on, shard ON public.device FOR EACH STATEMENT EXECUTE FUNCTION public.bump_registry_version();
CREATE TRIGGER evidence_no_truncate BEFORE TRUNCATE ON public.evidence FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER evidence_write_once BEFORE DELETE OR UPDATE ON public.evidence FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER export_log_no_truncate BEFORE TRUNCATE ON public.export_log FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER export_log_write_once BEFORE DELETE OR UPDATE ON public.export_log FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER field_action_approved BEFORE UPDATE ON public.field_action FOR EACH ROW WHEN ((old.state <> 'DRAFT'::text)) EXECUTE FUNCTION public.keep_approved_field_action();
CREATE TRIGGER field_action_change AFTER INSERT OR UPDATE ON public.field_action FOR EACH ROW EXECUTE FUNCTION public.log_change();
CREATE TRIGGER field_action_communication_write_once BEFORE DELETE OR UPDATE ON public.field_action_communication FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER field_action_item_frozen_in AFTER INSERT ON public.field_action_item REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION public.keep_frozen_items();
CREATE TRIGGER field_action_item_frozen_out AFTER DELETE ON public.field_action_item REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION public.keep_frozen_items();
CREATE TRIGGER firmware_record_approved BEFORE UPDATE ON public.firmware_record FOR EACH ROW WHEN ((old.state <> 'DRAFT'::text)) EXECUTE FUNCTION public.keep_approved_firmware();
CREATE TRIGGER firmware_record_change AFTER INSERT OR UPDATE ON public.firmware_record FOR EACH ROW EXECUTE FUNCTION public.log_change();
CREATE TRIGGER gateway_registry AFTER INSERT OR DELETE OR UPDATE ON public.gateway FOR EACH STATEMENT EXECUTE FUNCTION public.bump_registry_version();
CREATE TRIGGER ingest_ledger_past AFTER DELETE ON public.ingest_ledger REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION public.keep_ledger_sum();
CREATE TRIGGER lab_run_stays BEFORE DELETE ON public.lab_run FOR EACH ROW WHEN (((old.state = ANY (ARRAY['QUEUED'::text, 'RUNNING'::text])) OR ((old.state = 'DONE'::text) AND (old.proposal IS NOT NULL)))) EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER lab_run_write_once BEFORE UPDATE OF code, request, profile, profile_version, profile_sha256, proposal, requested_by, requested_at ON public.lab_run FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER model_job_stays BEFORE DELETE ON public.model_job FOR EACH ROW EXECUTE FUNCTION public.refuse_needed_job();
CREATE TRIGGER model_job_write_once BEFORE UPDATE OF kind, request, requested_by, requested_at ON public.model_job FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER model_record_registry AFTER UPDATE OF state ON public.model_record FOR EACH STATEMENT EXECUTE FUNCTION public.bump_registry_version();
CREATE TRIGGER model_record_write_once BEFORE DELETE OR UPDATE OF code, kind, device_model_id, firmware, description, arrays, sha256, provenance, created_by, created_at ON public.model_record FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER model_registry AFTER UPDATE ON public.device_model FOR EACH STATEMENT EXECUTE FUNCTION public.bump_registry_version();
CREATE TRIGGER part_usage_decided_once BEFORE UPDATE ON public.part_usage FOR EACH ROW WHEN ((old.state <> 'REQUESTED'::text)) EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER part_usage_kept BEFORE DELETE ON public.part_usage FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER profile_registry AFTER INSERT ON public.device_model_profile FOR EACH STATEMENT EXECUTE FUNCTION public.bump_registry_version();
CREATE TRIGGER series_registry AFTER INSERT OR DELETE ON public.series FOR EACH STATEMENT EXECUTE FUNCTION public.bump_registry_version();
CREATE TRIGGER service_calendar_version_write_once BEFORE DELETE OR UPDATE ON public.service_calendar_version FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER signature_no_truncate BEFORE TRUNCATE ON public.signature FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER signature_write_once BEFORE DELETE OR UPDATE ON public.signature FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER sla_event_write_once BEFORE DELETE OR UPDATE ON public.sla_event FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER sla_policy_version_write_once BEFORE DELETE OR UPDATE ON public.sla_policy_version FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER ticket_decision_write_once BEFORE DELETE OR UPDATE ON public.ticket_decision FOR EACH ROW WHEN ((old.reason <> ALL (ARRAY['shelved'::text, 'under_maintenance'::text, 'triage_failed'::text]))) EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER vigilance_assessment_decided_once BEFORE UPDATE ON public.vigilance_assessment FOR EACH ROW WHEN ((old.decision IS NOT NULL)) EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER vigilance_assessment_kept BEFORE DELETE ON public.vigilance_assessment FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER work_order_change AFTER INSERT OR UPDATE ON public.work_order FOR EACH ROW EXECUTE FUNCTION public.log_change();
CREATE TRIGGER work_order_checklist_write_once BEFORE DELETE OR UPDATE ON public.work_order_checklist FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER work_order_visit_kept BEFORE DELETE ON public.work_order_visit FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER work_order_visit_over BEFORE UPDATE ON public.work_order_visit FOR EACH ROW WHEN ((old.left_at IS NOT NULL)) EXECUTE FUNCTION public.refuse_change();
ALTER TABLE ONLY public.anomaly_checkpoint
    ADD CONSTRAINT anomaly_checkpoint_shard_fkey FOREIGN KEY (shard) REFERENCES public.shard(shard);
ALTER TABLE ONLY public.api_token
    ADD CONSTRAINT api_token_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id);
ALTER TABLE ONLY public.app_session
    ADD CONSTRAINT app_session_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.app_user
    ADD CONSTRAINT app_user_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id);
ALTER TABLE ONLY public.approval_request
    ADD CONSTRAINT approval_request_asked_by_id_fkey FOREIGN KEY (asked_by_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.approval_request
    ADD CONSTRAINT approval_request_decided_by_id_fkey FOREIGN KEY (decided_by_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.attachment
    ADD CONSTRAINT attachment_work_order_id_fkey FOREIGN KEY (work_order_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.baseline_reset
    ADD CONSTRAINT baseline_reset_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.baseline_reset
    ADD CONSTRAINT baseline_reset_work_order_id_fkey FOREIGN KEY (work_order_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.breach
    ADD CONSTRAINT breach_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.breach
    ADD CONSTRAINT breach_series_id_fkey FOREIGN KEY (series_id) REFERENCES public.series(id);
ALTER TABLE ONLY public.breach_transition
    ADD CONSTRAINT breach_transition_breach_id_fkey FOREIGN KEY (breach_id) REFERENCES public.breach(id);
ALTER TABLE ONLY public.capa_action
    ADD CONSTRAINT capa_action_capa_id_fkey FOREIGN KEY (capa_id) REFERENCES public.capa(id);
ALTER TABLE ONLY public.capa_action
    ADD CONSTRAINT capa_action_done_by_id_fkey FOREIGN KEY (done_by_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.capa_action
    ADD CONSTRAINT capa_action_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.capa_action
    ADD CONSTRAINT capa_action_verified_by_id_fkey FOREIGN KEY (verified_by_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.capa_cause
    ADD CONSTRAINT capa_cause_capa_id_fkey FOREIGN KEY (capa_id) REFERENCES public.capa(id);
ALTER TABLE ONLY public.capa_device
    ADD CONSTRAINT capa_device_capa_id_fkey FOREIGN KEY (capa_id) REFERENCES public.capa(id);
ALTER TABLE ONLY public.capa_device
    ADD CONSTRAINT capa_device_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.capa
    ADD CONSTRAINT capa_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.capa_effectiveness_plan
    ADD CONSTRAINT capa_effectiveness_plan_capa_id_fkey FOREIGN KEY (capa_id) REFERENCES public.capa(id);
ALTER TABLE ONLY public.capa_effectiveness_result
    ADD CONSTRAINT capa_effectiveness_result_capa_id_fkey FOREIGN KEY (capa_id) REFERENCES public.capa(id);
ALTER TABLE ONLY public.capa
    ADD CONSTRAINT capa_ineffective_of_fkey FOREIGN KEY (ineffective_of) REFERENCES public.capa(id);
ALTER TABLE ONLY public.capa_member
    ADD CONSTRAINT capa_member_capa_id_fkey FOREIGN KEY (capa_id) REFERENCES public.capa(id);
ALTER TABLE ONLY public.capa_member
    ADD CONSTRAINT capa_member_work_order_id_fkey FOREIGN KEY (work_order_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.capa_why
    ADD CONSTRAINT capa_why_capa_id_fkey FOREIGN KEY (capa_id) REFERENCES public.capa(id);
ALTER TABLE ONLY public.capa_why
    ADD CONSTRAINT capa_why_cause_id_fkey FOREIGN KEY (cause_id) REFERENCES public.capa_cause(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.checklist_answer
    ADD CONSTRAINT checklist_answer_checklist_id_fkey FOREIGN KEY (checklist_id) REFERENCES public.work_order_checklist(id);
ALTER TABLE ONLY public.checklist_template
    ADD CONSTRAINT checklist_template_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.checklist_template_version
    ADD CONSTRAINT checklist_template_version_template_id_fkey FOREIGN KEY (template_id) REFERENCES public.checklist_template(id);
ALTER TABLE ONLY public.complaint
    ADD CONSTRAINT complaint_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id);
ALTER TABLE ONLY public.complaint
    ADD CONSTRAINT complaint_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.complaint
    ADD CONSTRAINT complaint_investigation_decided_by_id_fkey FOREIGN KEY (investigation_decided_by_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.complaint_reference
    ADD CONSTRAINT complaint_reference_complaint_id_fkey FOREIGN KEY (complaint_id) REFERENCES public.complaint(id);
ALTER TABLE ONLY public.complaint
    ADD CONSTRAINT complaint_work_order_id_fkey FOREIGN KEY (work_order_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.data_quality_alert
    ADD CONSTRAINT data_quality_alert_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.data_quality_day
    ADD CONSTRAINT data_quality_day_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.data_quality_state
    ADD CONSTRAINT data_quality_state_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.device_account
    ADD CONSTRAINT device_account_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.device_account
    ADD CONSTRAINT device_account_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES public.gateway(id);
ALTER TABLE ONLY public.device_attribute
    ADD CONSTRAINT device_attribute_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.device_claim
    ADD CONSTRAINT device_claim_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.device_connection
    ADD CONSTRAINT device_connection_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.device_event
    ADD CONSTRAINT device_event_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES public.gateway(id);
ALTER TABLE ONLY public.device_history
    ADD CONSTRAINT device_history_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.device_model_profile
    ADD CONSTRAINT device_model_profile_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.device_notice
    ADD CONSTRAINT device_notice_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.device_notice
    ADD CONSTRAINT device_notice_field_action_id_fkey FOREIGN KEY (field_action_id) REFERENCES public.field_action(id);
ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.site(id);
ALTER TABLE ONLY public.device_usage
    ADD CONSTRAINT device_usage_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.distribution_day
    ADD CONSTRAINT distribution_day_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.drift_alert
    ADD CONSTRAINT drift_alert_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.drift_day
    ADD CONSTRAINT drift_day_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.evidence
    ADD CONSTRAINT evidence_breach_id_fkey FOREIGN KEY (breach_id) REFERENCES public.breach(id);
ALTER TABLE ONLY public.export_log
    ADD CONSTRAINT export_log_approval_request_id_fkey FOREIGN KEY (approval_request_id) REFERENCES public.approval_request(id);
ALTER TABLE ONLY public.export_log
    ADD CONSTRAINT export_log_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id);
ALTER TABLE ONLY public.export_log
    ADD CONSTRAINT export_log_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.field_action
    ADD CONSTRAINT field_action_capa_id_fkey FOREIGN KEY (capa_id) REFERENCES public.capa(id);
ALTER TABLE ONLY public.field_action_communication
    ADD CONSTRAINT field_action_communication_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id);
ALTER TABLE ONLY public.field_action_communication
    ADD CONSTRAINT field_action_communication_field_action_id_fkey FOREIGN KEY (field_action_id) REFERENCES public.field_action(id);
ALTER TABLE ONLY public.field_action_communication
    ADD CONSTRAINT field_action_communication_item_id_fkey FOREIGN KEY (item_id) REFERENCES public.field_action_item(id);
ALTER TABLE ONLY public.field_action
    ADD CONSTRAINT field_action_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.field_action
    ADD CONSTRAINT field_action_firmware_id_fkey FOREIGN KEY (firmware_id) REFERENCES public.firmware_record(id);
ALTER TABLE ONLY public.field_action_item
    ADD CONSTRAINT field_action_item_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.field_action_item
    ADD CONSTRAINT field_action_item_field_action_id_fkey FOREIGN KEY (field_action_id) REFERENCES public.field_action(id);
ALTER TABLE ONLY public.field_action_item
    ADD CONSTRAINT field_action_item_remediated_by_id_fkey FOREIGN KEY (remediated_by_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.field_action_item
    ADD CONSTRAINT field_action_item_work_order_id_fkey FOREIGN KEY (work_order_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.firmware_record
    ADD CONSTRAINT firmware_record_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.firmware_regression
    ADD CONSTRAINT firmware_regression_device_model_id_version_is_simulated_fkey FOREIGN KEY (device_model_id, version, is_simulated) REFERENCES public.firmware_release(device_model_id, version, is_simulated);
ALTER TABLE ONLY public.firmware_regression_proposal
    ADD CONSTRAINT firmware_regression_proposal_capa_code_fkey FOREIGN KEY (capa_code) REFERENCES public.capa(code);
ALTER TABLE ONLY public.firmware_regression_proposal
    ADD CONSTRAINT firmware_regression_proposal_device_model_id_version_is_si_fkey FOREIGN KEY (device_model_id, version, is_simulated) REFERENCES public.firmware_release(device_model_id, version, is_simulated);
ALTER TABLE ONLY public.firmware_release
    ADD CONSTRAINT firmware_release_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.firmware_report
    ADD CONSTRAINT firmware_report_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.site(id);
ALTER TABLE ONLY public.maintenance_plan
    ADD CONSTRAINT maintenance_plan_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.maintenance_plan
    ADD CONSTRAINT maintenance_plan_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.master_reference
    ADD CONSTRAINT master_reference_contract_id_fkey FOREIGN KEY (contract_id) REFERENCES public.service_contract(id);
ALTER TABLE ONLY public.master_reference
    ADD CONSTRAINT master_reference_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id);
ALTER TABLE ONLY public.master_reference
    ADD CONSTRAINT master_reference_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.master_reference
    ADD CONSTRAINT master_reference_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.master_reference
    ADD CONSTRAINT master_reference_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.site(id);
ALTER TABLE ONLY public.model_job
    ADD CONSTRAINT model_job_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model_record(id);
ALTER TABLE ONLY public.model_record
    ADD CONSTRAINT model_record_asked_by_id_fkey FOREIGN KEY (asked_by_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.model_record
    ADD CONSTRAINT model_record_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.model_record
    ADD CONSTRAINT model_record_replaced_id_fkey FOREIGN KEY (replaced_id) REFERENCES public.model_record(id);
ALTER TABLE ONLY public.monitor_flag
    ADD CONSTRAINT monitor_flag_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.monitor_quality
    ADD CONSTRAINT monitor_quality_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.part_usage
    ADD CONSTRAINT part_usage_decided_by_id_fkey FOREIGN KEY (decided_by_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.part_usage
    ADD CONSTRAINT part_usage_work_order_id_fkey FOREIGN KEY (work_order_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.pending_sign_in
    ADD CONSTRAINT pending_sign_in_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.plan_occurrence
    ADD CONSTRAINT plan_occurrence_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.plan_occurrence
    ADD CONSTRAINT plan_occurrence_plan_id_fkey FOREIGN KEY (plan_id) REFERENCES public.maintenance_plan(id);
ALTER TABLE ONLY public.plan_occurrence
    ADD CONSTRAINT plan_occurrence_work_order_id_fkey FOREIGN KEY (work_order_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.provider_flow
    ADD CONSTRAINT provider_flow_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.app_session(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.provider_identity
    ADD CONSTRAINT provider_identity_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.recovery_code
    ADD CONSTRAINT recovery_code_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.second_factor(user_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.reminder
    ADD CONSTRAINT reminder_contract_id_fkey FOREIGN KEY (contract_id) REFERENCES public.service_contract(id);
ALTER TABLE ONLY public.reminder
    ADD CONSTRAINT reminder_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id);
ALTER TABLE ONLY public.reminder
    ADD CONSTRAINT reminder_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.reminder
    ADD CONSTRAINT reminder_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.saved_view
    ADD CONSTRAINT saved_view_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.app_user(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.score_rollup
    ADD CONSTRAINT score_rollup_series_id_fkey FOREIGN KEY (series_id) REFERENCES public.series(id);
ALTER TABLE ONLY public.second_factor
    ADD CONSTRAINT second_factor_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.series
    ADD CONSTRAINT series_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.service_calendar_version
    ADD CONSTRAINT service_calendar_version_service_calendar_id_fkey FOREIGN KEY (service_calendar_id) REFERENCES public.service_calendar(id);
ALTER TABLE ONLY public.service_contract
    ADD CONSTRAINT service_contract_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id);
ALTER TABLE ONLY public.service_contract_device
    ADD CONSTRAINT service_contract_device_contract_id_fkey FOREIGN KEY (contract_id) REFERENCES public.service_contract(id);
ALTER TABLE ONLY public.service_contract_device
    ADD CONSTRAINT service_contract_device_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.service_contract
    ADD CONSTRAINT service_contract_sla_policy_id_fkey FOREIGN KEY (sla_policy_id) REFERENCES public.sla_policy(id);
ALTER TABLE ONLY public.shadow_checkpoint
    ADD CONSTRAINT shadow_checkpoint_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model_record(id);
ALTER TABLE ONLY public.shadow_checkpoint
    ADD CONSTRAINT shadow_checkpoint_shard_fkey FOREIGN KEY (shard) REFERENCES public.shard(shard);
ALTER TABLE ONLY public.shadow_count
    ADD CONSTRAINT shadow_count_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model_record(id);
ALTER TABLE ONLY public.shelving
    ADD CONSTRAINT shelving_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.signature
    ADD CONSTRAINT signature_signer_id_fkey FOREIGN KEY (signer_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.site
    ADD CONSTRAINT site_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id);
ALTER TABLE ONLY public.site
    ADD CONSTRAINT site_service_calendar_id_fkey FOREIGN KEY (service_calendar_id) REFERENCES public.service_calendar(id);
ALTER TABLE ONLY public.sla_clock
    ADD CONSTRAINT sla_clock_calendar_version_id_fkey FOREIGN KEY (calendar_version_id) REFERENCES public.service_calendar_version(id);
ALTER TABLE ONLY public.sla_clock
    ADD CONSTRAINT sla_clock_policy_version_id_fkey FOREIGN KEY (policy_version_id) REFERENCES public.sla_policy_version(id);
ALTER TABLE ONLY public.sla_clock
    ADD CONSTRAINT sla_clock_work_order_id_fkey FOREIGN KEY (work_order_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.sla_event
    ADD CONSTRAINT sla_event_calendar_version_id_fkey FOREIGN KEY (calendar_version_id) REFERENCES public.service_calendar_version(id);
ALTER TABLE ONLY public.sla_event
    ADD CONSTRAINT sla_event_policy_version_id_fkey FOREIGN KEY (policy_version_id) REFERENCES public.sla_policy_version(id);
ALTER TABLE ONLY public.sla_event
    ADD CONSTRAINT sla_event_work_order_id_fkey FOREIGN KEY (work_order_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.sla_policy_version
    ADD CONSTRAINT sla_policy_version_service_calendar_id_fkey FOREIGN KEY (service_calendar_id) REFERENCES public.service_calendar(id);
ALTER TABLE ONLY public.sla_policy_version
    ADD CONSTRAINT sla_policy_version_sla_policy_id_fkey FOREIGN KEY (sla_policy_id) REFERENCES public.sla_policy(id);
ALTER TABLE ONLY public.status_report
    ADD CONSTRAINT status_report_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.technician_certificate
    ADD CONSTRAINT technician_certificate_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.technician_certificate
    ADD CONSTRAINT technician_certificate_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.technician_region
    ADD CONSTRAINT technician_region_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.threshold_proposal
    ADD CONSTRAINT threshold_proposal_backtest_job_id_fkey FOREIGN KEY (backtest_job_id) REFERENCES public.model_job(id);
ALTER TABLE ONLY public.threshold_proposal
    ADD CONSTRAINT threshold_proposal_decided_by_id_fkey FOREIGN KEY (decided_by_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.threshold_proposal
    ADD CONSTRAINT threshold_proposal_device_model_id_fkey FOREIGN KEY (device_model_id) REFERENCES public.device_model(id);
ALTER TABLE ONLY public.threshold_proposal
    ADD CONSTRAINT threshold_proposal_endorsed_by_id_fkey FOREIGN KEY (endorsed_by_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.ticket_decision
    ADD CONSTRAINT ticket_decision_transition_id_fkey FOREIGN KEY (transition_id) REFERENCES public.breach_transition(id);
ALTER TABLE ONLY public.ticket_decision
    ADD CONSTRAINT ticket_decision_work_order_id_fkey FOREIGN KEY (work_order_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.unscored_monitor
    ADD CONSTRAINT unscored_monitor_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.vigilance_assessment
    ADD CONSTRAINT vigilance_assessment_assessed_by_id_fkey FOREIGN KEY (assessed_by_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.vigilance_assessment
    ADD CONSTRAINT vigilance_assessment_complaint_id_fkey FOREIGN KEY (complaint_id) REFERENCES public.complaint(id);
ALTER TABLE ONLY public.vigilance_assessment
    ADD CONSTRAINT vigilance_assessment_decided_by_id_fkey FOREIGN KEY (decided_by_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.vigilance_clock
    ADD CONSTRAINT vigilance_clock_assessment_id_fkey FOREIGN KEY (assessment_id) REFERENCES public.vigilance_assessment(id);
ALTER TABLE ONLY public.webhook_attempt
    ADD CONSTRAINT webhook_attempt_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES public.webhook_delivery(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES public.webhook_endpoint(id);
ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_outbox_id_fkey FOREIGN KEY (outbox_id) REFERENCES public.outbox(id);
ALTER TABLE ONLY public.webhook_endpoint
    ADD CONSTRAINT webhook_endpoint_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id);
ALTER TABLE ONLY public.work_order
    ADD CONSTRAINT work_order_assignee_id_fkey FOREIGN KEY (assignee_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.work_order_breach
    ADD CONSTRAINT work_order_breach_breach_id_fkey FOREIGN KEY (breach_id) REFERENCES public.breach(id);
ALTER TABLE ONLY public.work_order_breach
    ADD CONSTRAINT work_order_breach_work_order_id_fkey FOREIGN KEY (work_order_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.work_order_checklist
    ADD CONSTRAINT work_order_checklist_template_id_template_version_fkey FOREIGN KEY (template_id, template_version) REFERENCES public.checklist_template_version(template_id, version);
ALTER TABLE ONLY public.work_order_checklist
    ADD CONSTRAINT work_order_checklist_work_order_id_fkey FOREIGN KEY (work_order_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.work_order
    ADD CONSTRAINT work_order_contract_id_fkey FOREIGN KEY (contract_id) REFERENCES public.service_contract(id);
ALTER TABLE ONLY public.work_order
    ADD CONSTRAINT work_order_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id);
ALTER TABLE ONLY public.work_order
    ADD CONSTRAINT work_order_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(id);
ALTER TABLE ONLY public.work_order
    ADD CONSTRAINT work_order_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES public.gateway(id);
ALTER TABLE ONLY public.work_order
    ADD CONSTRAINT work_order_merged_into_id_fkey FOREIGN KEY (merged_into_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.work_order_note
    ADD CONSTRAINT work_order_note_work_order_id_fkey FOREIGN KEY (work_order_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.work_order
    ADD CONSTRAINT work_order_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.work_order
    ADD CONSTRAINT work_order_recurrence_of_fkey FOREIGN KEY (recurrence_of) REFERENCES public.work_order(id);
ALTER TABLE ONLY public.work_order
    ADD CONSTRAINT work_order_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.site(id);
ALTER TABLE ONLY public.work_order_visit
    ADD CONSTRAINT work_order_visit_technician_id_fkey FOREIGN KEY (technician_id) REFERENCES public.app_user(id);
ALTER TABLE ONLY public.work_order_visit
    ADD CONSTRAINT work_order_visit_work_order_id_fkey FOREIGN KEY (work_order_id) REFERENCES public.work_order(id);
GRANT USAGE ON SCHEMA public TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.audit_event TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.service_contract TO forewarn_app;
REVOKE ALL ON FUNCTION public.drop_readings_before(first_kept date) FROM PUBLIC;
GRANT ALL ON FUNCTION public.drop_readings_before(first_kept date) TO forewarn_app;
REVOKE ALL ON FUNCTION public.drop_rollups_before(level text, first_kept timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.drop_rollups_before(level text, first_kept timestamp with time zone) TO forewarn_app;
REVOKE ALL ON FUNCTION public.ensure_reading_partitions(days date[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.ensure_reading_partitions(days date[]) TO forewarn_app;
REVOKE ALL ON FUNCTION public.ensure_rollup_partitions(first timestamp with time zone, last timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.ensure_rollup_partitions(first timestamp with time zone, last timestamp with time zone) TO forewarn_app;
REVOKE ALL ON FUNCTION public.find_readings_after(at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.find_readings_after(at timestamp with time zone) TO forewarn_app;
REVOKE ALL ON FUNCTION public.find_table_size(name text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.find_table_size(name text) TO forewarn_app;
REVOKE ALL ON FUNCTION public.firmware_at(serial text, instant timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.firmware_at(serial text, instant timestamp with time zone) TO forewarn_app;
REVOKE ALL ON FUNCTION public.firmware_of(device bigint, instant timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.firmware_of(device bigint, instant timestamp with time zone) TO forewarn_app;
REVOKE ALL ON FUNCTION public.kpi_alarm_stale(instant timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.kpi_alarm_stale(instant timestamp with time zone) TO forewarn_app;
REVOKE ALL ON FUNCTION public.kpi_alarm_stale_of_anybody(instant timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.kpi_alarm_stale_of_anybody(instant timestamp with time zone) TO forewarn_app;
REVOKE ALL ON FUNCTION public.kpi_capa_age(instant timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.kpi_capa_age(instant timestamp with time zone) TO forewarn_app;
REVOKE ALL ON FUNCTION public.kpi_firmware_coverage(instant timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.kpi_firmware_coverage(instant timestamp with time zone) TO forewarn_app;
REVOKE ALL ON FUNCTION public.kpi_operation(cuts timestamp with time zone[], by_firmware boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION public.kpi_operation(cuts timestamp with time zone[], by_firmware boolean) TO forewarn_app;
REVOKE ALL ON FUNCTION public.kpi_trace_coverage(instant timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.kpi_trace_coverage(instant timestamp with time zone) TO forewarn_app;
REVOKE ALL ON FUNCTION public.main_firmware_of(device bigint, instant timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.main_firmware_of(device bigint, instant timestamp with time zone) TO forewarn_app;
REVOKE ALL ON FUNCTION public.mend_firmware(device bigint, part text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.mend_firmware(device bigint, part text) TO forewarn_app;
REVOKE ALL ON FUNCTION public.orders_within(order_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.orders_within(order_id bigint) TO forewarn_app;
REVOKE ALL ON FUNCTION public.remove_device_days_before(first_kept date, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.remove_device_days_before(first_kept date, most integer) TO forewarn_app;
REVOKE ALL ON FUNCTION public.remove_readings(series_ids integer[], first timestamp with time zone, last timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.remove_readings(series_ids integer[], first timestamp with time zone, last timestamp with time zone) TO forewarn_app;
REVOKE ALL ON FUNCTION public.remove_rejections_before(first_kept timestamp with time zone, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.remove_rejections_before(first_kept timestamp with time zone, most integer) TO forewarn_app;
REVOKE ALL ON FUNCTION public.remove_rows_before(name text, first_kept timestamp with time zone, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.remove_rows_before(name text, first_kept timestamp with time zone, most integer) TO forewarn_app;
REVOKE ALL ON FUNCTION public.remove_runs_before(first_kept timestamp with time zone, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.remove_runs_before(first_kept timestamp with time zone, most integer) TO forewarn_app;
REVOKE ALL ON FUNCTION public.surviving_order(order_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.surviving_order(order_id bigint) TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.anomaly_checkpoint TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.api_token TO forewarn_app;
GRANT USAGE ON SEQUENCE public.api_token_id_seq TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.app_session TO forewarn_app;
GRANT USAGE ON SEQUENCE public.app_session_id_seq TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.app_user TO forewarn_app;
GRANT USAGE ON SEQUENCE public.app_user_id_seq TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.approval_request TO forewarn_app;
GRANT UPDATE(state) ON TABLE public.approval_request TO forewarn_app;
GRANT UPDATE(decided_by_id) ON TABLE public.approval_request TO forewarn_app;
GRANT UPDATE(decided_by) ON TABLE public.approval_request TO forewarn_app;
GRANT UPDATE(decided_at) ON TABLE public.approval_request TO forewarn_app;
GRANT UPDATE(decision_reason) ON TABLE public.approval_request TO forewarn_app;
GRANT UPDATE(outcome) ON TABLE public.approval_request TO forewarn_app;
GRANT UPDATE(row_version) ON TABLE public.approval_request TO forewarn_app;
GRANT UPDATE(updated_at) ON TABLE public.approval_request TO forewarn_app;
GRANT USAGE ON SEQUENCE public.approval_request_id_seq TO forewarn_app;
GRANT USAGE ON SEQUENCE public.approval_request_number TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.attachment TO forewarn_app;
GRANT SELECT ON TABLE public.audit_head TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.baseline_reset TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.breach TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.breach_transition TO forewarn_app;
GRANT USAGE ON SEQUENCE public.breach_transition_id_seq TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.capa TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.capa_action TO forewarn_app;
GRANT USAGE ON SEQUENCE public.capa_action_id_seq TO forewarn_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.capa_cause TO forewarn_app;
GRANT USAGE ON SEQUENCE public.capa_cause_id_seq TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.capa_device TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.capa_effectiveness_plan TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.capa_effectiveness_result TO forewarn_app;
GRANT USAGE ON SEQUENCE public.capa_effectiveness_result_id_seq TO forewarn_app;
GRANT USAGE ON SEQUENCE public.capa_id_seq TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.capa_member TO forewarn_app;
GRANT USAGE ON SEQUENCE public.capa_number TO forewarn_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.capa_why TO forewarn_app;
GRANT SELECT,DELETE ON TABLE public.change_log TO forewarn_app;
GRANT USAGE ON SEQUENCE public.change_log_id_seq TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.checklist_answer TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.checklist_template TO forewarn_app;
GRANT UPDATE(current_version) ON TABLE public.checklist_template TO forewarn_app;
GRANT UPDATE(is_active) ON TABLE public.checklist_template TO forewarn_app;
GRANT UPDATE(row_version) ON TABLE public.checklist_template TO forewarn_app;
GRANT UPDATE(updated_at) ON TABLE public.checklist_template TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.checklist_template_version TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(state) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(version) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(severity) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(device_name) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(device_identification) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(reporter_name) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(reporter_address) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(reporter_phone) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(details) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(correction) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(reply) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(device_id) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(customer_id) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(fault_group) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(work_order_id) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(joined_as) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(investigated) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(investigation) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(not_investigated_reason) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(investigation_decided_by_id) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(investigation_decided_by) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(closed_at) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(region) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(is_simulated) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(row_version) ON TABLE public.complaint TO forewarn_app;
GRANT UPDATE(updated_at) ON TABLE public.complaint TO forewarn_app;
GRANT USAGE ON SEQUENCE public.complaint_id_seq TO forewarn_app;
GRANT USAGE ON SEQUENCE public.complaint_number TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.complaint_reference TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.customer TO forewarn_app;
GRANT USAGE ON SEQUENCE public.customer_id_seq TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.data_quality_alert TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.data_quality_day TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.data_quality_state TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.device TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.device_account TO forewarn_app;
GRANT UPDATE(method) ON TABLE public.device_account TO forewarn_app;
GRANT UPDATE(thingsboard) ON TABLE public.device_account TO forewarn_app;
GRANT UPDATE(state) ON TABLE public.device_account TO forewarn_app;
GRANT UPDATE(rotated_at) ON TABLE public.device_account TO forewarn_app;
GRANT UPDATE(revoked_at) ON TABLE public.device_account TO forewarn_app;
GRANT UPDATE(changed_by) ON TABLE public.device_account TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.device_attribute TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.device_claim TO forewarn_app;
GRANT UPDATE(used_at) ON TABLE public.device_claim TO forewarn_app;
GRANT UPDATE(withdrawn_at) ON TABLE public.device_claim TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.device_connection TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.device_day TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.device_event TO forewarn_app;
GRANT USAGE ON SEQUENCE public.device_event_id_seq TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.device_history TO forewarn_app;
GRANT USAGE ON SEQUENCE public.device_history_id_seq TO forewarn_app;
GRANT USAGE ON SEQUENCE public.device_id_seq TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.device_ingest_state TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.device_model TO forewarn_app;
GRANT USAGE ON SEQUENCE public.device_model_id_seq TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.device_model_profile TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.device_notice TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.device_usage TO forewarn_app;
GRANT UPDATE(total) ON TABLE public.device_usage TO forewarn_app;
GRANT UPDATE(last_value) ON TABLE public.device_usage TO forewarn_app;
GRANT UPDATE(last_at) ON TABLE public.device_usage TO forewarn_app;
GRANT UPDATE(window_total) ON TABLE public.device_usage TO forewarn_app;
GRANT UPDATE(window_at) ON TABLE public.device_usage TO forewarn_app;
GRANT UPDATE(earlier_total) ON TABLE public.device_usage TO forewarn_app;
GRANT UPDATE(earlier_at) ON TABLE public.device_usage TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.distribution_day TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.drift_alert TO forewarn_app;
GRANT UPDATE(ended_at) ON TABLE public.drift_alert TO forewarn_app;
GRANT USAGE ON SEQUENCE public.drift_alert_id_seq TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.drift_day TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.lab_run TO forewarn_app;
GRANT UPDATE(state) ON TABLE public.lab_run TO forewarn_app;
GRANT UPDATE(attempts) ON TABLE public.lab_run TO forewarn_app;
GRANT UPDATE(progress) ON TABLE public.lab_run TO forewarn_app;
GRANT UPDATE(seconds_left) ON TABLE public.lab_run TO forewarn_app;
GRANT UPDATE(message) ON TABLE public.lab_run TO forewarn_app;
GRANT UPDATE(result) ON TABLE public.lab_run TO forewarn_app;
GRANT UPDATE(error) ON TABLE public.lab_run TO forewarn_app;
GRANT UPDATE(cancelled_by) ON TABLE public.lab_run TO forewarn_app;
GRANT UPDATE(started_at) ON TABLE public.lab_run TO forewarn_app;
GRANT UPDATE(finished_at) ON TABLE public.lab_run TO forewarn_app;
GRANT UPDATE(cancel_reason) ON TABLE public.lab_run TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.model_job TO forewarn_app;
GRANT UPDATE(model_id) ON TABLE public.model_job TO forewarn_app;
GRANT UPDATE(state) ON TABLE public.model_job TO forewarn_app;
GRANT UPDATE(attempts) ON TABLE public.model_job TO forewarn_app;
GRANT UPDATE(progress) ON TABLE public.model_job TO forewarn_app;
GRANT UPDATE(seconds_left) ON TABLE public.model_job TO forewarn_app;
GRANT UPDATE(message) ON TABLE public.model_job TO forewarn_app;
GRANT UPDATE(result) ON TABLE public.model_job TO forewarn_app;
GRANT UPDATE(error) ON TABLE public.model_job TO forewarn_app;
GRANT UPDATE(started_at) ON TABLE public.model_job TO forewarn_app;
GRANT UPDATE(finished_at) ON TABLE public.model_job TO forewarn_app;
GRANT UPDATE(cancelled_by) ON TABLE public.model_job TO forewarn_app;
GRANT UPDATE(cancel_reason) ON TABLE public.model_job TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.threshold_proposal TO forewarn_app;
GRANT UPDATE(state) ON TABLE public.threshold_proposal TO forewarn_app;
GRANT UPDATE(backtest_job_id) ON TABLE public.threshold_proposal TO forewarn_app;
GRANT UPDATE(backtest) ON TABLE public.threshold_proposal TO forewarn_app;
GRANT UPDATE(backtested_at) ON TABLE public.threshold_proposal TO forewarn_app;
GRANT UPDATE(endorsed_by_id) ON TABLE public.threshold_proposal TO forewarn_app;
GRANT UPDATE(endorsed_by) ON TABLE public.threshold_proposal TO forewarn_app;
GRANT UPDATE(endorsed_at) ON TABLE public.threshold_proposal TO forewarn_app;
GRANT UPDATE(decided_by_id) ON TABLE public.threshold_proposal TO forewarn_app;
GRANT UPDATE(decided_by) ON TABLE public.threshold_proposal TO forewarn_app;
GRANT UPDATE(decided_at) ON TABLE public.threshold_proposal TO forewarn_app;
GRANT UPDATE(reason) ON TABLE public.threshold_proposal TO forewarn_app;
GRANT UPDATE(made_version) ON TABLE public.threshold_proposal TO forewarn_app;
GRANT UPDATE(row_version) ON TABLE public.threshold_proposal TO forewarn_app;
GRANT UPDATE(updated_at) ON TABLE public.threshold_proposal TO forewarn_app;
GRANT SELECT ON TABLE public.ended_run TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.evidence TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.export_log TO forewarn_app;
GRANT USAGE ON SEQUENCE public.export_log_id_seq TO forewarn_app;
GRANT USAGE ON SEQUENCE public.export_number TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(kind) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(state) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(title) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(description) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(instructions) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(device_model_id) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(firmware_id) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(priority) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(needs_visit) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(max_attempts) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(install_attempts) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(not_before) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(waves) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(current_wave) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(wave_opened_at) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(scope) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(scope_sha256) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(scope_frozen_at) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(item_count) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(halt_p) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(watched_from) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(looks) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(next_look_hours) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(halted_at) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(halt_reason) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(halt_statistics) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(accepted_findings) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(effectiveness) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(author_ids) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(content_version) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(capa_id) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(cancel_reason) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(region) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(is_simulated) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(external_refs) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(row_version) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(updated_at) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(executing_at) ON TABLE public.field_action TO forewarn_app;
GRANT UPDATE(closed_at) ON TABLE public.field_action TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.field_action_communication TO forewarn_app;
GRANT USAGE ON SEQUENCE public.field_action_communication_id_seq TO forewarn_app;
GRANT USAGE ON SEQUENCE public.field_action_id_seq TO forewarn_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.field_action_item TO forewarn_app;
GRANT UPDATE(state) ON TABLE public.field_action_item TO forewarn_app;
GRANT UPDATE(state_since) ON TABLE public.field_action_item TO forewarn_app;
GRANT UPDATE(attempts) ON TABLE public.field_action_item TO forewarn_app;
GRANT UPDATE(install_failures) ON TABLE public.field_action_item TO forewarn_app;
GRANT UPDATE(notified_at) ON TABLE public.field_action_item TO forewarn_app;
GRANT UPDATE(acknowledged_at) ON TABLE public.field_action_item TO forewarn_app;
GRANT UPDATE(scheduled_for) ON TABLE public.field_action_item TO forewarn_app;
GRANT UPDATE(remediated_at) ON TABLE public.field_action_item TO forewarn_app;
GRANT UPDATE(remediated_by_id) ON TABLE public.field_action_item TO forewarn_app;
GRANT UPDATE(verified_at) ON TABLE public.field_action_item TO forewarn_app;
GRANT UPDATE(evidence) ON TABLE public.field_action_item TO forewarn_app;
GRANT UPDATE(reason) ON TABLE public.field_action_item TO forewarn_app;
GRANT UPDATE(work_order_id) ON TABLE public.field_action_item TO forewarn_app;
GRANT UPDATE(row_version) ON TABLE public.field_action_item TO forewarn_app;
GRANT USAGE ON SEQUENCE public.field_action_item_id_seq TO forewarn_app;
GRANT USAGE ON SEQUENCE public.field_action_number TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.site TO forewarn_app;
GRANT SELECT ON TABLE public.field_action_place TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.firmware_report TO forewarn_app;
GRANT SELECT ON TABLE public.firmware_step TO forewarn_app;
GRANT SELECT ON TABLE public.firmware_interval TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.firmware_record TO forewarn_app;
GRANT UPDATE(sha256) ON TABLE public.firmware_record TO forewarn_app;
GRANT UPDATE(url) ON TABLE public.firmware_record TO forewarn_app;
GRANT UPDATE(size_bytes) ON TABLE public.firmware_record TO forewarn_app;
GRANT UPDATE(notes) ON TABLE public.firmware_record TO forewarn_app;
GRANT UPDATE(state) ON TABLE public.firmware_record TO forewarn_app;
GRANT UPDATE(author_ids) ON TABLE public.firmware_record TO forewarn_app;
GRANT UPDATE(content_version) ON TABLE public.firmware_record TO forewarn_app;
GRANT UPDATE(released_at) ON TABLE public.firmware_record TO forewarn_app;
GRANT UPDATE(withdrawn_at) ON TABLE public.firmware_record TO forewarn_app;
GRANT UPDATE(withdraw_reason) ON TABLE public.firmware_record TO forewarn_app;
GRANT UPDATE(external_refs) ON TABLE public.firmware_record TO forewarn_app;
GRANT UPDATE(row_version) ON TABLE public.firmware_record TO forewarn_app;
GRANT UPDATE(updated_at) ON TABLE public.firmware_record TO forewarn_app;
GRANT USAGE ON SEQUENCE public.firmware_record_id_seq TO forewarn_app;
GRANT USAGE ON SEQUENCE public.firmware_record_number TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.firmware_regression TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.firmware_regression_proposal TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.firmware_release TO forewarn_app;
GRANT USAGE ON SEQUENCE public.firmware_report_id_seq TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.gateway TO forewarn_app;
GRANT USAGE ON SEQUENCE public.gateway_id_seq TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.heartbeat TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency_key TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.ingest_ledger TO forewarn_app;
GRANT SELECT ON TABLE public.ingest_ledger_past TO forewarn_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.ingest_receipt TO forewarn_app;
GRANT USAGE ON SEQUENCE public.ingest_receipt_id_seq TO forewarn_app;
GRANT SELECT ON TABLE public.installation TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_alarm_of_anybody TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_owner_spell TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_alarm TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_capa_effectiveness TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.signature TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sla_clock TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.work_order TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_order_version TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_failure TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_firmware_spell TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.work_order_visit TO forewarn_app;
GRANT UPDATE(left_at) ON TABLE public.work_order_visit TO forewarn_app;
GRANT UPDATE(outcome) ON TABLE public.work_order_visit TO forewarn_app;
GRANT UPDATE(note) ON TABLE public.work_order_visit TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_first_time_fix TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.part_usage TO forewarn_app;
GRANT UPDATE(state) ON TABLE public.part_usage TO forewarn_app;
GRANT UPDATE(description) ON TABLE public.part_usage TO forewarn_app;
GRANT UPDATE(quantity) ON TABLE public.part_usage TO forewarn_app;
GRANT UPDATE(lot) ON TABLE public.part_usage TO forewarn_app;
GRANT UPDATE(serial_in) ON TABLE public.part_usage TO forewarn_app;
GRANT UPDATE(serial_out) ON TABLE public.part_usage TO forewarn_app;
GRANT UPDATE(decided_by_id) ON TABLE public.part_usage TO forewarn_app;
GRANT UPDATE(decided_by) ON TABLE public.part_usage TO forewarn_app;
GRANT UPDATE(decided_at) ON TABLE public.part_usage TO forewarn_app;
GRANT UPDATE(reason) ON TABLE public.part_usage TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_part_trace TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.maintenance_plan TO forewarn_app;
GRANT UPDATE(state) ON TABLE public.maintenance_plan TO forewarn_app;
GRANT UPDATE(ended_at) ON TABLE public.maintenance_plan TO forewarn_app;
GRANT UPDATE(end_reason) ON TABLE public.maintenance_plan TO forewarn_app;
GRANT UPDATE(row_version) ON TABLE public.maintenance_plan TO forewarn_app;
GRANT UPDATE(updated_at) ON TABLE public.maintenance_plan TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.plan_occurrence TO forewarn_app;
GRANT UPDATE(state) ON TABLE public.plan_occurrence TO forewarn_app;
GRANT UPDATE(due_on) ON TABLE public.plan_occurrence TO forewarn_app;
GRANT UPDATE(usage_total) ON TABLE public.plan_occurrence TO forewarn_app;
GRANT UPDATE(work_order_id) ON TABLE public.plan_occurrence TO forewarn_app;
GRANT UPDATE(done_on) ON TABLE public.plan_occurrence TO forewarn_app;
GRANT UPDATE(skip_request) ON TABLE public.plan_occurrence TO forewarn_app;
GRANT UPDATE(skip_reason) ON TABLE public.plan_occurrence TO forewarn_app;
GRANT UPDATE(ended_at) ON TABLE public.plan_occurrence TO forewarn_app;
GRANT UPDATE(row_version) ON TABLE public.plan_occurrence TO forewarn_app;
GRANT UPDATE(updated_at) ON TABLE public.plan_occurrence TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_planned_maintenance TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_recall TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_response_time TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_service_spell TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_sla TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_ticket TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_ticket_outcome TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_time_to_restore TO forewarn_app;
GRANT SELECT ON TABLE public.kpi_warning TO forewarn_app;
GRANT USAGE ON SEQUENCE public.lab_run_number TO forewarn_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.ledger_block TO forewarn_app;
GRANT USAGE ON SEQUENCE public.maintenance_plan_id_seq TO forewarn_app;
GRANT USAGE ON SEQUENCE public.maintenance_plan_number TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.master_reference TO forewarn_app;
GRANT UPDATE(type) ON TABLE public.master_reference TO forewarn_app;
GRANT USAGE ON SEQUENCE public.model_number TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.model_record TO forewarn_app;
GRANT UPDATE(state) ON TABLE public.model_record TO forewarn_app;
GRANT UPDATE(asked_by) ON TABLE public.model_record TO forewarn_app;
GRANT UPDATE(asked_by_id) ON TABLE public.model_record TO forewarn_app;
GRANT UPDATE(asked_at) ON TABLE public.model_record TO forewarn_app;
GRANT UPDATE(approved_by) ON TABLE public.model_record TO forewarn_app;
GRANT UPDATE(live_since) ON TABLE public.model_record TO forewarn_app;
GRANT UPDATE(live_until) ON TABLE public.model_record TO forewarn_app;
GRANT UPDATE(replaced_id) ON TABLE public.model_record TO forewarn_app;
GRANT UPDATE(replaced_profile_version) ON TABLE public.model_record TO forewarn_app;
GRANT UPDATE(row_version) ON TABLE public.model_record TO forewarn_app;
GRANT UPDATE(updated_at) ON TABLE public.model_record TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.monitor_flag TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.monitor_quality TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.outbox TO forewarn_app;
GRANT USAGE ON SEQUENCE public.outbox_id_seq TO forewarn_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.pending_sign_in TO forewarn_app;
GRANT USAGE ON SEQUENCE public.plan_occurrence_id_seq TO forewarn_app;
GRANT USAGE ON SEQUENCE public.plan_occurrence_number TO forewarn_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.provider_flow TO forewarn_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.provider_identity TO forewarn_app;
GRANT UPDATE(last_used_at) ON TABLE public.provider_identity TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.reading TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.reading_1d TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.reading_1h TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.reading_1m TO forewarn_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.reading_block TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.recovery_code TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.rejection TO forewarn_app;
GRANT UPDATE(weight) ON TABLE public.rejection TO forewarn_app;
GRANT UPDATE(replay_requested_at) ON TABLE public.rejection TO forewarn_app;
GRANT UPDATE(replay_requested_by) ON TABLE public.rejection TO forewarn_app;
GRANT UPDATE(replayed_at) ON TABLE public.rejection TO forewarn_app;
GRANT UPDATE(replay_outcome) ON TABLE public.rejection TO forewarn_app;
GRANT SELECT,UPDATE ON TABLE public.rejection_fold TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.rejection_group TO forewarn_app;
GRANT USAGE ON SEQUENCE public.rejection_id_seq TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.rejection_total TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.reminder TO forewarn_app;
GRANT USAGE ON SEQUENCE public.reminder_id_seq TO forewarn_app;
GRANT SELECT ON TABLE public.retention_class TO forewarn_app;
GRANT UPDATE(decided_days) ON TABLE public.retention_class TO forewarn_app;
GRANT UPDATE(decided_by) ON TABLE public.retention_class TO forewarn_app;
GRANT UPDATE(decided_at) ON TABLE public.retention_class TO forewarn_app;
GRANT UPDATE(request) ON TABLE public.retention_class TO forewarn_app;
GRANT UPDATE(reason) ON TABLE public.retention_class TO forewarn_app;
GRANT UPDATE(setting_days) ON TABLE public.retention_class TO forewarn_app;
GRANT UPDATE(applied_days) ON TABLE public.retention_class TO forewarn_app;
GRANT UPDATE(applied_at) ON TABLE public.retention_class TO forewarn_app;
GRANT UPDATE(row_version) ON TABLE public.retention_class TO forewarn_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.rollup_late TO forewarn_app;
GRANT SELECT ON TABLE public.rollup_state TO forewarn_app;
GRANT UPDATE(announced_to) ON TABLE public.rollup_state TO forewarn_app;
GRANT UPDATE(minutes_to) ON TABLE public.rollup_state TO forewarn_app;
GRANT UPDATE(hours_to) ON TABLE public.rollup_state TO forewarn_app;
GRANT UPDATE(days_to) ON TABLE public.rollup_state TO forewarn_app;
GRANT UPDATE(refreshed_at) ON TABLE public.rollup_state TO forewarn_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.saved_view TO forewarn_app;
GRANT UPDATE(name) ON TABLE public.saved_view TO forewarn_app;
GRANT UPDATE(query) ON TABLE public.saved_view TO forewarn_app;
GRANT UPDATE(is_default) ON TABLE public.saved_view TO forewarn_app;
GRANT UPDATE(row_version) ON TABLE public.saved_view TO forewarn_app;
GRANT UPDATE(updated_at) ON TABLE public.saved_view TO forewarn_app;
GRANT USAGE ON SEQUENCE public.saved_view_id_seq TO forewarn_app;
GRANT SELECT ON TABLE public.schema_migration TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.score_rollup TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.second_factor TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.series TO forewarn_app;
GRANT USAGE ON SEQUENCE public.series_id_seq TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.service_calendar TO forewarn_app;
GRANT UPDATE(name) ON TABLE public.service_calendar TO forewarn_app;
GRANT UPDATE(current_version) ON TABLE public.service_calendar TO forewarn_app;
GRANT UPDATE(checked_release) ON TABLE public.service_calendar TO forewarn_app;
GRANT UPDATE(row_version) ON TABLE public.service_calendar TO forewarn_app;
GRANT UPDATE(updated_at) ON TABLE public.service_calendar TO forewarn_app;
GRANT USAGE ON SEQUENCE public.service_calendar_id_seq TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.service_calendar_version TO forewarn_app;
GRANT USAGE ON SEQUENCE public.service_calendar_version_id_seq TO forewarn_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.service_contract_device TO forewarn_app;
GRANT USAGE ON SEQUENCE public.service_contract_id_seq TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.shadow_checkpoint TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.shadow_count TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.shard TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.shelving TO forewarn_app;
GRANT USAGE ON SEQUENCE public.shelving_id_seq TO forewarn_app;
GRANT USAGE ON SEQUENCE public.signature_id_seq TO forewarn_app;
GRANT USAGE ON SEQUENCE public.site_id_seq TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.sla_event TO forewarn_app;
GRANT USAGE ON SEQUENCE public.sla_event_id_seq TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.sla_policy TO forewarn_app;
GRANT UPDATE(name) ON TABLE public.sla_policy TO forewarn_app;
GRANT UPDATE(current_version) ON TABLE public.sla_policy TO forewarn_app;
GRANT UPDATE(row_version) ON TABLE public.sla_policy TO forewarn_app;
GRANT UPDATE(updated_at) ON TABLE public.sla_policy TO forewarn_app;
GRANT USAGE ON SEQUENCE public.sla_policy_id_seq TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.sla_policy_version TO forewarn_app;
GRANT USAGE ON SEQUENCE public.sla_policy_version_id_seq TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.sparkplug_edge TO forewarn_app;
GRANT SELECT ON TABLE public.sparkplug_owner TO forewarn_app;
GRANT UPDATE(term) ON TABLE public.sparkplug_owner TO forewarn_app;
GRANT UPDATE(writer) ON TABLE public.sparkplug_owner TO forewarn_app;
GRANT UPDATE(since) ON TABLE public.sparkplug_owner TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.status_report TO forewarn_app;
GRANT USAGE ON SEQUENCE public.status_report_id_seq TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.technician_certificate TO forewarn_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.technician_region TO forewarn_app;
GRANT USAGE ON SEQUENCE public.threshold_proposal_id_seq TO forewarn_app;
GRANT USAGE ON SEQUENCE public.threshold_proposal_number TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.ticket_decision TO forewarn_app;
GRANT UPDATE(decided_at) ON TABLE public.ticket_decision TO forewarn_app;
GRANT UPDATE(decision) ON TABLE public.ticket_decision TO forewarn_app;
GRANT UPDATE(reason) ON TABLE public.ticket_decision TO forewarn_app;
GRANT UPDATE(params) ON TABLE public.ticket_decision TO forewarn_app;
GRANT UPDATE(work_order_id) ON TABLE public.ticket_decision TO forewarn_app;
GRANT SELECT,UPDATE ON TABLE public.triage_state TO forewarn_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.unscored_monitor TO forewarn_app;
GRANT UPDATE(shard) ON TABLE public.unscored_monitor TO forewarn_app;
GRANT UPDATE(reason) ON TABLE public.unscored_monitor TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.vigilance_assessment TO forewarn_app;
GRANT UPDATE(decision) ON TABLE public.vigilance_assessment TO forewarn_app;
GRANT UPDATE(reportable_in) ON TABLE public.vigilance_assessment TO forewarn_app;
GRANT UPDATE(justification) ON TABLE public.vigilance_assessment TO forewarn_app;
GRANT UPDATE(decided_by_id) ON TABLE public.vigilance_assessment TO forewarn_app;
GRANT UPDATE(decided_by) ON TABLE public.vigilance_assessment TO forewarn_app;
GRANT UPDATE(decided_at) ON TABLE public.vigilance_assessment TO forewarn_app;
GRANT USAGE ON SEQUENCE public.vigilance_assessment_id_seq TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.vigilance_clock TO forewarn_app;
GRANT UPDATE(state) ON TABLE public.vigilance_clock TO forewarn_app;
GRANT UPDATE(warned_at) ON TABLE public.vigilance_clock TO forewarn_app;
GRANT UPDATE(overdue_at) ON TABLE public.vigilance_clock TO forewarn_app;
GRANT UPDATE(submitted_at) ON TABLE public.vigilance_clock TO forewarn_app;
GRANT UPDATE(submitted_by) ON TABLE public.vigilance_clock TO forewarn_app;
GRANT UPDATE(reference) ON TABLE public.vigilance_clock TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.webhook_attempt TO forewarn_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_delivery TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook_endpoint TO forewarn_app;
GRANT USAGE ON SEQUENCE public.webhook_number TO forewarn_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.work_order_breach TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.work_order_checklist TO forewarn_app;
GRANT USAGE ON SEQUENCE public.work_order_id_seq TO forewarn_app;
GRANT SELECT,INSERT ON TABLE public.work_order_note TO forewarn_app;
GRANT USAGE ON SEQUENCE public.work_order_note_id_seq TO forewarn_app;
GRANT USAGE ON SEQUENCE public.work_order_number TO forewarn_app;
