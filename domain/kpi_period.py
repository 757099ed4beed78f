"""The time that key figures are asked of, cut into calendar periods (UTC). Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

MOST_BUCKETS = 400
LONGEST = timedelta(days=3660)
USUAL = timedelta(days=90)


class PeriodUnit(StrEnum):
    """Calendar periods; weeks begin on Monday (ISO 8601)."""

    YEAR = "year"
    QUARTER = "quarter"
    MONTH = "month"
    WEEK = "week"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A part of the time that is asked of; `until` is not included. `name` is "" where it is not cut."""

    name: str
    since: datetime
    until: datetime


def find_buckets(since: datetime, until: datetime, unit: PeriodUnit | None) -> tuple[Bucket, ...]:
    """The time from `since` to `until`, cut where calendar periods begin: the first and the last may be parts.

    At most one more than MOST_BUCKETS; whoever asks for more is told so.
    """
    if unit is None:
        return (Bucket("", since, until),)
    buckets: list[Bucket] = []
    begin = since.astimezone(UTC)
    while begin < until and len(buckets) <= MOST_BUCKETS:
        end = _find_end(begin, unit)
        buckets.append(Bucket(_find_name(begin, unit), begin, min(end, until)))
        begin = end
    return tuple(buckets)


def _find_end(at: datetime, unit: PeriodUnit) -> datetime:
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    match unit:
        case PeriodUnit.DAY:
            return day + timedelta(days=1)
        case PeriodUnit.WEEK:
            return day + timedelta(days=7 - day.weekday())
        case PeriodUnit.YEAR:
            return day.replace(year=day.year + 1, month=1, day=1)
        case PeriodUnit.MONTH:
            months = 1
        case PeriodUnit.QUARTER:
            months = 3 - (day.month - 1) % 3
    month = day.month - 1 + months
    return day.replace(year=day.year + month // 12, month=month % 12 + 1, day=1)


def _find_name(at: datetime, unit: PeriodUnit) -> str:
    match unit:
        case PeriodUnit.DAY:
            return f"{at:%Y-%m-%d}"
        case PeriodUnit.WEEK:
            year, week, _ = at.isocalendar()
            return f"{year}-W{week:02d}"
        case PeriodUnit.MONTH:
            return f"{at:%Y-%m}"
        case PeriodUnit.QUARTER:
            return f"{at.year}-Q{(at.month + 2) // 3}"
        case PeriodUnit.YEAR:
            return str(at.year)
