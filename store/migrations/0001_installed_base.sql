-- Who and what is out there: customers, sites, contracts, device models, devices, gateways, and the series of each device.
-- Also the people and tokens that may look at them.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'forewarn_app') THEN
        CREATE ROLE forewarn_app NOLOGIN;
    END IF;
END
$$;

-- One row: what this installation is. shard_count is fixed for its life.
CREATE TABLE installation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    flavour text NOT NULL CHECK (flavour IN ('postgresql', 'timescaledb-apache', 'timescaledb-community')),
    shard_count smallint NOT NULL DEFAULT 4 CHECK (shard_count BETWEEN 1 AND 256),
    registry_version bigint NOT NULL DEFAULT 1,  -- counts up with every change that ingest or anomaly must know of
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE customer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,
    name text NOT NULL,
    type text NOT NULL CHECK (type IN ('HOSPITAL', 'CLINIC', 'LAB', 'DISTRIBUTOR')),
    channel text NOT NULL DEFAULT 'DIRECT' CHECK (channel IN ('DIRECT', 'DISTRIBUTOR')),
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('PROSPECT', 'ACTIVE', 'INACTIVE')),
    region text NOT NULL DEFAULT '',
    contacts jsonb NOT NULL DEFAULT '[]',
    external_refs jsonb NOT NULL DEFAULT '[]',
    is_simulated boolean NOT NULL DEFAULT false,
    row_version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE site (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer,
    code text NOT NULL UNIQUE,
    name text NOT NULL,
    department text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT '',
    time_zone text NOT NULL DEFAULT 'UTC',
    region text NOT NULL DEFAULT '',
    external_refs jsonb NOT NULL DEFAULT '[]',
    is_simulated boolean NOT NULL DEFAULT false,
    row_version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX site_customer ON site (customer_id);

CREATE TABLE device_model (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    manufacturer text NOT NULL,
    name jsonb NOT NULL,  -- {"en": .., "zh": ..}
    udi_di text NOT NULL,
    safety_critical boolean NOT NULL,
    current_version integer NOT NULL,
    row_version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Every version of a profile that was ever applied stays: a breach names the version that judged it.
CREATE TABLE device_model_profile (
    device_model_id integer NOT NULL REFERENCES device_model,
    version integer NOT NULL CHECK (version >= 1),
    body jsonb NOT NULL,
    sha256 text NOT NULL,
    applied_by text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (device_model_id, version)
);

CREATE TABLE gateway (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    site_id bigint REFERENCES site,
    is_simulated boolean NOT NULL DEFAULT false
);

CREATE TABLE device (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_model_id integer NOT NULL REFERENCES device_model,
    serial text NOT NULL UNIQUE CHECK (serial ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    lot text NOT NULL DEFAULT '',
    udi text NOT NULL DEFAULT '',
    site_id bigint REFERENCES site,
    gateway_id integer REFERENCES gateway,
    made_on date,
    purchased_on date,
    installed_on date,
    warranty_end date,
    calibration_due date,
    firmware text NOT NULL DEFAULT '',
    lifecycle text NOT NULL DEFAULT 'IN_SERVICE'
        CHECK (lifecycle IN ('REGISTERED', 'INSTALLED', 'IN_SERVICE', 'UNDER_MAINTENANCE', 'QUARANTINED', 'DECOMMISSIONED')),
    lifecycle_since timestamptz NOT NULL DEFAULT now(),
    connectivity text NOT NULL DEFAULT 'UNKNOWN' CHECK (connectivity IN ('UNKNOWN', 'ONLINE', 'STALE', 'OFFLINE')),
    connectivity_since timestamptz,
    last_seen_at timestamptz,  -- receiver's time of the last message; written by ingest every few seconds, not every message
    shard smallint NOT NULL,
    region text NOT NULL DEFAULT '',
    external_refs jsonb NOT NULL DEFAULT '[]',
    is_simulated boolean NOT NULL DEFAULT false,
    row_version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX device_model_firmware ON device (device_model_id, firmware);
CREATE INDEX device_site ON device (site_id);
CREATE INDEX device_gateway ON device (gateway_id);

CREATE TABLE device_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id bigint NOT NULL REFERENCES device,
    at timestamptz NOT NULL,
    field text NOT NULL,  -- firmware:<component>, site, customer, lifecycle, connectivity
    before text,
    after text,
    source text NOT NULL  -- device, user:<name>, import
);
CREATE INDEX device_history_device ON device_history (device_id, at DESC);

CREATE TABLE service_contract (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,
    customer_id bigint NOT NULL REFERENCES customer,
    coverage text NOT NULL DEFAULT '',
    starts_on date NOT NULL,
    ends_on date NOT NULL CHECK (ends_on >= starts_on),
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('DRAFT', 'ACTIVE', 'EXPIRED', 'TERMINATED')),
    remind_days integer NOT NULL DEFAULT 60,
    is_simulated boolean NOT NULL DEFAULT false,
    row_version integer NOT NULL DEFAULT 1
);
CREATE INDEX service_contract_customer ON service_contract (customer_id);

-- One row per signal of one device. Made when the device is registered or its model gets a sensor more; never by ingest.
CREATE TABLE series (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id bigint NOT NULL REFERENCES device,
    sensor text NOT NULL,
    last_observed_at timestamptz,  -- written by ingest every few seconds; the truth is in reading
    UNIQUE (device_id, sensor)
);

CREATE TABLE app_user (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
    full_name text NOT NULL,
    password_hash text NOT NULL,  -- argon2id
    must_change_password boolean NOT NULL DEFAULT false,
    roles text[] NOT NULL,
    customer_id bigint REFERENCES customer,
    language text NOT NULL DEFAULT '' CHECK (language IN ('', 'en', 'zh')),
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DISABLED')),
    failed_count integer NOT NULL DEFAULT 0,
    locked_until timestamptz,
    row_version integer NOT NULL DEFAULT 1,  -- name, roles, customer, status; signing in does not move it
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE app_session (
    token_hash bytea PRIMARY KEY,  -- sha256; the token itself is only in the cookie
    user_id bigint NOT NULL REFERENCES app_user,
    csrf_token text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX app_session_user ON app_session (user_id);

CREATE TABLE api_token (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    token_hash bytea NOT NULL UNIQUE,
    role text NOT NULL,
    customer_id bigint REFERENCES customer,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

-- Every SECURITY DEFINER function names pg_temp, and last: PostgreSQL would else look there first, and a caller's temporary
-- table would stand in for the one that is meant.

-- A changed device, gateway or profile moves registry_version, which ingest and anomaly look at; last_seen_at alone does not.
CREATE FUNCTION bump_registry_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE installation SET registry_version = registry_version + 1;
    PERFORM pg_notify('forewarn_registry', '');
    RETURN NULL;
END
$$;
CREATE TRIGGER device_registry_insert AFTER INSERT OR DELETE ON device FOR EACH STATEMENT EXECUTE FUNCTION bump_registry_version();
CREATE TRIGGER device_registry_update AFTER UPDATE OF device_model_id, serial, site_id, gateway_id, lifecycle, installed_on, shard ON device
    FOR EACH STATEMENT EXECUTE FUNCTION bump_registry_version();
CREATE TRIGGER series_registry AFTER INSERT OR DELETE ON series FOR EACH STATEMENT EXECUTE FUNCTION bump_registry_version();
CREATE TRIGGER gateway_registry AFTER INSERT OR UPDATE OR DELETE ON gateway FOR EACH STATEMENT EXECUTE FUNCTION bump_registry_version();
CREATE TRIGGER profile_registry AFTER INSERT ON device_model_profile FOR EACH STATEMENT EXECUTE FUNCTION bump_registry_version();
CREATE TRIGGER model_registry AFTER UPDATE ON device_model FOR EACH STATEMENT EXECUTE FUNCTION bump_registry_version();
