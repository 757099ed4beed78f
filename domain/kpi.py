"""Key figures: what is asked, what was counted, and the number that it comes to. Pure.

A figure is never guessed: where there is nothing to divide by its value is None, with the reason.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from domain.exposure import bears_rate
from domain.kpi_period import Bucket
from domain.profile import Text
from domain.roles import Permission

MOST_FIGURES = 50_000


class KpiDimension(StrEnum):
    """By what figures are told apart, beside the period."""

    CUSTOMER = "customer"
    REGION = "region"
    MODEL = "model"
    FIRMWARE = "firmware"


class KpiSource(StrEnum):
    """What is counted together. Most figures have a source of their own."""

    RESPONSE_TIME = "response_time"
    TIME_TO_RESTORE = "time_to_restore"
    FAILURE = "failure"
    OPERATION = "operation"  # numerator: seconds in operation; denominator: seconds in the field
    FIRST_TIME_FIX = "first_time_fix"
    SLA_MET = "sla_met"
    SLA_RESPONSE_MET = "sla_response_met"
    SLA_RESOLUTION_MET = "sla_resolution_met"
    PLANNED_MAINTENANCE = "planned_maintenance_on_time"
    FIRST_MAINTENANCE = "first_maintenance_completion"
    FIRMWARE_COVERAGE = "firmware_coverage"
    RECALL_RESPONSE = "recall_response"
    RECALL_RESPONSE_TIME = "recall_response_time"
    TRACE_COVERAGE = "trace_coverage"
    PART_TRACE_COVERAGE = "part_trace_coverage"
    TICKET = "ticket"
    ALARM_CONFIRMED = "alarm_confirmed"
    ALARM_FLOOD = "alarm_flood"  # numerator: seconds in flood
    ALARM_ORIGIN = "alarm_origin"  # numerator: alarms of the ten that alarm most; denominator: all alarms
    ALARM_CHATTERING = "alarm_chattering"
    ALARM_STALE = "alarm_stale"
    WARNING = "warning"  # numerator: hours of warning; denominator: failures with a warning; records: failures
    CAPA_AGE = "capa_age"
    CAPA_EFFECTIVENESS = "capa_effectiveness"


class Better(StrEnum):
    """In which direction a figure is better."""

    HIGHER = "HIGHER"
    LOWER = "LOWER"


class NoValue(StrEnum):
    """Why a figure has no value. Values never change."""

    NO_RECORDS = "no_records"
    UNDECIDED = "undecided"
    NOTHING_TO_DIVIDE_BY = "nothing_to_divide_by"
    TOO_LITTLE_EXPOSURE = "too_little_exposure"
    NOT_BY_CUSTOMER = "not_by_customer"
    PERMISSION_MISSING = "permission_missing"


@dataclass(frozen=True, slots=True)
class Kpi:
    """A key figure as it is published: what it means, and what is divided by what."""

    key: str
    name: Text
    definition: Text
    numerator: Text
    denominator: Text
    unit: str  # UCUM; "1" is a share
    better: Better
    sources: tuple[KpiSource, ...]
    has_customer: bool = True  # False: what it counts belongs to no customer alone
    permission: Permission | None = None  # needed beside kpi.read


@dataclass(frozen=True, slots=True)
class KpiGroup:
    """Whose figures: None where it is not asked by that, "" where it is not known."""

    is_simulated: bool = False
    customer: str | None = None
    region: str | None = None
    model: str | None = None
    firmware: str | None = None


@dataclass(frozen=True, slots=True)
class KpiSums:
    """What was counted of one source in one group and bucket."""

    numerator: float = 0.0
    denominator: float = 0.0
    records: int = 0
    left_out: int = 0  # facts of the period that do not count, or not yet
    median: float | None = None
    p90: float | None = None
    detail: Sequence[Mapping[str, Any]] = ()


Counted = Mapping[KpiSource, Mapping[tuple[KpiGroup, int], KpiSums]]  # the number is the bucket's place, from 0


@dataclass(frozen=True, slots=True)
class KpiQuery:
    """What is asked. Filters that name nothing take everything."""

    buckets: tuple[Bucket, ...]
    now: datetime
    group_by: frozenset[KpiDimension] = frozenset()
    customer_id: int | None = None  # the caller's own: nobody else's rows are counted
    customers: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    firmwares: tuple[str, ...] = ()
    is_simulated: bool | None = None

    @property
    def since(self) -> datetime:
        return self.buckets[0].since

    @property
    def until(self) -> datetime:
        return self.buckets[-1].until

    @property
    def is_of_customers(self) -> bool:
        """Whether figures of no customer alone cannot answer it."""
        return self.customer_id is not None or bool(self.customers) or KpiDimension.CUSTOMER in self.group_by


@dataclass(frozen=True, slots=True)
class KpiFigure:
    """The number, and what it was made of. `numerator` over `denominator` is `value`."""

    group: KpiGroup
    bucket: Bucket
    value: float | None
    numerator: float
    denominator: float
    records: int
    left_out: int
    median: float | None = None
    p90: float | None = None
    reason: NoValue | None = None
    detail: Sequence[Mapping[str, Any]] = field(default=())


NOTHING = KpiSums()
_S = KpiSource
_HOUR, _DAY = 3600.0, 86_400.0


def find_withheld(kpi: Kpi, query: KpiQuery, permissions: Collection[Permission]) -> NoValue | None:
    """Why this figure is not counted at all for this question and caller, or None."""
    if kpi.permission is not None and kpi.permission not in permissions:
        return NoValue.PERMISSION_MISSING
    return NoValue.NOT_BY_CUSTOMER if query.is_of_customers and not kpi.has_customer else None


def find_groups(counted: Counted, query: KpiQuery) -> list[KpiGroup]:
    """Every group of which something was counted, real before simulated; one of all that is real where nothing is
    grouped, also when nothing was counted."""
    groups = {group for sums in counted.values() for group, _ in sums}
    if not query.group_by:
        groups.add(KpiGroup(bool(query.is_simulated)))
    return sorted(groups, key=_find_place)


def _find_place(group: KpiGroup) -> tuple[bool, str, str, str, str]:
    return (group.is_simulated, group.customer or "", group.region or "", group.model or "", group.firmware or "")


def find_figures(
    kpi: Kpi, counted: Counted, query: KpiQuery, groups: Iterable[KpiGroup], withheld: NoValue | None
) -> list[KpiFigure]:
    """The figure of each group in each bucket, in that order."""
    if withheld is not None:
        return [KpiFigure(group, b, None, 0, 0, 0, 0, reason=withheld) for group in groups for b in query.buckets]
    return [_find_figure(kpi, counted, query, group, place) for group in groups for place in range(len(query.buckets))]


def _find_figure(kpi: Kpi, counted: Counted, query: KpiQuery, group: KpiGroup, place: int) -> KpiFigure:
    bucket = query.buckets[place]
    sums = tuple(counted.get(source, {}).get((group, place), NOTHING) for source in kpi.sources)
    own = sums[0]
    numerator, denominator, records = own.numerator, own.denominator, own.records
    match kpi.key:
        case "mtbf":
            numerator, denominator = sums[1].numerator / _HOUR, own.numerator
        case "availability":
            numerator, denominator = own.numerator / _HOUR, own.denominator / _HOUR
        case "tickets_per_1000_device_days":
            numerator, denominator = own.numerator * 1000, sums[1].denominator / _DAY
        case "failures_warned":
            numerator, denominator = own.denominator, float(own.records)
        case "warning_lead_time":
            records = round(own.denominator)
        case "alarm_flood":
            denominator = max((min(bucket.until, query.now) - bucket.since) / timedelta(seconds=1), 0.0)
    is_spread = kpi.key in SPREAD
    value = numerator / denominator if denominator > 0 else None
    reason = None if value is not None else _find_reason(own, numerator, records)
    if value is not None and kpi.key in OF_EXPOSURE and not bears_rate(denominator):
        value, reason = None, NoValue.TOO_LITTLE_EXPOSURE
    return KpiFigure(
        group=group,
        bucket=bucket,
        value=value,
        numerator=numerator,
        denominator=denominator,
        records=records,
        left_out=own.left_out,
        median=own.median if is_spread else None,
        p90=own.p90 if is_spread else None,
        reason=reason,
        detail=own.detail if kpi.key == "alarm_top_ten" else (),
    )


# Of times people ask how they are spread, not only for their mean.
# Rates of device-days: below one of them a rate says nothing.
OF_EXPOSURE = frozenset({"tickets_per_1000_device_days"})
SPREAD = frozenset({"response_time", "time_to_restore", "recall_response_time", "warning_lead_time", "capa_age"})


def _find_reason(own: KpiSums, numerator: float, records: int) -> NoValue:
    if numerator > 0 or records > 0 or own.records > 0:
        return NoValue.NOTHING_TO_DIVIDE_BY
    return NoValue.UNDECIDED if own.left_out > 0 else NoValue.NO_RECORDS
