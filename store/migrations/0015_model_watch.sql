-- What became of monitors and firmware in the field: changes after an update, drift of inputs and scores, proposed thresholds.

-- Finds the updates of the last weeks among all that ever happened to devices.
CREATE INDEX device_history_firmware ON device_history (at) WHERE field = 'firmware:main';

-- And the orders of the last year that have an outcome.
CREATE INDEX work_order_closed ON work_order (closed_at) WHERE state = 'CLOSED';

-- A version of a device model that reached devices lately, and how far its comparison is. A test is made only when the hours on
-- the new version have grown to `next_look_hours`: see service_link/release_statistics.py.
CREATE TABLE firmware_release (
    device_model_id integer NOT NULL REFERENCES device_model,
    version text NOT NULL,
    is_simulated boolean NOT NULL,
    first_update_at timestamptz NOT NULL,
    devices integer NOT NULL,
    controls integer NOT NULL DEFAULT 0,
    customers integer NOT NULL,
    device_hours double precision NOT NULL,
    looks integer NOT NULL DEFAULT 0 CHECK (looks >= 0),
    next_look_hours double precision NOT NULL,
    looked_at timestamptz,
    watched_at timestamptz NOT NULL,
    PRIMARY KEY (device_model_id, version, is_simulated)
);

CREATE TABLE firmware_regression (
    device_model_id integer NOT NULL,
    version text NOT NULL,
    is_simulated boolean NOT NULL,
    measure text NOT NULL CHECK (measure IN ('rate', 'level', 'spread')),
    subject text NOT NULL,  -- a fault group (rate) or a sensor
    unit text NOT NULL,
    devices integer NOT NULL,
    controls integer NOT NULL,
    before double precision,
    after double precision,
    effect double precision,  -- in the unit; of a rate: the ratio
    low double precision,
    high double precision,
    p double precision NOT NULL CHECK (p BETWEEN 0 AND 1),
    p_valid double precision NOT NULL CHECK (p_valid BETWEEN 0 AND 1),
    q double precision NOT NULL CHECK (q BETWEEN 0 AND 1),
    share double precision,
    monitor text,
    fault_group text,
    verdict text NOT NULL CHECK (verdict IN ('WORSE', 'CHANGED', 'IMPROVED', 'NONE', 'TOO_FEW')),
    look integer NOT NULL,
    judged_at timestamptz NOT NULL,
    PRIMARY KEY (device_model_id, version, is_simulated, measure, subject),
    FOREIGN KEY (device_model_id, version, is_simulated) REFERENCES firmware_release
);

-- The arbiter of "once": what a person rejected or closed is not proposed again for the same release.
CREATE TABLE firmware_regression_proposal (
    device_model_id integer NOT NULL,
    version text NOT NULL,
    is_simulated boolean NOT NULL,
    fault_group text NOT NULL,
    capa_code text NOT NULL REFERENCES capa (code),
    proposed_at timestamptz NOT NULL,
    PRIMARY KEY (device_model_id, version, is_simulated, fault_group),
    FOREIGN KEY (device_model_id, version, is_simulated) REFERENCES firmware_release
);

-- How hourly means of a sensor, or hourly maxima of a monitor's score, were distributed on one day, by firmware.
CREATE TABLE distribution_day (
    device_model_id integer NOT NULL REFERENCES device_model,
    is_simulated boolean NOT NULL,
    kind text NOT NULL CHECK (kind IN ('input', 'score')),
    subject text NOT NULL,  -- sensor or monitor
    firmware text NOT NULL,
    day date NOT NULL,
    devices integer NOT NULL,
    edges double precision[] NOT NULL,
    counts bigint[] NOT NULL,  -- one more than edges: below the first ... at or above the last
    PRIMARY KEY (device_model_id, is_simulated, kind, subject, firmware, day)
);
CREATE INDEX distribution_day_day ON distribution_day (day);

-- How far the last days moved away from the reference, and what was said of it.
CREATE TABLE drift_day (
    device_model_id integer NOT NULL REFERENCES device_model,
    is_simulated boolean NOT NULL,
    kind text NOT NULL CHECK (kind IN ('input', 'score')),
    subject text NOT NULL,
    firmware text NOT NULL,  -- '' : all versions together
    day date NOT NULL,
    psi double precision NOT NULL CHECK (psi >= 0),
    usual_psi double precision NOT NULL,  -- what the reference shows within itself
    devices integer NOT NULL,
    n bigint NOT NULL,
    reference_n bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('STABLE', 'WATCH', 'DRIFT')),
    judged_at timestamptz NOT NULL,
    PRIMARY KEY (device_model_id, is_simulated, kind, subject, firmware, day)
);
CREATE INDEX drift_day_day ON drift_day (day DESC);

-- The arbiter of "once": a drift is said when its row is made, and again only after it was over.
CREATE TABLE drift_alert (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_model_id integer NOT NULL REFERENCES device_model,
    is_simulated boolean NOT NULL,
    kind text NOT NULL CHECK (kind IN ('input', 'score')),
    subject text NOT NULL,
    firmware text NOT NULL,
    psi double precision NOT NULL,
    raised_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE UNIQUE INDEX drift_alert_one_open ON drift_alert (device_model_id, is_simulated, kind, subject, firmware)
    WHERE ended_at IS NULL;

-- What outcomes of closed orders say of a monitor, and of all monitors of one rule together (monitor '').
CREATE TABLE monitor_quality (
    device_model_id integer NOT NULL REFERENCES device_model,
    is_simulated boolean NOT NULL,
    rule text NOT NULL,
    monitor text NOT NULL,
    profile_version integer NOT NULL,
    confirmed integer NOT NULL,
    sensor_fault integer NOT NULL,
    no_fault_found integer NOT NULL,
    false_alarm integer NOT NULL,
    precision_mean double precision NOT NULL,
    precision_low double precision NOT NULL,
    precision_high double precision NOT NULL,
    tickets integer NOT NULL,
    device_days double precision NOT NULL,
    allowed_rate double precision NOT NULL,
    is_over_budget boolean NOT NULL,
    judged_at timestamptz NOT NULL,
    PRIMARY KEY (device_model_id, is_simulated, rule, monitor)
);

CREATE SEQUENCE threshold_proposal_number;
CREATE TABLE threshold_proposal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,  -- TP-2026-0001
    device_model_id integer NOT NULL REFERENCES device_model,
    monitor text NOT NULL,
    profile_version integer NOT NULL,
    state text NOT NULL CHECK (state IN ('PROPOSED', 'BACKTESTED', 'ENDORSED', 'ACCEPTED', 'REJECTED')),
    raise_at double precision NOT NULL,  -- as it is in that profile version
    clear_at double precision NOT NULL,
    proposed_raise_at double precision NOT NULL,
    proposed_clear_at double precision NOT NULL,
    basis jsonb NOT NULL,
    backtest_job_id bigint REFERENCES model_job,
    backtest jsonb,
    backtested_at timestamptz,
    endorsed_by_id bigint REFERENCES app_user,
    endorsed_by text,
    endorsed_at timestamptz,
    decided_by_id bigint REFERENCES app_user,
    decided_by text,
    decided_at timestamptz,
    reason text NOT NULL DEFAULT '',
    made_version integer,
    row_version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (state <> 'ACCEPTED' OR (backtest IS NOT NULL AND decided_by IS NOT NULL AND reason <> '' AND made_version IS NOT NULL)),
    CHECK (endorsed_by_id IS NULL OR decided_by_id IS NULL OR state <> 'ACCEPTED' OR endorsed_by_id <> decided_by_id)
);
CREATE UNIQUE INDEX threshold_proposal_one_open ON threshold_proposal (device_model_id, monitor)
    WHERE state IN ('PROPOSED', 'BACKTESTED', 'ENDORSED');

GRANT SELECT, INSERT, UPDATE ON firmware_release, firmware_regression, distribution_day, drift_day, monitor_quality TO forewarn_app;
GRANT DELETE ON distribution_day, drift_day, monitor_quality TO forewarn_app;
GRANT SELECT, INSERT ON firmware_regression_proposal TO forewarn_app;
GRANT SELECT, INSERT ON drift_alert TO forewarn_app;
GRANT UPDATE (ended_at) ON drift_alert TO forewarn_app;
-- What was proposed, from what and on which grounds, stays as it was written; only what became of it is added.
GRANT SELECT, INSERT ON threshold_proposal TO forewarn_app;
GRANT UPDATE (state, backtest_job_id, backtest, backtested_at, endorsed_by_id, endorsed_by, endorsed_at, decided_by_id, decided_by, decided_at,
    reason, made_version, row_version, updated_at) ON threshold_proposal TO forewarn_app;
GRANT USAGE ON SEQUENCE threshold_proposal_number, threshold_proposal_id_seq, drift_alert_id_seq TO forewarn_app;

COMMENT ON TABLE firmware_release IS 'A firmware version that reached devices of a model lately, and how far its comparison is.';
COMMENT ON COLUMN firmware_release.device_hours IS 'Hours of its devices on the new version that can be compared, at most 168 of each.';
COMMENT ON COLUMN firmware_release.looks IS 'How many tests were made, of ten at most; every one costs a tenth of the allowed error.';
COMMENT ON COLUMN firmware_release.controls IS 'Devices of the model that were not updated in that time, at the last look.';
COMMENT ON TABLE firmware_regression IS 'Before and after an update, each device against itself: breach rates by fault group, level and spread by signal.';
COMMENT ON COLUMN firmware_regression.p IS 'Of the last look alone.';
COMMENT ON COLUMN firmware_regression.p_valid IS 'Valid at every look: ten times the smallest p so far, as there are at most ten looks; at most 1.';
COMMENT ON COLUMN firmware_regression.q IS 'p_valid after false-discovery correction over all that is compared of all releases.';
COMMENT ON COLUMN firmware_regression.share IS 'Which share of the way from the usual level to the limit of `monitor` was used up; below 0: away from it.';
COMMENT ON TABLE firmware_regression_proposal IS 'That a CAPA was proposed (or joined) for a release and fault group: once.';
COMMENT ON TABLE distribution_day IS 'Histograms of a day: hourly means of sensors, hourly maxima of scores as shares of raise_at.';
COMMENT ON TABLE drift_day IS 'Population stability index of the last week against the reference, day by day.';
COMMENT ON COLUMN drift_day.usual_psi IS 'The median index of the weeks of the reference, each against the others.';
COMMENT ON TABLE drift_alert IS 'A drift that was said (model.drift); open until it is over.';
COMMENT ON TABLE monitor_quality IS 'Precision of a monitor by the outcomes of its orders, and the tickets it opened against those it may open.';
COMMENT ON COLUMN monitor_quality.precision_mean IS 'Of the Beta posterior (Jeffreys prior); low and high bound 95 % of it.';
COMMENT ON COLUMN monitor_quality.tickets IS 'Orders of the last 30 days that it was behind.';
COMMENT ON COLUMN monitor_quality.allowed_rate IS 'Tickets per 1,000 device-days: those that may be in vain, over the share that is.';
COMMENT ON TABLE threshold_proposal IS 'A threshold that the machine proposes from outcomes of orders; people decide, after its backtest.';
COMMENT ON COLUMN threshold_proposal.backtest_job_id IS 'The job that evaluates the proposed threshold beside the one that is live.';
COMMENT ON COLUMN threshold_proposal.endorsed_by IS 'The first of two people, on safety-critical models.';
COMMENT ON COLUMN threshold_proposal.made_version IS 'The profile version that accepting made.';
