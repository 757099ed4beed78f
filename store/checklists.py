"""Checklists of work orders: made when an order is assigned, answered line by line; every answer is kept."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from psycopg.rows import class_row, dict_row

from domain.audit import Actor, AuditEntry
from domain.audit_checklist import checklist_made, item_answered
from domain.checklist import (
    Answer,
    AnswerFacts,
    Checklist,
    GivenAnswer,
    TemplateKind,
    find_answer_refusal,
    find_kinds_for,
    is_ok,
    items_from_json,
)
from domain.errors import GuardRefusedError, NotFoundError
from domain.work_order import WorkOrder
from store.audit import record_audit, to_jsonb
from store.pool import Connection
from store.work_order_records import touch_work_order
from store.work_orders import lock_work_order

# The template of the device's own model before that of all models; a version of the order has each list once.
MAKE_CHECKLISTS = """
    INSERT INTO work_order_checklist (work_order_id, order_version, template_id, template_version, made_at)
    SELECT DISTINCT ON (t.kind) %(order_id)s, %(version)s, t.id, t.current_version, %(now)s
    FROM checklist_template t LEFT JOIN device d ON d.id = %(device_id)s
    WHERE t.is_active AND t.kind = ANY (%(kinds)s)
        AND (t.device_model_id IS NULL OR t.device_model_id = d.device_model_id)
        AND NOT EXISTS (SELECT FROM work_order_checklist c JOIN checklist_template o ON o.id = c.template_id
            WHERE c.work_order_id = %(order_id)s AND c.order_version = %(version)s AND o.kind = t.kind)
    ORDER BY t.kind, (t.device_model_id IS NULL)
    RETURNING id, template_id, template_version
"""
LOAD_CODES = "SELECT id, code FROM checklist_template WHERE id = ANY (%s)"


def make_checklists(conn: Connection, order: WorkOrder, now: datetime) -> list[AuditEntry]:
    """Gives the order the lists that there are templates for, frozen at their current versions, and returns what the
    audit says of it; nothing where it has them. The caller holds the order's lock and writes the audit."""
    kinds = find_kinds_for(order.type, order.source)
    if not kinds:
        return []
    values = {"order_id": order.id, "version": order.version, "device_id": order.device_id, "now": now}
    made = conn.execute(MAKE_CHECKLISTS, values | {"kinds": list(kinds)}).fetchall()
    if not made:
        return []
    codes: dict[int, str] = dict(conn.execute(LOAD_CODES, ([template_id for _, template_id, _ in made],)).fetchall())
    return [checklist_made(order.code, [(i, codes[template_id], version) for i, template_id, version in made])]


LOAD_CHECKLISTS = """
    SELECT c.id, w.code AS work_order, c.order_version, t.code AS template, c.template_version, t.kind, v.title,
        v.items, c.made_at
    FROM work_order_checklist c JOIN work_order w ON w.id = c.work_order_id
    JOIN checklist_template t ON t.id = c.template_id
    JOIN checklist_template_version v ON v.template_id = c.template_id AND v.version = c.template_version
    WHERE c.work_order_id IN (SELECT orders_within(%s)) ORDER BY c.id
"""
LOAD_ANSWERS = """
    SELECT DISTINCT ON (a.checklist_id, a.item) a.checklist_id, a.item, a.value, a.is_ok, a.remark, a.answered_by,
        a.answered_at
    FROM checklist_answer a WHERE a.checklist_id = ANY (%s) ORDER BY a.checklist_id, a.item, a.id DESC
"""


def load_checklists(conn: Connection, order_id: int) -> list[Checklist]:
    """The lists of the order in all its versions, and of what went up in it, with the newest answers."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LOAD_CHECKLISTS, (order_id,)).fetchall()
        found = cursor.execute(LOAD_ANSWERS, ([row["id"] for row in rows],)).fetchall() if rows else []
    answers: dict[int, dict[str, Answer]] = defaultdict(dict)
    for line in found:
        checklist_id = line.pop("checklist_id")
        answers[checklist_id][line["item"]] = Answer(**line)
    return [_to_checklist(row, answers[row["id"]]) for row in rows]


def _to_checklist(row: dict[str, Any], answers: dict[str, Answer]) -> Checklist:
    kinds = {"kind": TemplateKind(row["kind"]), "items": items_from_json(row["items"])}
    return Checklist(**{**row, **kinds, "answers": answers})


LOAD_HISTORY = """
    SELECT a.item, a.value, a.is_ok, a.remark, a.answered_by, a.answered_at FROM checklist_answer a
    WHERE a.checklist_id = %s ORDER BY a.id
"""


def load_answer_history(conn: Connection, checklist_id: int) -> list[Answer]:
    """Every answer that was ever given to a line of the list, the first one first."""
    with conn.cursor(row_factory=class_row(Answer)) as cursor:
        return cursor.execute(LOAD_HISTORY, (checklist_id,)).fetchall()


LOAD_PHOTOS = """
    SELECT a.id FROM attachment a WHERE a.work_order_id IN (SELECT orders_within(%s))
        AND a.media_type IN ('image/jpeg', 'image/png', 'image/webp')
"""
RECORD_ANSWER = """
    INSERT INTO checklist_answer (checklist_id, item, value, is_ok, remark, answered_by, answered_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


def record_answers(
    conn: Connection, actor: Actor, code: str, checklist_id: int, given: list[GivenAnswer], *, now: datetime
) -> Checklist:
    """The list with these answers, all of them or none.

    Raises
    ------
    NotFoundError, GuardRefusedError
        There is no such order or list; a rule refuses some of them (`domain.checklist.ChecklistGuard`): the first that
        does, and all lines that it refuses.
    """
    order = lock_work_order(conn, code, None)
    checklist = _find(conn, order, checklist_id)
    photos = frozenset(row[0] for row in conn.execute(LOAD_PHOTOS, (order.id,)))
    facts = AnswerFacts(order.state, order.assignee_id, order.version, photos)
    _verify(checklist, given, facts, actor)
    items = {item.key: item for item in checklist.items}
    entries = []
    for answer in given:
        judged = is_ok(items[answer.item], answer.value)
        known = checklist.answers.get(answer.item)
        values = (to_jsonb(answer.value), judged, answer.remark, actor.name, now)
        conn.execute(RECORD_ANSWER, (checklist_id, answer.item, *values))
        entries.append(item_answered(code, checklist_id, None if known is None else known.value, answer, is_ok=judged))
    touch_work_order(conn, order.id, now)
    record_audit(conn, actor, *entries)
    return _find(conn, order, checklist_id)


def _verify(checklist: Checklist, given: list[GivenAnswer], facts: AnswerFacts, actor: Actor) -> None:
    refusals = [
        (answer.item, refusal)
        for answer in given
        if (refusal := find_answer_refusal(checklist, answer, facts, actor_id=actor.user_id, by=actor.permission))
    ]
    if refusals:
        first = refusals[0][1]
        about = tuple(item for item, refusal in refusals if refusal.guard is first.guard)
        raise GuardRefusedError(first.guard, first.detail, about)


def _find(conn: Connection, order: WorkOrder, checklist_id: int) -> Checklist:
    for checklist in load_checklists(conn, order.id):
        if checklist.id == checklist_id and checklist.work_order == order.code:
            return checklist
    raise NotFoundError(f"{order.code} has no checklist {checklist_id}.")
