-- Field actions: firmware that may be installed, recalls, corrections and campaigns with their devices, what was said to whom,
-- and what each device is to be told.

CREATE SEQUENCE firmware_record_number;
CREATE TABLE firmware_record (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,  -- FW-2026-0001
    device_model_id integer NOT NULL REFERENCES device_model,
    component text NOT NULL CHECK (length(component) BETWEEN 1 AND 100),
    version text NOT NULL CHECK (length(version) BETWEEN 1 AND 200),
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    url text NOT NULL DEFAULT '',
    size_bytes bigint CHECK (size_bytes > 0),
    notes text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'DRAFT' CHECK (state IN ('DRAFT', 'APPROVED', 'RELEASED', 'WITHDRAWN')),
    author_ids bigint[] NOT NULL DEFAULT '{}',
    content_version integer NOT NULL DEFAULT 1,
    released_at timestamptz,
    withdrawn_at timestamptz,
    withdraw_reason text NOT NULL DEFAULT '',
    is_simulated boolean NOT NULL DEFAULT false,
    external_refs jsonb NOT NULL DEFAULT '[]',
    row_version integer NOT NULL DEFAULT 1,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (device_model_id, component, version)
);

CREATE SEQUENCE field_action_number;
CREATE TABLE field_action (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,  -- FA-2026-0001
    kind text NOT NULL CHECK (kind IN ('RECALL', 'CORRECTION', 'FIRMWARE')),
    state text NOT NULL DEFAULT 'DRAFT'
        CHECK (state IN ('DRAFT', 'APPROVED', 'NOTIFYING', 'EXECUTING', 'EFFECTIVENESS', 'CLOSED', 'CANCELLED')),
    title text NOT NULL CHECK (title <> ''),
    description text NOT NULL DEFAULT '',
    instructions text NOT NULL DEFAULT '',
    device_model_id integer NOT NULL REFERENCES device_model,
    firmware_id bigint REFERENCES firmware_record,
    priority text NOT NULL CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
    needs_visit boolean NOT NULL,
    max_attempts integer NOT NULL CHECK (max_attempts BETWEEN 1 AND 20),
    install_attempts integer NOT NULL CHECK (install_attempts BETWEEN 1 AND 20),
    not_before timestamptz,
    waves jsonb NOT NULL,
    current_wave integer NOT NULL DEFAULT 0,
    wave_opened_at timestamptz,
    scope jsonb NOT NULL,
    scope_sha256 text NOT NULL DEFAULT '',
    scope_frozen_at timestamptz,
    item_count integer NOT NULL DEFAULT 0,
    halt_p double precision NOT NULL CHECK (halt_p > 0 AND halt_p <= 0.2),
    watched_from timestamptz,
    looks integer NOT NULL DEFAULT 0,
    next_look_hours double precision NOT NULL DEFAULT 0,
    halted_at timestamptz,
    halt_reason text NOT NULL DEFAULT '',
    halt_statistics jsonb,
    accepted_findings text[] NOT NULL DEFAULT '{}',
    effectiveness jsonb,
    author_ids bigint[] NOT NULL DEFAULT '{}',
    content_version integer NOT NULL DEFAULT 1,
    capa_id bigint REFERENCES capa,
    cancel_reason text NOT NULL DEFAULT '',
    region text NOT NULL DEFAULT '',
    is_simulated boolean NOT NULL DEFAULT false,
    external_refs jsonb NOT NULL DEFAULT '[]',
    row_version integer NOT NULL DEFAULT 1,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    executing_at timestamptz,
    closed_at timestamptz,
    CHECK ((kind = 'FIRMWARE') = (firmware_id IS NOT NULL)),
    CHECK ((halted_at IS NULL) = (halt_reason = ''))
);
CREATE INDEX field_action_live ON field_action (id) WHERE state IN ('NOTIFYING', 'EXECUTING', 'EFFECTIVENESS');
CREATE INDEX field_action_model ON field_action (device_model_id);

CREATE TABLE field_action_item (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    field_action_id bigint NOT NULL REFERENCES field_action,
    device_id bigint NOT NULL REFERENCES device,
    wave integer NOT NULL CHECK (wave >= 1),
    state text NOT NULL DEFAULT 'IDENTIFIED' CHECK (state IN ('IDENTIFIED', 'NOTIFIED', 'ACKNOWLEDGED', 'SCHEDULED', 'REMEDIATED',
        'VERIFIED', 'UNREACHABLE', 'SCRAPPED')),
    state_since timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    install_failures integer NOT NULL DEFAULT 0,
    notified_at timestamptz,
    acknowledged_at timestamptz,
    scheduled_for timestamptz,
    remediated_at timestamptz,
    remediated_by_id bigint REFERENCES app_user,
    verified_at timestamptz,
    evidence text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    work_order_id bigint REFERENCES work_order,
    row_version integer NOT NULL DEFAULT 1,
    UNIQUE (field_action_id, device_id)
);
CREATE INDEX field_action_item_state ON field_action_item (field_action_id, state);
CREATE INDEX field_action_item_device ON field_action_item (device_id);
CREATE INDEX field_action_item_order ON field_action_item (work_order_id) WHERE work_order_id IS NOT NULL;

-- What was said to whom, and what came of it. Written once.
CREATE TABLE field_action_communication (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    field_action_id bigint NOT NULL REFERENCES field_action,
    item_id bigint REFERENCES field_action_item,  -- NULL: about all devices of the customer
    customer_id bigint REFERENCES customer,
    at timestamptz NOT NULL,
    channel text NOT NULL CHECK (channel IN ('EMAIL', 'PHONE', 'LETTER', 'VISIT', 'PORTAL', 'DEVICE', 'OTHER')),
    by text NOT NULL,
    contact text NOT NULL DEFAULT '',
    text text NOT NULL DEFAULT '' CHECK (length(text) <= 10000),
    result text NOT NULL CHECK (result IN ('SENT', 'REACHED', 'ACKNOWLEDGED', 'NO_ANSWER', 'UNDELIVERABLE', 'REFUSED', 'FAILED')),
    is_simulated boolean NOT NULL DEFAULT false,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(item_id, customer_id) >= 1)
);
CREATE INDEX field_action_communication_action ON field_action_communication (field_action_id, id DESC);
CREATE INDEX field_action_communication_item ON field_action_communication (item_id) WHERE item_id IS NOT NULL;
CREATE INDEX field_action_communication_customer ON field_action_communication (field_action_id, customer_id);
CREATE TRIGGER field_action_communication_write_once BEFORE UPDATE OR DELETE ON field_action_communication
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What the broker is to keep for a device on forewarn/v1/{serial}/down/firmware, and what it was last given. The publisher
-- brings the second to the first as often as it takes.
CREATE TABLE device_notice (
    device_id bigint PRIMARY KEY REFERENCES device,
    field_action_id bigint NOT NULL REFERENCES field_action,
    wanted jsonb,  -- NULL: nothing is to be kept
    revision bigint NOT NULL DEFAULT 1,
    wanted_at timestamptz NOT NULL,
    published_revision bigint NOT NULL DEFAULT 0,
    published_serial text NOT NULL DEFAULT '',
    published_gateway text NOT NULL DEFAULT '',
    published_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT ''
);
CREATE INDEX device_notice_pending ON device_notice (device_id) WHERE published_revision <> revision;
CREATE INDEX device_notice_action ON device_notice (field_action_id);

-- What was approved stays as it was signed; whose item a device is stays as it was frozen.
CREATE FUNCTION keep_approved_firmware() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'DRAFT' OR (OLD.device_model_id, OLD.component, OLD.version, OLD.sha256, OLD.url, OLD.size_bytes, OLD.notes, OLD.author_ids)
        IS DISTINCT FROM (NEW.device_model_id, NEW.component, NEW.version, NEW.sha256, NEW.url, NEW.size_bytes, NEW.notes, NEW.author_ids)
    THEN
        RAISE EXCEPTION 'firmware that was approved is not changed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER firmware_record_approved BEFORE UPDATE ON firmware_record FOR EACH ROW
    WHEN (OLD.state <> 'DRAFT') EXECUTE FUNCTION keep_approved_firmware();

CREATE FUNCTION keep_approved_field_action() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'DRAFT' OR (OLD.kind, OLD.title, OLD.description, OLD.instructions, OLD.device_model_id, OLD.firmware_id, OLD.priority, OLD.needs_visit,
            OLD.max_attempts, OLD.install_attempts, OLD.not_before, OLD.waves, OLD.scope, OLD.scope_sha256, OLD.item_count, OLD.halt_p,
            OLD.capa_id, OLD.author_ids)
        IS DISTINCT FROM (NEW.kind, NEW.title, NEW.description, NEW.instructions, NEW.device_model_id, NEW.firmware_id, NEW.priority,
            NEW.needs_visit, NEW.max_attempts, NEW.install_attempts, NEW.not_before, NEW.waves, NEW.scope, NEW.scope_sha256,
            NEW.item_count, NEW.halt_p, NEW.capa_id, NEW.author_ids)
    THEN
        RAISE EXCEPTION 'a field action that was approved is not changed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER field_action_approved BEFORE UPDATE ON field_action FOR EACH ROW
    WHEN (OLD.state <> 'DRAFT') EXECUTE FUNCTION keep_approved_field_action();

CREATE FUNCTION keep_frozen_items() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM touched t JOIN public.field_action a ON a.id = t.field_action_id WHERE a.state <> 'DRAFT') THEN
        RAISE EXCEPTION 'the scope of a field action that was approved is frozen' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER field_action_item_frozen_in AFTER INSERT ON field_action_item REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION keep_frozen_items();
CREATE TRIGGER field_action_item_frozen_out AFTER DELETE ON field_action_item REFERENCING OLD TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION keep_frozen_items();

CREATE TRIGGER field_action_change AFTER INSERT OR UPDATE ON field_action FOR EACH ROW EXECUTE FUNCTION log_change();
CREATE TRIGGER firmware_record_change AFTER INSERT OR UPDATE ON firmware_record FOR EACH ROW EXECUTE FUNCTION log_change();

-- Where each action is, device by device; who has the device is who has it now.
CREATE VIEW field_action_place AS
SELECT i.field_action_id, i.id AS item_id, i.device_id, i.state, i.wave, d.serial, d.region, s.customer_id, c.code AS customer_code,
    i.state IN ('IDENTIFIED', 'NOTIFIED', 'ACKNOWLEDGED', 'SCHEDULED') AS is_open,
    i.state IN ('REMEDIATED', 'VERIFIED') AS is_remediated
FROM field_action_item i JOIN device d ON d.id = i.device_id
LEFT JOIN site s ON s.id = d.site_id LEFT JOIN customer c ON c.id = s.customer_id;

GRANT SELECT ON firmware_record, field_action, field_action_item, field_action_communication, device_notice, field_action_place
    TO forewarn_app;
GRANT INSERT ON firmware_record, field_action TO forewarn_app;
GRANT UPDATE (sha256, url, size_bytes, notes, state, author_ids, content_version, released_at, withdrawn_at, withdraw_reason,
    external_refs, row_version, updated_at) ON firmware_record TO forewarn_app;
GRANT UPDATE (kind, state, title, description, instructions, device_model_id, firmware_id, priority, needs_visit, max_attempts,
    install_attempts, not_before, waves, current_wave, wave_opened_at, scope, scope_sha256, scope_frozen_at, item_count, halt_p,
    watched_from, looks, next_look_hours, halted_at, halt_reason, halt_statistics, accepted_findings, effectiveness, author_ids,
    content_version, capa_id, cancel_reason, region, is_simulated, external_refs, row_version, updated_at, executing_at, closed_at)
    ON field_action TO forewarn_app;
GRANT INSERT, UPDATE ON device_notice TO forewarn_app;
GRANT INSERT, DELETE ON field_action_item TO forewarn_app;
GRANT UPDATE (state, state_since, attempts, install_failures, notified_at, acknowledged_at, scheduled_for, remediated_at,
    remediated_by_id, verified_at, evidence, reason, work_order_id, row_version) ON field_action_item TO forewarn_app;
GRANT INSERT ON field_action_communication TO forewarn_app;
GRANT USAGE ON SEQUENCE firmware_record_number, field_action_number, firmware_record_id_seq, field_action_id_seq,
    field_action_item_id_seq, field_action_communication_id_seq TO forewarn_app;

COMMENT ON TABLE firmware_record IS 'Firmware that may be installed: a version of a component of a device model, approved by two people.';
COMMENT ON COLUMN firmware_record.sha256 IS 'Of the image, hexadecimal; devices are told it and check it.';
COMMENT ON COLUMN firmware_record.author_ids IS 'Who wrote any part of it; none of them may approve it.';
COMMENT ON COLUMN firmware_record.content_version IS 'Counts up with every change of the draft; a signature names the one it is on.';
COMMENT ON TABLE field_action IS 'Recalls, corrections and firmware campaigns.';
COMMENT ON COLUMN field_action.device_model_id IS 'All devices of an action are of one model.';
COMMENT ON COLUMN field_action.needs_visit IS 'Somebody must go there: scheduling a device makes a work order, or joins one.';
COMMENT ON COLUMN field_action.max_attempts IS 'Failed attempts to reach who has a device, after which it is UNREACHABLE.';
COMMENT ON COLUMN field_action.install_attempts IS 'Updates that failed at a device, after which it is told no more and visited instead.';
COMMENT ON COLUMN field_action.waves IS 'Parts of the roll-out: [{share, serials, soak_h, done_share}].';
COMMENT ON COLUMN field_action.current_wave IS 'The last wave that is open; 0: none.';
COMMENT ON COLUMN field_action.scope IS 'The query that the frozen devices were found by.';
COMMENT ON COLUMN field_action.scope_sha256 IS 'Over every frozen serial and its wave; part of what approvers sign. Empty: nothing is frozen.';
COMMENT ON COLUMN field_action.halt_p IS 'Chance of a false alarm, over all looks, at which the campaign stops by itself.';
COMMENT ON COLUMN field_action.watched_from IS 'Devices upgraded since then are compared with themselves before; set at the start, and anew when it goes on after a halt for that rate.';
COMMENT ON COLUMN field_action.halted_at IS 'Since when it stands still; its state stays. NULL: it does not.';
COMMENT ON COLUMN field_action.halt_reason IS 'breach_rate, release_regression, firmware_withdrawn, person.';
COMMENT ON COLUMN field_action.accepted_findings IS 'Findings of the release comparison with which a person let it go on: they halt it no more.';
COMMENT ON COLUMN field_action.effectiveness IS 'Figures at EFFECTIVENESS, computed by service-link; kept as they were at CLOSED.';
COMMENT ON TABLE field_action_item IS 'The devices of each action. Which they are is frozen with the approval.';
COMMENT ON COLUMN field_action_item.attempts IS 'Failed attempts to reach who has the device, since somebody was last reached.';
COMMENT ON COLUMN field_action_item.install_failures IS 'FAILED reports of the wanted version since the device was notified.';
COMMENT ON COLUMN field_action_item.remediated_at IS 'Of a campaign: the device time of the UPDATED that it rests on.';
COMMENT ON COLUMN field_action_item.remediated_by_id IS 'Who did the work; NULL: the device reported it.';
COMMENT ON TABLE field_action_communication IS 'What was said to whom by which way, and what came of it. Written once.';
COMMENT ON COLUMN field_action_communication.by IS 'Name of the account, or the program.';
COMMENT ON COLUMN field_action_communication.contact IS 'Who was spoken to: personal data, shown with customer.read_contacts alone.';
COMMENT ON TABLE device_notice IS 'What the broker is to keep for each device on down/firmware, and what it was last given.';
COMMENT ON COLUMN device_notice.wanted IS 'The payload; NULL: the topic is to be empty.';
COMMENT ON COLUMN device_notice.published_serial IS 'Serial below whose topic it was published; empty: nothing is there.';
COMMENT ON COLUMN device_notice.published_gateway IS 'Gateway below whose topic it was published as well.';
COMMENT ON VIEW field_action_place IS 'Each device of each action with where it stands and who has it now.';
