"""The complaints whose work order belongs to a CAPA, each with the clocks of its newest assessment."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class CapaComplaint:
    """One complaint with one of its clocks; without a clock where no harm is assessed."""

    code: str
    state: str
    severity: str
    received_at: datetime
    work_order: str
    decision: str | None
    jurisdiction: str | None
    clock_state: str | None
    aware_at: datetime | None
    due_at: datetime | None
    submitted_at: datetime | None


LOAD_CAPA_COMPLAINTS = """
    SELECT c.code, c.state, c.severity, c.received_at, w.code AS work_order, a.decision, k.jurisdiction,
        k.state AS clock_state, a.aware_at, k.due_at, k.submitted_at
    FROM capa_member cm JOIN work_order w ON w.id = cm.work_order_id JOIN complaint c ON c.work_order_id = w.id
    LEFT JOIN LATERAL (
        SELECT n.id, n.decision, n.aware_at FROM vigilance_assessment n WHERE n.complaint_id = c.id
        ORDER BY n.version DESC LIMIT 1
    ) a ON true
    LEFT JOIN vigilance_clock k ON k.assessment_id = a.id
    WHERE cm.capa_id = %s ORDER BY (k.state = 'RUNNING') DESC NULLS LAST, k.due_at, c.id, k.jurisdiction LIMIT %s
"""


def load_capa_complaints(conn: Connection, capa_id: int, *, limit: int = 100) -> list[CapaComplaint]:
    """Complaints on the member orders, those whose report is due first before others."""
    with conn.cursor(row_factory=class_row(CapaComplaint)) as cursor:
        return cursor.execute(LOAD_CAPA_COMPLAINTS, (capa_id, limit)).fetchall()
