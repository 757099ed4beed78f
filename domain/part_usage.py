"""Parts of a work order: asked for, then used and signed for, or withdrawn. Pure.

REQUESTED -> USED | WITHDRAWN. A part that was at hand is used without being asked for. What was used says what it was:
on a safety-critical model no part goes in without its lot or serial.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from domain.audit import Signature
from domain.refusal import RecordRefusal
from domain.roles import Permission
from domain.visit import AT_WORK
from domain.work_order import WorkOrderState


class PartState(StrEnum):
    """Where a part is in its life. Values stand in the database and never change."""

    REQUESTED = "REQUESTED"
    USED = "USED"
    WITHDRAWN = "WITHDRAWN"


class PartGuard(StrEnum):
    """The rule that refused; a 409 names it. Values never change."""

    PERMISSION_MISSING = "permission_missing"
    PERSON_NEEDED = "person_needed"
    NOT_ASSIGNEE = "not_assignee"
    ORDER_NOT_AT_WORK = "order_not_at_work"
    NO_SUCH_TRANSITION = "no_such_transition"
    REASON_MISSING = "reason_missing"
    SERIAL_NEEDS_ONE = "serial_needs_one"
    SAME_SERIAL = "same_serial"
    UNIDENTIFIED_PART = "unidentified_part"
    MORE_THAN_REQUESTED = "more_than_requested"
    SIGNATURE_MISSING = "signature_missing"
    SIGNER_IS_ANOTHER = "signer_is_another"


@dataclass(frozen=True, slots=True)
class PartLine:
    """What part, and how many of it; the serials say what came in and what went out."""

    item: str  # the maker's number of the part
    quantity: Decimal
    description: str = ""
    lot: str = ""
    serial_in: str = ""
    serial_out: str = ""


@dataclass(frozen=True, slots=True)
class PartUsage:
    """One part of an order as stored."""

    id: int
    work_order: str  # code of the order that it was asked for: of a merged one, its own
    state: PartState
    item: str
    description: str
    quantity: Decimal  # what was asked for; of a used part what was used
    lot: str
    serial_in: str
    serial_out: str
    requested_by: str | None
    requested_at: datetime | None
    decided_by: str | None  # who used it or withdrew it
    decided_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class PartFacts:
    """What the guards must know of the order, loaded in the same transaction with the order locked."""

    state: WorkOrderState
    assignee_id: int | None
    safety_critical: bool


def find_request_refusal(facts: PartFacts, *, actor_id: int | None, by: str) -> RecordRefusal | None:
    """The first guard that refuses that the actor asks for a part, or None.

    A technician asks for his own orders, who assigns orders for all of them.
    """
    if by not in (Permission.WORK_ORDER_WORK, Permission.WORK_ORDER_ASSIGN):
        needed = f"{Permission.WORK_ORDER_WORK} or {Permission.WORK_ORDER_ASSIGN}"
        return RecordRefusal(PartGuard.PERMISSION_MISSING, f"this needs {needed}")
    if facts.state not in AT_WORK:
        return RecordRefusal(PartGuard.ORDER_NOT_AT_WORK, f"the order is {facts.state}: it needs no parts")
    if by == Permission.WORK_ORDER_WORK and (actor_id is None or actor_id != facts.assignee_id):
        return RecordRefusal(PartGuard.NOT_ASSIGNEE, "the order is assigned to somebody else")
    return None


def find_use_refusal(
    facts: PartFacts,
    line: PartLine,
    known: PartUsage | None,
    signature: Signature | None,
    *,
    actor_id: int | None,
    by: str,
) -> RecordRefusal | None:
    """The first guard that refuses that the actor used this part, or None. `known`: the request that it answers."""
    if by != Permission.WORK_ORDER_WORK:
        return RecordRefusal(PartGuard.PERMISSION_MISSING, f"this needs {Permission.WORK_ORDER_WORK}")
    if actor_id is None:
        return RecordRefusal(PartGuard.PERSON_NEEDED, "people sign for parts; a token or a program does not")
    if facts.state is not WorkOrderState.IN_PROGRESS:
        return RecordRefusal(
            PartGuard.ORDER_NOT_AT_WORK, f"the order is {facts.state}: parts go in while it is worked on"
        )
    if actor_id != facts.assignee_id:
        return RecordRefusal(PartGuard.NOT_ASSIGNEE, "the order is assigned to somebody else")
    if known is not None and known.state is not PartState.REQUESTED:
        return RecordRefusal(PartGuard.NO_SUCH_TRANSITION, f"the part is {known.state} already")
    return _find_line_refusal(facts, line, known) or _find_signing_refusal(signature, actor_id)


def _find_line_refusal(facts: PartFacts, line: PartLine, known: PartUsage | None) -> RecordRefusal | None:
    if known is not None and line.quantity > known.quantity:
        detail = f"{known.quantity} were asked for: ask for the others as well"
        return RecordRefusal(PartGuard.MORE_THAN_REQUESTED, detail)
    if (line.serial_in or line.serial_out) and line.quantity != 1:
        return RecordRefusal(PartGuard.SERIAL_NEEDS_ONE, "a serial is of one part: a line for each")
    if line.serial_in and line.serial_in == line.serial_out:
        return RecordRefusal(PartGuard.SAME_SERIAL, "what came in cannot be what went out")
    if facts.safety_critical and not (line.lot or line.serial_in):
        return RecordRefusal(PartGuard.UNIDENTIFIED_PART, "on a safety-critical model a part has its lot or serial")
    return None


def _find_signing_refusal(signature: Signature | None, actor_id: int) -> RecordRefusal | None:
    if signature is None or not signature.meaning.strip():
        return RecordRefusal(
            PartGuard.SIGNATURE_MISSING, "parts are signed for: give your password again, and what it means"
        )
    if signature.signer_id != actor_id:
        return RecordRefusal(PartGuard.SIGNER_IS_ANOTHER, "one signs for oneself alone")
    return None


def find_withdrawal_refusal(
    facts: PartFacts, known: PartUsage, reason: str, *, actor_id: int | None, by: str
) -> RecordRefusal | None:
    """The first guard that refuses that the actor takes a request back, or None."""
    if by not in (Permission.WORK_ORDER_WORK, Permission.WORK_ORDER_ASSIGN):
        needed = f"{Permission.WORK_ORDER_WORK} or {Permission.WORK_ORDER_ASSIGN}"
        return RecordRefusal(PartGuard.PERMISSION_MISSING, f"this needs {needed}")
    if known.state is not PartState.REQUESTED:
        return RecordRefusal(PartGuard.NO_SUCH_TRANSITION, f"the part is {known.state} already")
    if by == Permission.WORK_ORDER_WORK and (actor_id is None or actor_id != facts.assignee_id):
        return RecordRefusal(PartGuard.NOT_ASSIGNEE, "the order is assigned to somebody else")
    if not reason.strip():
        return RecordRefusal(PartGuard.REASON_MISSING, "taking a request back needs a reason")
    return None


def find_part_content(part: PartUsage) -> dict[str, Any]:
    """What the signature for a part stands for, the same as it is used and as it is read later."""
    return {
        "work_order": part.work_order,
        "state": part.state,
        "item": part.item,
        "description": part.description,
        "quantity": format(part.quantity.normalize(), "f"),
        "lot": part.lot,
        "serial_in": part.serial_in,
        "serial_out": part.serial_out,
        "decided_by": part.decided_by,
        "decided_at": part.decided_at,
    }
