-- Work that makes scoring learn anew what is normal of a device, and monitors that nobody judges.

CREATE TABLE baseline_reset (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id bigint NOT NULL REFERENCES device,
    work_order_id bigint NOT NULL REFERENCES work_order,
    at timestamptz NOT NULL,
    reason text NOT NULL CHECK (reason IN ('fault_mended', 'sensor_mended', 'maintenance')),
    shard smallint NOT NULL,
    position bigint NOT NULL,
    UNIQUE (shard, position)
);
CREATE INDEX baseline_reset_device ON baseline_reset (device_id, at DESC);

CREATE TABLE unscored_monitor (
    device_id bigint NOT NULL REFERENCES device,
    monitor text NOT NULL,
    shard smallint NOT NULL,
    reason text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (device_id, monitor)
);
CREATE INDEX unscored_monitor_shard ON unscored_monitor (shard);

GRANT SELECT, INSERT ON baseline_reset TO forewarn_app;
GRANT SELECT, INSERT, DELETE ON unscored_monitor TO forewarn_app;
GRANT UPDATE (shard, reason) ON unscored_monitor TO forewarn_app;

COMMENT ON TABLE baseline_reset IS 'Work after which the learning detectors of a device began a new baseline. Written once.';
COMMENT ON COLUMN baseline_reset.at IS 'When the work was recorded as done; they begin with their first reading of this device time or later.';
COMMENT ON COLUMN baseline_reset.reason IS 'fault_mended: outcome CONFIRMED; sensor_mended: outcome SENSOR_FAULT; maintenance: a preventive order or a calibration.';
COMMENT ON COLUMN baseline_reset.position IS 'Of the block of its shard with which scoring hears of it: a replay hears it at the same place.';
COMMENT ON TABLE unscored_monitor IS 'Monitors that nobody judges, since their detector raised an error on them; the device is then of unknown health.';
COMMENT ON COLUMN unscored_monitor.reason IS 'The error.';
COMMENT ON COLUMN unscored_monitor.since IS 'When it was found, by the database clock.';
