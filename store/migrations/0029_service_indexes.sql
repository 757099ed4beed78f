-- Lists of work orders walk an index and stop at the end of the page, however many orders there are. The expressions are those of
-- SORTS in store/work_order_lists.py, to the letter.
CREATE INDEX work_order_by_due ON work_order ((coalesce(CASE WHEN state IN ('CLOSED', 'CANCELLED') OR resolved_at IS NOT NULL THEN NULL
    WHEN responded_at IS NULL THEN least(response_due_at, resolution_due_at) ELSE resolution_due_at END, 'infinity'::timestamptz)), (-id));
CREATE INDEX work_order_by_priority ON work_order (priority, (-id));
CREATE INDEX work_order_by_last_seen ON work_order ((coalesce(last_breach_at, '-infinity'::timestamptz)), id);
CREATE INDEX work_order_by_created ON work_order (created_at, id);
CREATE INDEX work_order_by_updated ON work_order (updated_at, id);
-- The inbox is a few of many.
CREATE INDEX work_order_inbox ON work_order ((coalesce(CASE WHEN state IN ('CLOSED', 'CANCELLED') OR resolved_at IS NOT NULL THEN NULL
    WHEN responded_at IS NULL THEN least(response_due_at, resolution_due_at) ELSE resolution_due_at END, 'infinity'::timestamptz)), (-id))
    WHERE inbox_reason IS NOT NULL AND state NOT IN ('CLOSED', 'CANCELLED');
CREATE INDEX work_order_region ON work_order (region, id);
-- A part of a code is looked for in all codes, without the orders themselves.
CREATE INDEX work_order_code_id ON work_order (code, id);
CREATE INDEX work_order_site ON work_order (site_id);
CREATE INDEX work_order_gateway ON work_order (gateway_id) WHERE gateway_id IS NOT NULL;
-- What is like an order, and who mended such faults and how much he has to do.
CREATE INDEX work_order_fault_created ON work_order (fault_group, created_at);
CREATE INDEX work_order_mended ON work_order (fault_group, closed_at DESC) WHERE state = 'CLOSED' AND outcome IN ('CONFIRMED', 'SENSOR_FAULT');
CREATE INDEX work_order_load ON work_order (assignee_id, priority) WHERE state IN ('ASSIGNED', 'IN_PROGRESS', 'ON_HOLD');

-- A work order shows the CAPAs that it is a member of.
CREATE INDEX capa_member_order ON capa_member (work_order_id);
-- The list of breaches, and how many there are of a kind.
DROP INDEX breach_recorded;
CREATE INDEX breach_by_recorded ON breach (recorded_at, id);
CREATE INDEX breach_severity ON breach (severity, recorded_at);
CREATE INDEX breach_monitor ON breach (monitor, recorded_at);
CREATE INDEX plan_occurrence_by_due ON plan_occurrence ((coalesce(due_on, '9999-12-31'::date)), id);
