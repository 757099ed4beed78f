-- What was asked of a training or a backtest never changes, and what waits, runs or is the ground of a decision is
-- removed by nobody: of lab runs that holds since 0040, of these jobs the database did not refuse it.

CREATE FUNCTION refuse_needed_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ended_run e WHERE e.kind = 'model_job' AND e.id = OLD.id) THEN
        RAISE EXCEPTION 'rows of % are written once', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION refuse_needed_job IS
    'Refuses to delete a job that has not ended or that a decision rests on; what may go is the view ended_run.';

CREATE TRIGGER model_job_stays BEFORE DELETE ON model_job FOR EACH ROW EXECUTE FUNCTION refuse_needed_job();
CREATE TRIGGER model_job_write_once BEFORE UPDATE OF kind, request, requested_by, requested_at ON model_job
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

REVOKE UPDATE ON model_job FROM forewarn_app;
GRANT UPDATE (model_id, state, attempts, progress, seconds_left, message, result, error, started_at, finished_at)
    ON model_job TO forewarn_app;
