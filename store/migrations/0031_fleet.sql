-- What the fleet page tells apart: automatic orders by their fault group, too. One definition of what a ticket is.
CREATE OR REPLACE VIEW kpi_ticket AS
SELECT 'ticket' AS kpi, w.created_at AS at, w.created_at AS began_at, '-infinity'::timestamptz AS known_at, w.device_id, d.device_model_id,
    w.customer_id, w.region, NULL::text AS firmware, w.is_simulated, 1::double precision AS numerator, 1::double precision AS denominator,
    w.fault_group
FROM work_order w JOIN device d ON d.id = w.device_id
WHERE w.source = 'AUTOMATIC' AND w.merged_into_id IS NULL;

-- Whether a promised time of an open order is over, or nearly: looked up for every order that is still to be done.
CREATE INDEX sla_clock_ticking ON sla_clock (work_order_id, version) INCLUDE (state, due_at, due_soon_at)
    WHERE state IN ('RUNNING', 'BREACHED') AND waived_at IS NULL;

COMMENT ON INDEX sla_clock_ticking IS 'Clocks that run or have breached, by order, with all that the ranking of customers asks of them.';
