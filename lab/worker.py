"""The worker of the lab: takes the runs that wait, one after the other, and ends.

    python -m lab.worker        # FOREWARN_DATABASE_URL names the database

The lab's program starts it when a run waits, as a process of its own and at a low priority, so that no run ever delays
a score. Told to stop, it hands its run back; where the program is gone, it ends after the run that it is at.
"""

import logging
import os
import signal
import sys
import time

from anomaly.job_runner import URL_VARIABLE
from anomaly.training.progress import Progress, Step
from domain.errors import ForewarnError
from domain.lab import request_from_json
from domain.profile import Profile
from lab.run import run_lab
from store.lab_runs import LabRun, begin_run, finish_run, hand_back_run, note_progress, release_run
from store.pool import DATABASE_GONE, Connection, open_connection

log = logging.getLogger(__name__)

NICENESS = 15
TOLD_FROM = 0.05  # of a run, before it is said how long the rest takes


class RunCancelledError(ForewarnError):
    """The run was called off."""


def work(database_url: str) -> int:
    """Takes every run that waits; gives back how many it were.

    Raises
    ------
    KeyboardInterrupt
        It was told to stop; the run that it was at waits for the next worker.
    """
    done = 0
    parent = os.getppid()
    run: LabRun | None = None
    try:
        with open_connection(database_url, application="lab runs", autocommit=True) as conn:
            while os.getppid() == parent and (begun := begin_run(conn)) is not None:
                run, profile = begun
                log.info("%s: %s of %s", run.code, run.request.get("fault"), run.request.get("model"))
                log.info("%s: %s", run.code, _take(conn, run, profile) or "done")
                done += 1
    except KeyboardInterrupt:
        # Behind the session that ran it: what that one was in the midst of is committed by now, or never will be.
        if run is not None:
            with open_connection(database_url, application="lab runs", autocommit=True) as conn:
                hand_back_run(conn, run)
            log.info("%s: handed back", run.code)
        raise
    return done


def _take(conn: Connection, run: LabRun, profile: Profile) -> str | None:
    """Runs it and records what came of it: None, or why nothing did.

    A database that goes away is not caught: the run stays RUNNING and is begun again by whoever comes next.
    """

    def tell(step: Step) -> None:
        # All devices are new at first, and send most then: what the rest takes cannot be told from it.
        left = None if step.share < TOLD_FROM else step.seconds_left
        if not note_progress(conn, run.id, step.share, left, step.message):
            raise RunCancelledError

    error = None
    try:
        progress = Progress(tell, time.monotonic)
        result = run_lab(request_from_json(run.request), profile, progress.note)
        finish_run(conn, run.id, result=result)
    except DATABASE_GONE:
        raise
    except RunCancelledError:
        error = "cancelled"
    except Exception as failure:
        log.exception("%s failed", run.code)
        error = str(failure) if isinstance(failure, ForewarnError) else f"{type(failure).__name__}: {failure}"
        finish_run(conn, run.id, error=error)
    release_run(conn, run.id)
    return error


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
        # The run is left RUNNING and is begun again by the next worker.
        log.warning("the database went away: %s", str(error).strip())
        sys.exit(1)


if __name__ == "__main__":
    main()
