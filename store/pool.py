"""The one way to the database: a bounded pool of connections that speak UTC and name their program."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias
from weakref import WeakKeyDictionary, WeakSet

import orjson
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool

Connection: TypeAlias = psycopg.Connection[TupleRow]
Pool: TypeAlias = ConnectionPool[Connection]

# What a loop catches: the server went away (back off, connect again); the transaction must be retried.
DATABASE_GONE = (psycopg.OperationalError, psycopg.InterfaceError)
RETRYABLE = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
_made: WeakKeyDictionary[Pool, WeakSet[Connection]] = WeakKeyDictionary()
# A value that no column can hold or be compared with: a NUL character, a lone surrogate, a number out of range.
UNUSABLE_VALUE = (psycopg.DataError, UnicodeEncodeError)

set_json_loads(orjson.loads)  # lists have thousands of small documents


# What a URL that says nothing of it gets; all but the first mean nothing on a Unix socket.
NETWORK = {
    "connect_timeout": 5,
    # A server whose machine vanished is noticed within half a minute: by who waits for an answer or a notice, as
    # nothing answers on the silent connection (not after two hours); and by who has sent something that nobody
    # acknowledges (not after the quarter of an hour for which it would be sent again).
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # ms
}


def find_connection_arguments(url: str, application: str) -> dict[str, object]:
    """What is said to libpq beside the URL; of the network, what the URL leaves open.

    Raises
    ------
    psycopg.ProgrammingError
        The URL is none.
    """
    said = conninfo_to_dict(url)
    return {name: value for name, value in NETWORK.items() if name not in said} | {
        "application_name": f"forewarn {application}",
        "options": "-c timezone=UTC -c statement_timeout=60000 -c idle_in_transaction_session_timeout=120000"
        # Late readings may go into compressed chunks, however many a batch has. Without TimescaleDB it means nothing.
        " -c timescaledb.max_tuples_decompressed_per_dml_transaction=0"
        # What a machine that vanished had locked (shards, jobs) is free again within half a minute, and not after two
        # hours: the server looks as well. Keepalives are sent on a silent connection alone: an answer that is not
        # acknowledged would be sent again for a quarter of an hour. And while a statement runs nobody looks unless told
        # to: that of a killed process would keep its locks to its end.
        " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
        " -c tcp_user_timeout=25000 -c client_connection_check_interval=5000",
    }


def open_connection(url: str, *, application: str, autocommit: bool = False) -> Connection:
    """A connection of its own, for what outlives a transaction: LISTEN, advisory locks, migrations.

    Raises
    ------
    psycopg.OperationalError
        The server cannot be reached or refuses the account.
    """
    arguments = find_connection_arguments(url, application)
    return psycopg.Connection.connect(url, autocommit=autocommit, **arguments)  # type: ignore[arg-type]


def open_pool(url: str, *, application: str, size: int = 4, patience_s: float = 10.0) -> Pool:
    """A pool of at most `size` connections, each checked before it is lent; opened in the background. Who waits
    longer than `patience_s` for one gets one of DATABASE_GONE.

    `with pool.connection() as conn` is one transaction: committed at the end of the block, rolled back by an exception.
    """
    connections: WeakSet[Connection] = WeakSet()
    pool: Pool = ConnectionPool(
        url,
        kwargs=find_connection_arguments(url, application),
        min_size=1,
        max_size=size,
        open=True,
        timeout=patience_s,
        check=ConnectionPool.check_connection,
        configure=connections.add,
        name=application,
    )
    _made[pool] = connections
    return pool


def abandon_pool(pool: Pool) -> None:
    """Lends no connection any more and cuts those that are lent: whoever waits for one, or for a server that does not
    answer, gets one of DATABASE_GONE. It returns within two seconds, whatever the server does."""
    pool.close(timeout=1)
    for conn in list(_made.get(pool, ())):
        if not conn.closed:
            try:
                with socket.socket(fileno=os.dup(conn.fileno())) as shared:
                    shared.shutdown(socket.SHUT_RDWR)
            except (OSError, psycopg.OperationalError):  # it has just been closed
                continue


@contextmanager
def without_transaction(pool: Pool) -> Iterator[Connection]:
    """A connection whose statements each stand for themselves: no way to the server to begin and to commit."""
    with pool.connection() as conn:
        conn.autocommit = True
        try:
            yield conn
        finally:
            if not conn.closed:
                conn.autocommit = False


@contextmanager
def transaction(conn: Connection) -> Iterator[Connection]:
    """One transaction on a connection of its own; a savepoint inside another."""
    with conn.transaction():
        yield conn
