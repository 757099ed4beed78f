"""Which process reads Sparkplug: the messages of an edge node are one conversation, so that one process takes them all.

The right is an advisory lock of the connection that records, so no batch can be written by anybody who has lost it. The
session at the broker goes with the right: whoever has it connects under the same client id, and takes up what waits.
"""

import threading
from contextlib import suppress

from domain.sparkplug import DEVICE_KINDS, NAMESPACE, NODE_KINDS
from ingest.sparkplug.edge import EdgeState
from ingest.sparkplug.rows import to_state
from store.pool import DATABASE_GONE, Connection, open_connection
from store.sparkplug import begin_term, load_edges, load_term, try_to_own

SPARKPLUG_FILTERS = tuple(
    [f"{NAMESPACE}/+/{kind}/+" for kind in sorted(NODE_KINDS)]
    + [f"{NAMESPACE}/+/{kind}/+/+" for kind in sorted(DEVICE_KINDS)]
)
_APPLICATION = "ingest sparkplug"


class OwnershipLostError(Exception):
    """Another process reads Sparkplug now."""


class Ownership:
    """The right to read Sparkplug, for one term.

    Parameters
    ----------
    conn
        It holds the lock.
    """

    def __init__(self, url: str, writer: str, conn: Connection) -> None:
        self._url = url
        self._writer = writer
        self._first: Connection | None = conn
        self._term: int | None = None

    def connect(self) -> Connection:
        """A connection that holds the right.

        Raises
        ------
        OwnershipLostError
            Another process had it in between.
        TimeoutError
            The right is still held by the connection that was lost: ask again.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first
        conn = open_connection(self._url, application=_APPLICATION, autocommit=True)
        try:
            is_ours = try_to_own(conn)
            if self._term is None or load_term(conn) != self._term:
                raise OwnershipLostError("another process reads it now")
            if not is_ours:
                raise TimeoutError("the lost connection still holds the right to read Sparkplug")
        except BaseException:
            conn.close()
            raise
        return conn

    def begin(self, conn: Connection) -> list[EdgeState]:
        """Begins the term, on a connection that holds the right: where the conversations with all edge nodes stand."""
        self._term = begin_term(conn, self._writer)
        return [to_state(row) for row in load_edges(conn)]


def wait_to_own(url: str, writer: str, every_s: float, stop: threading.Event) -> Ownership | None:
    """The right to read Sparkplug as soon as nobody else has it; None when told to stop before."""
    conn: Connection | None = None
    while not stop.is_set():
        try:
            if conn is None:
                conn = open_connection(url, application=_APPLICATION, autocommit=True)
            if try_to_own(conn):
                return Ownership(url, writer, conn)
        except DATABASE_GONE:
            if conn is not None:
                with suppress(*DATABASE_GONE):
                    conn.close()
            conn = None
        stop.wait(every_s)
    if conn is not None:
        conn.close()
    return None
