"""The worker beside scoring: runs the jobs that wait, one after the other, and ends.

    python -m anomaly.training.worker        # FOREWARN_DATABASE_URL names the database

The scoring program starts it when a job waits, as a process of its own and at a low priority, so that no training ever
delays a score.
"""

import logging
import os
import sys

from anomaly.training.jobs import run_job
from anomaly.training.progress import tell_nobody
from store.model_jobs import begin_job
from store.pool import DATABASE_GONE, open_connection

log = logging.getLogger(__name__)

URL_VARIABLE = "FOREWARN_DATABASE_URL"
NICENESS = 10


def work(database_url: str) -> int:
    """Runs every job that waits; gives back how many it were."""
    done = 0
    with open_connection(database_url, application="model jobs", autocommit=True) as conn:
        while (job := begin_job(conn)) is not None:
            log.info("job %d: %s of %s", job.id, job.kind, job.request.get("model"))
            error = run_job(conn, job, tell_nobody)
            log.info("job %d: %s", job.id, error or "done")
            done += 1
    return done


def main() -> None:
    """Runs as a process."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    os.nice(NICENESS)
    try:
        work(os.environ[URL_VARIABLE])
    except DATABASE_GONE as error:
        # The job is left RUNNING and is begun again by the next worker.
        log.warning("the database went away: %s", str(error).strip())
        sys.exit(1)


if __name__ == "__main__":
    main()
