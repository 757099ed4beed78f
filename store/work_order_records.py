"""What the records of a work order (visits, parts, checklists, files) mean to itself: guards and signature."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row, dict_row

from domain.work_order import WorkOrder
from store.pool import Connection

TOUCH_WORK_ORDER = "UPDATE work_order SET updated_at = %s WHERE id = %s"


def touch_work_order(conn: Connection, order_id: int, now: datetime) -> None:
    """Whoever follows the order hears of the change. Its row_version stays: what is added conflicts with nothing."""
    conn.execute(TOUCH_WORK_ORDER, (now, order_id))


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What is still to be done or said in the records of an order."""

    open_parts: int
    unanswered: list[str]
    is_visit_under_way: bool


# Of an order that went up in this one the parts and visits count; its checklist was of that order, and is read there.
LOAD_RECORD_FACTS = """
    SELECT
        (SELECT count(*)::integer FROM part_usage p
            WHERE p.work_order_id IN (SELECT orders_within(%(id)s)) AND p.state = 'REQUESTED') AS open_parts,
        ARRAY(SELECT item.body ->> 'key' FROM work_order_checklist c
            JOIN checklist_template_version v ON v.template_id = c.template_id AND v.version = c.template_version
            CROSS JOIN LATERAL jsonb_array_elements(v.items) WITH ORDINALITY AS item (body, place)
            WHERE c.work_order_id = %(id)s AND c.order_version = %(version)s AND (item.body ->> 'required')::boolean
                AND NOT EXISTS (SELECT FROM checklist_answer a
                    WHERE a.checklist_id = c.id AND a.item = item.body ->> 'key')
            ORDER BY c.id, item.place) AS unanswered,
        EXISTS (SELECT FROM work_order_visit v
            WHERE v.work_order_id IN (SELECT orders_within(%(id)s)) AND v.left_at IS NULL) AS is_visit_under_way
"""


def load_record_facts(conn: Connection, order: WorkOrder) -> RecordFacts:
    """What the guards of WORK_DONE and VERIFIED look at. The caller holds the order's lock."""
    with conn.cursor(row_factory=class_row(RecordFacts)) as cursor:
        found = cursor.execute(LOAD_RECORD_FACTS, {"id": order.id, "version": order.version}).fetchone()
    assert found is not None
    return found


@dataclass(frozen=True, slots=True)
class RecordCounts:
    """How many records of each kind an order has, with those of what went up in it."""

    visits: int
    is_visit_under_way: bool
    parts_asked: int
    parts_used: int
    files: int
    lines: int
    answered: int
    unanswered: int  # lines that are required and have no answer


# Lists of an earlier version of a reopened order are read, and no longer answered.
LOAD_RECORD_COUNTS = """
    WITH within AS (SELECT orders_within(%(id)s) AS id),
    line AS (
        SELECT (item.body ->> 'required')::boolean AS is_required, EXISTS (SELECT FROM checklist_answer a
            WHERE a.checklist_id = c.id AND a.item = item.body ->> 'key') AS is_answered
        FROM work_order_checklist c
        JOIN checklist_template_version v ON v.template_id = c.template_id AND v.version = c.template_version
        CROSS JOIN LATERAL jsonb_array_elements(v.items) AS item (body)
        WHERE c.work_order_id = %(id)s AND c.order_version = %(version)s
    )
    SELECT
        (SELECT count(*)::integer FROM work_order_visit v WHERE v.work_order_id IN (SELECT id FROM within)) AS visits,
        EXISTS (SELECT FROM work_order_visit v
            WHERE v.work_order_id IN (SELECT id FROM within) AND v.left_at IS NULL) AS is_visit_under_way,
        (SELECT count(*)::integer FROM part_usage p
            WHERE p.work_order_id IN (SELECT id FROM within) AND p.state = 'REQUESTED') AS parts_asked,
        (SELECT count(*)::integer FROM part_usage p
            WHERE p.work_order_id IN (SELECT id FROM within) AND p.state = 'USED') AS parts_used,
        (SELECT count(*)::integer FROM attachment a WHERE a.work_order_id IN (SELECT id FROM within)
            AND (%(internal)s OR a.visibility = 'CUSTOMER')) AS files,
        (SELECT count(*)::integer FROM line) AS lines,
        (SELECT count(*)::integer FROM line WHERE is_answered) AS answered,
        (SELECT count(*)::integer FROM line WHERE is_required AND NOT is_answered) AS unanswered
"""


def load_record_counts(conn: Connection, order: WorkOrder, *, internal: bool) -> RecordCounts:
    """What the page of the order says of its records before any is opened; `internal`: files for us alone too."""
    values = {"id": order.id, "version": order.version, "internal": internal}
    with conn.cursor(row_factory=class_row(RecordCounts)) as cursor:
        found = cursor.execute(LOAD_RECORD_COUNTS, values).fetchone()
    assert found is not None
    return found


_INSTANT = '\'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\''
LOAD_SIGNED_RECORDS = f"""
    WITH within AS (SELECT orders_within(%s) AS id)
    SELECT
        ARRAY(SELECT a.sha256 FROM attachment a WHERE a.work_order_id IN (SELECT id FROM within) ORDER BY a.id)
            AS attachments,
        ARRAY(SELECT jsonb_build_object('item', p.item, 'quantity', p.quantity::text, 'lot', p.lot, 'serial_in',
                p.serial_in, 'serial_out', p.serial_out, 'state', p.state, 'decided_by', p.decided_by)
            FROM part_usage p WHERE p.work_order_id IN (SELECT id FROM within) ORDER BY p.id) AS parts,
        ARRAY(SELECT jsonb_build_object('technician', u.name, 'outcome', v.outcome,
                'arrived_at', to_char(v.arrived_at AT TIME ZONE 'UTC', {_INSTANT}),
                'left_at', to_char(v.left_at AT TIME ZONE 'UTC', {_INSTANT}))
            FROM work_order_visit v JOIN app_user u ON u.id = v.technician_id
            WHERE v.work_order_id IN (SELECT id FROM within) ORDER BY v.id) AS visits,
        ARRAY(SELECT jsonb_build_object('template', t.code, 'version', c.template_version, 'item', a.item, 'value',
                a.value::text, 'is_ok', a.is_ok, 'remark', a.remark, 'answered_by', a.answered_by)
            FROM work_order_checklist c JOIN checklist_template t ON t.id = c.template_id
            JOIN checklist_answer a ON a.checklist_id = c.id
            WHERE c.work_order_id IN (SELECT id FROM within) ORDER BY a.id) AS answers
"""  # noqa: S608


def load_signed_records(conn: Connection, order_id: int) -> dict[str, list[Any]]:
    """What the signature that closes the order stands for beside the order itself; kinds of which there is none are
    left out, so that signatures from before there were such records still stand."""
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(LOAD_SIGNED_RECORDS.encode(), (order_id,)).fetchone()
    assert found is not None
    return {name: values for name, values in found.items() if values}
