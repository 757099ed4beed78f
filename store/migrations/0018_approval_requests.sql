-- Changes that take two people, and what was signed beside its hash.

CREATE SEQUENCE approval_request_number;
CREATE TABLE approval_request (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,  -- AR-2026-000001
    kind text NOT NULL CHECK (kind IN ('sla_waiver', 'plan_skip', 'key_field_change', 'identifiable_export')),
    entity text NOT NULL,
    entity_id text NOT NULL,
    payload jsonb NOT NULL,
    subject jsonb NOT NULL,
    content_sha256 text NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    state text NOT NULL CHECK (state IN ('ASKED', 'GRANTED', 'REFUSED', 'WITHDRAWN', 'EXPIRED')),
    asked_by_id bigint NOT NULL REFERENCES app_user,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    decided_by_id bigint REFERENCES app_user,
    decided_by text,
    decided_at timestamptz,
    decision_reason text NOT NULL DEFAULT '',
    outcome jsonb,
    region text NOT NULL DEFAULT '',
    is_simulated boolean NOT NULL DEFAULT false,
    row_version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (expires_at > asked_at),
    CHECK ((state IN ('GRANTED', 'REFUSED', 'WITHDRAWN')) = (decided_by_id IS NOT NULL)),
    -- The two people, whatever a program believes.
    CHECK (state NOT IN ('GRANTED', 'REFUSED') OR decided_by_id <> asked_by_id),
    CHECK (state <> 'WITHDRAWN' OR decided_by_id = asked_by_id)
);
-- One open question of a kind about one record. An export is of no record: each is a question of its own.
CREATE UNIQUE INDEX approval_request_one_open ON approval_request (kind, entity, entity_id)
    WHERE state = 'ASKED' AND kind <> 'identifiable_export';
CREATE INDEX approval_request_waiting ON approval_request (expires_at) WHERE state = 'ASKED';
CREATE INDEX approval_request_entity ON approval_request (entity, entity_id);

-- What was decided stays decided.
CREATE TRIGGER approval_request_decided_once BEFORE UPDATE ON approval_request FOR EACH ROW
    WHEN (OLD.state <> 'ASKED') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER approval_request_kept BEFORE DELETE ON approval_request FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER approval_request_change AFTER INSERT OR UPDATE ON approval_request FOR EACH ROW EXECUTE FUNCTION log_change();

-- The text whose hash was signed: with it a signature can be read without what became of the record since.
ALTER TABLE signature ADD COLUMN content text;
ALTER TABLE signature ADD CONSTRAINT signature_content_hashed
    CHECK (content IS NULL OR content_sha256 = encode(sha256(convert_to(content, 'UTF8')), 'hex'));
CREATE TRIGGER signature_no_truncate BEFORE TRUNCATE ON signature FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER evidence_no_truncate BEFORE TRUNCATE ON evidence FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What was asked, by whom and why stays as it was written; only what became of it is added.
GRANT SELECT, INSERT ON approval_request TO forewarn_app;
GRANT UPDATE (state, decided_by_id, decided_by, decided_at, decision_reason, outcome, row_version, updated_at) ON approval_request
    TO forewarn_app;
GRANT USAGE ON SEQUENCE approval_request_number, approval_request_id_seq TO forewarn_app;

COMMENT ON TABLE approval_request IS 'Changes that take two people: one asks and signs, another grants or refuses and signs. Decided once.';
COMMENT ON COLUMN approval_request.payload IS 'The change that is asked for, exactly as it is carried out when it is granted.';
COMMENT ON COLUMN approval_request.subject IS 'The record as it was when the change was asked for: one that differs when it is granted is not changed.';
COMMENT ON COLUMN approval_request.content_sha256 IS 'Of kind, record, payload, subject and asker: what both people signed.';
COMMENT ON COLUMN approval_request.asked_by IS 'Name of the account.';
COMMENT ON COLUMN approval_request.decided_by IS 'Name of the account; of a withdrawn request the asker. NULL: open, or expired.';
COMMENT ON COLUMN approval_request.outcome IS 'What carrying it out gave, in the transaction that granted it.';
COMMENT ON COLUMN signature.content IS 'The canonical JSON that was signed; its SHA-256 is content_sha256. NULL: signed before it was kept.';
