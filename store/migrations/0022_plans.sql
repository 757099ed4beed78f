-- Maintenance and calibration that is planned, each time it is due, and reminders of what ends.

CREATE SEQUENCE maintenance_plan_number;
CREATE TABLE maintenance_plan (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,  -- MP-2026-000001
    name text NOT NULL CHECK (name <> ''),
    state text NOT NULL CHECK (state IN ('ACTIVE', 'ENDED')),
    order_type text NOT NULL CHECK (order_type IN ('PREVENTIVE', 'CALIBRATION')),
    kind text NOT NULL CHECK (kind IN ('CALENDAR', 'USAGE', 'CONDITION')),
    anchor text NOT NULL CHECK (anchor IN ('FIXED', 'FLOATING')),
    device_model_id integer NOT NULL REFERENCES device_model,
    device_id bigint REFERENCES device,
    every_count integer CHECK (every_count BETWEEN 1 AND 1200),
    every_unit text CHECK (every_unit IN ('DAY', 'WEEK', 'MONTH', 'YEAR')),
    usage_sensor text,
    usage_every double precision CHECK (usage_every > 0 AND usage_every < 'Infinity'),
    fault_group text,
    lead_days integer NOT NULL CHECK (lead_days BETWEEN 0 AND 365),
    priority text NOT NULL CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
    instructions text NOT NULL DEFAULT '',
    starts_on date NOT NULL,
    ended_at timestamptz,
    end_reason text NOT NULL DEFAULT '',
    external_refs jsonb NOT NULL DEFAULT '[]',
    region text NOT NULL DEFAULT '',
    is_simulated boolean NOT NULL DEFAULT false,
    row_version integer NOT NULL DEFAULT 1,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((kind = 'CALENDAR') = (every_count IS NOT NULL) AND (kind = 'CALENDAR') = (every_unit IS NOT NULL)),
    CHECK ((kind = 'USAGE') = (usage_sensor IS NOT NULL) AND (kind = 'USAGE') = (usage_every IS NOT NULL)),
    CHECK ((kind = 'CONDITION') = (fault_group IS NOT NULL)),
    CHECK ((state = 'ENDED') = (ended_at IS NOT NULL))
);
CREATE INDEX maintenance_plan_active ON maintenance_plan (device_model_id) WHERE state = 'ACTIVE';

-- One time that a plan's work is due at one device. Its number is the arbiter: whoever counts makes it once.
CREATE SEQUENCE plan_occurrence_number;
CREATE TABLE plan_occurrence (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,  -- PO-2026-000001
    plan_id bigint NOT NULL REFERENCES maintenance_plan,
    device_id bigint NOT NULL REFERENCES device,
    number integer NOT NULL CHECK (number >= 1),
    state text NOT NULL CHECK (state IN ('UPCOMING', 'DUE', 'OVERDUE', 'DONE', 'SKIPPED')),
    due_on date,
    usage_target double precision,
    usage_total double precision,
    breach_id uuid,
    work_order_id bigint UNIQUE REFERENCES work_order,
    done_on date,
    skip_request text,
    skip_reason text NOT NULL DEFAULT '',
    ended_at timestamptz,
    is_simulated boolean NOT NULL,
    row_version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (plan_id, device_id, number),
    CHECK ((state = 'DONE') = (done_on IS NOT NULL) AND (state = 'SKIPPED') = (skip_request IS NOT NULL)),
    CHECK (state <> 'DONE' OR work_order_id IS NOT NULL),
    CHECK ((state IN ('DONE', 'SKIPPED')) = (ended_at IS NOT NULL))
);
CREATE UNIQUE INDEX plan_occurrence_one_open ON plan_occurrence (plan_id, device_id) WHERE state IN ('UPCOMING', 'DUE', 'OVERDUE');
CREATE INDEX plan_occurrence_device ON plan_occurrence (device_id);
CREATE INDEX plan_occurrence_due ON plan_occurrence (due_on, id);

-- What a device's counter has counted in all, also when it was set back or changed for another.
CREATE TABLE device_usage (
    device_id bigint NOT NULL REFERENCES device,
    sensor text NOT NULL,
    total double precision NOT NULL,
    last_value double precision NOT NULL,
    last_at timestamptz NOT NULL,
    window_total double precision NOT NULL,
    window_at timestamptz NOT NULL,
    earlier_total double precision NOT NULL,
    earlier_at timestamptz NOT NULL,
    PRIMARY KEY (device_id, sensor)
);

CREATE TABLE reminder (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('WARRANTY', 'CONTRACT', 'CERTIFICATE', 'CALIBRATION')),
    subject text NOT NULL,
    ends_on date NOT NULL,
    device_id bigint REFERENCES device,
    contract_id bigint REFERENCES service_contract,
    user_id bigint REFERENCES app_user,
    customer_id bigint REFERENCES customer,
    region text NOT NULL DEFAULT '',
    is_simulated boolean NOT NULL DEFAULT false,
    reminded_at timestamptz NOT NULL,
    UNIQUE (kind, subject, ends_on)
);
CREATE INDEX reminder_ends ON reminder (ends_on, id);

GRANT SELECT, INSERT ON maintenance_plan, plan_occurrence, device_usage, reminder TO forewarn_app;
GRANT UPDATE (state, ended_at, end_reason, row_version, updated_at) ON maintenance_plan TO forewarn_app;
GRANT UPDATE (state, due_on, usage_total, work_order_id, done_on, skip_request, skip_reason, ended_at, row_version, updated_at)
    ON plan_occurrence TO forewarn_app;
GRANT UPDATE (total, last_value, last_at, window_total, window_at, earlier_total, earlier_at) ON device_usage TO forewarn_app;
GRANT USAGE ON SEQUENCE maintenance_plan_number, plan_occurrence_number, maintenance_plan_id_seq, plan_occurrence_id_seq,
    reminder_id_seq TO forewarn_app;

COMMENT ON TABLE maintenance_plan IS 'Planned maintenance and calibration of a device model, or of one device of it.';
COMMENT ON COLUMN maintenance_plan.anchor IS 'FIXED counts from the installation; FLOATING from the day on which it was done last.';
COMMENT ON COLUMN maintenance_plan.device_id IS 'NULL: every installed device of the model.';
COMMENT ON COLUMN maintenance_plan.usage_sensor IS 'The sensor that counts, e.g. run hours.';
COMMENT ON COLUMN maintenance_plan.fault_group IS 'Of CONDITION: a breach of it makes the work due.';
COMMENT ON COLUMN maintenance_plan.lead_days IS 'The work order opens so many days before it is due; of CONDITION within how many days it is due.';
COMMENT ON COLUMN maintenance_plan.starts_on IS 'Nothing is due before.';
COMMENT ON TABLE plan_occurrence IS 'One time that planned work is due at one device; what became of it follows from its work order.';
COMMENT ON COLUMN plan_occurrence.number IS 'Counts up for plan and device.';
COMMENT ON COLUMN plan_occurrence.due_on IS 'On the calendar of the device''s site. Of USAGE a forecast, NULL as long as none can be made.';
COMMENT ON COLUMN plan_occurrence.usage_target IS 'At which total of the counter it is due.';
COMMENT ON COLUMN plan_occurrence.usage_total IS 'The total when it was last looked at.';
COMMENT ON COLUMN plan_occurrence.breach_id IS 'Of CONDITION: the breach that made it due.';
COMMENT ON COLUMN plan_occurrence.skip_request IS 'The approval request by which two people left it out.';
COMMENT ON TABLE device_usage IS 'What counters of devices have counted in all.';
COMMENT ON COLUMN device_usage.earlier_total IS 'With earlier_at where the present rate is measured from: 45 to 90 days back.';
COMMENT ON TABLE reminder IS 'That something ends: each end is reminded of once.';
COMMENT ON COLUMN reminder.subject IS 'Serial, contract code, or technician and model.';
COMMENT ON COLUMN reminder.reminded_at IS 'When it was said.';
