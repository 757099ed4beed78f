-- Webhooks beside a long backlog: what happens now is planned before old events whose turn has not come, as far as no earlier one of
-- its record waits for planning; and what waits longest at an endpoint is found without looking at all that waits there.
CREATE INDEX outbox_unplanned_record ON outbox (entity, entity_id, id) WHERE planned_at IS NULL AND NOT is_simulated;
CREATE INDEX webhook_delivery_oldest ON webhook_delivery (endpoint_id, created_at) WHERE state = 'WAITING';

COMMENT ON INDEX outbox_unplanned_record IS 'Whether an earlier event of a record is still to be planned.';
COMMENT ON INDEX webhook_delivery_oldest IS 'Since when something waits for an endpoint.';
