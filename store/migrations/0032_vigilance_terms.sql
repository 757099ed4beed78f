-- Two terms of vigilance run by law from what may become known later than the incident: that there is a serious public health threat
-- (EU MDR Article 87(4)), that remedial action is needed (21 CFR 803.10(c)(2)(i)).

ALTER TABLE vigilance_assessment ADD COLUMN threat_known_at timestamptz CHECK (threat_known_at >= aware_at);
ALTER TABLE vigilance_assessment ADD COLUMN remedial_need_known_at timestamptz CHECK (remedial_need_known_at >= aware_at);
-- Of what there is none nothing becomes known.
ALTER TABLE vigilance_assessment ADD CONSTRAINT vigilance_assessment_known_later
    CHECK ((threat_known_at IS NULL OR harm <> 'NONE') AND (remedial_need_known_at IS NULL OR needs_remedial_action));

COMMENT ON COLUMN vigilance_assessment.aware_at IS 'When somebody of the maker came to know of the incident: its own term runs from here.';
COMMENT ON COLUMN vigilance_assessment.threat_known_at IS 'When a serious public health threat became known. NULL: with the incident, if at all.';
COMMENT ON COLUMN vigilance_assessment.remedial_need_known_at IS 'When the need for remedial action became known. NULL: with the incident, if at all.';
COMMENT ON TABLE vigilance_clock IS 'Due times of reports to authorities, by assessment and jurisdiction: the first end of the terms that run.';

-- Whatever changes a device's key fields, place or life-cycle, its dated history says so: at the instant that the program names
-- (forewarn.at, as forewarn.source names who), else at that of the transaction.
CREATE OR REPLACE FUNCTION record_device_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
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

-- Key figures. An order that was closed, opened again and cancelled then was done once all the same.
CREATE OR REPLACE VIEW kpi_order_version AS
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
WHERE w.version > 1;

-- Planned work and recalls are of the customer who had the device then, as operation and alarms are: who has it now learns nothing of
-- the one before.
CREATE INDEX device_history_customer ON device_history (device_id, at, id) WHERE field = 'customer';
CREATE OR REPLACE VIEW kpi_planned_maintenance AS
SELECT x.kpi, o.due_on::timestamp AT TIME ZONE 'UTC' AS at, o.due_on::timestamp AT TIME ZONE 'UTC' AS began_at,
    CASE WHEN o.state = 'SKIPPED' THEN 'infinity'::timestamptz
        WHEN w.done_on IS NOT NULL OR o.state = 'OVERDUE' THEN '-infinity'
        WHEN d.lifecycle = 'DECOMMISSIONED' OR (p.state = 'ENDED' AND o.work_order_id IS NULL) THEN 'infinity'
        ELSE (o.due_on + 1)::timestamp AT TIME ZONE 'UTC' + interval '12 hours' END AS known_at,
    o.device_id, d.device_model_id, s.customer_id, d.region, NULL::text AS firmware, o.is_simulated,
    x.is_done::integer::double precision AS numerator, 1::double precision AS denominator
FROM plan_occurrence o JOIN maintenance_plan p ON p.id = o.plan_id JOIN device d ON d.id = o.device_id
LEFT JOIN kpi_owner_spell s ON s.device_id = o.device_id
    AND s.since <= o.due_on::timestamp AT TIME ZONE 'UTC' AND s.until > o.due_on::timestamp AT TIME ZONE 'UTC'
CROSS JOIN LATERAL (SELECT coalesce(o.done_on, (
    SELECT (e.close_out ->> 'serviced_on')::date FROM work_order e WHERE e.id = o.work_order_id AND e.resolved_at IS NOT NULL)) AS done_on) w
CROSS JOIN LATERAL (VALUES
    ('planned_maintenance_on_time', coalesce(w.done_on <= o.due_on, false)), ('first_maintenance_completion', w.done_on IS NOT NULL)
) AS x (kpi, is_done)
WHERE o.due_on IS NOT NULL AND (x.kpi = 'planned_maintenance_on_time' OR (o.number = 1 AND p.order_type = 'PREVENTIVE'));

CREATE OR REPLACE VIEW kpi_recall AS
SELECT x.kpi, x.at, i.notified_at AS began_at, CASE a.state WHEN 'CANCELLED' THEN 'infinity'::timestamptz ELSE '-infinity' END AS known_at,
    i.device_id, d.device_model_id, s.customer_id, d.region, NULL::text AS firmware, d.is_simulated, x.numerator, 1::double precision AS denominator
FROM field_action_item i JOIN field_action a ON a.id = i.field_action_id JOIN device d ON d.id = i.device_id
LEFT JOIN kpi_owner_spell s ON s.device_id = i.device_id AND s.since <= i.notified_at AND s.until > i.notified_at
CROSS JOIN LATERAL (VALUES
    ('recall_response', i.notified_at, (i.acknowledged_at IS NOT NULL
        OR i.state IN ('ACKNOWLEDGED', 'SCHEDULED', 'REMEDIATED', 'VERIFIED', 'SCRAPPED'))::integer::double precision),
    ('recall_response_time', i.acknowledged_at, date_part('epoch', i.acknowledged_at - i.notified_at) / 3600)
) AS x (kpi, at, numerator)
WHERE a.kind IN ('RECALL', 'CORRECTION') AND i.notified_at IS NOT NULL AND x.at IS NOT NULL;

COMMENT ON INDEX device_history_customer IS 'Who had each device from when to when.';
