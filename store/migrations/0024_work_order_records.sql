-- What belongs to a work order beside itself: visits, parts, attachments, checklists; orders that turned out to be one;
-- where technicians work.

ALTER TABLE work_order
    ADD COLUMN merged_into_id bigint REFERENCES work_order,
    ADD CONSTRAINT work_order_merged_is_cancelled CHECK (merged_into_id IS NULL OR (state = 'CANCELLED' AND merged_into_id <> id));
CREATE INDEX work_order_merged ON work_order (merged_into_id) WHERE merged_into_id IS NOT NULL;
CREATE INDEX work_order_merged_key ON work_order (device_id, fault_group) WHERE merged_into_id IS NOT NULL;
CREATE INDEX work_order_recurrence ON work_order (recurrence_of) WHERE recurrence_of IS NOT NULL;
CREATE INDEX work_order_fault ON work_order (fault_group, closed_at DESC) WHERE state = 'CLOSED';

-- The order and all that went up in it. What is written once stays where it was written; the survivor shows it.
CREATE FUNCTION orders_within(order_id bigint) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    WITH RECURSIVE within (id) AS (
        SELECT $1 UNION SELECT o.id FROM public.work_order o JOIN within w ON o.merged_into_id = w.id
    )
    SELECT id FROM within
$$;
-- The order that goes on in place of this one: itself, where it went up in none.
CREATE FUNCTION surviving_order(order_id bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    WITH RECURSIVE chain (id, next) AS (
        SELECT o.id, o.merged_into_id FROM public.work_order o WHERE o.id = $1
        UNION SELECT o.id, o.merged_into_id FROM public.work_order o JOIN chain c ON o.id = c.next
    )
    SELECT id FROM chain WHERE next IS NULL
$$;

CREATE TABLE work_order_visit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    work_order_id bigint NOT NULL REFERENCES work_order,
    order_version integer NOT NULL,
    technician_id bigint NOT NULL REFERENCES app_user,
    arrived_at timestamptz NOT NULL,
    left_at timestamptz,
    outcome text CHECK (outcome IN ('COMPLETED', 'PARTS_NEEDED', 'NO_ACCESS', 'FOLLOW_UP')),
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 10000),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CHECK (left_at >= arrived_at),
    CHECK ((left_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX work_order_visit_order ON work_order_visit (work_order_id, arrived_at);
CREATE UNIQUE INDEX work_order_visit_one_under_way ON work_order_visit (work_order_id, technician_id) WHERE left_at IS NULL;
CREATE TRIGGER work_order_visit_over BEFORE UPDATE ON work_order_visit FOR EACH ROW
    WHEN (OLD.left_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER work_order_visit_kept BEFORE DELETE ON work_order_visit FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE part_usage (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    work_order_id bigint NOT NULL REFERENCES work_order,
    order_version integer NOT NULL,
    state text NOT NULL CHECK (state IN ('REQUESTED', 'USED', 'WITHDRAWN')),
    item text NOT NULL CHECK (item <> ''),
    description text NOT NULL DEFAULT '',
    quantity numeric(12, 3) NOT NULL CHECK (quantity > 0),
    lot text NOT NULL DEFAULT '',
    serial_in text NOT NULL DEFAULT '',
    serial_out text NOT NULL DEFAULT '',
    requested_quantity numeric(12, 3) CHECK (requested_quantity > 0),
    requested_by text,
    requested_at timestamptz,
    decided_by_id bigint REFERENCES app_user,
    decided_by text,
    decided_at timestamptz,
    reason text NOT NULL DEFAULT '',
    CHECK ((state = 'REQUESTED') = (decided_at IS NULL)),
    CHECK (state <> 'USED' OR decided_by_id IS NOT NULL),
    CHECK ((serial_in = '' AND serial_out = '') OR quantity = 1)
);
CREATE INDEX part_usage_order ON part_usage (work_order_id, id);
CREATE INDEX part_usage_item ON part_usage (item) WHERE state = 'USED';
CREATE INDEX part_usage_serial_in ON part_usage (serial_in) WHERE serial_in <> '';
CREATE INDEX part_usage_lot ON part_usage (lot) WHERE lot <> '';
CREATE TRIGGER part_usage_decided_once BEFORE UPDATE ON part_usage FOR EACH ROW
    WHEN (OLD.state <> 'REQUESTED') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER part_usage_kept BEFORE DELETE ON part_usage FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The bytes stand outside the database, under their hash.
CREATE TABLE attachment (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    work_order_id bigint NOT NULL REFERENCES work_order,
    order_version integer NOT NULL,
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    kind text NOT NULL CHECK (kind IN ('PHOTO', 'SERVICE_REPORT', 'TEST_REPORT', 'CERTIFICATE', 'DEVICE_LOG', 'CUSTOMER_DOCUMENT', 'OTHER')),
    media_type text NOT NULL CHECK (media_type IN ('image/jpeg', 'image/png', 'image/webp', 'application/pdf', 'video/mp4', 'text/csv', 'text/plain')),
    visibility text NOT NULL CHECK (visibility IN ('INTERNAL', 'CUSTOMER')),
    size bigint NOT NULL CHECK (size > 0),
    file_name text NOT NULL CHECK (file_name <> ''),
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 10000),
    captured_at timestamptz NOT NULL,
    captured_by text NOT NULL,
    uploaded_at timestamptz NOT NULL,
    uploaded_by text NOT NULL,
    UNIQUE (work_order_id, sha256, visibility)
);
CREATE INDEX attachment_content ON attachment (sha256);
CREATE TRIGGER attachment_write_once BEFORE UPDATE OR DELETE ON attachment FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE checklist_template (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
    kind text NOT NULL CHECK (kind IN ('CORRECTIVE', 'PREVENTIVE', 'INSTALLATION', 'COMPLAINT_EVIDENCE', 'RECALL')),
    device_model_id integer REFERENCES device_model,  -- NULL: of every model that has none of its own
    current_version integer NOT NULL DEFAULT 1,
    is_active boolean NOT NULL DEFAULT true,
    row_version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL
);
-- One that is in use for a kind and model: which an order gets is never a matter of chance.
CREATE UNIQUE INDEX checklist_template_one_in_use ON checklist_template (kind, coalesce(device_model_id, 0)) WHERE is_active;

CREATE TABLE checklist_template_version (
    template_id bigint NOT NULL REFERENCES checklist_template,
    version integer NOT NULL,
    title jsonb NOT NULL,
    items jsonb NOT NULL,
    sha256 text NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (template_id, version)
);
CREATE TRIGGER checklist_template_version_write_once BEFORE UPDATE OR DELETE ON checklist_template_version
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE work_order_checklist (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    work_order_id bigint NOT NULL REFERENCES work_order,
    order_version integer NOT NULL,
    template_id bigint NOT NULL,
    template_version integer NOT NULL,
    made_at timestamptz NOT NULL,
    UNIQUE (work_order_id, order_version, template_id),
    FOREIGN KEY (template_id, template_version) REFERENCES checklist_template_version
);
CREATE TRIGGER work_order_checklist_write_once BEFORE UPDATE OR DELETE ON work_order_checklist
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Every answer is kept; the newest of an item counts.
CREATE TABLE checklist_answer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    checklist_id bigint NOT NULL REFERENCES work_order_checklist,
    item text NOT NULL,
    value jsonb NOT NULL,
    is_ok boolean NOT NULL,
    remark text NOT NULL DEFAULT '' CHECK (length(remark) <= 10000),
    answered_by text NOT NULL,
    answered_at timestamptz NOT NULL
);
CREATE INDEX checklist_answer_item ON checklist_answer (checklist_id, item, id DESC);
CREATE TRIGGER checklist_answer_write_once BEFORE UPDATE OR DELETE ON checklist_answer
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Where a technician works; whoever has no row works everywhere.
CREATE TABLE technician_region (
    user_id bigint NOT NULL REFERENCES app_user,
    region text NOT NULL CHECK (region <> ''),
    PRIMARY KEY (user_id, region)
);
ALTER TABLE technician_certificate
    ADD COLUMN reference text NOT NULL DEFAULT '',
    ADD COLUMN row_version integer NOT NULL DEFAULT 1;

GRANT SELECT ON work_order_visit, part_usage, attachment, checklist_template, checklist_template_version, work_order_checklist,
    checklist_answer, technician_region TO forewarn_app;
GRANT INSERT ON work_order_visit, part_usage, attachment, checklist_template, checklist_template_version, work_order_checklist,
    checklist_answer TO forewarn_app;
GRANT UPDATE (left_at, outcome, note) ON work_order_visit TO forewarn_app;
GRANT UPDATE (state, description, quantity, lot, serial_in, serial_out, decided_by_id, decided_by, decided_at, reason)
    ON part_usage TO forewarn_app;
GRANT UPDATE (current_version, is_active, row_version, updated_at) ON checklist_template TO forewarn_app;
GRANT INSERT, DELETE ON technician_region TO forewarn_app;
REVOKE ALL ON FUNCTION orders_within(bigint), surviving_order(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orders_within(bigint), surviving_order(bigint) TO forewarn_app;

COMMENT ON COLUMN work_order.merged_into_id IS 'The order that went on in place of this one, which turned out to be the same.';
COMMENT ON TABLE work_order_visit IS 'A technician at the place of an order: arrival, departure, what came of it.';
COMMENT ON COLUMN work_order_visit.left_at IS 'NULL while the visit is under way.';
COMMENT ON TABLE part_usage IS 'Parts of an order: asked for, then used (signed) or withdrawn.';
COMMENT ON COLUMN part_usage.quantity IS 'What was asked for; once used, what was used.';
COMMENT ON COLUMN part_usage.requested_quantity IS 'What was asked for; NULL: the part was at hand.';
COMMENT ON TABLE attachment IS 'Files of orders, written once; their bytes stand outside the database under the hash.';
COMMENT ON COLUMN attachment.media_type IS 'What the content is, whatever the sender called it.';
COMMENT ON TABLE checklist_template IS 'Checklists that orders get when they are assigned, by kind and device model.';
COMMENT ON TABLE checklist_template_version IS 'What a template said, version by version.';
COMMENT ON TABLE work_order_checklist IS 'A checklist of one version of an order, frozen at a version of its template.';
COMMENT ON TABLE checklist_answer IS 'Answers to the lines of checklists, all of them; the newest of a line counts.';
COMMENT ON COLUMN checklist_answer.is_ok IS 'Yes, or a number within its limits; what is not has a remark.';
COMMENT ON TABLE technician_region IS 'Regions in which a technician works; none: all.';
COMMENT ON COLUMN technician_certificate.reference IS 'Number of the document, or where it is kept.';
