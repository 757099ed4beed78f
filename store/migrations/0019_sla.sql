-- SLA: working hours of sites, policies of contracts, and clocks that are counted from their events.

CREATE TABLE service_calendar (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    name text NOT NULL CHECK (name <> ''),
    current_version integer NOT NULL,
    checked_release text NOT NULL,
    row_version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL
);

CREATE TABLE service_calendar_version (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service_calendar_id bigint NOT NULL REFERENCES service_calendar,
    version integer NOT NULL CHECK (version >= 1),
    weekly jsonb NOT NULL,
    country text NOT NULL,
    subdivision text NOT NULL,
    own_days jsonb NOT NULL,
    calendar jsonb NOT NULL,
    sha256 text NOT NULL,
    first_year integer NOT NULL,
    last_year integer NOT NULL,
    holidays_release text NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    reason text NOT NULL,
    UNIQUE (service_calendar_id, version)
);

CREATE TABLE sla_policy (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    name text NOT NULL CHECK (name <> ''),
    current_version integer NOT NULL,
    row_version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL
);

CREATE TABLE sla_policy_version (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sla_policy_id bigint NOT NULL REFERENCES sla_policy,
    version integer NOT NULL CHECK (version >= 1),
    body jsonb NOT NULL,
    service_calendar_id bigint REFERENCES service_calendar,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    reason text NOT NULL,
    UNIQUE (sla_policy_id, version)
);

ALTER TABLE site ADD COLUMN service_calendar_id bigint REFERENCES service_calendar;
ALTER TABLE service_contract ADD COLUMN sla_policy_id bigint REFERENCES sla_policy;

-- What happened to the clocks of orders: the truth, written once. A clock is one order, version of it and kind.
CREATE TABLE sla_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    work_order_id bigint NOT NULL REFERENCES work_order,
    version integer NOT NULL,
    clock text NOT NULL CHECK (clock IN ('RESPONSE', 'RESOLUTION')),
    kind text NOT NULL CHECK (kind IN ('STARTED', 'ESCALATED', 'PAUSED', 'RESUMED', 'MET', 'TAKEN_BACK', 'STOPPED', 'WAIVED',
        'DUE_SOON', 'BREACHED')),
    at timestamptz NOT NULL,
    reason text NOT NULL DEFAULT '',
    allowed_s double precision,
    due_soon_share double precision,
    pauses text[],
    time_zone text,
    policy_version_id bigint REFERENCES sla_policy_version,
    profile_version integer,
    calendar_version_id bigint REFERENCES service_calendar_version,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((kind IN ('STARTED', 'ESCALATED')) = (allowed_s IS NOT NULL)),
    CHECK ((allowed_s IS NULL) = (due_soon_share IS NULL) AND (allowed_s IS NULL) = (pauses IS NULL) AND (allowed_s IS NULL) = (time_zone IS NULL)),
    CHECK (allowed_s > 0)
);
CREATE INDEX sla_event_order ON sla_event (work_order_id, id);
CREATE UNIQUE INDEX sla_event_one_start ON sla_event (work_order_id, version, clock) WHERE kind = 'STARTED';
CREATE UNIQUE INDEX sla_event_one_breach ON sla_event (work_order_id, version, clock) WHERE kind = 'BREACHED';

-- The clocks as their events leave them, for lists, ticks and figures; derived, and the same again whenever it is derived anew.
CREATE TABLE sla_clock (
    work_order_id bigint NOT NULL REFERENCES work_order,
    version integer NOT NULL,
    clock text NOT NULL CHECK (clock IN ('RESPONSE', 'RESOLUTION')),
    state text NOT NULL CHECK (state IN ('RUNNING', 'PAUSED', 'MET', 'BREACHED', 'STOPPED')),
    started_at timestamptz NOT NULL,
    allowed_s double precision NOT NULL,
    used_s double precision NOT NULL,
    due_at timestamptz,
    due_soon_at timestamptz,
    paused_since timestamptz,
    pause_reason text NOT NULL DEFAULT '',
    met_at timestamptz,
    breached_at timestamptz,
    breach_said boolean NOT NULL DEFAULT false,
    warned_at timestamptz,
    waived_at timestamptz,
    waiver_reason text NOT NULL DEFAULT '',
    stopped_at timestamptz,
    policy_version_id bigint REFERENCES sla_policy_version,
    calendar_version_id bigint REFERENCES service_calendar_version,
    PRIMARY KEY (work_order_id, version, clock),
    CHECK ((state = 'BREACHED') = (breached_at IS NOT NULL))
);
CREATE INDEX sla_clock_due ON sla_clock (due_at) WHERE state = 'RUNNING';
CREATE INDEX sla_clock_due_soon ON sla_clock (due_soon_at) WHERE state = 'RUNNING' AND warned_at IS NULL;
CREATE INDEX sla_clock_unsaid ON sla_clock (breached_at) WHERE state = 'BREACHED' AND NOT breach_said;

-- Orders of before: clocks counted time around the clock, a hold paused nothing, and what is due then stays due then.
-- Their terms are what they were due by; an order that was reopened began anew with its last reopening. A clock that was met late
-- without anybody saying so counts as said: nobody is told now of years ago.
INSERT INTO sla_event (work_order_id, version, clock, kind, at, reason, allowed_s, due_soon_share, pauses, time_zone)
SELECT w.id, w.version, c.clock, 'STARTED', b.began_at, '', extract(epoch FROM c.due_at - b.began_at)::double precision, 0.25,
    CASE c.clock WHEN 'RESOLUTION' THEN ARRAY['PARTS', 'CUSTOMER', 'ACCESS'] ELSE ARRAY[]::text[] END, 'UTC'
FROM work_order w
CROSS JOIN LATERAL (
    SELECT CASE WHEN w.version = 1 THEN w.created_at ELSE coalesce((
        SELECT max(a.at) FROM audit_event a
        WHERE a.entity = 'work_order' AND a.entity_id = w.code AND a.action = 'workorder.reopened'), w.created_at) END AS began_at
) b
CROSS JOIN LATERAL (VALUES ('RESPONSE', w.response_due_at), ('RESOLUTION', w.resolution_due_at)) AS c (clock, due_at)
WHERE c.due_at > b.began_at
ORDER BY w.id, c.clock;

INSERT INTO sla_event (work_order_id, version, clock, kind, at, reason)
SELECT w.id, w.version, x.clock, x.kind, x.at, x.reason FROM work_order w
CROSS JOIN LATERAL (VALUES
    (1, 'RESPONSE', 'DUE_SOON', CASE WHEN w.response_warned THEN w.response_due_at - 0.25 * (w.response_due_at - w.created_at) END, ''),
    (1, 'RESOLUTION', 'DUE_SOON', CASE WHEN w.resolution_warned THEN w.resolution_due_at - 0.25 * (w.resolution_due_at - w.created_at) END, ''),
    (2, 'RESPONSE', 'BREACHED', CASE WHEN w.response_breached OR coalesce(w.responded_at, w.closed_at) > w.response_due_at THEN w.response_due_at END, ''),
    (2, 'RESOLUTION', 'BREACHED', CASE WHEN w.resolution_breached OR coalesce(w.resolved_at, w.closed_at) > w.resolution_due_at THEN w.resolution_due_at END, ''),
    (3, 'RESPONSE', 'MET', w.responded_at, ''),
    (3, 'RESOLUTION', 'MET', w.resolved_at, ''),
    (4, 'RESPONSE', 'STOPPED', CASE WHEN w.responded_at IS NULL AND w.state IN ('CLOSED', 'CANCELLED') THEN coalesce(w.closed_at, w.updated_at) END, w.state),
    (4, 'RESOLUTION', 'STOPPED', CASE WHEN w.resolved_at IS NULL AND w.state IN ('CLOSED', 'CANCELLED') THEN coalesce(w.closed_at, w.updated_at) END, w.state)
) AS x (place, clock, kind, at, reason)
WHERE x.at IS NOT NULL
    AND EXISTS (SELECT FROM sla_event e WHERE e.work_order_id = w.id AND e.version = w.version AND e.clock = x.clock)
ORDER BY w.id, x.place, x.clock;

INSERT INTO sla_clock (work_order_id, version, clock, state, started_at, allowed_s, used_s, due_at, due_soon_at, met_at, breached_at,
    breach_said, warned_at, stopped_at)
SELECT e.work_order_id, e.version, e.clock,
    CASE WHEN x.breached_at IS NOT NULL THEN 'BREACHED' WHEN x.met_at IS NOT NULL THEN 'MET' WHEN x.stopped_at IS NOT NULL THEN 'STOPPED' ELSE 'RUNNING' END,
    e.at, e.allowed_s, coalesce(extract(epoch FROM coalesce(x.met_at, x.stopped_at, x.breached_at, x.warned_at) - e.at)::double precision, 0),
    CASE WHEN x.stopped_at IS NULL OR x.breached_at IS NOT NULL THEN x.due_at END,
    CASE WHEN x.stopped_at IS NULL AND x.breached_at IS NULL THEN x.due_at - make_interval(secs => 0.25 * e.allowed_s) END,
    x.met_at, x.breached_at, x.breached_at IS NOT NULL, x.warned_at, x.stopped_at
FROM sla_event e
CROSS JOIN LATERAL (
    SELECT d.due_at, m.met_at, s.stopped_at, u.warned_at, b.breached_at FROM (SELECT e.at + make_interval(secs => e.allowed_s) AS due_at) d
    CROSS JOIN (SELECT max(o.at) AS met_at FROM sla_event o WHERE o.work_order_id = e.work_order_id AND o.clock = e.clock AND o.kind = 'MET') m
    CROSS JOIN (SELECT max(o.at) AS stopped_at FROM sla_event o WHERE o.work_order_id = e.work_order_id AND o.clock = e.clock AND o.kind = 'STOPPED') s
    CROSS JOIN (SELECT max(o.at) AS warned_at FROM sla_event o WHERE o.work_order_id = e.work_order_id AND o.clock = e.clock AND o.kind = 'DUE_SOON') u
    CROSS JOIN (SELECT max(o.at) AS breached_at FROM sla_event o WHERE o.work_order_id = e.work_order_id AND o.clock = e.clock AND o.kind = 'BREACHED') b
) x
WHERE e.kind = 'STARTED';

-- What happened to a clock is written once; a changed version of a calendar or policy is another version.
CREATE TRIGGER sla_event_write_once BEFORE UPDATE OR DELETE ON sla_event FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER service_calendar_version_write_once BEFORE UPDATE OR DELETE ON service_calendar_version
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER sla_policy_version_write_once BEFORE UPDATE OR DELETE ON sla_policy_version FOR EACH ROW EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON service_calendar, sla_policy, service_calendar_version, sla_policy_version, sla_event TO forewarn_app;
GRANT UPDATE (name, current_version, row_version, updated_at) ON service_calendar, sla_policy TO forewarn_app;
GRANT UPDATE (checked_release) ON service_calendar TO forewarn_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON sla_clock TO forewarn_app;
GRANT USAGE ON SEQUENCE service_calendar_id_seq, service_calendar_version_id_seq, sla_policy_id_seq, sla_policy_version_id_seq,
    sla_event_id_seq TO forewarn_app;

COMMENT ON TABLE service_calendar IS 'Working hours that sites and policies refer to; the hours themselves are in its versions.';
COMMENT ON COLUMN service_calendar.checked_release IS 'The release of the library of holidays that its days were last compared with.';
COMMENT ON TABLE service_calendar_version IS 'A calendar as it was at some time. Written once: clocks keep the version they began with.';
COMMENT ON COLUMN service_calendar_version.weekly IS 'Hours by weekday as they were given, e.g. {"monday": ["08:00-17:00"]}.';
COMMENT ON COLUMN service_calendar_version.country IS 'ISO 3166-1 alpha-2; empty: no public holidays.';
COMMENT ON COLUMN service_calendar_version.own_days IS 'Days with hours of their own, or without any, as they were given.';
COMMENT ON COLUMN service_calendar_version.calendar IS 'What clocks count by: weekly hours, and every holiday and own day from first_year to last_year.';
COMMENT ON COLUMN service_calendar_version.sha256 IS 'Of `calendar`.';
COMMENT ON COLUMN service_calendar_version.holidays_release IS 'Of the library that the public holidays come from.';
COMMENT ON TABLE sla_policy IS 'Response and resolution times that contracts refer to; the times themselves are in its versions.';
COMMENT ON TABLE sla_policy_version IS 'A policy as it was at some time. Written once: clocks keep the version they began with.';
COMMENT ON COLUMN sla_policy_version.body IS 'Hours by priority, which hold reasons pause which clock, and when to warn.';
COMMENT ON COLUMN sla_policy_version.service_calendar_id IS 'For sites without a calendar of their own; NULL: around the clock.';
COMMENT ON COLUMN site.service_calendar_id IS 'When the site is served; NULL: as the policy of its contract says, else around the clock.';
COMMENT ON COLUMN service_contract.sla_policy_id IS 'NULL: the times of the device model''s profile.';
COMMENT ON TABLE sla_event IS 'What happened to SLA clocks. Written once; a clock is derived from its events.';
COMMENT ON COLUMN sla_event.version IS 'Of the order: a reopened order has new clocks.';
COMMENT ON COLUMN sla_event.at IS 'When it happened; of BREACHED when the time was used up.';
COMMENT ON COLUMN sla_event.allowed_s IS 'Of STARTED and ESCALATED: working time in seconds. With the columns up to calendar_version_id the terms of a limit.';
COMMENT ON COLUMN sla_event.pauses IS 'Hold reasons that pause the clock.';
COMMENT ON COLUMN sla_event.time_zone IS 'The site''s, in which working hours are counted.';
COMMENT ON COLUMN sla_event.policy_version_id IS 'NULL: the times were those of the profile.';
COMMENT ON COLUMN sla_event.profile_version IS 'The profile''s version where the times were its.';
COMMENT ON COLUMN sla_event.calendar_version_id IS 'NULL: around the clock.';
COMMENT ON COLUMN sla_event.recorded_at IS 'When it was written, by the database clock.';
COMMENT ON TABLE sla_clock IS 'SLA clocks as their events leave them; derived from sla_event alone.';
COMMENT ON COLUMN sla_clock.state IS 'RUNNING becomes BREACHED within a tick of its due time. BREACHED stays, also when the work is done.';
COMMENT ON COLUMN sla_clock.allowed_s IS 'Working time of the limit that governs, in seconds.';
COMMENT ON COLUMN sla_clock.used_s IS 'Working time used of that limit when the last event was written, in seconds.';
COMMENT ON COLUMN sla_clock.due_at IS 'NULL while it is paused, and of a stopped one. Of a breached one when its time was used up.';
COMMENT ON COLUMN sla_clock.breach_said IS 'Whether sla.breached was said.';
COMMENT ON COLUMN sla_clock.warned_at IS 'When sla.due_soon was said of the limit that governs.';
COMMENT ON COLUMN sla_clock.waived_at IS 'From then on out of the figures, by two people; a breach stays visible.';
COMMENT ON COLUMN sla_clock.stopped_at IS 'The order ended, or the clock was waived, before what it waited for had happened.';
