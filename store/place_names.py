"""The names of customers and sites by their codes, for records that only tell the code."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class PlaceNames:
    """Names by code. What the reader may not know, and what is not there, is missing."""

    customers: Mapping[str, str] = field(default_factory=dict)
    sites: Mapping[str, str] = field(default_factory=dict)


LOAD_CUSTOMER_NAMES = """
    SELECT code, name FROM customer WHERE %(customer_id)s::bigint IS NULL OR id = %(customer_id)s
    ORDER BY code LIMIT %(limit)s
"""


def load_customer_names(conn: Connection, *, most: int, customer_id: int | None) -> list[tuple[str, str]]:
    """(code, name) of all customers by code; none of them where they are more than `most`."""
    rows = conn.execute(LOAD_CUSTOMER_NAMES, {"customer_id": customer_id, "limit": most + 1}).fetchall()
    return [(code, name) for code, name in rows] if len(rows) <= most else []


LOAD_NAMES = """
    SELECT true AS is_customer, c.code, c.name FROM customer c
    WHERE c.code = ANY (%(customers)s) AND (%(customer_id)s::bigint IS NULL OR c.id = %(customer_id)s)
    UNION ALL
    SELECT false, s.code, s.name FROM site s
    WHERE s.code = ANY (%(sites)s) AND (%(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s)
"""


def load_place_names(
    conn: Connection,
    *,
    customers: Collection[str | None] = (),
    sites: Collection[str | None] = (),
    customer_id: int | None,
) -> PlaceNames:
    """The names of these; of one customer and its sites alone where one is named. Without codes nothing is asked."""
    values = {"customers": sorted(set(filter(None, customers))), "sites": sorted(set(filter(None, sites)))}
    if not any(values.values()):
        return PlaceNames()
    rows = conn.execute(LOAD_NAMES, {**values, "customer_id": customer_id}).fetchall()
    return PlaceNames(
        {code: name for is_customer, code, name in rows if is_customer},
        {code: name for is_customer, code, name in rows if not is_customer},
    )
