"""Starts a worker for long work that waits: a process of its own, beside a program that must go on meanwhile.

The worker says through a pipe which job it is at, and each word of progress. One whose job was called off ends by
itself at the next of them; one that does not, and one that says nothing for too long, is ended from here.
"""

import logging
import os
import subprocess
import sys
import time
from typing import Any

from store.job_queue import JobQueue
from store.model_jobs import MODEL_JOBS
from store.pool import Connection

log = logging.getLogger(__name__)

# Named, not imported: scoring starts without the code of training and backtests.
MODULE = "anomaly.training.worker"
URL_VARIABLE = "FOREWARN_DATABASE_URL"
# The end of a pipe that the worker writes to.
TELLS_VARIABLE = "FOREWARN_WORKER_TELLS"
STOP_S = 5.0
GRACE_S = 1.0  # for the words that a worker ends a job with
SILENCE_S = 3600.0


class JobRunner:
    """At most one worker at a time, by default that of training and backtests; `close` ends it, and what it was at is
    begun again by the next one."""

    def __init__(
        self,
        database_url: str,
        every_s: float,
        *,
        module: str = MODULE,
        queue: JobQueue[Any] = MODEL_JOBS,
        silence_s: float = SILENCE_S,
    ) -> None:
        """`module` is the worker of that queue; a job that says nothing for `silence_s` has failed."""
        self._database_url = database_url
        self._every_s = every_s
        self._module = module
        self._queue = queue
        self._due = 0.0
        self._silence_s = silence_s
        self._worker: subprocess.Popen[bytes] | None = None
        self._pipe: int | None = None
        self._job = 0  # that the worker is at; 0: none yet, or none any more
        self._heard_at = 0.0
        self._over_at: float | None = None  # since when its job is known to have ended otherwise
        self._told_at: float | None = None  # since when it was told to end

    @property
    def is_working(self) -> bool:
        """A worker runs now."""
        return self._worker is not None and self._worker.poll() is None

    def look(self, conn: Connection) -> None:
        """Starts a worker where a job waits that nobody runs, and ends one whose job is over or that hangs; looks at
        most every `every_s`, and never waits."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self._every_s
        if self.is_working:
            self._watch(conn, time.monotonic())
            return
        self._forget()
        if not self._queue.is_waiting(conn):
            return
        log.info("work waits: starting %s", self._module)
        self._pipe, told = os.pipe()
        try:
            for end in (self._pipe, told):
                os.set_blocking(end, False)
            self._worker = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", self._module],
                env={**os.environ, URL_VARIABLE: self._database_url, TELLS_VARIABLE: str(told)},
                stdin=subprocess.DEVNULL,
                pass_fds=(told,),
            )
        finally:
            os.close(told)
        self._heard_at = time.monotonic()

    def _watch(self, conn: Connection, now: float) -> None:
        self._hear(now)
        if self._told_at is not None:
            if now - self._told_at > STOP_S and self._worker is not None:
                self._worker.kill()
            return
        if self._job and self._is_over(conn):
            self._over_at = now if self._over_at is None else self._over_at
            if now - self._over_at >= GRACE_S:
                self._end(now, f"{self._queue.table} {self._job} is over")
            return
        self._over_at = None
        if now - self._heard_at > self._silence_s:
            error = f"The job said nothing for {self._silence_s / 60:g} minutes and was ended: it hangs."
            if not self._job or self._queue.finish(conn, self._job, error=error):
                self._end(now, f"{self._queue.table} {self._job} hangs")

    def _hear(self, now: float) -> None:
        assert self._pipe is not None
        heard = b""
        try:
            while said := os.read(self._pipe, 1 << 16):
                heard += said
        except BlockingIOError:
            pass  # that was all
        if words := heard.split():
            self._heard_at = now
            if int(words[-1]) != self._job:
                self._job, self._over_at = int(words[-1]), None

    def _is_over(self, conn: Connection) -> bool:
        job = self._queue.load(conn, self._job)
        return job is None or job.state not in ("QUEUED", "RUNNING")

    def _end(self, now: float, why: str) -> None:
        assert self._worker is not None
        log.warning("%s: its worker is told to end", why)
        self._told_at = now
        self._worker.terminate()

    def _forget(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
        self._worker, self._pipe, self._job, self._over_at, self._told_at = None, None, 0, None, None

    def close(self) -> None:
        """No worker is left on return."""
        if self._worker is not None and self.is_working:
            self._worker.terminate()
            try:
                self._worker.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._worker.kill()
                self._worker.wait()
        self._forget()
