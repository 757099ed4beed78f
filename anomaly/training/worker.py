"""The worker beside scoring: runs the jobs that wait, one after the other, and ends.

    python -m anomaly.training.worker        # FOREWARN_DATABASE_URL names the database

The scoring program starts it when a job waits, as a process of its own and at a low priority, so that no training ever
delays a score. Told to stop, it hands its job back; where the scoring program is gone, it ends after the job it is at.
"""

import logging
import os
import signal
import sys

from anomaly.job_runner import URL_VARIABLE
from anomaly.training.jobs import run_job
from anomaly.training.progress import tell_nobody
from store.model_jobs import ModelJob, begin_job, hand_back_job
from store.pool import DATABASE_GONE, open_connection

log = logging.getLogger(__name__)

NICENESS = 10


def work(database_url: str) -> int:
    """Runs every job that waits; gives back how many it were.

    Raises
    ------
    KeyboardInterrupt
        It was told to stop; the job that it was at waits for the next worker.
    """
    done = 0
    parent = os.getppid()
    job: ModelJob | None = None
    try:
        with open_connection(database_url, application="model jobs", autocommit=True) as conn:
            while os.getppid() == parent and (job := begin_job(conn)) is not None:
                log.info("job %d: %s of %s", job.id, job.kind, job.request.get("model"))
                error = run_job(conn, job, tell_nobody)
                log.info("job %d: %s", job.id, error or "done")
                done += 1
    except KeyboardInterrupt:
        # Behind the session that ran it: what that one was in the midst of is committed by now, or never will be.
        if job is not None:
            with open_connection(database_url, application="model jobs", autocommit=True) as conn:
                hand_back_job(conn, job)
            log.info("job %d: handed back", job.id)
        raise
    return done


def main() -> None:
    """Runs as a process."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    os.nice(NICENESS)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        work(os.environ[URL_VARIABLE])
    except KeyboardInterrupt:
        log.info("told to stop")
    except DATABASE_GONE as error:
        # The job is left RUNNING and is begun again by the next worker.
        log.warning("the database went away: %s", str(error).strip())
        sys.exit(1)


if __name__ == "__main__":
    main()
