-- Who may publish: accounts of devices and gateways at the broker (never their passwords), and codes by which a device
-- fetches its account itself, once.
CREATE TABLE device_account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username text NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('device', 'gateway')),
    device_id bigint UNIQUE REFERENCES device,
    gateway_id integer UNIQUE REFERENCES gateway,
    method text NOT NULL CHECK (method IN ('password', 'certificate')),
    thingsboard boolean NOT NULL DEFAULT false,
    state text NOT NULL DEFAULT 'ACTIVE' CHECK (state IN ('ACTIVE', 'REVOKED')),
    created_at timestamptz NOT NULL DEFAULT now(),
    rotated_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    changed_by text NOT NULL,
    CHECK ((kind = 'device') = (device_id IS NOT NULL)),
    CHECK ((kind = 'gateway') = (gateway_id IS NOT NULL)),
    CHECK ((state = 'REVOKED') = (revoked_at IS NOT NULL))
);

CREATE TABLE device_claim (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id bigint NOT NULL REFERENCES device,
    code_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    withdrawn_at timestamptz,
    CHECK (used_at IS NULL OR withdrawn_at IS NULL)
);
-- A device has one open code at most: a new one withdraws the one before.
CREATE UNIQUE INDEX device_claim_open ON device_claim (device_id) WHERE used_at IS NULL AND withdrawn_at IS NULL;

-- Which gateway speaks for a device decides what ingest believes: each change of it stays on record, whoever makes it.
CREATE FUNCTION record_gateway_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO device_history (device_id, at, field, before, after, source)
    VALUES (NEW.id, now(), 'gateway', (SELECT name FROM gateway WHERE id = OLD.gateway_id),
        (SELECT name FROM gateway WHERE id = NEW.gateway_id),
        coalesce(nullif(current_setting('forewarn.source', true), ''), 'import'));
    RETURN NULL;
END
$$;
CREATE TRIGGER device_gateway_change AFTER UPDATE OF gateway_id ON device
    FOR EACH ROW WHEN (OLD.gateway_id IS DISTINCT FROM NEW.gateway_id) EXECUTE FUNCTION record_gateway_change();

GRANT SELECT, INSERT ON device_account, device_claim TO forewarn_app;
GRANT UPDATE (method, thingsboard, state, rotated_at, revoked_at, changed_by) ON device_account TO forewarn_app;
GRANT UPDATE (used_at, withdrawn_at) ON device_claim TO forewarn_app;

COMMENT ON TABLE device_account IS 'Accounts of devices and gateways at the broker, without their secrets.';
COMMENT ON COLUMN device_account.username IS 'A serial, or gateway/ and a gateway''s name; also the common name of its certificate.';
COMMENT ON COLUMN device_account.thingsboard IS 'A gateway that may publish on v1/gateway/..., where topics name no gateway.';
COMMENT ON COLUMN device_account.rotated_at IS 'When its present password or method was set.';
COMMENT ON TABLE device_claim IS 'Codes by which a device fetches its account itself, each once; only a hash is kept.';
