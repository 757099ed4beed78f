-- Pages under load: the inbox is counted from an index alone and planned for as many orders as it has; what pages of monitors would
-- count again at every look is counted with the rest that is judged of them, every five minutes.

-- How many orders the inbox has, by what it is filtered by; no order itself is looked at. It holds those alone that are in the inbox.
CREATE INDEX work_order_inbox_kind ON work_order (priority, fault_group, region, customer_id, parent_id, device_id)
    WHERE inbox_reason IS NOT NULL AND state NOT IN ('CLOSED', 'CANCELLED');
-- Being open and having a reason go together: taken as independent the inbox would be thought a tenth of what it is.
CREATE STATISTICS work_order_inbox_share (mcv) ON state, inbox_reason FROM work_order;
ANALYZE work_order;

ALTER TABLE monitor_quality ADD COLUMN lead_failures integer NOT NULL DEFAULT 0 CHECK (lead_failures >= 0);
ALTER TABLE monitor_quality ADD COLUMN lead_median_h double precision;
ALTER TABLE monitor_quality ADD CONSTRAINT monitor_quality_lead CHECK ((lead_failures > 0) = (lead_median_h IS NOT NULL));

COMMENT ON INDEX work_order_inbox_kind IS 'The inbox by what it is filtered by, to be counted.';
COMMENT ON STATISTICS work_order_inbox_share IS 'How many orders are in the inbox: those that are open and have a reason.';
COMMENT ON COLUMN monitor_quality.lead_failures IS 'Confirmed failures whose order was closed in the last 365 days and before which it had spoken.';
COMMENT ON COLUMN monitor_quality.lead_median_h IS 'Median of the hours from its first breach to those failures. NULL: there was none.';
