"""What ingest does beside the readings, in a thread and over a connection of its own: they wait for none of it."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from domain.errors import DatabaseNotMigratedError
from store.migrate import verify_migrated
from store.pool import DATABASE_GONE, RETRYABLE, Connection, open_connection

log = logging.getLogger(__name__)


def keep_doing(
    name: str, task: Callable[[Connection], None], database_url: str, every_s: float, stop: threading.Event
) -> None:
    """Does the task every so often, until `stop`. What fails is done again the next time, a database that is away
    included; `name` says in the log what it was."""
    conn: Connection | None = None
    while not stop.wait(every_s):
        try:
            if conn is None:
                conn = open_connection(database_url, application=f"ingest {name}", autocommit=True)
                verify_migrated(conn)
            task(conn)
        except Exception as problem:
            if isinstance(problem, (*DATABASE_GONE, *RETRYABLE, DatabaseNotMigratedError)):
                log.warning("%s: %s", name, str(problem).strip() or type(problem).__name__)
            else:  # what it has not done piles up, which must be heard of; nothing else stops
                log.exception("%s: it stands still", name)
            if conn is not None:
                with suppress(*DATABASE_GONE):
                    conn.close()
            conn = None
    if conn is not None:
        with suppress(*DATABASE_GONE):
            conn.close()
