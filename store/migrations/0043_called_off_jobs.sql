-- Trainings and backtests can be called off, as runs of the lab can, and whoever does it says why.

ALTER TABLE model_job ADD COLUMN cancelled_by text, ADD COLUMN cancel_reason text;
ALTER TABLE model_job DROP CONSTRAINT model_job_state_check;
ALTER TABLE model_job ADD CONSTRAINT model_job_state_check
    CHECK (state IN ('QUEUED', 'RUNNING', 'DONE', 'FAILED', 'CANCELLED'));
ALTER TABLE model_job ADD CONSTRAINT model_job_cancelled_check
    CHECK ((state = 'CANCELLED') = (cancelled_by IS NOT NULL) AND (cancelled_by IS NULL) = (cancel_reason IS NULL));
ALTER TABLE model_job ADD CONSTRAINT model_job_cancel_reason_check CHECK (length(cancel_reason) <= 10000);
COMMENT ON COLUMN model_job.cancelled_by IS 'Who called it off; NULL: nobody did.';
COMMENT ON COLUMN model_job.cancel_reason IS 'Why it was called off.';

ALTER TABLE lab_run ADD COLUMN cancel_reason text CHECK (length(cancel_reason) <= 10000);
COMMENT ON COLUMN lab_run.cancel_reason IS 'Why it was called off, where that was said.';

GRANT UPDATE (cancelled_by, cancel_reason) ON model_job TO forewarn_app;
GRANT UPDATE (cancel_reason) ON lab_run TO forewarn_app;

CREATE OR REPLACE VIEW ended_run AS
    SELECT 'lab_run' AS kind, r.id, r.finished_at FROM lab_run r
    WHERE r.state IN ('FAILED', 'CANCELLED') OR r.state = 'DONE' AND r.proposal IS NULL
    UNION ALL
    SELECT 'model_job', j.id, j.finished_at FROM model_job j
    WHERE (j.state IN ('FAILED', 'CANCELLED') OR j.state = 'DONE' AND j.model_id IS NULL)
        AND NOT EXISTS (SELECT FROM threshold_proposal t WHERE t.backtest_job_id = j.id);
