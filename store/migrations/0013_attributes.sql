-- What devices say of themselves beside readings, firmware and status: the newest value of each attribute.

CREATE TABLE device_attribute (
    device_id bigint NOT NULL REFERENCES device (id),
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 100),
    value jsonb NOT NULL CHECK (pg_column_size(value) <= 16384),
    observed_at timestamptz NOT NULL,
    PRIMARY KEY (device_id, key)
);

GRANT SELECT, INSERT, UPDATE ON device_attribute TO forewarn_app;

COMMENT ON TABLE device_attribute IS 'Attributes as devices and gateways reported them, at most 100 of a device; the newest by time stays.';
COMMENT ON COLUMN device_attribute.observed_at IS 'Since when the device says so: its own time, or that of the receipt.';
