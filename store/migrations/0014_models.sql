-- Models as controlled records, the long work around them (training, backtests), and what a shadow counted.

CREATE SEQUENCE model_number;
CREATE TABLE model_record (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,  -- MOD-2026-0001
    kind text NOT NULL CHECK (kind IN ('fleet_prior', 'profile')),
    device_model_id integer NOT NULL REFERENCES device_model,
    firmware text NOT NULL DEFAULT '',
    description jsonb NOT NULL,
    arrays bytea NOT NULL,
    sha256 text NOT NULL,
    provenance jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL DEFAULT 'DRAFT' CHECK (state IN ('DRAFT', 'SHADOW', 'LIVE', 'RETIRED')),
    asked_by text,
    asked_by_id bigint REFERENCES app_user,
    asked_at timestamptz,
    approved_by text,
    live_since timestamptz,
    live_until timestamptz,
    replaced_id bigint REFERENCES model_record,
    replaced_profile_version integer,
    row_version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now()
);
-- The arbiters of "one live model", and of one challenger beside it.
CREATE UNIQUE INDEX model_record_live ON model_record (device_model_id, kind, firmware) WHERE state = 'LIVE';
CREATE UNIQUE INDEX model_record_shadow ON model_record (device_model_id, kind, firmware) WHERE state = 'SHADOW';
ALTER TABLE model_record ALTER COLUMN arrays SET STORAGE EXTERNAL;

-- What a model is never changes; only what became of it does.
CREATE TRIGGER model_record_write_once BEFORE DELETE OR UPDATE OF code, kind, device_model_id, firmware, description, arrays,
    sha256, provenance, created_by, created_at ON model_record FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER model_record_registry AFTER UPDATE OF state ON model_record FOR EACH STATEMENT
    EXECUTE FUNCTION bump_registry_version();

CREATE TABLE model_job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('train', 'backtest')),
    model_id bigint REFERENCES model_record,
    request jsonb NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL DEFAULT 'QUEUED' CHECK (state IN ('QUEUED', 'RUNNING', 'DONE', 'FAILED')),
    attempts integer NOT NULL DEFAULT 0,
    progress double precision NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    seconds_left double precision,
    message text NOT NULL DEFAULT '',
    result jsonb,
    error text,
    started_at timestamptz,
    finished_at timestamptz
);
CREATE INDEX model_job_waiting ON model_job (id) WHERE state IN ('QUEUED', 'RUNNING');
CREATE INDEX model_job_model ON model_job (model_id, id DESC) WHERE model_id IS NOT NULL;

CREATE TABLE shadow_count (
    model_id bigint NOT NULL REFERENCES model_record,
    day date NOT NULL,
    monitor text NOT NULL,
    side text NOT NULL CHECK (side IN ('live', 'shadow')),
    raised bigint NOT NULL DEFAULT 0,
    escalated bigint NOT NULL DEFAULT 0,
    cleared bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (model_id, day, monitor, side)
);

-- The state of what is scored in shadow; of the position of the check-point beside it, and in one transaction with that.
CREATE TABLE shadow_checkpoint (
    shard smallint NOT NULL REFERENCES shard,
    model_id bigint NOT NULL REFERENCES model_record,
    position bigint NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (shard, model_id)
);
ALTER TABLE shadow_checkpoint ALTER COLUMN state SET STORAGE EXTERNAL;

GRANT USAGE ON SEQUENCE model_number TO forewarn_app;
GRANT SELECT, INSERT ON model_record TO forewarn_app;
GRANT UPDATE (state, asked_by, asked_by_id, asked_at, approved_by, live_since, live_until, replaced_id,
    replaced_profile_version, row_version, updated_at) ON model_record TO forewarn_app;
GRANT SELECT, INSERT, UPDATE ON model_job, shadow_count TO forewarn_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON shadow_checkpoint TO forewarn_app;

COMMENT ON TABLE model_record IS 'Models: arrays and JSON with their provenance, written once, and the state of each (draft, shadow, live, retired).';
COMMENT ON COLUMN model_record.kind IS 'fleet_prior: where new devices start from; profile: a proposed profile of the device model.';
COMMENT ON COLUMN model_record.firmware IS 'For devices that run this version of the main component; empty: for all of the device model.';
COMMENT ON COLUMN model_record.description IS 'What the arrays mean, by detector and monitor; of a profile, the profile itself.';
COMMENT ON COLUMN model_record.arrays IS 'An npz file without pickles; empty for a profile.';
COMMENT ON COLUMN model_record.sha256 IS 'Of the arrays and the canonical JSON of the description.';
COMMENT ON COLUMN model_record.provenance IS 'Data window and its hash, devices, code version, seed, metrics.';
COMMENT ON COLUMN model_record.asked_by IS 'Who asked for the activation on a safety-critical device model; another person approves it.';
COMMENT ON COLUMN model_record.replaced_id IS 'The model that this one replaced when it became live: what a roll-back goes back to.';
COMMENT ON COLUMN model_record.replaced_profile_version IS 'The profile version that this proposal replaced when it became live.';
COMMENT ON TABLE model_job IS 'Training and backtests that people asked for: run one at a time by a process beside scoring.';
COMMENT ON COLUMN model_job.request IS 'What was asked for: window, device model, firmware, proposed monitors.';
COMMENT ON COLUMN model_job.attempts IS 'How often it was begun; a worker that dies leaves it to the next one, twice.';
COMMENT ON TABLE shadow_checkpoint IS 'Check-points of what is scored in shadow, by shard and model.';
COMMENT ON TABLE shadow_count IS 'What a model in shadow raised and cleared by day and monitor, beside what was delivered meanwhile.';
COMMENT ON COLUMN shadow_count.day IS 'Of event time, in UTC.';
