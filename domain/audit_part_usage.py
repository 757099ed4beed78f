"""The audit's sentences about parts of work orders."""

from collections.abc import Mapping
from typing import Any

from domain.audit import AuditEntry
from domain.part_usage import PartLine, PartState

ENTITY = "work_order"


def part_requested(order: str, part_id: int, line: PartLine) -> AuditEntry:
    """Somebody asked for a part."""
    return AuditEntry("part.requested", ENTITY, order, None, {"part": part_id, **_say(line)})


def part_used(order: str, part_id: int, was: PartState | None, line: PartLine) -> AuditEntry:
    """A technician used a part and signed for it; without a state before it was at hand."""
    before = None if was is None else {"part": part_id, "state": was}
    return AuditEntry("part.used", ENTITY, order, before, {"part": part_id, "state": PartState.USED, **_say(line)})


def part_withdrawn(order: str, part_id: int, reason: str) -> AuditEntry:
    """A part that was asked for is not needed."""
    before, after = {"part": part_id, "state": PartState.REQUESTED}, {"part": part_id, "state": PartState.WITHDRAWN}
    return AuditEntry("part.withdrawn", ENTITY, order, before, after, reason)


def _say(line: PartLine) -> Mapping[str, Any]:
    said = {"item": line.item, "quantity": format(line.quantity.normalize(), "f"), "lot": line.lot}
    return said | {"serial_in": line.serial_in, "serial_out": line.serial_out}
