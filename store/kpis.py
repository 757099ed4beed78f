"""Key figures of one moment: everything that they need is counted in one snapshot of the database."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg import sql
from psycopg_pool import PoolTimeout

from domain.kpi import KpiQuery, KpiSource
from store.kpi_alarms import load_alarms
from store.kpi_facts import SourceSums, load_clocks, load_facts, load_operation
from store.pool import Connection, Pool

ONE_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# A hundred thousand facts are grouped in memory, not on disk.
IN_MEMORY = "SET LOCAL work_mem = '64MB'"
# Compiling statements that run for some milliseconds takes longer than running them.
UNCOMPILED = "SET LOCAL jit = off"
# What takes nearly as long as all the rest together.
HEAVY = frozenset(
    {KpiSource.OPERATION, KpiSource.ALARM_FLOOD, KpiSource.ALARM_ORIGIN, KpiSource.ALARM_CHATTERING},
)
SHARE_SNAPSHOT = "SELECT pg_export_snapshot()"
TAKE_SNAPSHOT = sql.SQL("SET TRANSACTION SNAPSHOT {}")
PATIENCE_S = 0.1  # in which a pool that may grow has a second connection


def load_counted(conn: Connection, sources: Iterable[KpiSource], query: KpiQuery) -> SourceSums:
    """What was counted of these sources. It begins a transaction of its own in which nothing was read before, and in
    which nothing can be written: all figures are of the same instant."""
    wanted = set(sources)
    with _snapshot(conn):
        return _count_light(conn, wanted, query) | _count_heavy(conn, wanted, query)


def load_counted_by_two(pool: Pool, sources: Iterable[KpiSource], query: KpiQuery) -> SourceSums:
    """The same in less time: by two connections that see one snapshot, where there is much to count and a second one
    is free."""
    wanted = set(sources)
    if not (wanted & HEAVY and wanted - HEAVY):
        with pool.connection() as conn:
            return load_counted(conn, wanted, query)
    with pool.connection() as conn, _snapshot(conn), ThreadPoolExecutor(1, "key figures") as beside:
        row = conn.execute(SHARE_SNAPSHOT).fetchone()
        assert row is not None
        heavy = beside.submit(_count_beside, pool, str(row[0]), wanted, query)
        light = _count_light(conn, wanted, query)
        found = heavy.result()
        return light | (_count_heavy(conn, wanted, query) if found is None else found)


def _count_beside(pool: Pool, snapshot: str, wanted: set[KpiSource], query: KpiQuery) -> SourceSums | None:
    """None where no connection is free: who waits for one with another in hand could wait for ever."""
    try:
        with pool.connection(timeout=PATIENCE_S) as conn, _snapshot(conn, snapshot):
            return _count_heavy(conn, wanted, query)
    except PoolTimeout:
        return None


@contextmanager
def _snapshot(conn: Connection, taken: str | None = None) -> Iterator[None]:
    with conn.transaction():
        conn.execute(ONE_SNAPSHOT)
        if taken is not None:
            conn.execute(TAKE_SNAPSHOT.format(sql.Literal(taken)))
        conn.execute(IN_MEMORY)
        conn.execute(UNCOMPILED)
        yield


def _count_light(conn: Connection, wanted: set[KpiSource], query: KpiQuery) -> SourceSums:
    return load_facts(conn, wanted, query) | load_clocks(conn, wanted, query)


def _count_heavy(conn: Connection, wanted: set[KpiSource], query: KpiQuery) -> SourceSums:
    counted = load_alarms(conn, wanted, query)
    if KpiSource.OPERATION in wanted:
        counted[KpiSource.OPERATION] = load_operation(conn, query)
    return counted


@dataclass(frozen=True, slots=True)
class UnknownNames:
    """Of what was asked for by name, what there is not, or not for the caller."""

    customers: list[str]
    models: list[str]


FIND_UNKNOWN = """
    SELECT
        ARRAY(SELECT x FROM unnest(%(customers)s::text[]) x WHERE NOT EXISTS (
            SELECT FROM customer c WHERE c.code = x AND (%(customer_id)s::bigint IS NULL OR c.id = %(customer_id)s))),
        ARRAY(SELECT x FROM unnest(%(models)s::text[]) x WHERE NOT EXISTS (SELECT FROM device_model m WHERE m.key = x))
"""


def find_unknown_names(conn: Connection, query: KpiQuery) -> UnknownNames:
    """Names of customers and models with a typing error would otherwise give a figure of nothing."""
    values = {"customers": list(query.customers), "models": list(query.models), "customer_id": query.customer_id}
    row = conn.execute(FIND_UNKNOWN, values).fetchone()
    assert row is not None
    return UnknownNames(row[0], row[1])
