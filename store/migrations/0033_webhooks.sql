-- Outgoing webhooks: who is told of which events, what is to be delivered to whom, and every attempt.

-- Whose record an event is of, as of when it happened: who is told of one customer's events alone is told of no other's.
ALTER TABLE outbox ADD COLUMN customer_id bigint;
ALTER TABLE outbox RENAME COLUMN delivered_at TO planned_at;
ALTER INDEX outbox_waiting RENAME TO outbox_unplanned;
CREATE INDEX outbox_created ON outbox USING brin (created_at);

CREATE SEQUENCE webhook_number;
CREATE TABLE webhook_endpoint (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    url text NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    event_types text[] NOT NULL DEFAULT '{}',
    customer_id bigint REFERENCES customer,
    delay_s integer NOT NULL DEFAULT 0 CHECK (delay_s BETWEEN 0 AND 3600),
    state text NOT NULL DEFAULT 'ENABLED' CHECK (state IN ('ENABLED', 'DISABLED', 'RETIRED')),
    state_cause text NOT NULL DEFAULT 'PERSON' CHECK (state_cause IN ('PERSON', 'GONE')),
    state_reason text NOT NULL DEFAULT '',
    state_since timestamptz NOT NULL,
    sealed_secret bytea NOT NULL,
    previous_sealed_secret bytea,
    previous_until timestamptz,
    created_by text NOT NULL,
    row_version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((previous_sealed_secret IS NULL) = (previous_until IS NULL)),
    CHECK ((state = 'RETIRED') = (length(sealed_secret) = 0)),
    CHECK (state <> 'RETIRED' OR previous_sealed_secret IS NULL)
);

-- One event for one endpoint. `entity` and `entity_id` are the event's: later events of a record wait for the earlier ones.
CREATE TABLE webhook_delivery (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id bigint NOT NULL REFERENCES webhook_endpoint,
    outbox_id bigint NOT NULL REFERENCES outbox,
    entity text NOT NULL,
    entity_id text NOT NULL,
    state text NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'DELIVERED', 'DEAD', 'CANCELLED')),
    tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= tries),
    replays integer NOT NULL DEFAULT 0 CHECK (replays >= 0),
    not_before timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    lease uuid,
    leased_until timestamptz,
    last_status integer,
    last_error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    UNIQUE (outbox_id, endpoint_id),
    CHECK ((lease IS NULL) = (leased_until IS NULL)),
    CHECK (state = 'WAITING' OR lease IS NULL),
    CHECK ((state = 'WAITING') = (finished_at IS NULL))
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (endpoint_id, due_at, id) WHERE state = 'WAITING';
CREATE INDEX webhook_delivery_order ON webhook_delivery (endpoint_id, entity, entity_id, outbox_id) WHERE state = 'WAITING';
CREATE INDEX webhook_delivery_of_endpoint ON webhook_delivery (endpoint_id, id);
CREATE INDEX webhook_delivery_dead ON webhook_delivery (endpoint_id, id) WHERE state = 'DEAD';
CREATE INDEX webhook_delivery_delivered ON webhook_delivery (endpoint_id, finished_at) WHERE state = 'DELIVERED';
CREATE INDEX webhook_delivery_finished ON webhook_delivery (finished_at) WHERE state <> 'WAITING';

CREATE TABLE webhook_attempt (
    delivery_id bigint NOT NULL REFERENCES webhook_delivery ON DELETE CASCADE,
    number integer NOT NULL CHECK (number > 0),
    at timestamptz NOT NULL,
    duration_ms integer NOT NULL CHECK (duration_ms >= 0),
    address text NOT NULL DEFAULT '',
    status integer,
    error text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT '',
    response text NOT NULL DEFAULT '' CHECK (length(response) <= 2000),
    PRIMARY KEY (delivery_id, number)
);

GRANT SELECT, INSERT, UPDATE ON webhook_endpoint TO forewarn_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_delivery TO forewarn_app;
-- An attempt stays as it was made; it goes with its delivery when that is old.
GRANT SELECT, INSERT ON webhook_attempt TO forewarn_app;
GRANT USAGE ON SEQUENCE webhook_number TO forewarn_app;

COMMENT ON COLUMN outbox.customer_id IS 'Whose record it is of, as of then. NULL: of no one customer''s.';
COMMENT ON COLUMN outbox.planned_at IS 'When deliveries were planned for the webhooks that want it. NULL: still to be done.';
COMMENT ON INDEX outbox_unplanned IS 'Events for which no deliveries are planned yet.';
COMMENT ON TABLE webhook_endpoint IS 'Who is told of which events, at which address.';
COMMENT ON COLUMN webhook_endpoint.event_types IS 'The types that are wanted. Empty: all.';
COMMENT ON COLUMN webhook_endpoint.customer_id IS 'Events of this customer''s records alone. NULL: all events.';
COMMENT ON COLUMN webhook_endpoint.delay_s IS 'An event waits so long before its first attempt, in seconds.';
COMMENT ON COLUMN webhook_endpoint.state_cause IS 'PERSON set the state, or the receiver answered that it is GONE (410).';
COMMENT ON COLUMN webhook_endpoint.sealed_secret IS 'Signs what is sent; encrypted by FOREWARN_WEBHOOK_KEY_FILE. Empty once retired.';
COMMENT ON COLUMN webhook_endpoint.previous_sealed_secret IS 'The secret before; it signs as well until previous_until.';
COMMENT ON TABLE webhook_delivery IS 'One event for one endpoint, until it is delivered, given up (DEAD) or cancelled.';
COMMENT ON COLUMN webhook_delivery.tries IS 'Attempts since it was planned, or asked for again.';
COMMENT ON COLUMN webhook_delivery.attempts IS 'Attempts in all.';
COMMENT ON COLUMN webhook_delivery.replays IS 'How often it was asked for again.';
COMMENT ON COLUMN webhook_delivery.not_before IS 'The first attempt is not before this.';
COMMENT ON COLUMN webhook_delivery.due_at IS 'When the next attempt is due, as far as nothing earlier of the record waits.';
COMMENT ON COLUMN webhook_delivery.lease IS 'Which claim is sending it now; void from leased_until on.';
COMMENT ON TABLE webhook_attempt IS 'Every attempt to deliver, with the beginning of what was answered.';
COMMENT ON COLUMN webhook_attempt.address IS 'The address that was connected to. Empty: none.';
COMMENT ON COLUMN webhook_attempt.status IS 'HTTP status of the answer. NULL: there was none.';
COMMENT ON COLUMN webhook_attempt.error IS 'Why it failed, as a code. Empty: it was delivered.';
