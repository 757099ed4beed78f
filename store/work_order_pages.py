"""What the page of one work order shows beside it: breaches with evidence, why it opened, timeline, similar ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class LinkedBreach:
    """One breach of the order with its frozen evidence (None where it was not stored)."""

    id: UUID
    serial: str
    monitor: str
    profile_version: int
    kind: str
    severity: str
    fault_group: str
    state: str
    first_seen: datetime
    raised_at: datetime
    last_seen: datetime
    cleared_at: datetime | None
    count: int
    peak: float
    score: float
    firmware: str
    reason_code: str
    params: Mapping[str, Any]
    linked_at: datetime
    sensor: str | None
    evidence: Mapping[str, Any] | None
    evidence_sha256: str | None
    evidence_frozen_at: datetime | None
    monitor_false_alarms: int | None  # the monitor is flagged: so many orders of it were false alarms
    completeness: float | None  # of the device's data on the day (UTC) when it was first seen
    skew_s: float | None  # of its clock on that day


LOAD_LINKED_BREACHES = """
    SELECT b.id, d.serial, b.monitor, b.profile_version, b.kind, b.severity, b.fault_group, b.state, b.first_seen,
        b.raised_at, b.last_seen, b.cleared_at, b.count, b.peak, b.score, b.firmware, b.reason_code, b.params,
        wb.linked_at, r.sensor, e.body AS evidence, e.sha256 AS evidence_sha256, e.frozen_at AS evidence_frozen_at,
        f.false_alarms AS monitor_false_alarms, q.completeness, q.skew_s
    FROM work_order_breach wb JOIN breach b ON b.id = wb.breach_id JOIN device d ON d.id = b.device_id
    LEFT JOIN series r ON r.id = b.series_id
    LEFT JOIN evidence e ON e.breach_id = b.id
    LEFT JOIN monitor_flag f ON f.device_model_id = d.device_model_id AND f.monitor = b.monitor
        AND f.profile_version = b.profile_version
    LEFT JOIN data_quality_day q ON q.device_id = b.device_id AND q.day = (b.first_seen AT TIME ZONE 'UTC')::date
    WHERE wb.work_order_id = %s ORDER BY b.raised_at DESC, b.id LIMIT %s
"""


def load_linked_breaches(conn: Connection, work_order_id: int, *, limit: int = 100) -> list[LinkedBreach]:
    """The breaches of the order, newest first, each with its evidence."""
    with conn.cursor(row_factory=class_row(LinkedBreach)) as cursor:
        return cursor.execute(LOAD_LINKED_BREACHES, (work_order_id, limit)).fetchall()


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """What became of one transition, and why. `reason` is a value of `domain.tickets.TicketReason`."""

    transition_id: int
    breach_id: UUID
    transition_kind: str
    severity: str
    at: datetime  # event time
    decided_at: datetime
    decision: str
    reason: str
    params: Mapping[str, Any]
    work_order_code: str | None
    reason_code: str
    reason_params: Mapping[str, Any]


LOAD_DECISIONS = """
    SELECT t.id AS transition_id, t.breach_id, t.kind AS transition_kind, t.severity, t.at, y.decided_at, y.decision,
        y.reason, y.params, w.code AS work_order_code, t.reason_code, t.params AS reason_params
    FROM breach_transition t JOIN ticket_decision y ON y.transition_id = t.id
    LEFT JOIN work_order w ON w.id = y.work_order_id
"""
LOAD_ORDER_DECISIONS = f"""
    {LOAD_DECISIONS}
    WHERE t.breach_id IN (SELECT breach_id FROM work_order_breach WHERE work_order_id = %s)
    ORDER BY t.id DESC LIMIT %s
"""  # noqa: S608


def load_order_decisions(conn: Connection, work_order_id: int, *, limit: int = 200) -> list[DecisionRow]:
    """Every decision on the breaches of the order, newest first: why it opened stands last."""
    with conn.cursor(row_factory=class_row(DecisionRow)) as cursor:
        return cursor.execute(LOAD_ORDER_DECISIONS, (work_order_id, limit)).fetchall()


LOAD_BREACH_DECISIONS = f"{LOAD_DECISIONS} WHERE t.breach_id = %s ORDER BY t.id DESC"


def load_breach_decisions(conn: Connection, breach_id: UUID) -> list[DecisionRow]:
    """Every decision on one breach, newest first."""
    with conn.cursor(row_factory=class_row(DecisionRow)) as cursor:
        return cursor.execute(LOAD_BREACH_DECISIONS, (breach_id,)).fetchall()


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened: `audit` (a change), `decision` (of the machine), `note` or `signature` (of a person)."""

    at: datetime
    kind: str
    actor: str
    role: str
    code: str  # audit action, decision reason; empty for a note
    text: str  # reason given, note, meaning of the signature
    details: Mapping[str, Any]


LOAD_TIMELINE = """
    SELECT * FROM (
        SELECT e.at, 'audit' AS kind, e.actor, e.role, e.action AS code, e.reason AS text,
            jsonb_build_object('seq', e.seq, 'before', e.before, 'after', e.after) AS details
        FROM audit_event e WHERE e.entity = 'work_order' AND e.entity_id = %(code)s AND e.action <> 'workorder.noted'
        UNION ALL
        SELECT y.decided_at, 'decision', 'service_link', 'machine', y.reason, '',
            y.params || jsonb_build_object('decision', y.decision, 'breach_id', t.breach_id, 'transition', t.kind,
                'severity', t.severity, 'at', t.at, 'reason_code', t.reason_code, 'reason_params', t.params)
        FROM work_order_breach wb JOIN breach_transition t ON t.breach_id = wb.breach_id
        JOIN ticket_decision y ON y.transition_id = t.id WHERE wb.work_order_id = %(id)s
        UNION ALL
        SELECT n.at, 'note', n.author, '', '', n.body, jsonb_build_object('id', n.id)
        FROM work_order_note n WHERE n.work_order_id IN (SELECT orders_within(%(id)s))
        UNION ALL
        SELECT g.signed_at, 'signature', g.printed_name, '', '', g.meaning,
            jsonb_build_object('version', g.entity_version, 'content_sha256', g.content_sha256)
        FROM signature g WHERE g.entity = 'work_order' AND g.entity_id = %(id)s
    ) AS line ORDER BY at DESC, kind LIMIT %(limit)s
"""


def load_timeline(conn: Connection, work_order_id: int, code: str, *, limit: int = 200) -> list[TimelineEntry]:
    """What machine and people did to the order, newest first."""
    with conn.cursor(row_factory=class_row(TimelineEntry)) as cursor:
        return cursor.execute(LOAD_TIMELINE, {"id": work_order_id, "code": code, "limit": limit}).fetchall()


@dataclass(frozen=True, slots=True)
class SimilarOrder:
    """An order of the same model and fault group; `is_same_device` where it was this very device."""

    code: str
    state: str
    serial: str
    is_same_device: bool
    customer_code: str | None
    firmware: str
    outcome: str | None
    failure_code: str | None
    work_performed: str | None
    created_at: datetime
    closed_at: datetime | None


# By the fault and the time first: a model has thousands of devices, each of them with orders of many years. That is
# found in an index alone (migration 0041), and only the orders that are shown are read.
LOAD_SIMILAR = """
    WITH subject AS MATERIALIZED (
        SELECT w.id, w.fault_group, w.device_id, d.device_model_id
        FROM work_order w JOIN device d ON d.id = w.device_id WHERE w.id = %s
    ), alike AS MATERIALIZED (
        SELECT o.id FROM subject
        JOIN work_order o ON o.fault_group = subject.fault_group AND o.id <> subject.id
        JOIN device d ON d.id = o.device_id AND d.device_model_id = subject.device_model_id
        WHERE o.state <> 'CANCELLED' AND o.created_at >= %s::timestamptz - interval '180 days'
        ORDER BY (o.outcome IS NULL), o.created_at DESC LIMIT %s
    )
    SELECT o.code, o.state, d.serial, o.device_id = subject.device_id AS is_same_device, c.code AS customer_code,
        d.firmware, o.outcome, o.failure_code, o.close_out ->> 'work_performed' AS work_performed, o.created_at,
        o.closed_at
    FROM subject CROSS JOIN alike JOIN work_order o ON o.id = alike.id JOIN device d ON d.id = o.device_id
    LEFT JOIN customer c ON c.id = o.customer_id
    ORDER BY (o.outcome IS NULL), o.created_at DESC
"""


def load_similar_orders(conn: Connection, work_order_id: int, *, now: datetime, limit: int = 50) -> list[SimilarOrder]:
    """Orders of the last 180 days of the same model and fault group, those with an outcome first."""
    with conn.cursor(row_factory=class_row(SimilarOrder)) as cursor:
        return cursor.execute(LOAD_SIMILAR, (work_order_id, now, limit)).fetchall()


@dataclass(frozen=True, slots=True)
class OrderCards:
    """The device and customer cards, and the names behind the order's ids; None where the order has no such thing."""

    serial: str | None
    udi: str | None
    lot: str | None
    model: str | None
    model_name: Mapping[str, str] | None
    safety_critical: bool | None
    firmware: str | None
    firmware_changed_at: datetime | None
    lifecycle: str | None
    connectivity: str | None
    last_seen_at: datetime | None
    installed_on: date | None
    warranty_end: date | None
    calibration_due: date | None
    last_service_at: datetime | None
    open_orders_of_device: int
    gateway: str | None
    site_code: str | None
    site_name: str | None
    department: str | None
    site_time_zone: str | None
    customer_id: int | None
    customer_code: str | None
    customer_name: str | None
    contacts: list[Mapping[str, Any]] | None  # people: masked by the API where the caller may not see them
    open_orders_of_customer: int
    contract_code: str | None
    contract_coverage: str | None
    contract_ends_on: date | None
    assignee: str | None
    assignee_name: str | None
    parent_code: str | None
    recurrence_of_code: str | None
    child_codes: list[str]
    capa_codes: list[str]
    site_address: str | None
    merged_codes: list[str]
    merged_into_code: str | None
    complaint_codes: list[str]  # for those who may read complaints


LOAD_CARDS = """
    SELECT d.serial, d.udi, d.lot, m.key AS model, m.name AS model_name, m.safety_critical, d.firmware,
        (SELECT max(h.at) FROM device_history h WHERE h.device_id = d.id AND h.field LIKE 'firmware%%')
            AS firmware_changed_at,
        d.lifecycle, d.connectivity, d.last_seen_at, d.installed_on, d.warranty_end, d.calibration_due,
        (SELECT max(o.closed_at) FROM work_order o WHERE o.device_id = d.id AND o.state = 'CLOSED') AS last_service_at,
        (SELECT count(*)::integer FROM work_order o WHERE o.device_id = d.id AND o.state NOT IN ('CLOSED', 'CANCELLED'))
            AS open_orders_of_device,
        coalesce(g.name, dg.name) AS gateway, s.code AS site_code, s.name AS site_name, s.department,
        s.time_zone AS site_time_zone, c.id AS customer_id, c.code AS customer_code, c.name AS customer_name,
        c.contacts,
        (SELECT count(*)::integer FROM work_order o
            WHERE o.customer_id = c.id AND o.state NOT IN ('CLOSED', 'CANCELLED'))
            AS open_orders_of_customer,
        k.code AS contract_code, k.coverage AS contract_coverage, k.ends_on AS contract_ends_on,
        a.name AS assignee, a.full_name AS assignee_name, p.code AS parent_code, r.code AS recurrence_of_code,
        ARRAY(SELECT o.code FROM work_order o WHERE o.parent_id = w.id ORDER BY o.id) AS child_codes,
        ARRAY(SELECT q.code FROM capa_member cm JOIN capa q ON q.id = cm.capa_id WHERE cm.work_order_id = w.id
            ORDER BY q.id) AS capa_codes,
        s.address AS site_address,
        ARRAY(SELECT o.code FROM work_order o WHERE o.merged_into_id = w.id ORDER BY o.id) AS merged_codes,
        (SELECT o.code FROM work_order o WHERE o.id = w.merged_into_id) AS merged_into_code,
        ARRAY(SELECT q.code FROM complaint q WHERE q.work_order_id IN (SELECT orders_within(w.id)) ORDER BY q.id)
            AS complaint_codes
    FROM work_order w
    LEFT JOIN device d ON d.id = w.device_id LEFT JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN gateway g ON g.id = w.gateway_id LEFT JOIN gateway dg ON dg.id = d.gateway_id
    LEFT JOIN site s ON s.id = w.site_id LEFT JOIN customer c ON c.id = w.customer_id
    LEFT JOIN service_contract k ON k.id = w.contract_id LEFT JOIN app_user a ON a.id = w.assignee_id
    LEFT JOIN work_order p ON p.id = w.parent_id LEFT JOIN work_order r ON r.id = w.recurrence_of
    WHERE w.id = %s
"""


def load_order_cards(conn: Connection, work_order_id: int) -> OrderCards | None:
    """The cards of the order, or None where there is no such order."""
    with conn.cursor(row_factory=class_row(OrderCards)) as cursor:
        return cursor.execute(LOAD_CARDS, (work_order_id,)).fetchone()
