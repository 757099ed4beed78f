"""Lists of work orders: filters, sort orders and a cursor that stays true while orders come and go."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from psycopg.rows import class_row

from domain.tickets import Priority
from store.pool import Connection
from store.work_order_filters import EVERYTHING, WorkOrderFilter, find_conditions

MAX_LIMIT = 500


@dataclass(frozen=True, slots=True)
class WorkOrderRow:
    """One line of a list: the order, what it is about, and what the inbox flags."""

    id: int
    code: str
    type: str
    source: str
    priority: str
    state: str
    hold_reason: str | None
    inbox_reason: str | None
    fault_group: str
    title_code: str
    title_params: Mapping[str, Any]
    serial: str | None
    model: str | None
    model_name: Mapping[str, str] | None
    firmware: str | None  # of the device now
    firmware_changed_at: datetime | None  # last change seen, for "new firmware"
    lot: str | None
    connectivity: str | None
    gateway: str | None
    site_code: str | None
    site_name: str | None
    site_time_zone: str | None
    customer_id: int | None
    customer_code: str | None
    customer_name: str | None
    region: str
    assignee: str | None
    assignee_name: str | None
    breach_count: int
    active_breach_count: int
    last_breach_at: datetime | None
    quiet_since: datetime | None
    ready_to_verify_at: datetime | None
    response_due_at: datetime | None
    resolution_due_at: datetime | None
    responded_at: datetime | None
    resolved_at: datetime | None
    response_breached: bool
    resolution_breached: bool
    next_due_at: datetime | None  # the clock that runs: response, then resolution; None when both are met
    reopen_count: int
    version: int
    outcome: str | None
    parent_code: str | None
    child_count: int
    capa_codes: list[str]  # live CAPAs that it is a member of
    is_simulated: bool
    row_version: int
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class WorkOrderPage:
    """One page, the cursor of the next one (None at the end), and how many there are in all if that was asked for."""

    rows: list[WorkOrderRow]
    next_cursor: str | None
    total: int | None


_NEXT_DUE = """CASE WHEN w.state IN ('CLOSED', 'CANCELLED') OR w.resolved_at IS NOT NULL THEN NULL
    WHEN w.responded_at IS NULL THEN least(w.response_due_at, w.resolution_due_at) ELSE w.resolution_due_at END"""


@dataclass(frozen=True, slots=True)
class _Sort:
    """By which key, and by which number where keys are equal: both together are unique, and have an index."""

    key: str
    type: str
    tie: str = "-w.id"
    is_ascending: bool = True

    def find_after(self) -> str:
        """What the rows behind the last one of the page before fulfil."""
        sign, last = (">", "-%(after_id)s::bigint") if self.is_ascending else ("<", "%(after_id)s::bigint")
        return f"({self.key}, {self.tie}) {sign} (%(after_key)s::{self.type}, {last})"


# The expressions are those of the indexes in migration 0029, to the letter.
SORTS = {
    "due": _Sort(f"coalesce({_NEXT_DUE}, 'infinity'::timestamptz)", "timestamptz"),
    "priority": _Sort("w.priority", "text"),
    "last_seen": _Sort("coalesce(w.last_breach_at, '-infinity'::timestamptz)", "timestamptz", "w.id", False),
    "created": _Sort("w.created_at", "timestamptz", "w.id", False),
    "updated": _Sort("w.updated_at", "timestamptz", "w.id", False),
}
_COLUMNS = f"""
    w.id, w.code, w.type, w.source, w.priority, w.state, w.hold_reason, w.inbox_reason, w.fault_group, w.title_code,
    w.title_params, d.serial, m.key AS model, m.name AS model_name, d.firmware,
    (SELECT max(h.at) FROM device_history h WHERE h.device_id = d.id AND h.field LIKE 'firmware%%')
        AS firmware_changed_at,
    d.lot, d.connectivity, g.name AS gateway, s.code AS site_code, s.name AS site_name, s.time_zone AS site_time_zone,
    w.customer_id,
    c.code AS customer_code, c.name AS customer_name, w.region, a.name AS assignee, a.full_name AS assignee_name,
    w.breach_count,
    (SELECT count(*)::integer FROM work_order_breach wb JOIN breach b ON b.id = wb.breach_id
        WHERE wb.work_order_id = w.id AND b.state = 'ACTIVE') AS active_breach_count,
    w.last_breach_at, w.quiet_since, w.ready_to_verify_at, w.response_due_at, w.resolution_due_at, w.responded_at,
    w.resolved_at, w.response_breached, w.resolution_breached, {_NEXT_DUE} AS next_due_at, w.reopen_count, w.version,
    w.outcome, p.code AS parent_code,
    (SELECT count(*)::integer FROM work_order k WHERE k.parent_id = w.id) AS child_count,
    ARRAY(SELECT q.code FROM capa_member cm JOIN capa q ON q.id = cm.capa_id
        WHERE cm.work_order_id = w.id AND cm.excluded_reason IS NULL AND q.state NOT IN ('REJECTED', 'CLOSED')
        ORDER BY q.code) AS capa_codes,
    w.is_simulated, w.row_version, w.created_at, w.updated_at, w.closed_at
"""  # noqa: S608
_TABLES = """
    LEFT JOIN device d ON d.id = w.device_id
    LEFT JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN gateway g ON g.id = w.gateway_id
    LEFT JOIN site s ON s.id = w.site_id
    LEFT JOIN customer c ON c.id = w.customer_id
    LEFT JOIN app_user a ON a.id = w.assignee_id
    LEFT JOIN work_order p ON p.id = w.parent_id
"""
# The orders of the page first: one table, quickly planned for what is asked for. Then what stands beside these few, by
# a query that is always the same and is planned once.
FIND_PAGE = """
    SELECT w.id, w.code, w.row_version, jsonb_build_array(({key})::text, w.id) FROM work_order w
    WHERE {condition} ORDER BY {key} {way}, {tie} {way} LIMIT %(limit)s
"""
LOAD_ROWS = f"""
    SELECT {_COLUMNS} FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS wanted (id, place)
    JOIN work_order w ON w.id = wanted.id {_TABLES}
    WHERE %(customer_id)s::bigint IS NULL OR w.customer_id = %(customer_id)s
    ORDER BY wanted.place
"""  # noqa: S608
COUNT_WORK_ORDERS = "SELECT count(*) FROM work_order w WHERE {condition}"


def load_work_order_page(
    conn: Connection,
    wanted: WorkOrderFilter = EVERYTHING,
    *,
    sort: str = "due",
    cursor: str | None = None,
    limit: int = 50,
    with_total: bool = False,
) -> WorkOrderPage:
    """One page of the orders that are wanted, `sort` being one of SORTS.

    Raises
    ------
    ValueError
        There is no such sort order, or the cursor is not one of ours.
    """
    condition, values = find_conditions(conn, wanted)
    limit = max(1, min(limit, MAX_LIMIT))
    found = _find_page(conn, condition, values, sort, cursor, limit + 1)
    total = _count(conn, condition, values) if with_total else None
    more = len(found) > limit
    found = found[:limit]
    with conn.cursor(row_factory=class_row(WorkOrderRow)) as cursor_of_rows:
        of_page = {"ids": [one.id for one in found], "customer_id": wanted.customer_id}
        rows = cursor_of_rows.execute(LOAD_ROWS, of_page, prepare=True).fetchall() if found else []
    return WorkOrderPage(rows, encode_cursor(found[-1].sort_key) if more else None, total)


def load_work_order_versions(
    conn: Connection, wanted: WorkOrderFilter, *, sort: str = "due", cursor: str | None = None, limit: int = 50
) -> dict[str, int]:
    """The row version of each order of that page, by its code: whether a page that is shown is still true.

    Raises
    ------
    ValueError
        There is no such sort order, or the cursor is not one of ours.
    """
    condition, values = find_conditions(conn, wanted)
    return {one.code: one.row_version for one in _find_page(conn, condition, values, sort, cursor, limit)}


class _Found(NamedTuple):
    id: int
    code: str
    row_version: int
    sort_key: list[Any]


def _find_page(
    conn: Connection, condition: str, values: Mapping[str, Any], sort: str, cursor: str | None, limit: int
) -> list[_Found]:
    if sort not in SORTS:
        raise ValueError(f"sort is one of {', '.join(SORTS)}")
    by = SORTS[sort]
    after = decode_cursor(cursor, by.type)
    values = {**values, "limit": limit}
    if after is not None:
        condition += f" AND {by.find_after()}"
        values |= {"after_key": after[0], "after_id": after[1]}
    way = "ASC" if by.is_ascending else "DESC"
    query = FIND_PAGE.format(key=by.key, tie=by.tie, way=way, condition=condition)
    # Which index is best depends on what is asked for: each is planned anew.
    return [_Found(*row) for row in conn.execute(query.encode(), values, prepare=False)]


@dataclass(frozen=True, slots=True)
class OrderFacet:
    """What an order is about, for the choices of a filter."""

    fault_group: str
    model: str | None
    firmware: str | None
    customer_code: str | None
    customer_name: str | None
    region: str


LIST_FACETS = """
    SELECT DISTINCT w.fault_group, m.key AS model, d.firmware, c.code AS customer_code, c.name AS customer_name,
        w.region
    FROM (
        SELECT w.device_id, w.customer_id, w.fault_group, w.region FROM work_order w WHERE {condition}
        ORDER BY {key} {way}, {tie} {way} LIMIT %(limit)s
    ) AS w
    LEFT JOIN device d ON d.id = w.device_id LEFT JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN customer c ON c.id = w.customer_id
"""


def load_order_facets(conn: Connection, wanted: WorkOrderFilter, *, limit: int = MAX_LIMIT) -> list[OrderFacet]:
    """What the first `limit` orders by due time are about, each combination once."""
    by = SORTS["due"]
    condition, values = find_conditions(conn, wanted)
    query = LIST_FACETS.format(key=by.key, tie=by.tie, way="ASC", condition=condition)
    with conn.cursor(row_factory=class_row(OrderFacet)) as cursor:
        return cursor.execute(query.encode(), values | {"limit": limit}, prepare=False).fetchall()


def count_work_orders(conn: Connection, wanted: WorkOrderFilter = EVERYTHING) -> int:
    """How many orders are wanted."""
    return _count(conn, *find_conditions(conn, wanted))


def _count(conn: Connection, condition: str, values: dict[str, Any]) -> int:
    query = COUNT_WORK_ORDERS.format(condition=condition)
    row = conn.execute(query.encode(), values, prepare=False).fetchone()
    return 0 if row is None else int(row[0])


def encode_cursor(sort_key: list[Any]) -> str:
    """The opaque cursor after the row with this sort key."""
    return base64.urlsafe_b64encode(orjson.dumps(sort_key)).decode().rstrip("=")


def decode_cursor(cursor: str | None, type_: str) -> tuple[str, int] | None:
    """The sort key that `encode_cursor` was given, its first value being one of that type; None without a cursor.

    Raises
    ------
    ValueError
        The text is not a cursor.
    """
    if not cursor:
        return None
    try:
        key, row_id = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if type_ == "timestamptz" and key not in ("infinity", "-infinity"):
            datetime.fromisoformat(key)
        elif type_ == "text" and key not in set(Priority):
            raise ValueError("not a priority")
        number = int(row_id)
        if not 0 < number < 2**63:
            raise ValueError("not the number of a row")
    except (binascii.Error, ValueError, TypeError) as error:
        raise ValueError("the cursor is not one that this list gave") from error
    return key, number
