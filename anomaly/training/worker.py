"""The worker beside scoring: runs the trainings and backtests that wait, as `anomaly.job_worker` does.

python -m anomaly.training.worker        # FOREWARN_DATABASE_URL names the database
"""

from anomaly.job_worker import serve
from anomaly.training.jobs import run_job
from store.model_jobs import MODEL_JOBS

NICENESS = 10

if __name__ == "__main__":
    serve(MODEL_JOBS, run_job, niceness=NICENESS)
