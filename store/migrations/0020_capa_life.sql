-- The life of a CAPA from OPEN to CLOSED: root cause, actions, the devices of its scope, how its effect is judged, and what was computed.

ALTER TABLE capa
    ADD COLUMN round integer NOT NULL DEFAULT 1,
    ADD COLUMN plan_version integer NOT NULL DEFAULT 1,
    ADD COLUMN author_ids bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN problem text NOT NULL DEFAULT '' CHECK (length(problem) <= 10000),
    ADD COLUMN investigated_round integer NOT NULL DEFAULT 0,
    ADD COLUMN state_since timestamptz,
    ADD COLUMN before_until timestamptz,
    ADD COLUMN effective_from timestamptz,
    ADD COLUMN effective_until timestamptz,
    ADD COLUMN effectiveness_verdict text CHECK (effectiveness_verdict IN ('MET', 'FAILED', 'INCONCLUSIVE')),
    -- No closure without effectiveness, whatever a program believes.
    ADD CONSTRAINT capa_closed_when_effective CHECK (state <> 'CLOSED' OR effectiveness_verdict IS NOT DISTINCT FROM 'MET'),
    ADD CONSTRAINT capa_period CHECK (effective_until > effective_from);
UPDATE capa SET state_since = coalesce(decided_at, created_at);
CREATE INDEX capa_measured ON capa (id) WHERE state = 'EFFECTIVENESS';

CREATE TABLE capa_cause (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    capa_id bigint NOT NULL REFERENCES capa,
    place integer NOT NULL CHECK (place >= 1),
    category text NOT NULL CHECK (category IN ('MACHINE', 'METHOD', 'MATERIAL', 'MEASUREMENT', 'PEOPLE', 'ENVIRONMENT')),
    verdict text NOT NULL CHECK (verdict IN ('CANDIDATE', 'RULED_OUT', 'CONTRIBUTING', 'ROOT')),
    statement text NOT NULL CHECK (length(statement) BETWEEN 1 AND 10000),
    evidence jsonb NOT NULL DEFAULT '[]',
    UNIQUE (capa_id, place)
);
CREATE TABLE capa_why (
    capa_id bigint NOT NULL REFERENCES capa,
    cause_id bigint NOT NULL REFERENCES capa_cause ON DELETE CASCADE,
    place integer NOT NULL CHECK (place BETWEEN 1 AND 10),
    statement text NOT NULL CHECK (length(statement) BETWEEN 1 AND 10000),
    evidence jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (cause_id, place)
);
CREATE INDEX capa_why_capa ON capa_why (capa_id);

CREATE TABLE capa_action (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    capa_id bigint NOT NULL REFERENCES capa,
    number integer NOT NULL CHECK (number >= 1),
    round integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('CORRECTION', 'CORRECTIVE', 'PREVENTIVE')),
    state text NOT NULL DEFAULT 'OPEN' CHECK (state IN ('OPEN', 'DONE', 'VERIFIED', 'CANCELLED')),
    text text NOT NULL CHECK (length(text) BETWEEN 1 AND 10000),
    owner_id bigint REFERENCES app_user,
    due_on date,
    done_evidence text NOT NULL DEFAULT '',
    evidence jsonb NOT NULL DEFAULT '[]',
    done_by_id bigint REFERENCES app_user,
    done_at timestamptz,
    verified_note text NOT NULL DEFAULT '',
    verified_by_id bigint REFERENCES app_user,
    verified_at timestamptz,
    cancel_reason text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (capa_id, number),
    CHECK ((state IN ('DONE', 'VERIFIED')) = (done_at IS NOT NULL)),
    CHECK ((state = 'VERIFIED') = (verified_at IS NOT NULL)),
    CHECK ((state = 'CANCELLED') = (cancel_reason <> '')),
    -- The two people, whatever a program believes.
    CHECK (verified_by_id IS NULL OR verified_by_id <> done_by_id)
);
CREATE INDEX capa_action_due ON capa_action (due_on, id) WHERE state = 'OPEN';
CREATE INDEX capa_action_owner ON capa_action (owner_id) WHERE state = 'OPEN';

CREATE TABLE capa_effectiveness_plan (
    capa_id bigint PRIMARY KEY REFERENCES capa,
    metric text NOT NULL CHECK (metric IN ('BREACH_RATE', 'WORK_ORDER_RATE', 'CONFIRMED_FAILURE_RATE')),
    limit_kind text NOT NULL CHECK (limit_kind IN ('RATE', 'RATIO')),
    "limit" double precision NOT NULL CHECK ("limit" > 0),
    period_days integer NOT NULL CHECK (period_days BETWEEN 1 AND 1095),
    before_days integer NOT NULL CHECK (before_days BETWEEN 1 AND 1095),
    delay_days integer NOT NULL CHECK (delay_days BETWEEN 0 AND 365),
    max_p double precision NOT NULL CHECK (max_p > 0 AND max_p <= 0.2),
    CHECK (limit_kind <> 'RATIO' OR "limit" <= 1)
);

-- On which devices it is measured: those of the scope when the plan was begun. Devices are added, never taken away.
CREATE TABLE capa_device (
    capa_id bigint NOT NULL REFERENCES capa,
    device_id bigint NOT NULL REFERENCES device,
    added_at timestamptz NOT NULL,
    PRIMARY KEY (capa_id, device_id)
);
CREATE INDEX capa_device_device ON capa_device (device_id);

CREATE TABLE capa_effectiveness_result (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    capa_id bigint NOT NULL REFERENCES capa,
    round integer NOT NULL,
    plan_version integer NOT NULL,
    computed_at timestamptz NOT NULL,
    is_final boolean NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('MET', 'FAILED', 'INCONCLUSIVE')),
    figures jsonb NOT NULL
);
CREATE INDEX capa_effectiveness_result_capa ON capa_effectiveness_result (capa_id, id DESC);
CREATE TRIGGER capa_effectiveness_result_write_once BEFORE UPDATE OR DELETE ON capa_effectiveness_result
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER capa_effectiveness_result_no_truncate BEFORE TRUNCATE ON capa_effectiveness_result
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What two people approved stays as they signed it, until the CAPA goes back to its plan.
CREATE FUNCTION keep_approved_capa() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM public.capa WHERE id = coalesce(NEW.capa_id, OLD.capa_id)
        AND state IN ('IMPLEMENTATION', 'VERIFICATION', 'EFFECTIVENESS', 'CLOSED', 'REJECTED'))
    THEN
        RAISE EXCEPTION 'the plan of a CAPA that was approved is not changed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN coalesce(NEW, OLD);
END
$$;
CREATE TRIGGER capa_cause_approved BEFORE INSERT OR UPDATE OR DELETE ON capa_cause
    FOR EACH ROW EXECUTE FUNCTION keep_approved_capa();
CREATE TRIGGER capa_why_approved BEFORE INSERT OR UPDATE OR DELETE ON capa_why FOR EACH ROW EXECUTE FUNCTION keep_approved_capa();
CREATE TRIGGER capa_effectiveness_plan_approved BEFORE INSERT OR UPDATE OR DELETE ON capa_effectiveness_plan
    FOR EACH ROW EXECUTE FUNCTION keep_approved_capa();
CREATE TRIGGER capa_action_approved BEFORE INSERT OR DELETE ON capa_action FOR EACH ROW EXECUTE FUNCTION keep_approved_capa();
CREATE TRIGGER capa_action_kept BEFORE UPDATE ON capa_action FOR EACH ROW
    WHEN ((OLD.capa_id, OLD.number, OLD.round, OLD.kind, OLD.text, OLD.owner_id, OLD.due_on)
            IS DISTINCT FROM (NEW.capa_id, NEW.number, NEW.round, NEW.kind, NEW.text, NEW.owner_id, NEW.due_on)
        OR (OLD.state = 'CANCELLED') <> (NEW.state = 'CANCELLED'))
    EXECUTE FUNCTION keep_approved_capa();

GRANT SELECT ON capa_cause, capa_why, capa_action, capa_effectiveness_plan, capa_device, capa_effectiveness_result TO forewarn_app;
GRANT INSERT, DELETE ON capa_cause, capa_why TO forewarn_app;
GRANT INSERT, UPDATE ON capa_action, capa_effectiveness_plan TO forewarn_app;
GRANT INSERT ON capa_device, capa_effectiveness_result TO forewarn_app;
GRANT USAGE ON SEQUENCE capa_cause_id_seq, capa_action_id_seq, capa_effectiveness_result_id_seq TO forewarn_app;

COMMENT ON COLUMN capa.round IS 'Counts up when a check failed and the cause is looked at again.';
COMMENT ON COLUMN capa.plan_version IS 'Counts up with every change of root cause, actions or plan of effectiveness; a signature names the one it is on.';
COMMENT ON COLUMN capa.author_ids IS 'Who wrote any part of root cause, actions or plan of effectiveness; none of them approves or closes.';
COMMENT ON COLUMN capa.problem IS 'The problem as the investigation states it.';
COMMENT ON COLUMN capa.investigated_round IS 'The round in which the root cause was last written.';
COMMENT ON COLUMN capa.before_until IS 'End of the window that the effect is compared with: when its plan was first begun.';
COMMENT ON COLUMN capa.effective_from IS 'Begin of the period in which the effect is measured: after the last action was done.';
COMMENT ON COLUMN capa.effectiveness_verdict IS 'Of the newest final figures of this plan; NULL: the period is not over. CLOSED needs MET.';
COMMENT ON TABLE capa_cause IS 'Candidate causes of a CAPA after Ishikawa, and what the investigation made of each.';
COMMENT ON COLUMN capa_cause.evidence IS 'References: [{kind, ref, note}].';
COMMENT ON TABLE capa_why IS 'The chain of whys of a cause, in the order in which they were asked.';
COMMENT ON TABLE capa_action IS 'What is done about a CAPA: corrections, corrective and preventive actions.';
COMMENT ON COLUMN capa_action.round IS 'The round in which it was planned.';
COMMENT ON COLUMN capa_action.owner_id IS 'Who sees to it.';
COMMENT ON COLUMN capa_action.done_by_id IS 'Who said that it is done; never the one who verifies it.';
COMMENT ON TABLE capa_effectiveness_plan IS 'How the effect of a CAPA is judged.';
COMMENT ON COLUMN capa_effectiveness_plan."limit" IS 'RATE: events per 1,000 device-days; RATIO: rate after over rate before.';
COMMENT ON COLUMN capa_effectiveness_plan.max_p IS 'Chance of so few events, were the true rate at the limit, below which the effect is shown.';
COMMENT ON TABLE capa_device IS 'The devices on which the effect of a CAPA is measured, before and after.';
COMMENT ON TABLE capa_effectiveness_result IS 'What was computed of the effect of a CAPA, each time it differed. Written once.';
COMMENT ON COLUMN capa_effectiveness_result.figures IS 'Windows, events, device-days, rates per 1,000 device-days, intervals, ratio, p, verdict and its reason.';
