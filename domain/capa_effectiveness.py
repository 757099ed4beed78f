"""Whether a CAPA helped: what is measured on the devices of its scope, against which limit, and the verdict. Pure.

The rate after the actions is compared with a fixed rate, or with the rate of the same devices before. That a rate looks
lower is not enough: with few events it often is by chance, so the chance of so few events, were the rate still at the
limit, must be small as well. The chances are computed in service_link/effectiveness.py.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from domain.capa import Verdict
from domain.exposure import PER, find_rate


class EffectivenessMetric(StrEnum):
    """What is counted, of the CAPA's fault group; false alarms and missing data never."""

    BREACH_RATE = "BREACH_RATE"  # episodes
    WORK_ORDER_RATE = "WORK_ORDER_RATE"  # corrective and predictive orders, and their reopenings
    CONFIRMED_FAILURE_RATE = "CONFIRMED_FAILURE_RATE"  # those of which a technician confirmed the failure


class LimitKind(StrEnum):
    """What the limit is: events per 1,000 device-days, or the rate after over the rate before."""

    RATE = "RATE"
    RATIO = "RATIO"


class VerdictReason(StrEnum):
    """Why the verdict is what it is; shown beside it."""

    BELOW_LIMIT = "below_limit"
    ABOVE_LIMIT = "above_limit"
    TOO_LITTLE_EVIDENCE = "too_little_evidence"
    OUTCOMES_AWAITED = "outcomes_awaited"
    NO_DEVICE_DAYS = "no_device_days"
    NO_EVENTS_BEFORE = "no_events_before"


@dataclass(frozen=True, slots=True)
class EffectivenessPlan:
    """How a CAPA's effect is judged; part of what two people approve."""

    metric: EffectivenessMetric
    limit_kind: LimitKind
    limit: float
    period_days: int
    before_days: int = 90  # of the comparison, up to when the plan was begun
    delay_days: int = 0  # after the last action was done, before the period begins
    max_p: float = 0.05  # chance of a pass, were the true rate at the limit

    def find_period(self, implemented_at: datetime) -> tuple[datetime, datetime]:
        """When it is measured, after the last action was done."""
        begin = implemented_at + timedelta(days=self.delay_days)
        return begin, begin + timedelta(days=self.period_days)

    def to_json(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "limit_kind": self.limit_kind,
            "limit": self.limit,
            "period_days": self.period_days,
            "before_days": self.before_days,
            "delay_days": self.delay_days,
            "max_p": self.max_p,
        }


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted in a window. `undecided` orders are not among the events and may still become some."""

    events: int
    device_days: float
    undecided: int = 0

    @property
    def rate(self) -> float | None:
        """Events per 1,000 device-days; None below one device-day."""
        return find_rate(self.events, self.device_days)


@dataclass(frozen=True, slots=True)
class Chances:
    """The chance of so few events after, were the rate at the limit: as counted, and with all undecided ones."""

    p: float
    p_at_worst: float


def find_limit_rate(plan: EffectivenessPlan, before: Counts) -> float | None:
    """The limit in events per 1,000 device-days; None where it hangs on a rate before that is not there."""
    if plan.limit_kind is LimitKind.RATE:
        return plan.limit
    return None if not before.events or before.rate is None else plan.limit * before.rate


def find_best_p(plan: EffectivenessPlan, before: Counts, device_days: float) -> float:
    """The chance of no event at all in that many device-days, were the rate at the limit: no p can be smaller."""
    if plan.limit_kind is LimitKind.RATE:
        return math.exp(-plan.limit * device_days / PER)
    if before.device_days <= 0.0:
        return 1.0
    return (before.device_days / (plan.limit * device_days + before.device_days)) ** before.events


def is_reachable(plan: EffectivenessPlan, before: Counts, device_days: float) -> bool:
    """Whether the plan could be met at all, were not a single event to come: if not, the period is too short."""
    return find_best_p(plan, before, device_days) <= plan.max_p


def find_verdict(
    plan: EffectivenessPlan, before: Counts, after: Counts, chances: Chances
) -> tuple[Verdict, VerdictReason]:
    """The verdict on the counts of the whole period, and why.

    FAILED: the rate is above the limit. MET: it is at most the limit, and so few events would be rare were it not.
    INCONCLUSIVE: neither, or so many outcomes are awaited that they could turn it.
    """
    if after.rate is None:
        return Verdict.INCONCLUSIVE, VerdictReason.NO_DEVICE_DAYS
    limit = find_limit_rate(plan, before)
    if limit is None:
        return Verdict.INCONCLUSIVE, VerdictReason.NO_EVENTS_BEFORE
    if after.rate > limit:
        return Verdict.FAILED, VerdictReason.ABOVE_LIMIT
    if chances.p > plan.max_p:
        return Verdict.INCONCLUSIVE, VerdictReason.TOO_LITTLE_EVIDENCE
    worst = PER * (after.events + after.undecided) / after.device_days
    if worst > limit or chances.p_at_worst > plan.max_p:
        return Verdict.INCONCLUSIVE, VerdictReason.OUTCOMES_AWAITED
    return Verdict.MET, VerdictReason.BELOW_LIMIT


@dataclass(frozen=True, slots=True)
class EffectivenessFigures:
    """All that was computed of one CAPA at one moment. Rates per 1,000 device-days, intervals exact and 95 %.

    `is_final`: the period is over, and the verdict counts.
    """

    before_since: datetime
    before_until: datetime
    after_since: datetime
    after_until: datetime
    before: Counts
    after: Counts
    rate_before: float | None
    rate_after: float | None
    rate_after_interval: tuple[float, float] | None
    limit_rate: float | None
    ratio: float | None
    ratio_interval: tuple[float, float | None] | None
    p: float
    p_at_worst: float
    verdict: Verdict
    reason: VerdictReason
    is_final: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "before_since": self.before_since,
            "before_until": self.before_until,
            "after_since": self.after_since,
            "after_until": self.after_until,
            "events_before": self.before.events,
            "device_days_before": round(self.before.device_days, 3),
            "events_after": self.after.events,
            "device_days_after": round(self.after.device_days, 3),
            "undecided_after": self.after.undecided,
            "rate_before": _round(self.rate_before),
            "rate_after": _round(self.rate_after),
            "rate_after_interval": None if self.rate_after_interval is None else _round_all(self.rate_after_interval),
            "limit_rate": _round(self.limit_rate),
            "ratio": _round(self.ratio),
            "ratio_interval": None if self.ratio_interval is None else _round_all(self.ratio_interval),
            "p": float(f"{self.p:.6g}"),
            "p_at_worst": float(f"{self.p_at_worst:.6g}"),
            "verdict": self.verdict,
            "reason": self.reason,
            "is_final": self.is_final,
        }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _round_all(values: tuple[float | None, ...]) -> list[float | None]:
    return [_round(value) for value in values]
