"""The lab's program: starts a worker where a run waits, and says that it lives.

It knows no physics and no arrays itself: an installation that asks nothing of the lab pays for a process that sleeps.
"""

import logging
import os
import socket
import threading
import time
from datetime import UTC, datetime

from anomaly.job_runner import JobRunner
from lab.settings import LabSettings
from store.heartbeats import record_heartbeat, remove_heartbeat
from store.lab_runs import LAB_RUNS
from store.pool import DATABASE_GONE, RETRYABLE, open_connection

log = logging.getLogger(__name__)

PROGRAM = "lab"
WORKER = "lab.worker"


def run(settings: LabSettings, stop: threading.Event) -> None:
    """Looks for runs until `stop` is set; a database that goes away is waited for, and the run at hand begun again."""
    instance = settings.instance or f"{socket.gethostname()}-{os.getpid()}"
    started_at = datetime.now(UTC)
    pause = 0.1
    while not stop.is_set():
        began = time.monotonic()
        try:
            _serve(settings, instance, started_at, stop)
        except (*DATABASE_GONE, *RETRYABLE) as error:
            if time.monotonic() - began > settings.max_backoff_s:
                pause = 0.1
            log.warning("the lab looks again in %.1f s: %s", pause, str(error).strip())
            stop.wait(pause)
            pause = min(2.0 * pause, settings.max_backoff_s)


def _serve(settings: LabSettings, instance: str, started_at: datetime, stop: threading.Event) -> None:
    runner = JobRunner(
        settings.database_url, settings.poll_s, module=WORKER, queue=LAB_RUNS, silence_s=settings.run_silence_s
    )
    due = 0.0
    with open_connection(settings.database_url, application=PROGRAM, autocommit=True) as conn:
        try:
            while not stop.is_set():
                if time.monotonic() >= due:
                    due = time.monotonic() + settings.heartbeat_s
                    record_heartbeat(conn, PROGRAM, instance, started_at, {"working": runner.is_working})
                runner.look(conn)
                stop.wait(min(settings.poll_s, settings.heartbeat_s))
        finally:
            runner.close()
        remove_heartbeat(conn, PROGRAM, instance)
