-- What the count of a job's beginnings means since workers that are told to stop hand their job back.

COMMENT ON COLUMN model_job.attempts IS 'How often it was begun and not handed back; when ten workers died while they ran it, it has failed.';
