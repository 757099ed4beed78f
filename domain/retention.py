"""How long what is measured and counted is kept, by class; shortening it destroys data, so two people change it. Pure.

Work orders, CAPAs, breaches and their evidence, signatures and the audit are in no class: they stay for ever.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

FOR_EVER = 0  # days
MOST_DAYS = 36_500


class KeptClass(StrEnum):
    """What is kept equally long. Values stand in the database and never change."""

    READINGS_SHORT = "readings_short"  # of sensors whose profile says `retention: short`
    READINGS_STANDARD = "readings_standard"  # of other sensors; scores, rejections, data quality by device
    READINGS_LONG = "readings_long"
    ROLLUPS_MINUTE = "rollups_minute"
    ROLLUPS_HOUR = "rollups_hour"
    RECORDS = "records"  # devices' own alarms, the ledger
    SIMULATED_EVENTS = "simulated_events"  # which never leave the system
    RUNS = "runs"  # runs of the lab, trainings and backtests that ended and that no decision rests on


# Of sensors, the ones that are kept shorter first.
READINGS = (KeptClass.READINGS_SHORT, KeptClass.READINGS_STANDARD, KeptClass.READINGS_LONG)
# Fewer days would take away what the product itself looks at: backtests and drift look back 90 days, charts a year;
# quality records are kept for two years at least (ISO 13485, 4.2.5).
FEWEST_DAYS: Mapping[KeptClass, int] = {
    KeptClass.READINGS_SHORT: 7,
    KeptClass.READINGS_STANDARD: 90,
    KeptClass.READINGS_LONG: 90,
    KeptClass.ROLLUPS_MINUTE: 90,
    KeptClass.ROLLUPS_HOUR: 400,
    KeptClass.RECORDS: 730,
    KeptClass.SIMULATED_EVENTS: 1,
    KeptClass.RUNS: 7,
}


class RetentionGuard(StrEnum):
    """The rule that refused a change; a 409 names it. Values never change."""

    NOT_APPLIED_YET = "not_applied_yet"
    UNCHANGED = "unchanged"
    OUT_OF_ORDER = "out_of_order"


def find_retention_problems(entity_id: str, payload: Mapping[str, Any]) -> dict[str, str]:
    """Field -> what is wrong with a wish to keep that class for other days; empty: nothing."""
    problems = {f"payload.{name}": "is not a field of retention" for name in payload if name != "days"}
    if entity_id not in [kept.value for kept in KeptClass]:
        return problems | {"entity_id": f"must be one of {', '.join(KeptClass)}"}
    days, fewest = payload.get("days"), FEWEST_DAYS[KeptClass(entity_id)]
    if not isinstance(days, int) or isinstance(days, bool) or not (days == FOR_EVER or fewest <= days <= MOST_DAYS):
        problems["payload.days"] = f"must be {fewest} to {MOST_DAYS} days, or 0 for ever"
    return problems


def find_retention_refusal(
    kept: KeptClass, days: int, in_force: Mapping[KeptClass, int | None]
) -> tuple[RetentionGuard, str] | None:
    """The guard that refuses to keep the class for so many days, and why; or None."""
    if in_force[kept] is None:
        return RetentionGuard.NOT_APPLIED_YET, "service-link has not said yet how long this is kept now"
    if in_force[kept] == days:
        return RetentionGuard.UNCHANGED, "it is kept that long already"
    wanted = {**in_force, kept: days}
    lengths = [_rank(wanted[one]) for one in READINGS if wanted[one] is not None]
    if kept in READINGS and lengths != sorted(lengths):
        return RetentionGuard.OUT_OF_ORDER, "short is not kept longer than standard, nor standard longer than long"
    return None


def _rank(days: int | None) -> int:
    return MOST_DAYS + 1 if days in (FOR_EVER, None) else int(days or 0)


def find_next_removal(oldest: date | None, days: int | None) -> date | None:
    """When the oldest day goes, if it is rolled up by then; None: there is nothing, or it stays for ever."""
    if oldest is None or days is None or days == FOR_EVER:
        return None
    return oldest + timedelta(days=days + 1)


def find_days_lost(oldest: date | None, days: int, today: date) -> int:
    """How many days, from the oldest on, are older than so many days and would go at once."""
    if oldest is None or days == FOR_EVER:
        return 0
    return max((today - timedelta(days=days) - oldest).days, 0)


def share_space(total: int, weights: Sequence[float]) -> list[int | None]:
    """`total` bytes by these weights; None for each where all weigh nothing."""
    whole = sum(weights)
    return [None if whole <= 0 else round(total * weight / whole) for weight in weights]
