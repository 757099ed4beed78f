-- How long what is measured and counted is kept: what two people decided, beside what service-link is set to and last applied.

CREATE TABLE retention_class (
    class text PRIMARY KEY,
    decided_days integer CHECK (decided_days BETWEEN 0 AND 36500),
    decided_by text,
    decided_at timestamptz,
    request text,
    reason text NOT NULL DEFAULT '',
    setting_days integer CHECK (setting_days >= 0),
    applied_days integer CHECK (applied_days >= 0),
    applied_at timestamptz,
    row_version integer NOT NULL DEFAULT 1,
    CHECK ((decided_days IS NULL) = (decided_at IS NULL) AND (decided_days IS NULL) = (decided_by IS NULL)
        AND (decided_days IS NULL) = (request IS NULL)),
    CHECK ((applied_days IS NULL) = (applied_at IS NULL) AND (applied_days IS NULL) = (setting_days IS NULL))
);
INSERT INTO retention_class (class) VALUES ('readings_short'), ('readings_standard'), ('readings_long'), ('rollups_minute'),
    ('rollups_hour'), ('records'), ('simulated_events');

-- Changing it takes two people.
ALTER TABLE approval_request DROP CONSTRAINT approval_request_kind_check;
ALTER TABLE approval_request ADD CONSTRAINT approval_request_kind_check
    CHECK (kind IN ('sla_waiver', 'plan_skip', 'key_field_change', 'identifiable_export', 'retention_change'));

-- Bytes on the disk of a table with its indexes, all its partitions or chunks, and what a roll-up is made of.
CREATE FUNCTION find_table_size(name text) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found regclass := to_regclass('public.' || quote_ident(name));
    made_of regclass;
BEGIN
    IF found IS NULL THEN
        RETURN NULL;
    END IF;
    IF (SELECT flavour FROM installation) <> 'postgresql' THEN
        SELECT format('%I.%I', c.materialization_hypertable_schema, c.materialization_hypertable_name)::regclass INTO made_of
        FROM timescaledb_information.continuous_aggregates c WHERE c.view_schema = 'public' AND c.view_name = name;
        IF made_of IS NOT NULL THEN
            RETURN public.hypertable_size(made_of);
        END IF;
        IF EXISTS (SELECT FROM timescaledb_information.hypertables h WHERE h.hypertable_schema = 'public' AND h.hypertable_name = name) THEN
            RETURN public.hypertable_size(found);
        END IF;
    END IF;
    RETURN (SELECT coalesce(sum(pg_total_relation_size(t.relid)), pg_total_relation_size(found)) FROM pg_partition_tree(found) t);
END
$$;
REVOKE ALL ON FUNCTION find_table_size(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_table_size(text) TO forewarn_app;

GRANT SELECT ON retention_class TO forewarn_app;
GRANT UPDATE (decided_days, decided_by, decided_at, request, reason, setting_days, applied_days, applied_at, row_version)
    ON retention_class TO forewarn_app;

COMMENT ON TABLE retention_class IS 'How long each class of what is measured and counted is kept. What is in no class stays for ever.';
COMMENT ON COLUMN retention_class.decided_days IS 'By two people; 0: for ever. NULL: as service-link is set.';
COMMENT ON COLUMN retention_class.decided_by IS 'Name of the account that granted it.';
COMMENT ON COLUMN retention_class.request IS 'The approval request by which two people decided it.';
COMMENT ON COLUMN retention_class.setting_days IS 'What service-link was set to when it last applied this. NULL: it has not yet.';
COMMENT ON COLUMN retention_class.applied_days IS 'What it applied: the decided days, else those of its setting.';
COMMENT ON FUNCTION find_table_size(text) IS 'Bytes of a table with indexes and all its parts; NULL: there is none of that name.';
