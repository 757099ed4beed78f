"""The audit's sentences about visits for work orders."""

from datetime import datetime

from domain.audit import AuditEntry
from domain.visit import Visit, VisitOutcome

ENTITY = "work_order"


def visit_begun(order: str, visit_id: int, technician: str, arrived_at: datetime) -> AuditEntry:
    """A technician arrived."""
    after = {"visit": visit_id, "technician": technician, "arrived_at": arrived_at}
    return AuditEntry("visit.begun", ENTITY, order, None, after)


def visit_ended(order: str, visit: Visit, left_at: datetime, outcome: VisitOutcome, note: str) -> AuditEntry:
    """A technician left, and said what came of the visit."""
    before = {"visit": visit.id, "left_at": None}
    return AuditEntry(
        "visit.ended", ENTITY, order, before, {"visit": visit.id, "left_at": left_at, "outcome": outcome}, note
    )
