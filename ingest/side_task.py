"""What ingest does beside the readings, in a thread and over a connection of its own: they wait for none of it."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.errors import DatabaseNotMigratedError
from store.migrate import verify_migrated
from store.pool import DATABASE_GONE, RETRYABLE, Connection, open_connection

log = logging.getLogger(__name__)

# What fails once may have met a lock or a database that started anew; what fails again is told of.
TOLD_AFTER = 2
LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Standstill:
    """What has failed every time `since` then, and how the last time."""

    what: str
    since: datetime
    problem: str


class SideTask:
    """Does `task` every `every_s` seconds from `start` until `stop` is set. What fails is done again the next time, a
    database that is away included; `what` says in the log and to whoever asks for a standstill what it was."""

    def __init__(
        self, what: str, task: Callable[[Connection], None], database_url: str, every_s: float, stop: threading.Event
    ) -> None:
        self._what = what
        self._task = task
        self._database_url = database_url
        self._every_s = every_s
        self._stop = stop
        self._failures = 0
        self._standstill: Standstill | None = None
        self._thread = threading.Thread(target=self._run, name=what, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        """Waits until it has ended, which `stop` asks for; at once where it was never started."""
        if self._thread.ident is not None:
            self._thread.join()

    def find_standstill(self) -> Standstill | None:
        """Since when it does not get done, if the last two attempts failed. Any thread may ask."""
        return self._standstill if self._failures >= TOLD_AFTER else None

    def _run(self) -> None:
        conn: Connection | None = None
        while not self._stop.wait(self._every_s):
            try:
                if conn is None:
                    conn = open_connection(self._database_url, application=f"ingest {self._what}", autocommit=True)
                    verify_migrated(conn)
                self._task(conn)
            except (*DATABASE_GONE, *RETRYABLE, DatabaseNotMigratedError) as problem:
                log.warning("%s: %s", self._what, find_reason(problem))
                self._note_failure(problem)
            except Exception as problem:  # what it has not done piles up, which must be heard of; nothing else stops
                log.exception("%s: it stands still", self._what)
                self._note_failure(problem)
            else:
                self._failures, self._standstill = 0, None
                continue
            if conn is not None:
                _close(conn)
            conn = None
        if conn is not None:
            _close(conn)

    def _note_failure(self, problem: Exception) -> None:
        since = datetime.now(UTC) if self._standstill is None else self._standstill.since
        self._standstill = Standstill(self._what, since, find_reason(problem)[:LONGEST_REASON])
        self._failures += 1


def find_reason(problem: BaseException) -> str:
    """Its message, or what kind it is of where it has none."""
    return str(problem).strip() or type(problem).__name__


def _close(conn: Connection) -> None:
    with suppress(*DATABASE_GONE):
        conn.close()
