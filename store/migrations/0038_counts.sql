-- How many orders of a device model there are in a state is counted from an index alone: its devices are a thousand, its orders ten
-- thousand, and each of these would be looked at otherwise.
CREATE INDEX work_order_device_state ON work_order (device_id, state);
