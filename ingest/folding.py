"""Folds ledger blocks into the days of their devices."""

import threading

from ingest.side_task import SideTask
from store.device_days import fold_ledger_blocks
from store.pool import Connection

FOLDED_AT_ONCE = 500


def make_folding(database_url: str, every_s: float, stop: threading.Event) -> SideTask:
    """Folds what has come every so often, once it is started. A block that cannot be read stops it at that block."""

    def fold(conn: Connection) -> None:
        while fold_ledger_blocks(conn, FOLDED_AT_ONCE) == FOLDED_AT_ONCE and not stop.is_set():
            continue

    return SideTask("counts by device", fold, database_url, every_s, stop)
