"""Visits of a technician to the place of a work order: when he came, when he left, and what came of it. Pure.

A visit is written twice and no more: when it begins and when it is over. How many there were says whether the first was
enough.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.refusal import RecordRefusal
from domain.roles import Permission
from domain.work_order import WorkOrderState

# The clock of whoever sends the time may be ahead of ours by this.
CLOCK_TOLERANCE = timedelta(minutes=5)
AT_WORK = frozenset({WorkOrderState.ASSIGNED, WorkOrderState.IN_PROGRESS, WorkOrderState.ON_HOLD})


class VisitOutcome(StrEnum):
    """What came of a visit. Values stand in the database and never change."""

    COMPLETED = "COMPLETED"
    PARTS_NEEDED = "PARTS_NEEDED"
    NO_ACCESS = "NO_ACCESS"
    FOLLOW_UP = "FOLLOW_UP"  # nothing is missing, and still somebody must come again


class VisitGuard(StrEnum):
    """The rule that refused; a 409 names it. Values never change."""

    PERMISSION_MISSING = "permission_missing"
    PERSON_NEEDED = "person_needed"
    NOT_ASSIGNEE = "not_assignee"
    ORDER_NOT_AT_WORK = "order_not_at_work"
    VISIT_UNDER_WAY = "visit_under_way"
    TIME_IN_FUTURE = "time_in_future"
    BEFORE_ORDER = "before_order"
    VISITS_OVERLAP = "visits_overlap"
    VISIT_OVER = "visit_over"
    NOT_VISITOR = "not_visitor"
    LEFT_BEFORE_ARRIVAL = "left_before_arrival"


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit as stored; `left_at` None: it is under way."""

    id: int
    work_order: str  # code of the order that it was made for: of a merged one, its own
    technician_id: int
    technician: str
    technician_name: str
    arrived_at: datetime
    left_at: datetime | None
    outcome: VisitOutcome | None
    note: str


@dataclass(frozen=True, slots=True)
class ArrivalFacts:
    """What the guards of a beginning visit must know, loaded in the same transaction with the order locked."""

    state: WorkOrderState
    assignee_id: int | None
    created_at: datetime
    is_under_way: bool  # the technician is on a visit for this order
    last_left_at: datetime | None  # when his last visit for it was over


def find_arrival_refusal(
    facts: ArrivalFacts, *, actor_id: int | None, by: str, arrived_at: datetime, now: datetime
) -> RecordRefusal | None:
    """The first guard that refuses that the actor's visit begins, or None."""
    if by != Permission.WORK_ORDER_WORK:
        return RecordRefusal(VisitGuard.PERMISSION_MISSING, f"this needs {Permission.WORK_ORDER_WORK}")
    if actor_id is None:
        return RecordRefusal(VisitGuard.PERSON_NEEDED, "people visit; a token or a program does not")
    if facts.state not in AT_WORK:
        return RecordRefusal(VisitGuard.ORDER_NOT_AT_WORK, f"the order is {facts.state}: nobody visits for it")
    if actor_id != facts.assignee_id:
        return RecordRefusal(VisitGuard.NOT_ASSIGNEE, "the order is assigned to somebody else")
    if facts.is_under_way:
        return RecordRefusal(VisitGuard.VISIT_UNDER_WAY, "a visit is under way: say first when it was over")
    if arrived_at > now + CLOCK_TOLERANCE:
        return RecordRefusal(VisitGuard.TIME_IN_FUTURE, "nobody arrives in the future")
    if arrived_at < facts.created_at - CLOCK_TOLERANCE:
        return RecordRefusal(VisitGuard.BEFORE_ORDER, "the order did not exist then")
    if facts.last_left_at is not None and arrived_at < facts.last_left_at:
        return RecordRefusal(VisitGuard.VISITS_OVERLAP, "the visit before was not over then")
    return None


def find_departure_refusal(
    visit: Visit, *, actor_id: int | None, by: str, left_at: datetime, now: datetime
) -> RecordRefusal | None:
    """The first guard that refuses that the actor's visit is over, or None. In whatever state the order is: a visit
    that is under way must be able to end."""
    if by != Permission.WORK_ORDER_WORK:
        return RecordRefusal(VisitGuard.PERMISSION_MISSING, f"this needs {Permission.WORK_ORDER_WORK}")
    if actor_id is None:
        return RecordRefusal(VisitGuard.PERSON_NEEDED, "people visit; a token or a program does not")
    if actor_id != visit.technician_id:
        return RecordRefusal(VisitGuard.NOT_VISITOR, "this is somebody else's visit")
    if visit.left_at is not None:
        return RecordRefusal(VisitGuard.VISIT_OVER, "the visit is over, and what was said of it stays")
    if left_at < visit.arrived_at:
        return RecordRefusal(VisitGuard.LEFT_BEFORE_ARRIVAL, "nobody leaves before he came")
    if left_at > now + CLOCK_TOLERANCE:
        return RecordRefusal(VisitGuard.TIME_IN_FUTURE, "nobody leaves in the future")
    return None
