-- The page of an order: what it looks for among all orders is found in an index alone.

-- An order and what went up in it are one or two. Thought to be a thousand, as the server does unless it is told, all notes, parts and
-- complaints there are were read through for each of them.
ALTER FUNCTION orders_within(bigint) ROWS 2;

-- Orders with the same fault of the last months, for what was done about it: of thousands those of one device model are wanted, and
-- they are found without reading the others.
DROP INDEX work_order_fault_created;
CREATE INDEX work_order_fault_created ON work_order (fault_group, created_at) INCLUDE (id, device_id, state, outcome);

COMMENT ON INDEX work_order_fault_created IS 'Orders with a fault by the time, with what tells whether one is looked at.';
