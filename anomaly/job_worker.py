"""The worker of a queue of long jobs: takes those that wait, one after the other, and ends.

A program starts it when a job waits (`anomaly.job_runner`), as a process of its own and at a low priority, so that no
job ever delays a score. Told to stop, it hands its job back; where the program is gone, it ends after the job it is at.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import TypeVar

from anomaly.job_runner import TELLS_VARIABLE, URL_VARIABLE
from anomaly.training.progress import Step, Tell
from domain.errors import ForewarnError
from store.job_queue import JobQueue, JobRow
from store.pool import DATABASE_GONE, RETRYABLE, Connection, open_connection

log = logging.getLogger(__name__)

Job = TypeVar("Job", bound=JobRow)
RunJob = Callable[[Connection, Job], str | None]


class CalledOffError(ForewarnError):
    """It was called off."""


def run_claimed(conn: Connection, queue: JobQueue[Job], job: Job, work: Callable[[Tell], None]) -> str | None:
    """Runs a job that this session has begun, and records where it failed: None, or in words why nothing came of it.

    `work` finishes the job itself, in the transaction that writes what it made. What it says of its progress ends it
    once nobody wants the job any more. A database that goes away is not caught: the job stays RUNNING and is begun
    again by whoever comes next. One that refuses, as a statement that took too long, would do so again: that is said.
    """

    def tell(step: Step) -> None:
        if not queue.note_progress(conn, job.id, step.share, step.seconds_left, step.message):
            raise CalledOffError
        tell_runner(job.id)

    error = None
    try:
        work(tell)
    except ForewarnError as refused:
        error = str(refused)
    except Exception as failure:
        if isinstance(failure, RETRYABLE) or (isinstance(failure, DATABASE_GONE) and conn.closed):
            raise
        log.exception("%s %d failed", queue.table, job.id)
        error = f"{type(failure).__name__}: {failure}"
    if error is not None:
        queue.finish(conn, job.id, error=error)
    queue.release(conn, job.id)
    return error


def work(database_url: str, queue: JobQueue[Job], run: RunJob[Job]) -> int:
    """Runs every job that waits; gives back how many it were.

    Raises
    ------
    KeyboardInterrupt
        It was told to stop; the job that it was at waits for the next worker.
    """
    done = 0
    parent = os.getppid()
    job: Job | None = None
    try:
        with open_connection(database_url, application=queue.table, autocommit=True) as conn:
            while os.getppid() == parent and (job := queue.begin(conn)) is not None:
                log.info("%s %d: begun", queue.table, job.id)
                tell_runner(job.id)
                log.info("%s %d: %s", queue.table, job.id, run(conn, job) or "done")
                tell_runner(0)
                done += 1
    except KeyboardInterrupt:
        # Behind the session that ran it: what that one was in the midst of is committed by now, or never will be.
        if job is not None:
            with open_connection(database_url, application=queue.table, autocommit=True) as conn:
                queue.hand_back(conn, job)
            log.info("%s %d: handed back", queue.table, job.id)
        raise
    return done


def tell_runner(job_id: int) -> None:
    """Says to the program that started this process, if one did, which job it is at (0: none) and that it goes on."""
    if pipe := os.environ.get(TELLS_VARIABLE):
        try:
            os.write(int(pipe), b"%d\n" % job_id)
        except OSError:  # nobody reads it any more, or nobody has for long
            return


def serve(queue: JobQueue[Job], run: RunJob[Job], *, niceness: int) -> None:
    """Works as a process; FOREWARN_DATABASE_URL names the database. Exits with 1 where the database went away."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    os.nice(niceness)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        work(os.environ[URL_VARIABLE], queue, run)
    except KeyboardInterrupt:
        log.info("told to stop")
    except DATABASE_GONE as error:
        # The job is left RUNNING and is begun again by the next worker.
        log.warning("the database went away: %s", str(error).strip())
        sys.exit(1)
