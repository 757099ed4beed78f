"""What is off, or worked otherwise, in the months ahead, and how a change of the calendar moves it. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from domain.service_calendar import (
    CalendarDraft,
    PublicHoliday,
    ServiceCalendar,
    Spans,
    SpecialDay,
    make_calendar,
)


class DayKind(StrEnum):
    """Why a day differs from its weekday."""

    HOLIDAY = "HOLIDAY"  # public, of the country or its part
    WORKED = "WORKED"  # a day at a weekend that is worked in return for a longer holiday
    OWN = "OWN"  # written into the calendar


@dataclass(frozen=True, slots=True)
class ComingDay:
    """A day with other hours than its weekday's; without any it is off."""

    day: date
    name: str
    spans: Spans
    kind: DayKind


@dataclass(frozen=True, slots=True)
class DayChange:
    """A day that two versions of a calendar treat differently; None: by its weekday."""

    day: date
    before: ComingDay | None
    after: ComingDay | None


def find_coming_days(
    draft: CalendarDraft, holidays: Iterable[PublicHoliday], first: date, last: date
) -> list[ComingDay]:
    """The days from `first` to before `last` that differ from their weekday, in order.

    `holidays` are those of the draft's country and part, of every year that the span touches.
    """
    return find_fixed_days(make_calendar(draft, holidays), {d.day for d in draft.own_days}, first, last)


def find_fixed_days(calendar: ServiceCalendar, own: Collection[date], first: date, last: date) -> list[ComingDay]:
    """The same of a calendar whose public holidays are fixed; `own` are the days that somebody wrote into it."""
    return [
        ComingDay(d.day, d.name, d.spans, _find_kind(d, own)) for d in calendar.special_days if first <= d.day < last
    ]


def _find_kind(day: SpecialDay, own: Collection[date]) -> DayKind:
    if day.day in own:
        return DayKind.OWN
    return DayKind.WORKED if day.spans else DayKind.HOLIDAY


def find_day_changes(before: Sequence[ComingDay], after: Sequence[ComingDay]) -> list[DayChange]:
    """The days that are not the same in both, in order; a name alone is no change."""
    was, becomes = {d.day: d for d in before}, {d.day: d for d in after}
    changes = [DayChange(day, was.get(day), becomes.get(day)) for day in sorted(was.keys() | becomes.keys())]
    return [c for c in changes if c.before is None or c.after is None or c.before.spans != c.after.spans]
