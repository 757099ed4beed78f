"""Folds ledger blocks into the days of their devices."""

import logging
import threading

from domain.errors import BlockCorruptError
from ingest.side_task import keep_doing
from store.device_days import fold_ledger_blocks
from store.pool import Connection

log = logging.getLogger(__name__)

FOLDED_AT_ONCE = 500


def keep_folding(database_url: str, every_s: float, stop: threading.Event) -> None:
    """Folds what has come every so often, until `stop`; a database that is away is tried again the next time."""

    def fold(conn: Connection) -> None:
        try:
            while fold_ledger_blocks(conn, FOLDED_AT_ONCE) == FOLDED_AT_ONCE and not stop.is_set():
                continue
        except BlockCorruptError as problem:
            log.error("the counts by device stand still: %s", problem)

    keep_doing("ledger", fold, database_url, every_s, stop)
