-- What scoring finds: breaches, their transitions and frozen evidence, score roll-ups, check-points.

CREATE TABLE breach (
    id uuid PRIMARY KEY,  -- derived from device, monitor, series and first reading: a replay names the same breach
    device_id bigint NOT NULL REFERENCES device,
    series_id integer REFERENCES series,
    monitor text NOT NULL,
    profile_version integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('LIMIT', 'ANOMALY', 'FORECAST', 'DEVICE_CODE', 'OFFLINE', 'STALE')),
    severity text NOT NULL CHECK (severity IN ('INFO', 'MINOR', 'MAJOR', 'CRITICAL')),
    fault_group text NOT NULL,
    state text NOT NULL CHECK (state IN ('ACTIVE', 'CLEARED', 'DISCARDED')),
    first_seen timestamptz NOT NULL,
    raised_at timestamptz NOT NULL,  -- event time
    last_seen timestamptz NOT NULL,
    cleared_at timestamptz,
    count integer NOT NULL,
    peak double precision NOT NULL,
    score double precision NOT NULL,
    firmware text NOT NULL DEFAULT '',
    reason_code text NOT NULL,
    params jsonb NOT NULL,
    acknowledged_by text,
    acknowledged_at timestamptz,
    is_simulated boolean NOT NULL DEFAULT false,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX breach_device ON breach (device_id, first_seen DESC);
CREATE INDEX breach_active ON breach (device_id, fault_group) WHERE state = 'ACTIVE';
CREATE INDEX breach_recorded ON breach (recorded_at DESC);
CREATE INDEX breach_fault_group ON breach (fault_group, raised_at);

-- Steps of a breach, in the order in which they were decided; service_link decides each once (ticket_decision).
CREATE TABLE breach_transition (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    breach_id uuid NOT NULL REFERENCES breach,
    kind text NOT NULL CHECK (kind IN ('RAISED', 'ESCALATED', 'CLEARED')),
    severity text NOT NULL CHECK (severity IN ('INFO', 'MINOR', 'MAJOR', 'CRITICAL')),
    at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    score double precision NOT NULL,
    reason_code text NOT NULL,
    params jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (breach_id, kind, at)
);

CREATE TABLE evidence (
    breach_id uuid PRIMARY KEY REFERENCES breach,
    body jsonb NOT NULL,  -- raw window, limits or band, score, contributions, versions, firmware: see anomaly/evidence.py
    sha256 text NOT NULL,
    frozen_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE score_rollup (
    series_id integer NOT NULL REFERENCES series,
    minute timestamptz NOT NULL,  -- event time
    detector text NOT NULL,
    max_score real NOT NULL,
    mean_score real NOT NULL,
    n integer NOT NULL,
    PRIMARY KEY (series_id, detector, minute)
);
CREATE INDEX score_rollup_minute ON score_rollup (minute);  -- retention removes the oldest

-- A check-point and its offset are one row.
CREATE TABLE anomaly_checkpoint (
    shard smallint PRIMARY KEY REFERENCES shard,
    position bigint NOT NULL,
    code_version text NOT NULL,
    state bytea NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE anomaly_checkpoint ALTER COLUMN state SET STORAGE EXTERNAL;
