-- Pages under load: the inbox is counted from an index alone and planned for as many orders as it has; what pages of monitors would
-- count again at every look is counted with the rest that is judged of them, every five minutes.

-- How many orders the inbox has, by what it is filtered by; no order itself is looked at. It holds those alone that are in the inbox.
CREATE INDEX work_order_inbox_kind ON work_order (priority, fault_group, region, customer_id, parent_id, device_id)
    WHERE inbox_reason IS NOT NULL AND state NOT IN ('CLOSED', 'CANCELLED');
-- Being open and having a reason go together: taken as independent the inbox would be thought a tenth of what it is.
CREATE STATISTICS work_order_inbox_share (mcv) ON state, inbox_reason FROM work_order;
ANALYZE work_order;

-- Alarms without whose they were: who had each device when is looked up for each of them, and mostly nobody asks. One definition.
CREATE VIEW kpi_alarm_of_anybody AS
SELECT b.id AS breach_id, b.raised_at AS at, b.cleared_at, b.device_id, d.serial, b.monitor, d.device_model_id, NULL::bigint AS customer_id, d.region,
    b.firmware, b.is_simulated
FROM breach b JOIN device d ON d.id = b.device_id
WHERE b.state <> 'DISCARDED' AND b.severity <> 'INFO';
CREATE OR REPLACE VIEW kpi_alarm AS
SELECT a.breach_id, a.at, a.cleared_at, a.device_id, a.serial, a.monitor, a.device_model_id, w.customer_id, a.region, a.firmware, a.is_simulated
FROM kpi_alarm_of_anybody a
LEFT JOIN kpi_owner_spell w ON w.device_id = a.device_id AND w.since <= a.at AND w.until > a.at;
-- As kpi_alarm_stale. What stood at an instant is found by when it was cleared, of all that ever was.
CREATE INDEX breach_standing ON breach ((coalesce(cleared_at, 'infinity'::timestamptz)));
CREATE FUNCTION kpi_alarm_stale_of_anybody(instant timestamptz)
RETURNS TABLE (kpi text, device_id bigint, device_model_id integer, customer_id bigint, region text, firmware text, is_simulated boolean,
    numerator double precision, denominator double precision)
LANGUAGE sql STABLE AS $$
    SELECT 'alarm_stale', a.device_id, a.device_model_id, a.customer_id, a.region, a.firmware, a.is_simulated,
        (a.at < $1 - interval '24 hours')::integer::double precision, 1::double precision
    FROM public.kpi_alarm_of_anybody a WHERE a.at <= $1 AND coalesce(a.cleared_at, 'infinity'::timestamptz) > $1
$$;
CREATE OR REPLACE FUNCTION kpi_alarm_stale(instant timestamptz)
RETURNS TABLE (kpi text, device_id bigint, device_model_id integer, customer_id bigint, region text, firmware text, is_simulated boolean,
    numerator double precision, denominator double precision)
LANGUAGE sql STABLE AS $$
    SELECT 'alarm_stale', a.device_id, a.device_model_id, a.customer_id, a.region, a.firmware, a.is_simulated,
        (a.at < $1 - interval '24 hours')::integer::double precision, 1::double precision
    FROM public.kpi_alarm a WHERE a.at <= $1 AND coalesce(a.cleared_at, 'infinity'::timestamptz) > $1
$$;
GRANT SELECT ON kpi_alarm_of_anybody TO forewarn_app;
REVOKE ALL ON FUNCTION kpi_alarm_stale_of_anybody(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kpi_alarm_stale_of_anybody(timestamptz) TO forewarn_app;

ALTER TABLE monitor_quality ADD COLUMN lead_failures integer NOT NULL DEFAULT 0 CHECK (lead_failures >= 0);
ALTER TABLE monitor_quality ADD COLUMN lead_median_h double precision;
ALTER TABLE monitor_quality ADD CONSTRAINT monitor_quality_lead CHECK ((lead_failures > 0) = (lead_median_h IS NOT NULL));

COMMENT ON INDEX work_order_inbox_kind IS 'The inbox by what it is filtered by, to be counted.';
COMMENT ON STATISTICS work_order_inbox_share IS 'How many orders are in the inbox: those that are open and have a reason.';
COMMENT ON VIEW kpi_alarm_of_anybody IS 'Breaches as alarms: each episode above INFO once, without whose the device was.';
COMMENT ON FUNCTION kpi_alarm_stale_of_anybody(timestamptz) IS 'Key figure: alarms standing at an instant, without whose they were.';
COMMENT ON INDEX breach_standing IS 'Which breaches stood at an instant.';
COMMENT ON COLUMN monitor_quality.lead_failures IS 'Confirmed failures whose order was closed in the last 365 days and before which it had spoken.';
COMMENT ON COLUMN monitor_quality.lead_median_h IS 'Median of the hours from its first breach to those failures. NULL: there was none.';
