"""How pressing a record is, by additive points: each kind of trouble gives points by how much of it there is. Pure.

A rule gives points to the first, fewer or as many to each further one, and never more than its most. So more trouble
never gives fewer points, and no single kind drowns all others. What nobody may know of who looks, gives none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.roles import Permission
from domain.sentences import fill

MOST_REASONS = 5  # that are named; every reason counts


class Trouble(StrEnum):
    """What can be wrong. Values never change, new ones may come.

    Some hold others: a device with a critical breach also has a major one and an open one, an overdue calibration is
    also one that is due. What grows worse then keeps the points that it had.
    """

    CRITICAL_BREACH = "critical_breach"
    MAJOR_BREACH = "major_breach"  # or critical
    OPEN_BREACH = "open_breach"  # of any severity
    SAFETY_CRITICAL_FAULT = "safety_critical_fault"  # major or critical, on a safety-critical model
    FAILURE_FORECAST = "failure_forecast"
    URGENT_ORDER = "urgent_order"  # P1
    HIGH_ORDER = "high_order"  # P1 or P2
    OPEN_REPAIR = "open_repair"  # corrective or predictive
    WAITS_FOR_CUSTOMER = "waits_for_customer"
    CAME_BACK = "came_back"  # reopened, or a recurrence
    SLA_BREACHED = "sla_breached"
    SLA_AT_RISK = "sla_at_risk"  # or breached
    SLA_MISSED = "sla_missed"  # lately
    CRITICAL_COMPLAINT = "critical_complaint"
    MAJOR_COMPLAINT = "major_complaint"  # or critical
    OPEN_COMPLAINT = "open_complaint"
    RECALL_UNREACHABLE = "recall_unreachable"
    RECALL_OPEN = "recall_open"  # unreachable ones too
    FIRMWARE_PENDING = "firmware_pending"
    FIRMWARE_WITHDRAWN = "firmware_withdrawn"
    CAPA_OPEN = "capa_open"
    DEVICE_SILENT = "device_silent"  # stale or offline
    DATA_UNKNOWN = "data_unknown"  # whether it is healthy cannot be said, whatever is known to be wrong
    DEVICE_QUARANTINED = "device_quarantined"
    CALIBRATION_OVERDUE = "calibration_overdue"
    CALIBRATION_DUE = "calibration_due"  # soon, or overdue
    CALIBRATION_UNKNOWN = "calibration_unknown"
    MAINTENANCE_OVERDUE = "maintenance_overdue"
    WARRANTY_ENDING = "warranty_ending"
    CONTRACT_ENDING = "contract_ending"
    CONTRACT_MISSING = "contract_missing"


# Who may not read these records learns nothing of them by points either.
NEEDED: dict[Trouble, Permission] = {
    Trouble.CRITICAL_COMPLAINT: Permission.COMPLAINT_READ,
    Trouble.MAJOR_COMPLAINT: Permission.COMPLAINT_READ,
    Trouble.OPEN_COMPLAINT: Permission.COMPLAINT_READ,
    Trouble.RECALL_UNREACHABLE: Permission.FIELD_ACTION_READ,
    Trouble.RECALL_OPEN: Permission.FIELD_ACTION_READ,
    Trouble.FIRMWARE_PENDING: Permission.FIELD_ACTION_READ,
    Trouble.FIRMWARE_WITHDRAWN: Permission.FIELD_ACTION_READ,
    Trouble.CAPA_OPEN: Permission.CAPA_READ,
}


@dataclass(frozen=True, slots=True)
class Found:
    """How much of one trouble there is, and one record of it: the first by name, so that it is always the same."""

    count: int
    example: str = ""


@dataclass(frozen=True, slots=True)
class RiskRule:
    """Points of one kind of trouble, and how it is said with `{count}` and `{example}`."""

    first: int
    more: int  # each further one
    most: int
    en: str
    zh: str

    def __post_init__(self) -> None:
        if not (0 < self.first <= self.most and 0 <= self.more <= self.first):
            raise ValueError("a rule gives points to the first, no more to each further one, and has a most")

    def find_points(self, count: int) -> int:
        """The points of that many: never fewer for more."""
        return min(self.most, self.first + self.more * (count - 1)) if count > 0 else 0

    def say(self, params: Mapping[str, Any], language: str) -> str:
        """The sentence in that language."""
        return fill(self.zh if language == "zh" else self.en, params, language)


@dataclass(frozen=True, slots=True)
class RiskReason:
    """Why there are points, and how many."""

    code: Trouble
    points: int
    params: Mapping[str, Any]
    rule: RiskRule

    def say(self, language: str) -> str:
        """The reason in words."""
        return self.rule.say(self.params, language)


@dataclass(frozen=True, slots=True)
class Risk:
    """The sum of all points, and every reason: the most points first, then in the order of the rules."""

    score: int
    reasons: tuple[RiskReason, ...]

    @property
    def leading(self) -> tuple[RiskReason, ...]:
        """The reasons that are named first."""
        return self.reasons[:MOST_REASONS]

    @property
    def worst(self) -> int:
        """The points of the first reason."""
        return self.reasons[0].points if self.reasons else 0


def find_risk(rules: Mapping[Trouble, RiskRule], found: Mapping[Trouble, Found]) -> Risk:
    """The risk by these rules; trouble that they do not know of is a broken promise (KeyError)."""
    places = {code: place for place, code in enumerate(rules)}
    reasons = [
        RiskReason(
            code,
            rules[code].find_points(there.count),
            {"count": there.count, "example": there.example or "-"},
            rules[code],
        )
        for code, there in found.items()
        if there.count > 0
    ]
    reasons.sort(key=lambda reason: (-reason.points, places[reason.code]))
    return Risk(sum(reason.points for reason in reasons), tuple(reasons))


def find_points(rules: Mapping[Trouble, RiskRule], found: Mapping[Trouble, Found]) -> tuple[int, int]:
    """Score and points of the worst reason, as `find_risk` has them, without the reasons: for long lists."""
    points = [rules[code].find_points(there.count) for code, there in found.items()]
    return sum(points), max(points, default=0)


def find_hidden_troubles(permissions: Iterable[Permission]) -> frozenset[Trouble]:
    """The kinds of trouble that somebody with these rights is told nothing of."""
    held = frozenset(permissions)
    return frozenset(code for code, right in NEEDED.items() if right not in held)


def keep_shown(found: Mapping[Trouble, Found], hidden: frozenset[Trouble]) -> Mapping[Trouble, Found]:
    """What was found without the kinds that are hidden."""
    return {code: there for code, there in found.items() if code not in hidden} if hidden else found
