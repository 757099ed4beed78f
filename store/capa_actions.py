"""The actions of CAPAs as rows: planned, done, verified; and those that are late."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import dict_row

from domain.capa import CapaState
from domain.capa_action import ActionKind, ActionState, CapaAction
from domain.roles import Permission, find_roles_with
from store.audit import to_jsonb
from store.pool import Connection

_SELECT = """
    SELECT a.id, a.capa_id, q.code AS capa_code, q.state AS capa_state, a.number, a.round, a.kind, a.state, a.text,
        a.owner_id, o.name AS owner, a.due_on, a.done_evidence, a.done_by_id, d.name AS done_by, a.done_at,
        a.verified_note, a.verified_by_id, v.name AS verified_by, a.verified_at, a.cancel_reason, a.created_at,
        a.updated_at, a.evidence
    FROM capa_action a JOIN capa q ON q.id = a.capa_id LEFT JOIN app_user o ON o.id = a.owner_id
    LEFT JOIN app_user d ON d.id = a.done_by_id LEFT JOIN app_user v ON v.id = a.verified_by_id
"""
LOAD_ACTIONS = f"{_SELECT} WHERE a.capa_id = %s ORDER BY a.number"
LOAD_ACTION = f"{_SELECT} WHERE a.capa_id = %s AND a.number = %s"


def load_actions(conn: Connection, capa_id: int) -> list[CapaAction]:
    """The actions of one CAPA in the order of their numbers, cancelled ones too."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return [_to_action(row) for row in cursor.execute(LOAD_ACTIONS, (capa_id,))]


def load_action(conn: Connection, capa_id: int, number: int) -> CapaAction | None:
    """The action of that number, or None."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(LOAD_ACTION, (capa_id, number)).fetchone()
    return None if row is None else _to_action(row)


def _to_action(row: dict[str, Any]) -> CapaAction:
    words = {
        "capa_state": CapaState(row["capa_state"]),
        "kind": ActionKind(row["kind"]),
        "state": ActionState(row["state"]),
    }
    return CapaAction(**row | words)


@dataclass(frozen=True, slots=True)
class ActionFilter:
    """Which actions are wanted, over all CAPAs; an empty field does not filter."""

    states: tuple[str, ...] = ()
    owner: str = ""
    overdue_on: date | None = None  # open, and due before that day
    live_only: bool = True  # of CAPAs that are neither rejected nor closed


_WANTED = """
    WHERE (%(states)s::text[] = '{}' OR a.state = ANY (%(states)s)) AND (%(owner)s = '' OR o.name = %(owner)s)
        AND (%(overdue_on)s::date IS NULL OR (a.state = 'OPEN' AND a.due_on < %(overdue_on)s))
        AND (NOT %(live_only)s OR q.state NOT IN ('REJECTED', 'CLOSED'))
"""
# An action without a day comes last.
LIST_ACTIONS = f"""
    {_SELECT} {_WANTED}
        AND (%(after_id)s::bigint IS NULL
            OR (coalesce(a.due_on, 'infinity'), a.id) > (%(after_due)s::date, %(after_id)s::bigint))
    ORDER BY coalesce(a.due_on, 'infinity'), a.id LIMIT %(limit)s
"""
COUNT_ACTIONS = f"""
    SELECT count(*) FROM capa_action a JOIN capa q ON q.id = a.capa_id LEFT JOIN app_user o ON o.id = a.owner_id
    {_WANTED}
"""  # noqa: S608


def list_actions(
    conn: Connection, wanted: ActionFilter, *, after: tuple[str, int] | None = None, limit: int = 50
) -> list[CapaAction]:
    """Actions by their day, those without one last; `after` is day (or `infinity`) and id of the last one seen."""
    values = asdict(wanted) | {"states": list(wanted.states), "limit": limit}
    values |= {"after_due": None, "after_id": None} if after is None else {"after_due": after[0], "after_id": after[1]}
    with conn.cursor(row_factory=dict_row) as cursor:
        return [_to_action(row) for row in cursor.execute(LIST_ACTIONS, values)]


def count_actions(conn: Connection, wanted: ActionFilter) -> int:
    """How many actions are wanted."""
    row = conn.execute(COUNT_ACTIONS, asdict(wanted) | {"states": list(wanted.states)}).fetchone()
    return 0 if row is None else int(row[0])


@dataclass(frozen=True, slots=True)
class ActionDraft:
    """What an action says while the plan is written."""

    kind: ActionKind
    text: str
    owner_id: int | None = None
    due_on: date | None = None


INSERT_ACTION = """
    INSERT INTO capa_action (capa_id, number, round, kind, text, owner_id, due_on, created_at, updated_at)
    SELECT %(capa_id)s, coalesce(max(number), 0) + 1, %(round)s, %(kind)s, %(text)s, %(owner_id)s, %(due_on)s,
        %(now)s, %(now)s
    FROM capa_action WHERE capa_id = %(capa_id)s
    RETURNING number
"""
UPDATE_PLANNED = """
    UPDATE capa_action SET kind = %(kind)s, text = %(text)s, owner_id = %(owner_id)s, due_on = %(due_on)s,
        round = %(round)s, updated_at = %(now)s
    WHERE capa_id = %(capa_id)s AND number = %(number)s
"""
UPDATE_ACTION = """
    UPDATE capa_action SET state = %(state)s, done_evidence = %(done_evidence)s, evidence = %(evidence)s,
        done_by_id = %(done_by_id)s, done_at = %(done_at)s, verified_note = %(verified_note)s,
        verified_by_id = %(verified_by_id)s, verified_at = %(verified_at)s, cancel_reason = %(cancel_reason)s,
        updated_at = %(updated_at)s
    WHERE id = %(id)s
"""
_MOVED = (
    "state", "done_evidence", "done_by_id", "done_at", "verified_note", "verified_by_id", "verified_at",
    "cancel_reason", "updated_at", "id",
)  # fmt: skip


def insert_action(conn: Connection, capa_id: int, round_: int, draft: ActionDraft, now: datetime) -> int:
    """The number of the action that was added. The caller holds the CAPA's lock."""
    values = {"capa_id": capa_id, "round": round_, "now": now, **_plan(draft)}
    row = conn.execute(INSERT_ACTION, values).fetchone()
    assert row is not None
    return int(row[0])


def update_planned(conn: Connection, capa_id: int, number: int, round_: int, draft: ActionDraft, now: datetime) -> None:
    """Rewrites what the plan says of an action. The caller holds the CAPA's lock."""
    values = {"capa_id": capa_id, "number": number, "round": round_, "now": now, **_plan(draft)}
    conn.execute(UPDATE_PLANNED, values)


def update_action(conn: Connection, action: CapaAction) -> None:
    """Writes what became of an action, as it stands in memory. The caller holds the CAPA's lock."""
    values = {name: getattr(action, name) for name in _MOVED}
    conn.execute(UPDATE_ACTION, values | {"evidence": to_jsonb([dict(ref) for ref in action.evidence])})


def _plan(draft: ActionDraft) -> dict[str, Any]:
    return {"kind": draft.kind, "text": draft.text, "owner_id": draft.owner_id, "due_on": draft.due_on}


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody who may be asked to see to an action; who cannot read CAPAs cannot."""

    id: int
    may_read: bool


LOAD_OWNER = """
    SELECT id, roles && %s FROM app_user WHERE name = %s AND status = 'ACTIVE' AND customer_id IS NULL
"""


def load_owner(conn: Connection, name: str) -> Owner | None:
    """The active account of that name, of the maker's people; or None."""
    row = conn.execute(LOAD_OWNER, (find_roles_with(Permission.CAPA_READ), name)).fetchone()
    return None if row is None else Owner(row[0], row[1])


LOAD_OWNERS = """
    SELECT name, full_name FROM app_user WHERE status = 'ACTIVE' AND customer_id IS NULL AND roles && %s
    ORDER BY full_name, name LIMIT 500
"""


def load_possible_owners(conn: Connection) -> list[tuple[str, str]]:
    """(name, full name) of the active accounts of the maker's people who read CAPAs, by full name."""
    return [(row[0], row[1]) for row in conn.execute(LOAD_OWNERS, (find_roles_with(Permission.CAPA_READ),))]
