"""Lists of complaints, each with where its reports to authorities are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class ComplaintRow:
    """A complaint as lists and pages show it."""

    id: int
    code: str
    state: str
    version: int
    received_at: datetime
    severity: str
    device_name: str
    device_identification: str
    reporter_name: str | None
    reporter_address: str | None
    reporter_phone: str | None
    details: str
    correction: str
    reply: str
    serial: str | None
    model: str | None
    customer: str | None
    fault_group: str | None
    work_order: str | None
    joined_as: str | None
    investigated: bool | None
    investigation: str
    not_investigated_reason: str
    investigation_decided_by: str | None
    harm: str | None
    decision: str | None
    next_report_due_at: datetime | None
    is_report_overdue: bool
    closed_at: datetime | None
    external_refs: list[dict[str, str]]
    region: str
    is_simulated: bool
    row_version: int
    created_by: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ComplaintFilter:
    """What a list shows; an empty one shows everything of the customer, or of all."""

    code: str = ""
    states: Sequence[str] = ()
    severities: Sequence[str] = ()
    serial: str = ""
    customer_code: str = ""
    fault_group: str = ""
    decision: str = ""  # REPORTABLE, NOT_REPORTABLE, UNDECIDED
    open_only: bool = False
    unlinked_only: bool = False
    report_due_only: bool = False
    reference: str = ""
    customer_id: int | None = None  # of a customer's own account: its rows alone


LOAD_COMPLAINTS = """
    SELECT c.id, c.code, c.state, c.version, c.received_at, c.severity, c.device_name, c.device_identification,
        c.reporter_name, c.reporter_address, c.reporter_phone, c.details, c.correction, c.reply, d.serial,
        m.key AS model, u.code AS customer, c.fault_group, w.code AS work_order, c.joined_as, c.investigated,
        c.investigation, c.not_investigated_reason, c.investigation_decided_by, a.harm, a.decision,
        k.due_at AS next_report_due_at, coalesce(k.is_overdue, false) AS is_report_overdue, c.closed_at,
        c.external_refs, c.region, c.is_simulated, c.row_version, c.created_by, c.created_at, c.updated_at
    FROM (SELECT * FROM complaint c WHERE {condition} ORDER BY c.received_at DESC, c.id DESC LIMIT %(limit)s) AS c
    LEFT JOIN device d ON d.id = c.device_id LEFT JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN customer u ON u.id = c.customer_id LEFT JOIN work_order w ON w.id = surviving_order(c.work_order_id)
    LEFT JOIN LATERAL (SELECT v.id, v.harm, v.decision FROM vigilance_assessment v WHERE v.complaint_id = c.id
        ORDER BY v.version DESC LIMIT 1) a ON true
    LEFT JOIN LATERAL (SELECT min(t.due_at) AS due_at, bool_or(t.overdue_at IS NOT NULL) AS is_overdue
        FROM vigilance_clock t WHERE t.assessment_id = a.id AND t.state = 'RUNNING') k ON true
    ORDER BY c.received_at DESC, c.id DESC
"""
_LATEST = """NOT EXISTS (SELECT FROM vigilance_assessment n WHERE n.complaint_id = v.complaint_id
        AND n.version > v.version)"""
# On the complaint itself, so that the server can walk the list's index and stop at the end of the page. Few are decided
# or due: these are looked for among the assessments.
CONDITIONS = {
    "code": "c.code = %(code)s",
    "states": "c.state = ANY (%(states)s)",
    "severities": "c.severity = ANY (%(severities)s)",
    "serial": "c.device_id = (SELECT d.id FROM device d WHERE d.serial = %(serial)s)",
    "customer_code": "c.customer_id = (SELECT u.id FROM customer u WHERE u.code = %(customer_code)s)",
    "fault_group": "c.fault_group = %(fault_group)s",
    "open_only": "c.state <> 'CLOSED'",
    "unlinked_only": "c.work_order_id IS NULL",
    "report_due_only": f"""c.id IN (SELECT v.complaint_id FROM vigilance_clock t
        JOIN vigilance_assessment v ON v.id = t.assessment_id WHERE t.state = 'RUNNING' AND {_LATEST})""",  # noqa: S608 - a constant
    "reference": """c.id IN (SELECT r.complaint_id FROM complaint_reference r WHERE r.external_id = %(reference)s)""",
    "customer_id": "c.customer_id = %(customer_id)s",
}
DECIDED = f"""c.id IN (SELECT v.complaint_id FROM vigilance_assessment v WHERE v.decision = %(decision)s
    AND {_LATEST})"""  # noqa: S608 - a constant
UNDECIDED = f"""NOT EXISTS (SELECT FROM vigilance_assessment v WHERE v.complaint_id = c.id AND v.decision IS NOT NULL
    AND {_LATEST})"""


def load_complaints(
    conn: Connection, wanted: ComplaintFilter, *, limit: int, before: tuple[datetime, int] | None = None
) -> list[ComplaintRow]:
    """Complaints, the one received last first; `before` is (received_at, id) of the last one seen."""
    asked = {
        name: getattr(wanted, name) for name in CONDITIONS if getattr(wanted, name) not in ("", (), [], None, False)
    }
    conditions = [CONDITIONS[name] for name in asked]
    if wanted.decision:
        conditions.append(UNDECIDED if wanted.decision == "UNDECIDED" else DECIDED)
    if before is not None:
        conditions.append("(c.received_at, c.id) < (%(before_at)s, %(before_id)s::bigint)")
    before_at, before_id = before or (None, None)
    values = asked | {"states": list(wanted.states), "severities": list(wanted.severities), "limit": limit}
    values |= {"decision": wanted.decision, "before_at": before_at, "before_id": before_id}
    query = LOAD_COMPLAINTS.format(condition=" AND ".join(conditions) or "true")
    with conn.cursor(row_factory=class_row(ComplaintRow)) as cursor:
        # Which index is best depends on what is asked for: each is planned anew.
        return cursor.execute(query.encode(), values, prepare=False).fetchall()


def load_complaint_row(conn: Connection, code: str, *, customer_id: int | None) -> ComplaintRow | None:
    """The complaint of that code, if it is there and that customer's."""
    if not code:
        return None
    found = load_complaints(conn, ComplaintFilter(code=code, customer_id=customer_id), limit=1)
    return found[0] if found else None
