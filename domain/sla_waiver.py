"""When an SLA clock may be waived. Two people do it, by an approval request. A refusal is a value."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from domain.sla_clock import Clock, ClockState
from domain.sla_policy import ClockKind


class WaiverGuard(StrEnum):
    """The rule that refused a waiver; a 409 names it. Values never change."""

    NO_SUCH_CLOCK = "no_such_clock"
    WAIVED_ALREADY = "waived_already"
    NOTHING_TO_WAIVE = "nothing_to_waive"


def find_waiver_problems(entity_id: str, payload: Mapping[str, Any]) -> dict[str, str]:
    """Field -> what is wrong with a wish to waive a clock of that order; empty: nothing."""
    problems = {f"payload.{name}": "is not a field of a waiver" for name in payload if name not in ("clock", "version")}
    if not entity_id.strip():
        problems["entity_id"] = "must be the code of a work order"
    if payload.get("clock") not in [kind.value for kind in ClockKind]:
        problems["payload.clock"] = f"must be {' or '.join(ClockKind)}"
    version = payload.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        problems["payload.version"] = "must be the order's version that the clock belongs to, 1 or more"
    return problems


def find_waiver_refusal(clock: Clock | None) -> tuple[WaiverGuard, str] | None:
    """The guard that refuses to waive the clock and why, or None."""
    if clock is None:
        return WaiverGuard.NO_SUCH_CLOCK, "that version of the order has no such clock"
    if clock.waived_at is not None:
        return WaiverGuard.WAIVED_ALREADY, "the clock is waived already"
    if clock.state in (ClockState.MET, ClockState.STOPPED):
        return WaiverGuard.NOTHING_TO_WAIVE, f"the clock is {clock.state}: it counts against nobody"
    return None
