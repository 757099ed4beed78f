-- What people work on: work orders, CAPA notices, the decisions that led to them, signatures, the audit chain, the outbox.

CREATE SEQUENCE work_order_number;
CREATE TABLE work_order (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,  -- WO-2026-000123
    type text NOT NULL CHECK (type IN ('CORRECTIVE', 'PREDICTIVE', 'PREVENTIVE', 'CALIBRATION', 'INSTALL', 'TRAINING', 'FIRMWARE', 'RECALL')),
    source text NOT NULL CHECK (source IN ('AUTOMATIC', 'MANUAL', 'COMPLAINT', 'PLAN')),
    priority text NOT NULL CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
    state text NOT NULL CHECK (state IN ('NEW', 'TRIAGED', 'ASSIGNED', 'IN_PROGRESS', 'ON_HOLD', 'WORK_DONE', 'VERIFIED', 'CLOSED', 'CANCELLED')),
    hold_reason text CHECK (hold_reason IN ('PARTS', 'CUSTOMER', 'ACCESS', 'VENDOR')),
    device_id bigint REFERENCES device,
    gateway_id integer REFERENCES gateway,  -- an order for a gateway has no device
    site_id bigint REFERENCES site,
    customer_id bigint REFERENCES customer,
    contract_id bigint REFERENCES service_contract,
    fault_group text NOT NULL,
    title_code text NOT NULL,  -- reason code of the sentence, with its parameters: rendered in the reader's language
    title_params jsonb NOT NULL,
    description text NOT NULL DEFAULT '',
    assignee_id bigint REFERENCES app_user,
    breach_count integer NOT NULL DEFAULT 0,
    last_breach_at timestamptz,
    quiet_since timestamptz,  -- all linked breaches cleared since
    ready_to_verify_at timestamptz,
    reopen_count integer NOT NULL DEFAULT 0,
    version integer NOT NULL DEFAULT 1,  -- counts up when reopened; a signature belongs to a version
    recurrence_of bigint REFERENCES work_order,
    parent_id bigint REFERENCES work_order,
    outcome text CHECK (outcome IN ('CONFIRMED', 'NO_FAULT_FOUND', 'SENSOR_FAULT', 'FALSE_ALARM')),
    failure_code text,
    close_out jsonb,  -- the 820.35(b) fields
    response_due_at timestamptz,
    resolution_due_at timestamptz,
    responded_at timestamptz,
    resolved_at timestamptz,
    response_breached boolean NOT NULL DEFAULT false,  -- sticky
    resolution_breached boolean NOT NULL DEFAULT false,
    response_warned boolean NOT NULL DEFAULT false,  -- sla.due_soon was said of this clock
    resolution_warned boolean NOT NULL DEFAULT false,
    inbox_reason text CHECK (inbox_reason IN ('NEW', 'REOPENED', 'ESCALATED', 'CAME_BACK')),  -- a person has yet to look; NULL: looked at
    closed_at timestamptz,
    cancel_reason text,
    region text NOT NULL DEFAULT '',
    external_refs jsonb NOT NULL DEFAULT '[]',
    is_simulated boolean NOT NULL DEFAULT false,
    row_version integer NOT NULL DEFAULT 1,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (state <> 'ON_HOLD' OR hold_reason IS NOT NULL),
    CHECK (num_nonnulls(device_id, gateway_id, site_id) >= 1)  -- the parent of a storm has a site alone
);
-- The arbiter of rule 3: one open automatic order per device and fault group, one per gateway and fault group.
CREATE UNIQUE INDEX work_order_one_open_per_device ON work_order (device_id, fault_group)
    WHERE source = 'AUTOMATIC' AND device_id IS NOT NULL AND state NOT IN ('CLOSED', 'CANCELLED');
CREATE UNIQUE INDEX work_order_one_open_per_gateway ON work_order (gateway_id, fault_group)
    WHERE source = 'AUTOMATIC' AND device_id IS NULL AND state NOT IN ('CLOSED', 'CANCELLED');
CREATE UNIQUE INDEX work_order_one_open_per_site ON work_order (site_id, fault_group)
    WHERE source = 'AUTOMATIC' AND device_id IS NULL AND gateway_id IS NULL AND state NOT IN ('CLOSED', 'CANCELLED');
CREATE INDEX work_order_parent ON work_order (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX work_order_open_due ON work_order (least(response_due_at, resolution_due_at)) WHERE state NOT IN ('CLOSED', 'CANCELLED');
CREATE INDEX work_order_state ON work_order (state, priority, created_at);
CREATE INDEX work_order_key ON work_order (device_id, fault_group, closed_at DESC);
CREATE INDEX work_order_customer ON work_order (customer_id);
CREATE INDEX work_order_assignee ON work_order (assignee_id) WHERE state NOT IN ('CLOSED', 'CANCELLED');

CREATE TABLE work_order_breach (
    work_order_id bigint NOT NULL REFERENCES work_order,
    breach_id uuid NOT NULL REFERENCES breach,
    linked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (work_order_id, breach_id)
);
CREATE INDEX work_order_breach_breach ON work_order_breach (breach_id);

CREATE TABLE work_order_note (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    work_order_id bigint NOT NULL REFERENCES work_order,
    at timestamptz NOT NULL DEFAULT now(),
    author text NOT NULL,
    body text NOT NULL CHECK (length(body) BETWEEN 1 AND 10000)
);
CREATE INDEX work_order_note_order ON work_order_note (work_order_id, at);

CREATE TABLE technician_certificate (
    user_id bigint NOT NULL REFERENCES app_user,
    device_model_id integer NOT NULL REFERENCES device_model,
    valid_until date NOT NULL,
    PRIMARY KEY (user_id, device_model_id)
);

-- A device or one fault group of it, shelved by a person: reason and expiry.
CREATE TABLE shelving (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id bigint NOT NULL REFERENCES device,
    fault_group text,  -- NULL: all
    reason text NOT NULL CHECK (reason <> ''),
    shelved_by text NOT NULL,
    shelved_at timestamptz NOT NULL DEFAULT now(),
    shelved_until timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX shelving_device ON shelving (device_id) WHERE ended_at IS NULL;

-- What became of each transition, and why: one row each, shown to people.
CREATE TABLE ticket_decision (
    transition_id bigint PRIMARY KEY REFERENCES breach_transition,
    decided_at timestamptz NOT NULL DEFAULT now(),
    decision text NOT NULL CHECK (decision IN ('NOTHING', 'OPENED', 'JOINED', 'REOPENED', 'ESCALATED', 'QUIET', 'PARENT')),
    reason text NOT NULL,  -- named reason, see service_link/triage.py
    params jsonb NOT NULL DEFAULT '{}',
    work_order_id bigint REFERENCES work_order
);
-- What is decided again later: when a shelving or maintenance is over, or when the program that failed starts anew.
CREATE INDEX ticket_decision_put_off ON ticket_decision (transition_id)
    WHERE reason IN ('shelved', 'under_maintenance', 'triage_failed');
CREATE INDEX ticket_decision_order ON ticket_decision (work_order_id) WHERE work_order_id IS NOT NULL;

-- Rule 7: a monitor of one profile version whose orders were closed as false alarms too often.
CREATE TABLE monitor_flag (
    device_model_id integer NOT NULL REFERENCES device_model,
    monitor text NOT NULL,
    profile_version integer NOT NULL,
    false_alarms integer NOT NULL,
    flagged_at timestamptz NOT NULL,
    PRIMARY KEY (device_model_id, monitor, profile_version)
);

CREATE SEQUENCE capa_number;
CREATE TABLE capa (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,  -- CAPA-2026-0007
    kind text NOT NULL CHECK (kind IN ('CORRECTIVE', 'PREVENTIVE')),
    state text NOT NULL CHECK (state IN ('PROPOSED', 'OPEN', 'REJECTED', 'INVESTIGATION', 'ACTION_PLAN', 'IMPLEMENTATION', 'VERIFICATION', 'EFFECTIVENESS', 'CLOSED')),
    device_model_id integer NOT NULL REFERENCES device_model,
    scope_kind text NOT NULL CHECK (scope_kind IN ('MODEL', 'LOT', 'FIRMWARE', 'DEVICE')),
    scope_value text NOT NULL DEFAULT '',  -- lot, firmware version or serial
    fault_group text NOT NULL,
    trigger text NOT NULL,  -- named reason: COHORT, COHORT_NO_BASELINE, CONFIRMED_CRITICAL, SECOND_REOPENING
    statistics jsonb NOT NULL,  -- devices, customers, device_days, events, rate, baseline_rate, ratio, interval, p, q
    decision_reason text,
    decided_by text,
    decided_at timestamptz,
    ineffective_of bigint REFERENCES capa,
    closed_at timestamptz,
    is_simulated boolean NOT NULL DEFAULT false,
    region text NOT NULL DEFAULT '',
    external_refs jsonb NOT NULL DEFAULT '[]',
    row_version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
-- The arbiter of rule 9: one live CAPA per scope and fault group.
CREATE UNIQUE INDEX capa_one_live_per_scope ON capa (device_model_id, scope_kind, scope_value, fault_group)
    WHERE state NOT IN ('REJECTED', 'CLOSED');

CREATE TABLE capa_member (
    capa_id bigint NOT NULL REFERENCES capa,
    work_order_id bigint NOT NULL REFERENCES work_order,
    added_at timestamptz NOT NULL DEFAULT now(),
    excluded_reason text,
    PRIMARY KEY (capa_id, work_order_id)
);

CREATE TABLE signature (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity text NOT NULL,
    entity_id bigint NOT NULL,
    entity_version integer NOT NULL,
    content_sha256 text NOT NULL,
    signer_id bigint NOT NULL REFERENCES app_user,
    printed_name text NOT NULL,
    meaning text NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX signature_entity ON signature (entity, entity_id);

-- The audit chain. The head row serialises writers for the rest of their transaction: take it last.
CREATE TABLE audit_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    seq bigint NOT NULL,
    hash text NOT NULL
);
INSERT INTO audit_head (seq, hash) VALUES (0, repeat('0', 64));

CREATE TABLE audit_event (
    seq bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    role text NOT NULL,
    permission text NOT NULL,
    action text NOT NULL,
    entity text NOT NULL,
    entity_id text NOT NULL,
    before jsonb,
    after jsonb,
    reason text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    prev_hash text NOT NULL,
    hash text NOT NULL
);
CREATE INDEX audit_event_entity ON audit_event (entity, entity_id, seq DESC);
CREATE INDEX audit_event_actor ON audit_event (actor, seq DESC);

-- The text that is hashed: every field in order, each with its length in bytes, so that no two rows give the same text.
CREATE FUNCTION audit_text(e audit_event) RETURNS text LANGUAGE sql STABLE SET timezone = 'UTC' AS $$
    SELECT string_agg(octet_length(coalesce(part, '')) || ':' || coalesce(part, ''), ',' ORDER BY place)
    FROM unnest(ARRAY[
        e.seq::text, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), e.actor, e.role, e.permission, e.action,
        e.entity, e.entity_id, e.before::text, e.after::text, e.reason, e.request_id, e.prev_hash
    ]) WITH ORDINALITY AS parts (part, place)
$$;

CREATE FUNCTION chain_audit_event() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    head audit_head;
BEGIN
    SELECT * INTO head FROM audit_head FOR UPDATE;
    NEW.seq := head.seq + 1;
    NEW.at := clock_timestamp();
    NEW.prev_hash := head.hash;
    NEW.hash := encode(sha256(convert_to(audit_text(NEW), 'UTF8')), 'hex');
    UPDATE audit_head SET seq = NEW.seq, hash = NEW.hash;
    RETURN NEW;
END
$$;
CREATE TRIGGER audit_event_chain BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION chain_audit_event();

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are written once', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_event_write_once BEFORE UPDATE OR DELETE ON audit_event FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER evidence_write_once BEFORE UPDATE OR DELETE ON evidence FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ticket_decision_write_once BEFORE UPDATE OR DELETE ON ticket_decision FOR EACH ROW
    WHEN (OLD.reason NOT IN ('shelved', 'under_maintenance', 'triage_failed')) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER signature_write_once BEFORE UPDATE OR DELETE ON signature FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Events for others (CloudEvents 1.0, structured), written with the change itself and delivered later.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    type text NOT NULL,
    subject text NOT NULL,
    entity text NOT NULL,
    entity_id text NOT NULL,
    body jsonb NOT NULL,
    is_simulated boolean NOT NULL,  -- never leaves the system
    created_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz
);
CREATE INDEX outbox_waiting ON outbox (id) WHERE delivered_at IS NULL AND NOT is_simulated;

-- What consoles follow (SSE). xid orders safely: rows of transactions still under way are not read past.
CREATE TABLE change_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL DEFAULT now(),
    entity text NOT NULL,  -- work_order, capa, breach, device, rejection
    entity_id text NOT NULL,
    row_version integer NOT NULL,
    customer_id bigint
);
CREATE INDEX change_log_order ON change_log (xid, id);
CREATE INDEX change_log_at ON change_log (at);

CREATE FUNCTION log_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    r jsonb := to_jsonb(NEW);
    owner bigint := (r ->> 'customer_id')::bigint;  -- whose users may hear of it
BEGIN
    IF TG_TABLE_NAME = 'device' THEN
        SELECT s.customer_id INTO owner FROM public.site s WHERE s.id = (r ->> 'site_id')::bigint;
    ELSIF TG_TABLE_NAME = 'breach' THEN
        SELECT s.customer_id INTO owner FROM public.device d JOIN public.site s ON s.id = d.site_id WHERE d.id = (r ->> 'device_id')::bigint;
    END IF;
    INSERT INTO change_log (entity, entity_id, row_version, customer_id)
    VALUES (TG_TABLE_NAME, coalesce(r ->> 'code', r ->> 'serial', r ->> 'id'), coalesce((r ->> 'row_version')::integer, 1), owner);
    PERFORM pg_notify('forewarn_change', '');
    RETURN NULL;
END
$$;
CREATE TRIGGER work_order_change AFTER INSERT OR UPDATE ON work_order FOR EACH ROW EXECUTE FUNCTION log_change();
CREATE TRIGGER capa_change AFTER INSERT OR UPDATE ON capa FOR EACH ROW EXECUTE FUNCTION log_change();
CREATE TRIGGER breach_change AFTER INSERT OR UPDATE OF state, severity ON breach FOR EACH ROW EXECUTE FUNCTION log_change();
CREATE TRIGGER device_change AFTER UPDATE OF connectivity, lifecycle, firmware ON device FOR EACH ROW
    WHEN (OLD.connectivity IS DISTINCT FROM NEW.connectivity OR OLD.lifecycle IS DISTINCT FROM NEW.lifecycle OR OLD.firmware IS DISTINCT FROM NEW.firmware)
    EXECUTE FUNCTION log_change();

CREATE FUNCTION notify_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('forewarn_transition', '');
    RETURN NULL;
END
$$;
CREATE TRIGGER breach_transition_notify AFTER INSERT ON breach_transition FOR EACH STATEMENT EXECUTE FUNCTION notify_transition();

-- POSTs are answered once per key.
CREATE TABLE idempotency_key (
    key text NOT NULL,
    caller text NOT NULL,
    request_sha256 text NOT NULL,
    status integer NOT NULL,
    response jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, key)
);
