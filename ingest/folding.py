"""Folds ledger blocks in a thread and over a connection of its own: the readings wait for neither."""

import logging
import threading
from contextlib import suppress

from domain.errors import BlockCorruptError, DatabaseNotMigratedError
from store.device_days import fold_ledger_blocks
from store.migrate import verify_migrated
from store.pool import DATABASE_GONE, RETRYABLE, Connection, open_connection

log = logging.getLogger(__name__)

FOLDED_AT_ONCE = 500


def keep_folding(database_url: str, every_s: float, stop: threading.Event) -> None:
    """Folds what has come every so often, until `stop`; a database that is away is tried again the next time."""
    conn: Connection | None = None
    while not stop.wait(every_s):
        try:
            if conn is None:
                conn = open_connection(database_url, application="ingest ledger", autocommit=True)
                verify_migrated(conn)
            while fold_ledger_blocks(conn, FOLDED_AT_ONCE) == FOLDED_AT_ONCE and not stop.is_set():
                continue
        except BlockCorruptError as problem:
            log.error("the counts by device stand still: %s", problem)
        except Exception as problem:
            if isinstance(problem, (*DATABASE_GONE, *RETRYABLE, DatabaseNotMigratedError)):
                log.warning("ledger: %s", str(problem).strip() or type(problem).__name__)
            else:  # the blocks stay and pile up, which must be heard of; nothing else stops
                log.exception("the counts by device stand still")
            if conn is not None:
                with suppress(*DATABASE_GONE):
                    conn.close()
            conn = None
    if conn is not None:
        with suppress(*DATABASE_GONE):
            conn.close()
