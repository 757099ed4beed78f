-- Runs of the lab: simulated devices with one fault, judged by a profile. A run is all that is kept of them: none of its devices,
-- readings or tickets is in any other table.

CREATE SEQUENCE lab_run_number;
CREATE TABLE lab_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,  -- LAB-2026-000001
    request jsonb NOT NULL,
    profile jsonb NOT NULL,
    profile_version integer NOT NULL,
    profile_sha256 text NOT NULL,
    proposal text,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL DEFAULT 'QUEUED' CHECK (state IN ('QUEUED', 'RUNNING', 'DONE', 'FAILED', 'CANCELLED')),
    attempts integer NOT NULL DEFAULT 0,
    progress double precision NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    seconds_left double precision,
    message text NOT NULL DEFAULT '',
    result jsonb,
    error text,
    cancelled_by text,
    started_at timestamptz,
    finished_at timestamptz,
    CHECK ((state = 'DONE') = (result IS NOT NULL)),
    CHECK ((state IN ('DONE', 'FAILED', 'CANCELLED')) = (finished_at IS NOT NULL)),
    CHECK ((state = 'CANCELLED') = (cancelled_by IS NOT NULL))
);
CREATE INDEX lab_run_waiting ON lab_run (id) WHERE state IN ('QUEUED', 'RUNNING');

-- What was asked for never changes; only what became of it does.
CREATE TRIGGER lab_run_write_once BEFORE DELETE OR UPDATE OF code, request, profile, profile_version, profile_sha256, proposal,
    requested_by, requested_at ON lab_run FOR EACH ROW EXECUTE FUNCTION refuse_change();

GRANT USAGE ON SEQUENCE lab_run_number TO forewarn_app;
GRANT SELECT, INSERT ON lab_run TO forewarn_app;
GRANT UPDATE (state, attempts, progress, seconds_left, message, result, error, cancelled_by, started_at, finished_at)
    ON lab_run TO forewarn_app;

COMMENT ON TABLE lab_run IS 'Runs of the lab: would this profile catch that fault? Simulated devices, which exist nowhere but in the run.';
COMMENT ON COLUMN lab_run.request IS 'What was asked for: device model, fault, devices, days, seeds, share of the devices that have it.';
COMMENT ON COLUMN lab_run.profile IS 'The profile that was judged, as it was when the run was asked for.';
COMMENT ON COLUMN lab_run.profile_version IS 'Its version; of a proposal, that which it would have.';
COMMENT ON COLUMN lab_run.profile_sha256 IS 'Hash of the profile, as in device_model_profile.';
COMMENT ON COLUMN lab_run.proposal IS 'Code of the threshold proposal or of the draft that was judged; NULL: what was live.';
COMMENT ON COLUMN lab_run.attempts IS 'How often it was begun and not handed back; when three workers died while they ran it, it has failed.';
COMMENT ON COLUMN lab_run.seconds_left IS 'Estimated; NULL: not known yet, or over.';
COMMENT ON COLUMN lab_run.result IS 'Figures, monitors, single faults and two examples with their signals: docs/how-to/lab.md.';
