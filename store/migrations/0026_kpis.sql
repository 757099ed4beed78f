-- Key figures: for each a view or function of the facts that it is counted from, with its numerator and denominator fact by fact.
-- What each figure means is published with it (domain/kpi_catalogue.py, docs/reference/service/kpis.md).
--
-- Facts are of one form. `at`: when it counts; `began_at`: whose firmware counts; `known_at`: from when on the fact is decided
-- ('-infinity': it is; 'infinity': it never counts, as it was waived or left out). Whose it is: device, model, customer, region.

CREATE INDEX work_order_reopened ON work_order (id) WHERE version > 1;
CREATE INDEX work_order_created ON work_order (created_at);
CREATE INDEX work_order_resolved ON work_order (resolved_at) WHERE resolved_at IS NOT NULL;
CREATE INDEX work_order_responded ON work_order (responded_at) WHERE responded_at IS NOT NULL;
CREATE INDEX breach_raised ON breach (raised_at);
CREATE INDEX part_usage_decided ON part_usage (decided_at) WHERE state = 'USED';
CREATE INDEX field_action_item_notified ON field_action_item (notified_at) WHERE notified_at IS NOT NULL;

-- From when to when each device had which firmware on its main component; without history it always had what it has.
CREATE VIEW kpi_firmware_spell AS
WITH step AS (
    SELECT h.device_id, h.at, h.before, h.after, lead(h.at) OVER w AS next_at, row_number() OVER w AS place
    FROM device_history h WHERE h.field = 'firmware:main' WINDOW w AS (PARTITION BY h.device_id ORDER BY h.at, h.id)
)
SELECT device_id, coalesce(nullif(before, ''), after, '') AS firmware, '-infinity'::timestamptz AS since, at AS until FROM step WHERE place = 1
UNION ALL SELECT device_id, coalesce(after, ''), at, coalesce(next_at, 'infinity') FROM step
UNION ALL SELECT d.id, d.firmware, '-infinity', 'infinity' FROM device d
WHERE NOT EXISTS (SELECT FROM device_history h WHERE h.device_id = d.id AND h.field = 'firmware:main');

-- From when to when each device stood at which customer; without history always where it stands.
CREATE VIEW kpi_owner_spell AS
WITH step AS (
    SELECT h.device_id, h.at, h.before, h.after, lead(h.at) OVER w AS next_at, row_number() OVER w AS place
    FROM device_history h WHERE h.field = 'customer' WINDOW w AS (PARTITION BY h.device_id ORDER BY h.at, h.id)
)
SELECT p.device_id, c.id AS customer_id, p.since, p.until
FROM (
    SELECT device_id, before AS code, '-infinity'::timestamptz AS since, at AS until FROM step WHERE place = 1
    UNION ALL SELECT device_id, after, at, coalesce(next_at, 'infinity') FROM step
) p LEFT JOIN customer c ON c.code = p.code
UNION ALL SELECT d.id, s.customer_id, '-infinity', 'infinity' FROM device d LEFT JOIN site s ON s.id = d.site_id
WHERE NOT EXISTS (SELECT FROM device_history h WHERE h.device_id = d.id AND h.field = 'customer');

-- When each device was in the field, and whether it was out of use then. It counts since it was installed and known here.
CREATE VIEW kpi_service_spell AS
WITH step AS (
    SELECT h.device_id, h.at, h.before, h.after, lead(h.at) OVER w AS next_at, row_number() OVER w AS place
    FROM device_history h WHERE h.field = 'lifecycle' WINDOW w AS (PARTITION BY h.device_id ORDER BY h.at, h.id)
), spell AS (
    SELECT device_id, before AS lifecycle, '-infinity'::timestamptz AS since, at AS until FROM step WHERE place = 1 AND before IS NOT NULL
    UNION ALL SELECT device_id, after, at, coalesce(next_at, 'infinity') FROM step
    -- Without history: in service until what it is now began.
    UNION ALL
    SELECT d.id, x.lifecycle, x.since, x.until FROM device d
    CROSS JOIN LATERAL (VALUES
        (CASE WHEN d.lifecycle = 'REGISTERED' THEN d.lifecycle ELSE 'IN_SERVICE' END, '-infinity'::timestamptz, d.lifecycle_since),
        (d.lifecycle, d.lifecycle_since, 'infinity')
    ) AS x (lifecycle, since, until)
    WHERE NOT EXISTS (SELECT FROM device_history h WHERE h.device_id = d.id AND h.field = 'lifecycle')
)
SELECT d.id AS device_id, d.device_model_id, p.customer_id, d.region, d.is_simulated, p.since, p.until,
    p.lifecycle IN ('UNDER_MAINTENANCE', 'QUARANTINED') AS is_down
FROM device d
JOIN LATERAL (
    SELECT e.lifecycle, w.customer_id, greatest(e.since, w.since, d.created_at, d.installed_on::timestamp AT TIME ZONE 'UTC') AS since,
        least(e.until, w.until) AS until
    FROM spell e JOIN kpi_owner_spell w ON w.device_id = e.device_id WHERE e.device_id = d.id
) p ON p.until > p.since
WHERE p.lifecycle NOT IN ('REGISTERED', 'DECOMMISSIONED');

-- Every version of every order that was not cancelled: a reopened order failed, was answered and mended once more. What earlier
-- versions came to is in the text that was signed when they were closed.
CREATE VIEW kpi_order_version AS
SELECT w.id AS work_order_id, w.version, w.type, w.source, w.state, w.device_id, w.customer_id, w.region, w.is_simulated, w.fault_group,
    w.created_at AS started_at, w.responded_at, w.resolved_at, w.outcome, w.closed_at
FROM work_order w WHERE w.state <> 'CANCELLED' AND w.version = 1
UNION ALL
SELECT w.id, w.version, w.type, w.source, w.state, w.device_id, w.customer_id, w.region, w.is_simulated, w.fault_group,
    coalesce((SELECT c.started_at FROM sla_clock c WHERE c.work_order_id = w.id AND c.version = w.version AND c.clock = 'RESOLUTION'), w.created_at),
    w.responded_at, w.resolved_at, w.outcome, w.closed_at
FROM work_order w WHERE w.state <> 'CANCELLED' AND w.version > 1
UNION ALL
SELECT w.id, g.entity_version, w.type, w.source, 'CLOSED', w.device_id, w.customer_id, w.region, w.is_simulated, w.fault_group,
    CASE WHEN g.entity_version = 1 THEN w.created_at ELSE coalesce((
        SELECT c.started_at FROM sla_clock c WHERE c.work_order_id = w.id AND c.version = g.entity_version AND c.clock = 'RESOLUTION'
    ), w.created_at) END,
    (SELECT c.met_at FROM sla_clock c WHERE c.work_order_id = w.id AND c.version = g.entity_version AND c.clock = 'RESPONSE'),
    coalesce((g.content::jsonb ->> 'resolved_at')::timestamptz, (
        SELECT c.met_at FROM sla_clock c WHERE c.work_order_id = w.id AND c.version = g.entity_version AND c.clock = 'RESOLUTION')),
    g.content::jsonb ->> 'outcome', g.signed_at
FROM work_order w JOIN signature g ON g.entity = 'work_order' AND g.entity_id = w.id AND g.entity_version < w.version
WHERE w.version > 1 AND w.state <> 'CANCELLED';

CREATE VIEW kpi_response_time AS
SELECT 'response_time' AS kpi, v.responded_at AS at, v.started_at AS began_at, '-infinity'::timestamptz AS known_at, v.device_id, d.device_model_id,
    v.customer_id, v.region, NULL::text AS firmware, v.is_simulated,
    date_part('epoch', v.responded_at - v.started_at) / 3600 AS numerator, 1::double precision AS denominator
FROM kpi_order_version v LEFT JOIN device d ON d.id = v.device_id
WHERE v.type IN ('CORRECTIVE', 'PREDICTIVE') AND v.responded_at IS NOT NULL;

-- A failure is a corrective order of one device whose fault was confirmed; one that is reopened and confirmed again is another.
CREATE VIEW kpi_failure AS
SELECT 'failure' AS kpi, v.started_at AS at, v.started_at AS began_at,
    CASE WHEN v.outcome IS NULL THEN 'infinity'::timestamptz ELSE '-infinity' END AS known_at, v.device_id, d.device_model_id,
    v.customer_id, v.region, NULL::text AS firmware, v.is_simulated, 1::double precision AS numerator, 1::double precision AS denominator,
    v.resolved_at AS restored_at
FROM kpi_order_version v JOIN device d ON d.id = v.device_id
WHERE v.type = 'CORRECTIVE' AND (v.outcome = 'CONFIRMED' OR v.outcome IS NULL);

CREATE VIEW kpi_time_to_restore AS
SELECT 'time_to_restore' AS kpi, f.restored_at AS at, f.began_at, f.known_at, f.device_id, f.device_model_id, f.customer_id, f.region, f.firmware,
    f.is_simulated, date_part('epoch', f.restored_at - f.at) / 3600 AS numerator, 1::double precision AS denominator
FROM kpi_failure f WHERE f.known_at = '-infinity' AND f.restored_at IS NOT NULL;

-- An order counts once, when it was closed for the first time. It is decided when the 30 days are over. Its visits are those of what
-- went up in it too; technicians who are there at the same time make one visit.
CREATE VIEW kpi_first_time_fix AS
SELECT 'first_time_fix' AS kpi, v.closed_at AS at, v.started_at AS began_at,
    CASE WHEN v.outcome = 'FALSE_ALARM' THEN 'infinity'::timestamptz ELSE v.closed_at + interval '30 days' END AS known_at, v.device_id,
    d.device_model_id, v.customer_id, v.region, NULL::text AS firmware, v.is_simulated,
    CASE WHEN w.version = 1 AND (
        SELECT count(*) FROM unnest((
            SELECT range_agg(tstzrange(t.arrived_at, coalesce(t.left_at, 'infinity'), '[]')) FROM work_order_visit t
            WHERE t.work_order_id = ANY (CASE WHEN EXISTS (SELECT FROM work_order o WHERE o.merged_into_id = w.id)
                THEN ARRAY(SELECT orders_within(w.id)) ELSE ARRAY[w.id] END)
        ))
    ) <= 1 AND NOT EXISTS (
        SELECT FROM work_order o
        WHERE o.device_id = v.device_id AND o.fault_group = v.fault_group AND o.id <> v.work_order_id
            AND o.type IN ('CORRECTIVE', 'PREDICTIVE') AND o.state <> 'CANCELLED' AND o.outcome IS DISTINCT FROM 'FALSE_ALARM'
            AND o.created_at > v.closed_at AND o.created_at <= v.closed_at + interval '30 days'
    ) THEN 1 ELSE 0 END::double precision AS numerator, 1::double precision AS denominator
FROM kpi_order_version v JOIN work_order w ON w.id = v.work_order_id LEFT JOIN device d ON d.id = v.device_id
WHERE v.type = 'CORRECTIVE' AND v.version = 1 AND v.state = 'CLOSED';

-- Closed orders with what became of their clocks, together and each; NULL: no verdict. What was waived is out of the figures; what was
-- stopped has no verdict.
CREATE VIEW kpi_sla AS
SELECT v.closed_at AS at, v.started_at AS began_at, v.device_id, d.device_model_id, v.customer_id, v.region, NULL::text AS firmware, v.is_simulated,
    CASE WHEN num_nonnulls(m.is_response_met, m.is_resolution_met) > 0 THEN coalesce(m.is_response_met, true) AND coalesce(m.is_resolution_met, true)
        END AS is_met,
    m.is_response_met, m.is_resolution_met
FROM kpi_order_version v LEFT JOIN device d ON d.id = v.device_id
LEFT JOIN sla_clock r ON r.work_order_id = v.work_order_id AND r.version = v.version AND r.clock = 'RESPONSE'
LEFT JOIN sla_clock s ON s.work_order_id = v.work_order_id AND s.version = v.version AND s.clock = 'RESOLUTION'
CROSS JOIN LATERAL (SELECT
    CASE WHEN r.waived_at IS NULL AND r.state IN ('MET', 'BREACHED') THEN r.state = 'MET' END AS is_response_met,
    CASE WHEN s.waived_at IS NULL AND s.state IN ('MET', 'BREACHED') THEN s.state = 'MET' END AS is_resolution_met
) m
WHERE v.state = 'CLOSED' AND (r.work_order_id IS NOT NULL OR s.work_order_id IS NOT NULL);

-- Each time that planned work was due. A day is over everywhere half a day after it is over in UTC.
CREATE VIEW kpi_planned_maintenance AS
SELECT x.kpi, o.due_on::timestamp AT TIME ZONE 'UTC' AS at, o.due_on::timestamp AT TIME ZONE 'UTC' AS began_at,
    CASE WHEN o.state = 'SKIPPED' THEN 'infinity'::timestamptz
        WHEN w.done_on IS NOT NULL OR o.state = 'OVERDUE' THEN '-infinity'
        WHEN d.lifecycle = 'DECOMMISSIONED' OR (p.state = 'ENDED' AND o.work_order_id IS NULL) THEN 'infinity'
        ELSE (o.due_on + 1)::timestamp AT TIME ZONE 'UTC' + interval '12 hours' END AS known_at,
    o.device_id, d.device_model_id, s.customer_id, d.region, NULL::text AS firmware, o.is_simulated,
    x.is_done::integer::double precision AS numerator, 1::double precision AS denominator
FROM plan_occurrence o JOIN maintenance_plan p ON p.id = o.plan_id JOIN device d ON d.id = o.device_id LEFT JOIN site s ON s.id = d.site_id
CROSS JOIN LATERAL (SELECT coalesce(o.done_on, (
    SELECT (e.close_out ->> 'serviced_on')::date FROM work_order e WHERE e.id = o.work_order_id AND e.resolved_at IS NOT NULL)) AS done_on) w
CROSS JOIN LATERAL (VALUES
    ('planned_maintenance_on_time', coalesce(w.done_on <= o.due_on, false)), ('first_maintenance_completion', w.done_on IS NOT NULL)
) AS x (kpi, is_done)
WHERE o.due_on IS NOT NULL AND (x.kpi = 'planned_maintenance_on_time' OR (o.number = 1 AND p.order_type = 'PREVENTIVE'));

-- Whether those who have a device answered to a recall or correction, and how soon.
CREATE VIEW kpi_recall AS
SELECT x.kpi, x.at, i.notified_at AS began_at, CASE a.state WHEN 'CANCELLED' THEN 'infinity'::timestamptz ELSE '-infinity' END AS known_at,
    i.device_id, d.device_model_id, s.customer_id, d.region, NULL::text AS firmware, d.is_simulated, x.numerator, 1::double precision AS denominator
FROM field_action_item i JOIN field_action a ON a.id = i.field_action_id JOIN device d ON d.id = i.device_id LEFT JOIN site s ON s.id = d.site_id
CROSS JOIN LATERAL (VALUES
    ('recall_response', i.notified_at, (i.acknowledged_at IS NOT NULL
        OR i.state IN ('ACKNOWLEDGED', 'SCHEDULED', 'REMEDIATED', 'VERIFIED', 'SCRAPPED'))::integer::double precision),
    ('recall_response_time', i.acknowledged_at, date_part('epoch', i.acknowledged_at - i.notified_at) / 3600)
) AS x (kpi, at, numerator)
WHERE a.kind IN ('RECALL', 'CORRECTION') AND i.notified_at IS NOT NULL AND x.at IS NOT NULL;

CREATE VIEW kpi_part_trace AS
SELECT 'part_trace_coverage' AS kpi, u.decided_at AS at, u.decided_at AS began_at, '-infinity'::timestamptz AS known_at, w.device_id, d.device_model_id,
    w.customer_id, w.region, NULL::text AS firmware, w.is_simulated,
    (u.lot <> '' OR u.serial_in <> '')::integer::double precision AS numerator, 1::double precision AS denominator
FROM part_usage u JOIN work_order w ON w.id = u.work_order_id LEFT JOIN device d ON d.id = w.device_id
WHERE u.state = 'USED';

-- Automatic orders of devices: what the machine made people look at.
CREATE VIEW kpi_ticket AS
SELECT 'ticket' AS kpi, w.created_at AS at, w.created_at AS began_at, '-infinity'::timestamptz AS known_at, w.device_id, d.device_model_id,
    w.customer_id, w.region, NULL::text AS firmware, w.is_simulated, 1::double precision AS numerator, 1::double precision AS denominator
FROM work_order w JOIN device d ON d.id = w.device_id
WHERE w.source = 'AUTOMATIC' AND w.merged_into_id IS NULL;

CREATE VIEW kpi_ticket_outcome AS
SELECT 'alarm_confirmed' AS kpi, v.closed_at AS at, v.started_at AS began_at, '-infinity'::timestamptz AS known_at, v.device_id, d.device_model_id,
    v.customer_id, v.region, NULL::text AS firmware, v.is_simulated, (v.outcome = 'CONFIRMED')::integer::double precision AS numerator,
    1::double precision AS denominator
FROM kpi_order_version v JOIN device d ON d.id = v.device_id
WHERE v.source = 'AUTOMATIC' AND v.state = 'CLOSED' AND v.outcome IS NOT NULL;

-- Breaches as people are shown them: each episode is one alarm.
CREATE VIEW kpi_alarm AS
SELECT b.id AS breach_id, b.raised_at AS at, b.cleared_at, b.device_id, d.serial, b.monitor, d.device_model_id, w.customer_id, d.region, b.firmware,
    b.is_simulated
FROM breach b JOIN device d ON d.id = b.device_id
LEFT JOIN kpi_owner_spell w ON w.device_id = b.device_id AND w.since <= b.raised_at AND w.until > b.raised_at
WHERE b.state <> 'DISCARDED' AND b.severity <> 'INFO';

-- Confirmed faults that became a failure, and how long before it the first breach was there. A failure began when it was critical, when
-- the device itself raised an alarm, or when a person reported it, whichever was first. A warning that came later was none.
CREATE VIEW kpi_warning AS
SELECT 'warning' AS kpi, f.at, f.at AS began_at, '-infinity'::timestamptz AS known_at, f.device_id, f.device_model_id, f.customer_id, f.region,
    NULL::text AS firmware, f.is_simulated,
    CASE WHEN f.warned_at < f.failed_at THEN date_part('epoch', f.failed_at - f.warned_at) / 3600 ELSE 0 END AS numerator,
    coalesce(f.warned_at < f.failed_at, false)::integer::double precision AS denominator
FROM (
    SELECT w.id, w.created_at AS at, w.device_id, d.device_model_id, w.customer_id, w.region, w.is_simulated,
        min(b.first_seen) FILTER (WHERE b.kind IN ('LIMIT', 'ANOMALY', 'FORECAST')) AS warned_at,
        least(
            min(b.raised_at) FILTER (WHERE b.kind = 'DEVICE_CODE'),
            min(CASE WHEN b.severity = 'CRITICAL' AND b.kind IN ('LIMIT', 'ANOMALY') THEN (
                SELECT min(t.at) FROM breach_transition t WHERE t.breach_id = b.id AND t.severity = 'CRITICAL' AND t.kind <> 'CLEARED') END),
            (SELECT min(c.received_at) FROM complaint c WHERE c.work_order_id = w.id),
            CASE WHEN w.type = 'CORRECTIVE' AND w.source = 'MANUAL' THEN w.created_at END
        ) AS failed_at
    FROM work_order w JOIN device d ON d.id = w.device_id
    LEFT JOIN work_order_breach wb ON wb.work_order_id = w.id LEFT JOIN breach b ON b.id = wb.breach_id AND b.device_id = w.device_id
    WHERE w.type IN ('CORRECTIVE', 'PREDICTIVE') AND w.state <> 'CANCELLED' AND w.outcome = 'CONFIRMED'
    GROUP BY w.id, w.created_at, d.id
) f
WHERE f.failed_at IS NOT NULL;

-- The final figures of each plan of effectiveness. A CAPA after which the trouble came back was not effective, whatever they said.
CREATE VIEW kpi_capa_effectiveness AS
SELECT 'capa_effectiveness' AS kpi, r.computed_at AS at, r.computed_at AS began_at,
    CASE WHEN r.verdict = 'INCONCLUSIVE' THEN 'infinity'::timestamptz ELSE '-infinity' END AS known_at, NULL::bigint AS device_id, q.device_model_id,
    NULL::bigint AS customer_id, q.region, CASE q.scope_kind WHEN 'FIRMWARE' THEN q.scope_value ELSE '' END AS firmware, q.is_simulated,
    (r.verdict = 'MET' AND NOT EXISTS (SELECT FROM capa n WHERE n.ineffective_of = q.id AND r.round = q.round))::integer::double precision
        AS numerator, 1::double precision AS denominator
FROM (
    SELECT DISTINCT ON (e.capa_id, e.round, e.plan_version) e.* FROM capa_effectiveness_result e
    WHERE e.is_final ORDER BY e.capa_id, e.round, e.plan_version, e.id DESC
) r JOIN capa q ON q.id = r.capa_id;

-- Figures as of an instant.

-- CAPAs that people had opened and not closed then, with their age in days.
CREATE FUNCTION kpi_capa_age(instant timestamptz)
RETURNS TABLE (kpi text, device_id bigint, device_model_id integer, customer_id bigint, region text, firmware text, is_simulated boolean,
    numerator double precision, denominator double precision)
LANGUAGE sql STABLE AS $$
    SELECT 'capa_age', NULL::bigint, q.device_model_id, NULL::bigint, q.region, CASE q.scope_kind WHEN 'FIRMWARE' THEN q.scope_value ELSE '' END,
        q.is_simulated, date_part('epoch', $1 - q.decided_at) / 86400, 1::double precision
    FROM public.capa q
    WHERE q.state NOT IN ('PROPOSED', 'REJECTED') AND q.decided_at <= $1 AND (q.closed_at IS NULL OR q.closed_at > $1)
$$;

-- Alarms that stood then, and those of them that had stood for more than a day.
CREATE FUNCTION kpi_alarm_stale(instant timestamptz)
RETURNS TABLE (kpi text, device_id bigint, device_model_id integer, customer_id bigint, region text, firmware text, is_simulated boolean,
    numerator double precision, denominator double precision)
LANGUAGE sql STABLE AS $$
    SELECT 'alarm_stale', a.device_id, a.device_model_id, a.customer_id, a.region, a.firmware, a.is_simulated,
        (a.at < $1 - interval '24 hours')::integer::double precision, 1::double precision
    FROM public.kpi_alarm a WHERE a.at <= $1 AND (a.cleared_at IS NULL OR a.cleared_at > $1)
$$;

-- Devices in the field then whose model had released firmware, and those that had reported the newest of it.
CREATE FUNCTION kpi_firmware_coverage(instant timestamptz)
RETURNS TABLE (kpi text, device_id bigint, device_model_id integer, customer_id bigint, region text, firmware text, is_simulated boolean,
    numerator double precision, denominator double precision)
LANGUAGE sql STABLE AS $$
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
$$;

-- Devices in the field then, and those of which everything is known that a recall needs; by the master data of today.
CREATE FUNCTION kpi_trace_coverage(instant timestamptz)
RETURNS TABLE (kpi text, device_id bigint, device_model_id integer, customer_id bigint, region text, firmware text, is_simulated boolean,
    numerator double precision, denominator double precision)
LANGUAGE sql STABLE AS $$
    SELECT 'trace_coverage', s.device_id, s.device_model_id, s.customer_id, s.region, NULL::text, s.is_simulated,
        (d.lot <> '' AND d.udi <> '' AND d.made_on IS NOT NULL AND d.installed_on IS NOT NULL AND d.firmware <> '' AND s.customer_id IS NOT NULL
        )::integer::double precision, 1::double precision
    FROM public.kpi_service_spell s JOIN public.device d ON d.id = s.device_id
    WHERE s.since <= $1 AND s.until > $1
$$;

-- How long each device was in the field between one cut and the next, and how long of that it was down: under maintenance, quarantined,
-- or with a confirmed failure until it was restored. What overlaps counts once. By firmware where that is asked for.
CREATE FUNCTION kpi_operation(cuts timestamptz[], by_firmware boolean)
RETURNS TABLE (bucket integer, device_id bigint, device_model_id integer, customer_id bigint, region text, firmware text, is_simulated boolean,
    service_s double precision, down_s double precision)
LANGUAGE sql STABLE AS $$
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
$$;

GRANT SELECT ON kpi_firmware_spell, kpi_owner_spell, kpi_service_spell, kpi_order_version, kpi_response_time, kpi_failure, kpi_time_to_restore,
    kpi_first_time_fix, kpi_sla, kpi_planned_maintenance, kpi_recall, kpi_part_trace, kpi_ticket, kpi_ticket_outcome, kpi_alarm, kpi_warning,
    kpi_capa_effectiveness TO forewarn_app;
REVOKE ALL ON FUNCTION kpi_capa_age(timestamptz), kpi_alarm_stale(timestamptz), kpi_firmware_coverage(timestamptz),
    kpi_trace_coverage(timestamptz), kpi_operation(timestamptz[], boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kpi_capa_age(timestamptz), kpi_alarm_stale(timestamptz), kpi_firmware_coverage(timestamptz),
    kpi_trace_coverage(timestamptz), kpi_operation(timestamptz[], boolean) TO forewarn_app;

COMMENT ON VIEW kpi_firmware_spell IS 'From when to when each device had which firmware on its main component.';
COMMENT ON VIEW kpi_owner_spell IS 'From when to when each device stood at which customer.';
COMMENT ON VIEW kpi_service_spell IS 'When each device was in the field, and whether it was under maintenance or quarantined then.';
COMMENT ON VIEW kpi_order_version IS 'Every version of every order that was not cancelled: began, answered, restored, outcome, closed.';
COMMENT ON VIEW kpi_response_time IS 'Key figure: hours from the beginning of an order about a fault to its assignment.';
COMMENT ON VIEW kpi_failure IS 'Confirmed failures of devices, and corrective orders of which nobody has said yet (known_at infinity).';
COMMENT ON VIEW kpi_time_to_restore IS 'Key figure: hours from the beginning of a failure to the end of the work.';
COMMENT ON VIEW kpi_first_time_fix IS 'Key figure: corrective orders at their first closing, and whether that was the end of it.';
COMMENT ON VIEW kpi_sla IS 'Key figures: closed orders and their clocks, and whether they were met.';
COMMENT ON VIEW kpi_planned_maintenance IS 'Key figures: planned work that was due, whether it was done in time, and the first one of each device.';
COMMENT ON VIEW kpi_recall IS 'Key figures: devices in recalls and corrections, whether those who have them answered, and how soon.';
COMMENT ON VIEW kpi_part_trace IS 'Key figure: parts that were used, and whether lot or serial is known.';
COMMENT ON VIEW kpi_ticket IS 'Orders that the machine opened for devices.';
COMMENT ON VIEW kpi_ticket_outcome IS 'Key figure: closed orders that the machine opened, and whether the fault was confirmed.';
COMMENT ON VIEW kpi_alarm IS 'Breaches as alarms: each episode above INFO once.';
COMMENT ON VIEW kpi_warning IS 'Key figures: confirmed failures, whether there was a warning, and how long before.';
COMMENT ON VIEW kpi_capa_effectiveness IS 'Key figure: final figures of CAPAs, and whether they were effective.';
COMMENT ON FUNCTION kpi_capa_age(timestamptz) IS 'Key figure: CAPAs open at an instant, with their age in days.';
COMMENT ON FUNCTION kpi_alarm_stale(timestamptz) IS 'Key figure: alarms standing at an instant, and whether for more than a day.';
COMMENT ON FUNCTION kpi_firmware_coverage(timestamptz) IS 'Key figure: devices in the field at an instant, and whether they run the newest released firmware.';
COMMENT ON FUNCTION kpi_trace_coverage(timestamptz) IS 'Key figure: devices in the field at an instant, and whether they can be traced.';
COMMENT ON FUNCTION kpi_operation(timestamptz[], boolean) IS 'Seconds in the field and down between cuts, by device.';
