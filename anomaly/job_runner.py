"""Starts a worker for long work that waits: a process of its own, beside a program that must go on meanwhile."""

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
STOP_S = 5.0


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
    ) -> None:
        """`module` is the worker of that queue."""
        self._database_url = database_url
        self._every_s = every_s
        self._module = module
        self._queue = queue
        self._due = 0.0
        self._worker: subprocess.Popen[bytes] | None = None

    @property
    def is_working(self) -> bool:
        """A worker runs now."""
        return self._worker is not None and self._worker.poll() is None

    def look(self, conn: Connection) -> None:
        """Starts a worker where a job waits that nobody runs; looks at most every `every_s`, and never waits."""
        if time.monotonic() < self._due or self.is_working:
            return
        self._due = time.monotonic() + self._every_s
        if not self._queue.is_waiting(conn):
            return
        log.info("work waits: starting %s", self._module)
        self._worker = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", self._module],
            env={**os.environ, URL_VARIABLE: self._database_url},
            stdin=subprocess.DEVNULL,
        )

    def close(self) -> None:
        """No worker is left on return."""
        if self._worker is None or not self.is_working:
            return
        self._worker.terminate()
        try:
            self._worker.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._worker.kill()
            self._worker.wait()
