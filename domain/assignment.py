"""Who should do the work of an order: technicians, the best fit first, each with the reasons. Pure.

Only who may work on the device model is suggested. Of those, three things count, each between 0 and 1:

- the place (0.35): 1 where the technician works in the region of the site, 0.5 where he is bound to none, else 0;
- what he made of this fault (0.35): the share of orders of the model and fault group that he put right, that is closed
  as confirmed and never came back, after Laplace: (fixed + 1) / (tried + 2), so that one who has done nothing yet is
  neither praised nor blamed;
- how free he is (0.30): 1 / (1 + open orders), a P1 or P2 counting twice.

Equal ones are told apart by name, so that the same facts give the same order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from domain.counting import fill_counts

WEIGHTS: Mapping[str, float] = {"place": 0.35, "success": 0.35, "free": 0.30}
EXPIRES_SOON_DAYS = 30


class AssignmentReason(StrEnum):
    """Why somebody is suggested before others, or after them. Values name sentences and never change."""

    CERTIFIED = "certified"
    CERTIFICATE_EXPIRES_SOON = "certificate_expires_soon"
    NO_CERTIFICATE_NEEDED = "no_certificate_needed"
    IN_REGION = "in_region"
    ANY_REGION = "any_region"
    OTHER_REGION = "other_region"
    FREE = "free"
    OPEN_ORDERS = "open_orders"
    FIXED_BEFORE = "fixed_before"
    NEVER_DONE = "never_done"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One active technician as far as one order is concerned."""

    user_id: int
    name: str
    full_name: str
    certified_until: date | None  # for the model of the order's device; None: not certified for it
    regions: tuple[str, ...] = ()  # in which he works; none: in all
    open_orders: int = 0
    urgent_orders: int = 0  # of these P1 and P2
    fixed: int = 0  # orders of the model and fault group that he put right
    tried: int = 0  # and all of them that were closed with a fault found


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason with its numbers; its sentence is made when it is shown."""

    code: AssignmentReason
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One technician that may do it, how well he fits (0..1), and why."""

    user_id: int
    name: str
    full_name: str
    score: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done, as far as it decides who does it."""

    model: str | None  # None: no device, so no certificate is asked for
    region: str
    fault_group: str


def find_suggestions(work: Work, candidates: Iterable[Candidate], day: date) -> list[Suggestion]:
    """Everybody who may do it on that day, the best fit first."""
    able = (c for c in candidates if work.model is None or (c.certified_until is not None and c.certified_until >= day))
    return sorted((_judge(work, c, day) for c in able), key=lambda s: (-s.score, s.name))


def _judge(work: Work, candidate: Candidate, day: date) -> Suggestion:
    score = find_score(
        find_place(work.region, candidate.regions),
        find_success(candidate.fixed, candidate.tried),
        find_freedom(candidate.open_orders, candidate.urgent_orders),
    )
    reasons = (
        _find_certificate(work, candidate, day),
        _find_place_reason(work, candidate),
        _find_load(candidate),
        _find_past(work, candidate),
    )
    return Suggestion(candidate.user_id, candidate.name, candidate.full_name, score, reasons)


def find_score(place: float, success: float, free: float) -> float:
    """How well somebody fits (0..1), to four digits: what differs by less is equal."""
    return round(WEIGHTS["place"] * place + WEIGHTS["success"] * success + WEIGHTS["free"] * free, 4)


def find_place(region: str, regions: Sequence[str]) -> float:
    """1 where he works in the region, 0.5 where he is bound to none, else 0."""
    if not regions:
        return 0.5
    return 1.0 if region in regions else 0.0


def find_success(fixed: int, tried: int) -> float:
    """The share that he put right, after Laplace."""
    return (fixed + 1) / (tried + 2)


def find_freedom(open_orders: int, urgent_orders: int) -> float:
    """How free he is: 1 with nothing to do."""
    return 1 / (1 + open_orders + urgent_orders)


def _find_place_reason(work: Work, candidate: Candidate) -> Reason:
    if not candidate.regions:
        return Reason(AssignmentReason.ANY_REGION)
    if work.region in candidate.regions:
        return Reason(AssignmentReason.IN_REGION, {"region": work.region})
    params = {"region": work.region or "-", "regions": ", ".join(candidate.regions)}
    return Reason(AssignmentReason.OTHER_REGION, params)


def _find_certificate(work: Work, candidate: Candidate, day: date) -> Reason:
    if work.model is None or candidate.certified_until is None:
        return Reason(AssignmentReason.NO_CERTIFICATE_NEEDED)
    days = (candidate.certified_until - day).days
    params = {"model": work.model, "until": candidate.certified_until.isoformat()}
    if days < EXPIRES_SOON_DAYS:
        return Reason(AssignmentReason.CERTIFICATE_EXPIRES_SOON, params | {"days": days})
    return Reason(AssignmentReason.CERTIFIED, params)


def _find_load(candidate: Candidate) -> Reason:
    if not candidate.open_orders:
        return Reason(AssignmentReason.FREE)
    return Reason(AssignmentReason.OPEN_ORDERS, {"open": candidate.open_orders, "urgent": candidate.urgent_orders})


def _find_past(work: Work, candidate: Candidate) -> Reason:
    if not candidate.tried:
        return Reason(AssignmentReason.NEVER_DONE, {"fault_group": work.fault_group})
    params = {"fixed": candidate.fixed, "tried": candidate.tried, "fault_group": work.fault_group}
    return Reason(AssignmentReason.FIXED_BEFORE, params)


SENTENCES: Mapping[AssignmentReason, Mapping[str, str]] = {
    AssignmentReason.CERTIFIED: {"en": "certified for {model} until {until}", "zh": "{model} 维修资质有效期至 {until}"},
    AssignmentReason.CERTIFICATE_EXPIRES_SOON: {
        "en": "certified for {model}, but only until {until}",
        "zh": "{model} 维修资质即将于 {until} 到期",
    },
    AssignmentReason.NO_CERTIFICATE_NEEDED: {"en": "no certificate is needed", "zh": "无需维修资质"},
    AssignmentReason.IN_REGION: {"en": "works in {region}", "zh": "负责 {region} 区域"},
    AssignmentReason.ANY_REGION: {"en": "is bound to no region", "zh": "不限区域"},
    AssignmentReason.OTHER_REGION: {"en": "works in {regions}, not in {region}", "zh": "负责 {regions}，不含 {region}"},
    AssignmentReason.FREE: {"en": "has no open order", "zh": "当前无未结工单"},
    AssignmentReason.OPEN_ORDERS: {
        "en": "open orders: {open}, of these urgent: {urgent}",
        "zh": "未结工单 {open} 张，其中紧急 {urgent} 张",
    },
    AssignmentReason.FIXED_BEFORE: {
        "en": "put this fault right in {fixed} of {tried:order|orders}",
        "zh": "同类故障 {tried} 张工单中已彻底修复 {fixed} 张",
    },
    AssignmentReason.NEVER_DONE: {"en": "has not met this fault yet", "zh": "尚未处理过此类故障"},
}


def explain_reason(reason: Reason, language: str) -> str:
    """The reason in words."""
    return fill_counts(SENTENCES[reason.code][language], reason.params)


def explain_suggestion(reasons: Sequence[Reason], language: str) -> str:
    """All reasons in one line."""
    return ("；" if language == "zh" else "; ").join(explain_reason(reason, language) for reason in reasons)
