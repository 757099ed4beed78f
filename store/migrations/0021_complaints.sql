-- Complaints after 21 CFR 820.35(a), and what people decide on whether they are reported to authorities.

CREATE SEQUENCE complaint_number;
CREATE TABLE complaint (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,  -- CMP-2026-000001
    state text NOT NULL CHECK (state IN ('RECEIVED', 'INVESTIGATION', 'RESOLVED', 'CLOSED')),
    version integer NOT NULL DEFAULT 1,
    received_at timestamptz NOT NULL,
    severity text NOT NULL CHECK (severity IN ('MINOR', 'MAJOR', 'CRITICAL')),
    device_name text NOT NULL DEFAULT '',
    device_identification text NOT NULL DEFAULT '',
    reporter_name text NOT NULL DEFAULT '',
    reporter_address text NOT NULL DEFAULT '',
    reporter_phone text NOT NULL DEFAULT '',
    details text NOT NULL CHECK (details <> ''),
    correction text NOT NULL DEFAULT '',
    reply text NOT NULL DEFAULT '',
    device_id bigint REFERENCES device,
    customer_id bigint REFERENCES customer,
    fault_group text,
    work_order_id bigint REFERENCES work_order,
    joined_as text CHECK (joined_as IN ('OPENED', 'JOINED', 'REOPENED')),
    investigated boolean,
    investigation text NOT NULL DEFAULT '',
    not_investigated_reason text NOT NULL DEFAULT '',
    investigation_decided_by_id bigint REFERENCES app_user,
    investigation_decided_by text,
    closed_at timestamptz,
    external_refs jsonb NOT NULL DEFAULT '[]',
    region text NOT NULL DEFAULT '',
    is_simulated boolean NOT NULL DEFAULT false,
    row_version integer NOT NULL DEFAULT 1,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((work_order_id IS NULL) = (joined_as IS NULL)),
    CHECK (work_order_id IS NULL OR (device_id IS NOT NULL AND fault_group IS NOT NULL)),
    CHECK (investigated IS DISTINCT FROM false OR (not_investigated_reason <> '' AND investigation_decided_by_id IS NOT NULL)),
    CHECK ((state = 'CLOSED') = (closed_at IS NOT NULL))
);
CREATE INDEX complaint_device ON complaint (device_id);
CREATE INDEX complaint_customer ON complaint (customer_id);
CREATE INDEX complaint_work_order ON complaint (work_order_id) WHERE work_order_id IS NOT NULL;
CREATE INDEX complaint_received ON complaint (received_at DESC, id DESC);
CREATE INDEX complaint_open ON complaint (received_at, id) WHERE state <> 'CLOSED';

-- What another system calls a complaint. The key makes one complaint of what is sent twice.
CREATE TABLE complaint_reference (
    system text NOT NULL CHECK (system <> ''),
    type text NOT NULL,
    external_id text NOT NULL CHECK (external_id <> ''),
    complaint_id bigint NOT NULL REFERENCES complaint,
    PRIMARY KEY (system, type, external_id)
);
CREATE INDEX complaint_reference_complaint ON complaint_reference (complaint_id);

-- What a person knows of the harm, and what another person decided on it. A newer one takes its place; none is changed.
CREATE TABLE vigilance_assessment (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    complaint_id bigint NOT NULL REFERENCES complaint,
    version integer NOT NULL CHECK (version >= 1),
    aware_at timestamptz NOT NULL,
    harm text NOT NULL CHECK (harm IN ('DEATH', 'SERIOUS_INJURY', 'SERIOUS_PUBLIC_HEALTH_THREAT', 'MALFUNCTION_COULD_RECUR', 'NONE')),
    is_unanticipated boolean NOT NULL,
    needs_remedial_action boolean NOT NULL,
    jurisdictions text[] NOT NULL CHECK (jurisdictions <@ ARRAY['EU', 'US', 'CN'] AND cardinality(jurisdictions) > 0),
    reason text NOT NULL CHECK (reason <> ''),
    assessed_by_id bigint NOT NULL REFERENCES app_user,
    assessed_by text NOT NULL,
    assessed_at timestamptz NOT NULL,
    decision text CHECK (decision IN ('REPORTABLE', 'NOT_REPORTABLE')),
    reportable_in text[] NOT NULL DEFAULT '{}',
    justification text NOT NULL DEFAULT '',
    decided_by_id bigint REFERENCES app_user,
    decided_by text,
    decided_at timestamptz,
    UNIQUE (complaint_id, version),
    CHECK ((decision IS NULL) = (decided_by_id IS NULL) AND (decision IS NULL) = (decided_at IS NULL)),
    CHECK (decision IS NULL OR justification <> ''),
    CHECK (reportable_in <@ jurisdictions AND (decision IS NOT DISTINCT FROM 'REPORTABLE') = (cardinality(reportable_in) > 0)),
    -- The two people, whatever a program believes.
    CHECK (decided_by_id <> assessed_by_id)
);
CREATE TRIGGER vigilance_assessment_decided_once BEFORE UPDATE ON vigilance_assessment FOR EACH ROW
    WHEN (OLD.decision IS NOT NULL) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER vigilance_assessment_kept BEFORE DELETE ON vigilance_assessment FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Until when each authority must have been told, if it is to be told. Counted down by the machine; ended by people alone.
CREATE TABLE vigilance_clock (
    assessment_id bigint NOT NULL REFERENCES vigilance_assessment,
    jurisdiction text NOT NULL CHECK (jurisdiction IN ('EU', 'US', 'CN')),
    state text NOT NULL CHECK (state IN ('RUNNING', 'SUBMITTED', 'NOT_REQUIRED', 'SUPERSEDED')),
    rule text NOT NULL,
    time_zone text NOT NULL,
    due_at timestamptz NOT NULL,
    warn_at timestamptz NOT NULL,
    holidays_release text NOT NULL DEFAULT '',
    warned_at timestamptz,
    overdue_at timestamptz,
    submitted_at timestamptz,
    submitted_by text,
    reference text NOT NULL DEFAULT '',
    PRIMARY KEY (assessment_id, jurisdiction),
    CHECK (warn_at <= due_at),
    CHECK ((state = 'SUBMITTED') = (submitted_at IS NOT NULL) AND (state = 'SUBMITTED') = (reference <> ''))
);
CREATE INDEX vigilance_clock_due ON vigilance_clock (due_at) WHERE state = 'RUNNING';

CREATE TRIGGER complaint_change AFTER INSERT OR UPDATE ON complaint FOR EACH ROW EXECUTE FUNCTION log_change();

GRANT SELECT, INSERT ON complaint, complaint_reference, vigilance_assessment, vigilance_clock TO forewarn_app;
GRANT UPDATE (state, version, severity, device_name, device_identification, reporter_name, reporter_address, reporter_phone,
    details, correction, reply, device_id, customer_id, fault_group, work_order_id, joined_as, investigated, investigation,
    not_investigated_reason, investigation_decided_by_id, investigation_decided_by, closed_at, region, is_simulated, row_version,
    updated_at) ON complaint TO forewarn_app;
GRANT UPDATE (decision, reportable_in, justification, decided_by_id, decided_by, decided_at) ON vigilance_assessment TO forewarn_app;
GRANT UPDATE (state, warned_at, overdue_at, submitted_at, submitted_by, reference) ON vigilance_clock TO forewarn_app;
GRANT USAGE ON SEQUENCE complaint_number, complaint_id_seq, vigilance_assessment_id_seq TO forewarn_app;

COMMENT ON TABLE complaint IS 'Complaints with the fields of 21 CFR 820.35(a).';
COMMENT ON COLUMN complaint.version IS 'Counts up when a closed complaint is reopened; a signature names the one it is on.';
COMMENT ON COLUMN complaint.device_identification IS 'UDI, UPC, serial or lot as the complainant gave it.';
COMMENT ON COLUMN complaint.correction IS 'Any correction or corrective action taken.';
COMMENT ON COLUMN complaint.reply IS 'Any reply to the complainant.';
COMMENT ON COLUMN complaint.device_id IS 'NULL: the device is not known here, or not yet.';
COMMENT ON COLUMN complaint.fault_group IS 'Of the device model''s profile, chosen by a person; with the device it says which work order it belongs to.';
COMMENT ON COLUMN complaint.work_order_id IS 'The order that it opened, joined or reopened.';
COMMENT ON COLUMN complaint.investigated IS 'NULL: not decided yet.';
COMMENT ON COLUMN complaint.investigation_decided_by_id IS 'Who decided that it is, or is not, investigated.';
COMMENT ON TABLE complaint_reference IS 'What other systems call a complaint; sent again, it is the same one.';
COMMENT ON TABLE vigilance_assessment IS 'What people know of the harm behind a complaint, and whether it is reported. The newest counts.';
COMMENT ON COLUMN vigilance_assessment.aware_at IS 'When somebody of the maker came to know of it: clocks run from here.';
COMMENT ON COLUMN vigilance_assessment.is_unanticipated IS 'An unanticipated serious deterioration of health (EU MDR Article 87).';
COMMENT ON COLUMN vigilance_assessment.needs_remedial_action IS 'To prevent an unreasonable risk of substantial harm to the public health (21 CFR 803.53).';
COMMENT ON COLUMN vigilance_assessment.reportable_in IS 'Of `jurisdictions` those to which it is reported.';
COMMENT ON TABLE vigilance_clock IS 'Due times of reports to authorities, by assessment and jurisdiction.';
COMMENT ON COLUMN vigilance_clock.rule IS 'The rule that gave the time.';
COMMENT ON COLUMN vigilance_clock.due_at IS 'The end of the last day in the authority''s zone.';
COMMENT ON COLUMN vigilance_clock.holidays_release IS 'Of the library that the public holidays come from, where working days count.';
COMMENT ON COLUMN vigilance_clock.overdue_at IS 'When it was said that the time is over; stays when the report comes later.';
COMMENT ON COLUMN vigilance_clock.reference IS 'What the authority calls the report.';
