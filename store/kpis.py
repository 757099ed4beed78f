"""Key figures of one moment: everything that they need is counted in one snapshot of the database."""

from collections.abc import Iterable
from dataclasses import dataclass

from domain.kpi import KpiQuery, KpiSource
from store.kpi_alarms import load_alarms
from store.kpi_facts import SourceSums, load_clocks, load_facts, load_operation
from store.pool import Connection

ONE_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# A hundred thousand facts are grouped in memory, not on disk.
IN_MEMORY = "SET LOCAL work_mem = '64MB'"
# Compiling statements that run for some milliseconds takes longer than running them.
UNCOMPILED = "SET LOCAL jit = off"


def load_counted(conn: Connection, sources: Iterable[KpiSource], query: KpiQuery) -> SourceSums:
    """What was counted of these sources. It begins a transaction of its own in which nothing was read before, and in
    which nothing can be written: all figures are of the same instant."""
    wanted = set(sources)
    with conn.transaction():
        conn.execute(ONE_SNAPSHOT)
        conn.execute(IN_MEMORY)
        conn.execute(UNCOMPILED)
        counted = load_facts(conn, wanted, query) | load_clocks(conn, wanted, query)
        if KpiSource.OPERATION in wanted:
            counted[KpiSource.OPERATION] = load_operation(conn, query)
        return counted | load_alarms(conn, wanted, query)


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
