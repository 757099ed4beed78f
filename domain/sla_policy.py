"""How soon orders must be served: response and resolution times by priority, and what pauses a clock."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from domain.profile import TicketPolicy
from domain.tickets import Priority
from domain.work_order import HoldReason

# sla.due_soon is said when this share of the clock's time is left.
DUE_SOON_SHARE = 0.25
MAX_HOURS = 10_000.0


class ClockKind(StrEnum):
    """What a clock waits for: that somebody has the order, or that the work is done. Values never change."""

    RESPONSE = "RESPONSE"
    RESOLUTION = "RESOLUTION"


# The device's maker answers for its own suppliers: waiting for a VENDOR pauses nothing.
DEFAULT_PAUSES: Mapping[ClockKind, frozenset[HoldReason]] = {
    ClockKind.RESPONSE: frozenset(),
    ClockKind.RESOLUTION: frozenset({HoldReason.PARTS, HoldReason.CUSTOMER, HoldReason.ACCESS}),
}


@dataclass(frozen=True, slots=True)
class PriorityTerms:
    """The times of one priority in hours of working time; `around_the_clock`: whatever the site's calendar says."""

    response_h: float
    resolution_h: float
    around_the_clock: bool = False

    def find_hours(self, kind: ClockKind) -> float:
        """The hours of that clock."""
        return self.response_h if kind is ClockKind.RESPONSE else self.resolution_h


@dataclass(frozen=True, slots=True)
class SlaPolicy:
    """One version of a policy."""

    terms: tuple[PriorityTerms, PriorityTerms, PriorityTerms, PriorityTerms]  # P1..P4
    pauses: Mapping[ClockKind, frozenset[HoldReason]] = field(default_factory=lambda: dict(DEFAULT_PAUSES))
    due_soon_share: float = DUE_SOON_SHARE

    def find_terms(self, priority: Priority) -> PriorityTerms:
        """The times of that priority."""
        return self.terms[priority.place]


def find_profile_policy(tickets: TicketPolicy) -> SlaPolicy:
    """What holds where no contract has a policy: the times of the device model's profile, with the usual pauses."""
    first, second, third, fourth = (
        PriorityTerms(*hours) for hours in zip(tickets.response_h, tickets.resolution_h, strict=True)
    )
    return SlaPolicy((first, second, third, fourth))


def find_policy_problems(policy: SlaPolicy) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it) of each mistake."""
    if len(policy.terms) != len(Priority):
        yield "terms", "must have P1, P2, P3 and P4"
    for priority, terms in zip(Priority, policy.terms, strict=False):
        for name in ("response_h", "resolution_h"):
            hours = getattr(terms, name)
            if not (math.isfinite(hours) and 0 < hours <= MAX_HOURS):
                yield f"terms.{priority}.{name}", f"must be above 0 and at most {MAX_HOURS:.0f} hours"
        if terms.resolution_h < terms.response_h:
            yield f"terms.{priority}.resolution_h", "must not be shorter than response_h"
    if not 0 <= policy.due_soon_share < 1:
        yield "due_soon_share", "must be 0 or more and less than 1"


def policy_to_json(policy: SlaPolicy) -> dict[str, Any]:
    """The policy as a JSON object that `policy_from_json` reads."""
    return {
        "terms": {
            priority.value: {
                "response_h": terms.response_h,
                "resolution_h": terms.resolution_h,
                "around_the_clock": terms.around_the_clock,
            }
            for priority, terms in zip(Priority, policy.terms, strict=True)
        },
        "pauses": {kind.value: sorted(policy.pauses[kind]) for kind in ClockKind},
        "due_soon_share": policy.due_soon_share,
    }


def policy_from_json(document: Mapping[str, Any]) -> SlaPolicy:
    """The policy of an object that `policy_to_json` made.

    Raises
    ------
    KeyError, TypeError, ValueError
        It did not make it.
    """
    first, second, third, fourth = (PriorityTerms(**document["terms"][priority.value]) for priority in Priority)
    return SlaPolicy(
        (first, second, third, fourth),
        {kind: frozenset(HoldReason(reason) for reason in document["pauses"][kind.value]) for kind in ClockKind},
        document["due_soon_share"],
    )
