-- Master data from other systems: what they call our records, what contracts cover, and each change of a device's place, key
-- fields and life-cycle by date.

ALTER TABLE device ADD COLUMN expires_on date;
ALTER TABLE device_model ADD COLUMN external_refs jsonb NOT NULL DEFAULT '[]';
ALTER TABLE service_contract ADD COLUMN region text NOT NULL DEFAULT '';
ALTER TABLE service_contract ADD COLUMN external_refs jsonb NOT NULL DEFAULT '[]';
ALTER TABLE service_contract ADD COLUMN covers_all boolean NOT NULL DEFAULT true;
ALTER TABLE service_contract ADD COLUMN status_since timestamptz NOT NULL DEFAULT now();
ALTER TABLE service_contract ADD COLUMN status_reason text NOT NULL DEFAULT '';
ALTER TABLE service_contract ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX service_contract_active ON service_contract (customer_id, ends_on) WHERE status = 'ACTIVE';

-- Of a contract that does not cover all devices of its customer: those that it covers.
CREATE TABLE service_contract_device (
    contract_id bigint NOT NULL REFERENCES service_contract,
    device_id bigint NOT NULL REFERENCES device,
    PRIMARY KEY (contract_id, device_id)
);
CREATE INDEX service_contract_device_device ON service_contract_device (device_id);

-- Whether the contract, of the device's customer, is for that device.
CREATE FUNCTION contract_covers(k service_contract, device bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT k.covers_all OR EXISTS (
        SELECT FROM public.service_contract_device x WHERE x.contract_id = k.id AND x.device_id = device)
$$;

-- The arbiter: what one system calls by one name is one record of ours. external_refs of the record says the same.
CREATE TABLE master_reference (
    entity text NOT NULL CHECK (entity IN ('customer', 'site', 'contract', 'device_model', 'device')),
    system text NOT NULL CHECK (system ~ '^[a-z][a-z0-9._-]{0,31}$' AND system <> 'forewarn'),
    external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 128),
    type text NOT NULL DEFAULT '',
    customer_id bigint REFERENCES customer,
    site_id bigint REFERENCES site,
    contract_id bigint REFERENCES service_contract,
    device_model_id integer REFERENCES device_model,
    device_id bigint REFERENCES device,
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (entity, system, external_id),
    CHECK (CASE entity WHEN 'customer' THEN customer_id WHEN 'site' THEN site_id WHEN 'contract' THEN contract_id
        WHEN 'device_model' THEN device_model_id ELSE device_id END IS NOT NULL),
    CHECK (num_nonnulls(customer_id, site_id, contract_id, device_model_id, device_id) = 1)
);
-- A record has one name in one system.
CREATE UNIQUE INDEX master_reference_customer ON master_reference (customer_id, system) WHERE customer_id IS NOT NULL;
CREATE UNIQUE INDEX master_reference_site ON master_reference (site_id, system) WHERE site_id IS NOT NULL;
CREATE UNIQUE INDEX master_reference_contract ON master_reference (contract_id, system) WHERE contract_id IS NOT NULL;
CREATE UNIQUE INDEX master_reference_model ON master_reference (device_model_id, system) WHERE device_model_id IS NOT NULL;
CREATE UNIQUE INDEX master_reference_device ON master_reference (device_id, system) WHERE device_id IS NOT NULL;

-- Whatever changes a device's key fields, place or life-cycle, its dated history says so.
CREATE FUNCTION record_device_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    said text := coalesce(nullif(current_setting('forewarn.source', true), ''), 'import');
BEGIN
    INSERT INTO device_history (device_id, at, field, before, after, source)
    SELECT NEW.id, now(), c.field, nullif(c.before, ''), nullif(c.after, ''), said
    FROM (VALUES (1, 'serial', OLD.serial, NEW.serial), (2, 'udi', OLD.udi, NEW.udi),
        (3, 'customer', (SELECT u.code FROM site s JOIN customer u ON u.id = s.customer_id WHERE s.id = OLD.site_id),
            (SELECT u.code FROM site s JOIN customer u ON u.id = s.customer_id WHERE s.id = NEW.site_id)),
        (4, 'site', (SELECT s.code FROM site s WHERE s.id = OLD.site_id), (SELECT s.code FROM site s WHERE s.id = NEW.site_id)),
        (5, 'lifecycle', OLD.lifecycle, NEW.lifecycle)) AS c (place, field, before, after)
    WHERE c.before IS DISTINCT FROM c.after
    ORDER BY c.place;
    RETURN NULL;
END
$$;
CREATE TRIGGER device_master_change AFTER UPDATE OF serial, udi, site_id, lifecycle ON device FOR EACH ROW
    WHEN ((OLD.serial, OLD.udi, OLD.site_id, OLD.lifecycle) IS DISTINCT FROM (NEW.serial, NEW.udi, NEW.site_id, NEW.lifecycle))
    EXECUTE FUNCTION record_device_change();

GRANT SELECT, INSERT, DELETE ON service_contract_device TO forewarn_app;
GRANT SELECT, INSERT ON master_reference TO forewarn_app;
GRANT UPDATE (type) ON master_reference TO forewarn_app;

COMMENT ON COLUMN device.expires_on IS 'The last day on which it may be used, of UDI carriers AI 17. NULL: not known, or without end.';
COMMENT ON COLUMN service_contract.region IS 'That of its customer when it was made, unless another was named.';
COMMENT ON COLUMN service_contract.covers_all IS 'All devices of the customer; else those of service_contract_device.';
COMMENT ON COLUMN service_contract.status_since IS 'Since when it is DRAFT, ACTIVE, EXPIRED or TERMINATED.';
COMMENT ON COLUMN service_contract.status_reason IS 'Why it was terminated.';
COMMENT ON TABLE service_contract_device IS 'The devices that a contract covers, where it does not cover all of its customer.';
COMMENT ON TABLE master_reference IS 'What other systems call customers, sites, contracts, device models and devices.';
COMMENT ON COLUMN master_reference.system IS 'A word of the installation''s own for the other system, e.g. erp. forewarn is never one: that is our own code.';
COMMENT ON COLUMN master_reference.external_id IS 'Unique in that system for its kind of record.';
COMMENT ON COLUMN master_reference.type IS 'What the other system calls the kind of record, e.g. res.partner.';
COMMENT ON COLUMN master_reference.made_at IS 'When it became known.';
