"""CAPAs as rows: their lists, their members; read under a lock and written back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row

from domain.errors import NotFoundError, RowVersionConflictError
from store.pool import Connection

ENTITY = "capa"


@dataclass(frozen=True, slots=True)
class Capa:
    """One CAPA. `statistics` is what docs/reference/ticket-rules.md says; `row_version` is for If-Match."""

    id: int
    code: str
    kind: str
    state: str
    state_since: datetime
    device_model_id: int
    model: str
    model_name: Mapping[str, str]
    safety_critical: bool
    scope_kind: str
    scope_value: str
    fault_group: str
    trigger: str
    statistics: Mapping[str, Any]
    decision_reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    ineffective_of_code: str | None
    round: int  # counts up when a check failed
    plan_version: int  # counts up with every change of what two people approve
    author_ids: list[int]
    problem: str
    investigated_round: int
    before_until: datetime | None
    effective_from: datetime | None
    effective_until: datetime | None
    effectiveness_verdict: str | None
    open_actions: int
    next_due_on: date | None  # of the open actions
    member_count: int
    device_count: int
    customer_count: int
    is_simulated: bool
    region: str
    row_version: int
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None


_SELECT = """
    SELECT q.id, q.code, q.kind, q.state, coalesce(q.state_since, q.decided_at, q.created_at) AS state_since,
        q.device_model_id, m.key AS model, m.name AS model_name, m.safety_critical, q.scope_kind, q.scope_value,
        q.fault_group, q.trigger, q.statistics, q.decision_reason, q.decided_by, q.decided_at,
        f.code AS ineffective_of_code, q.round, q.plan_version, q.author_ids, q.problem, q.investigated_round,
        q.before_until, q.effective_from, q.effective_until, q.effectiveness_verdict, a.open_actions, a.next_due_on,
        n.member_count, n.device_count, n.customer_count, q.is_simulated, q.region, q.row_version, q.created_at,
        q.updated_at, q.closed_at
    FROM capa q JOIN device_model m ON m.id = q.device_model_id LEFT JOIN capa f ON f.id = q.ineffective_of
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS member_count, count(DISTINCT w.device_id)::integer AS device_count,
            count(DISTINCT w.customer_id)::integer AS customer_count
        FROM capa_member cm JOIN work_order w ON w.id = cm.work_order_id
        WHERE cm.capa_id = q.id AND cm.excluded_reason IS NULL
    ) n
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS open_actions, min(due_on) AS next_due_on FROM capa_action
        WHERE capa_id = q.id AND state = 'OPEN'
    ) a
"""
LOAD_CAPA = f"{_SELECT} WHERE q.code = %s"


def load_capa(conn: Connection, code: str) -> Capa | None:
    """The CAPA of that code, or None."""
    with conn.cursor(row_factory=class_row(Capa)) as cursor:
        return cursor.execute(LOAD_CAPA, (code,)).fetchone()


LIST_CAPAS = f"""
    {_SELECT}
    WHERE (%(states)s::text[] = '{{}}' OR q.state = ANY (%(states)s))
        AND (%(model)s = '' OR m.key = %(model)s) AND (%(fault_group)s = '' OR q.fault_group = %(fault_group)s)
        AND (%(before_id)s::bigint IS NULL OR q.id < %(before_id)s)
    ORDER BY q.id DESC LIMIT %(limit)s
"""
COUNT_CAPAS = """
    SELECT count(*) FROM capa q JOIN device_model m ON m.id = q.device_model_id
    WHERE (%(states)s::text[] = '{}' OR q.state = ANY (%(states)s))
        AND (%(model)s = '' OR m.key = %(model)s) AND (%(fault_group)s = '' OR q.fault_group = %(fault_group)s)
"""


def load_capas(
    conn: Connection,
    *,
    states: Sequence[str] = (),
    model: str = "",
    fault_group: str = "",
    before_id: int | None = None,
    limit: int = 50,
) -> list[Capa]:
    """CAPAs newest first; the `id` of the last one is the cursor for the next page."""
    values = {"states": list(states), "model": model, "fault_group": fault_group}
    with conn.cursor(row_factory=class_row(Capa)) as cursor:
        return cursor.execute(LIST_CAPAS, values | {"before_id": before_id, "limit": limit}).fetchall()


LIST_CODES = "SELECT code FROM capa WHERE state = ANY (%s) ORDER BY id DESC LIMIT %s"


def load_capa_codes(conn: Connection, states: Sequence[str], *, limit: int) -> list[str]:
    """The codes alone of CAPAs in these states, newest first."""
    return [code for (code,) in conn.execute(LIST_CODES, (list(states), limit))]


def count_capas(conn: Connection, *, states: Sequence[str] = (), model: str = "", fault_group: str = "") -> int:
    """How many CAPAs are wanted."""
    row = conn.execute(COUNT_CAPAS, {"states": list(states), "model": model, "fault_group": fault_group}).fetchone()
    return 0 if row is None else int(row[0])


@dataclass(frozen=True, slots=True)
class CapaMember:
    """One work order of a CAPA; `excluded_reason` says why it does not count (any more)."""

    code: str
    state: str
    priority: str
    serial: str | None
    lot: str | None
    firmware: str | None  # at the time of its first breach
    customer_code: str | None
    customer_name: str | None
    title_code: str
    title_params: Mapping[str, Any]
    outcome: str | None
    failure_code: str | None
    breach_count: int
    created_at: datetime
    added_at: datetime
    excluded_reason: str | None


LOAD_CAPA_MEMBERS = """
    SELECT w.code, w.state, w.priority, d.serial, d.lot,
        coalesce((SELECT b.firmware FROM work_order_breach wb JOIN breach b ON b.id = wb.breach_id
            WHERE wb.work_order_id = w.id AND b.device_id = w.device_id ORDER BY b.raised_at LIMIT 1), d.firmware)
            AS firmware,
        c.code AS customer_code, c.name AS customer_name, w.title_code, w.title_params, w.outcome, w.failure_code,
        w.breach_count, w.created_at, cm.added_at, cm.excluded_reason
    FROM capa_member cm JOIN work_order w ON w.id = cm.work_order_id
    LEFT JOIN device d ON d.id = w.device_id LEFT JOIN customer c ON c.id = w.customer_id
    WHERE cm.capa_id = %s ORDER BY (cm.excluded_reason IS NOT NULL), cm.added_at DESC, w.id DESC LIMIT %s
"""


def load_capa_members(conn: Connection, capa_id: int, *, limit: int = 500) -> list[CapaMember]:
    """The members of a CAPA, those that count first."""
    with conn.cursor(row_factory=class_row(CapaMember)) as cursor:
        return cursor.execute(LOAD_CAPA_MEMBERS, (capa_id, limit)).fetchall()


LOCK_CAPA = "SELECT id, row_version FROM capa WHERE code = %s FOR UPDATE"


def lock_capa(conn: Connection, code: str, expected_row_version: int | None = None) -> Capa:
    """The CAPA of that code, which nobody else changes until the caller's transaction ends.

    Raises
    ------
    NotFoundError
        There is none.
    RowVersionConflictError
        It has moved since the caller saw it.
    """
    row = conn.execute(LOCK_CAPA, (code,)).fetchone()
    if row is None:
        raise NotFoundError(code)
    if expected_row_version is not None and row[1] != expected_row_version:
        raise RowVersionConflictError(f"{code} is at version {row[1]}, not {expected_row_version}.")
    capa = load_capa(conn, code)
    assert capa is not None
    return capa


MUTABLE_COLUMNS = (
    "state", "state_since", "decision_reason", "decided_by", "decided_at", "round", "plan_version", "author_ids",
    "problem", "investigated_round", "before_until", "effective_from", "effective_until", "effectiveness_verdict",
    "closed_at", "updated_at",
)  # fmt: skip
UPDATE_CAPA = f"""
    UPDATE capa SET {", ".join(f"{name} = %({name})s" for name in MUTABLE_COLUMNS)}, row_version = row_version + 1
    WHERE id = %(id)s
"""  # noqa: S608


def update_capa(conn: Connection, capa: Capa) -> Capa:
    """Writes the CAPA back as it stands in memory, one version up. The caller holds its lock."""
    conn.execute(UPDATE_CAPA, {name: getattr(capa, name) for name in MUTABLE_COLUMNS} | {"id": capa.id})
    return replace(capa, row_version=capa.row_version + 1)


LOAD_MEASURED = "SELECT code FROM capa WHERE state = 'EFFECTIVENESS' ORDER BY id"


def load_measured_capas(conn: Connection) -> list[str]:
    """The codes of the CAPAs whose effect is being measured."""
    return [str(row[0]) for row in conn.execute(LOAD_MEASURED)]
