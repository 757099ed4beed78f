-- What the overviews of customers and devices look for: clocks that breached lately, which are few among all that ended.

CREATE INDEX sla_clock_breached ON sla_clock (breached_at) WHERE state = 'BREACHED';

COMMENT ON INDEX sla_clock_breached IS 'Promised times that were missed lately, of all customers.';
