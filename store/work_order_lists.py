"""Lists of work orders: filters, sort orders and a cursor that stays true while orders come and go."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from psycopg.rows import class_row

from store.pool import Connection

MAX_LIMIT = 500


@dataclass(frozen=True, slots=True)
class WorkOrderFilter:
    """Which orders; an empty value means all. Filters are joined by AND, the values of one by OR."""

    states: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()  # title codes
    fault_groups: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    firmwares: tuple[str, ...] = ()
    serial: str = ""
    customer_codes: tuple[str, ...] = ()
    customer_id: int | None = None  # what a customer's own user may see
    region: str = ""
    assignee: str = ""  # user name
    assignee_id: int | None = None
    parent: str = ""  # code: the children of this order
    code: str = ""  # this one alone
    q: str = ""  # in code, serial, site and customer
    open_only: bool = False
    inbox_only: bool = False  # a person has yet to look; children of a parent are folded into it
    is_simulated: bool | None = None


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
    sort_key: list[Any]


@dataclass(frozen=True, slots=True)
class WorkOrderPage:
    """One page, the cursor of the next one (None at the end), and how many there are in all if that was asked for."""

    rows: list[WorkOrderRow]
    next_cursor: str | None
    total: int | None


_NEXT_DUE = """CASE WHEN w.state IN ('CLOSED', 'CANCELLED') OR w.resolved_at IS NOT NULL THEN NULL
    WHEN w.responded_at IS NULL THEN least(w.response_due_at, w.resolution_due_at) ELSE w.resolution_due_at END"""
# Two ascending expressions each, the second unique: the cursor is the pair of the last row.
SORTS = {
    "due": f"coalesce(extract(epoch FROM {_NEXT_DUE})::float8, 1e15)",
    "priority": "substr(w.priority, 2)::float8",
    "last_seen": "-coalesce(extract(epoch FROM w.last_breach_at)::float8, 0)",
    "created": "-extract(epoch FROM w.created_at)::float8",
    "updated": "-extract(epoch FROM w.updated_at)::float8",
}
_TABLES = """
    FROM work_order w
    LEFT JOIN device d ON d.id = w.device_id
    LEFT JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN gateway g ON g.id = w.gateway_id
    LEFT JOIN site s ON s.id = w.site_id
    LEFT JOIN customer c ON c.id = w.customer_id
    LEFT JOIN app_user a ON a.id = w.assignee_id
    LEFT JOIN work_order p ON p.id = w.parent_id
    WHERE (%(states)s::text[] = '{}' OR w.state = ANY (%(states)s))
        AND (%(priorities)s::text[] = '{}' OR w.priority = ANY (%(priorities)s))
        AND (%(types)s::text[] = '{}' OR w.type = ANY (%(types)s))
        AND (%(sources)s::text[] = '{}' OR w.source = ANY (%(sources)s))
        AND (%(reasons)s::text[] = '{}' OR w.title_code = ANY (%(reasons)s))
        AND (%(fault_groups)s::text[] = '{}' OR w.fault_group = ANY (%(fault_groups)s))
        AND (%(models)s::text[] = '{}' OR m.key = ANY (%(models)s))
        AND (%(firmwares)s::text[] = '{}' OR d.firmware = ANY (%(firmwares)s))
        AND (%(serial)s = '' OR d.serial = %(serial)s)
        AND (%(customer_codes)s::text[] = '{}' OR c.code = ANY (%(customer_codes)s))
        AND (%(customer_id)s::bigint IS NULL OR w.customer_id = %(customer_id)s)
        AND (%(region)s = '' OR w.region = %(region)s)
        AND (%(assignee)s = '' OR a.name = %(assignee)s)
        AND (%(assignee_id)s::bigint IS NULL OR w.assignee_id = %(assignee_id)s)
        AND (%(parent)s = '' OR p.code = %(parent)s)
        AND (%(code)s = '' OR w.code = %(code)s)
        AND (%(q)s = ''
            OR strpos(lower(concat_ws(' ', w.code, d.serial, g.name, s.name, c.code, c.name)), lower(%(q)s)) > 0)
        AND (NOT %(open_only)s OR w.state NOT IN ('CLOSED', 'CANCELLED'))
        AND (NOT %(inbox_only)s OR (w.inbox_reason IS NOT NULL AND w.state NOT IN ('CLOSED', 'CANCELLED')
            AND (w.parent_id IS NULL OR p.state IN ('CLOSED', 'CANCELLED'))))
        AND (%(is_simulated)s::boolean IS NULL OR w.is_simulated = %(is_simulated)s)
"""
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
LIST_WORK_ORDERS = {
    sort: f"""
    SELECT {_COLUMNS}, jsonb_build_array({expression}, -w.id) AS sort_key {_TABLES}
        AND (%(after_value)s::float8 IS NULL OR ({expression}, -w.id) > (%(after_value)s, %(after_id)s))
    ORDER BY {expression}, -w.id LIMIT %(limit)s
"""
    for sort, expression in SORTS.items()
}
COUNT_WORK_ORDERS = f"SELECT count(*) {_TABLES}"


def load_work_order_page(
    conn: Connection,
    wanted: WorkOrderFilter = WorkOrderFilter(),
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
    if sort not in SORTS:
        raise ValueError(f"sort is one of {', '.join(SORTS)}")
    after = decode_cursor(cursor)
    limit = max(1, min(limit, MAX_LIMIT))
    values = _find_values(wanted) | {"after_value": after[0], "after_id": after[1], "limit": limit + 1}
    with conn.cursor(row_factory=class_row(WorkOrderRow)) as rows_cursor:
        rows = rows_cursor.execute(LIST_WORK_ORDERS[sort], values).fetchall()
    total = count_work_orders(conn, wanted) if with_total else None
    more = len(rows) > limit
    rows = rows[:limit]
    return WorkOrderPage(rows, encode_cursor(rows[-1].sort_key) if more else None, total)


def count_work_orders(conn: Connection, wanted: WorkOrderFilter = WorkOrderFilter()) -> int:
    """How many orders are wanted."""
    row = conn.execute(COUNT_WORK_ORDERS, _find_values(wanted)).fetchone()
    return 0 if row is None else int(row[0])


def _find_values(wanted: WorkOrderFilter) -> dict[str, Any]:
    names = WorkOrderFilter.__dataclass_fields__
    values = {name: getattr(wanted, name) for name in names}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def encode_cursor(sort_key: list[Any]) -> str:
    """The opaque cursor after the row with this sort key."""
    return base64.urlsafe_b64encode(orjson.dumps(sort_key)).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> tuple[float | None, int | None]:
    """The sort key that `encode_cursor` was given; a pair of None without a cursor.

    Raises
    ------
    ValueError
        The text is not a cursor.
    """
    if not cursor:
        return None, None
    try:
        value, row_id = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return float(value), int(row_id)
    except (binascii.Error, ValueError, TypeError) as error:
        raise ValueError("the cursor is not one that this list gave") from error
