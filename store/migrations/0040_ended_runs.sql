-- Runs of the lab, trainings and backtests that ended go after a while, but for those that a decision rests on.

-- A run that judged a threshold proposal or a draft belongs to it, the backtest or training of a model to that model, and the
-- backtest of a threshold proposal to that.
CREATE VIEW ended_run AS
    SELECT 'lab_run' AS kind, r.id, r.finished_at FROM lab_run r
    WHERE r.state IN ('FAILED', 'CANCELLED') OR r.state = 'DONE' AND r.proposal IS NULL
    UNION ALL
    SELECT 'model_job', j.id, j.finished_at FROM model_job j
    WHERE (j.state = 'FAILED' OR j.state = 'DONE' AND j.model_id IS NULL)
        AND NOT EXISTS (SELECT FROM threshold_proposal t WHERE t.backtest_job_id = j.id);

-- What waits or runs, and what a decision rests on, is not removed by anybody.
DROP TRIGGER lab_run_write_once ON lab_run;
CREATE TRIGGER lab_run_write_once BEFORE UPDATE OF code, request, profile, profile_version, profile_sha256, proposal, requested_by,
    requested_at ON lab_run FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER lab_run_stays BEFORE DELETE ON lab_run FOR EACH ROW
    WHEN (OLD.state IN ('QUEUED', 'RUNNING') OR OLD.state = 'DONE' AND OLD.proposal IS NOT NULL) EXECUTE FUNCTION refuse_change();

CREATE FUNCTION remove_runs_before(first_kept timestamptz, most integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH oldest AS (
        SELECT kind, id FROM public.ended_run WHERE finished_at < first_kept ORDER BY finished_at LIMIT most
    ), runs AS (
        DELETE FROM public.lab_run r USING oldest o WHERE o.kind = 'lab_run' AND r.id = o.id RETURNING r.id
    ), jobs AS (
        DELETE FROM public.model_job j USING oldest o WHERE o.kind = 'model_job' AND j.id = o.id RETURNING j.id
    )
    SELECT ((SELECT count(*) FROM runs) + (SELECT count(*) FROM jobs))::integer
$$;
REVOKE ALL ON FUNCTION remove_runs_before(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remove_runs_before(timestamptz, integer) TO forewarn_app;
GRANT SELECT ON ended_run TO forewarn_app;

INSERT INTO retention_class (class) VALUES ('runs');

COMMENT ON VIEW ended_run IS 'Runs of the lab, trainings and backtests that ended and that no decision rests on: retention removes them.';
COMMENT ON COLUMN ended_run.kind IS 'The table that it is a row of.';
COMMENT ON FUNCTION remove_runs_before(timestamptz, integer) IS 'Removes the oldest of ended_run that ended before then; how many.';
