"""When a site is served: hours by weekday, public holidays, and days of its own. A calendar has no time zone."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_MIN = 24 * 60
# A calendar's public holidays are fixed for this many years from the one before it is written.
YEARS_AHEAD = 10
MAX_OWN_DAYS = 1000
# With less, the longest time that a policy may promise would not be worked in a hundred years.
MIN_WEEKLY_MIN = 4 * 60

# Minutes since local midnight; the end, at most 1,440, is not part of it.
Span = tuple[int, int]
Spans = tuple[Span, ...]
_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A day with other hours than its weekday's; without any it is a day off."""

    day: date
    spans: Spans
    name: str = ""


@dataclass(frozen=True, slots=True)
class ServiceCalendar:
    """The hours of each weekday, Monday first, and of the days that differ. A clock keeps the one it began with."""

    weekly: tuple[Spans, ...]
    special_days: tuple[SpecialDay, ...] = ()


AROUND_THE_CLOCK = ServiceCalendar((((0, DAY_MIN),),) * 7)


@dataclass(frozen=True, slots=True)
class PublicHoliday:
    """A day that a country or a part of it takes off; or a day at a weekend that is worked in return."""

    day: date
    name: str
    is_worked: bool = False


@dataclass(frozen=True, slots=True)
class CalendarDraft:
    """A calendar as somebody writes it."""

    weekly: tuple[Spans, ...]
    country: str = ""  # ISO 3166-1 alpha-2; empty: no public holidays
    subdivision: str = ""  # ISO 3166-2, the part behind the hyphen
    own_days: tuple[SpecialDay, ...] = ()


def make_calendar(draft: CalendarDraft, holidays: Iterable[PublicHoliday]) -> ServiceCalendar:
    """The calendar with its holidays by date. A day of one's own goes before a public holiday.

    A weekend day that is worked in return has the hours of the first weekday that has any.
    """
    weekday_hours = next((spans for spans in draft.weekly if spans), ())
    days = {h.day: SpecialDay(h.day, weekday_hours if h.is_worked else (), h.name) for h in holidays}
    days |= {own.day: own for own in draft.own_days}
    return ServiceCalendar(draft.weekly, tuple(days[day] for day in sorted(days)))


def find_calendar_problems(draft: CalendarDraft) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it) of each mistake; the country is `public_holidays`' to judge."""
    if len(draft.weekly) != len(WEEKDAYS):
        yield "weekly", "must have seven days"
    wrong = [
        (name, problem)
        for name, spans in zip(WEEKDAYS, draft.weekly, strict=False)
        for problem in _find_span_problems(spans)
    ]
    yield from ((f"weekly.{name}", problem) for name, problem in wrong)
    if not wrong and sum(end - start for spans in draft.weekly for start, end in spans) < MIN_WEEKLY_MIN:
        yield "weekly", "must have four working hours a week at least, or no clock would ever end"
    if draft.subdivision and not draft.country:
        yield "subdivision", "needs a country"
    if len(draft.own_days) > MAX_OWN_DAYS:
        yield "own_days", f"must not be more than {MAX_OWN_DAYS}"
    seen: set[date] = set()
    for place, own in enumerate(draft.own_days):
        if own.day in seen:
            yield f"own_days[{place}].day", f"{own.day} stands there twice"
        seen.add(own.day)
        for problem in _find_span_problems(own.spans):
            yield f"own_days[{place}].hours", problem


def _find_span_problems(spans: Spans) -> Iterator[str]:
    previous_end = 0
    for start, end in spans:
        if not 0 <= start < end <= DAY_MIN:
            yield "each must end after it begins, within the day; hours over midnight are two, one on each day"
        if start < previous_end:
            yield "must be in order and not overlap"
        previous_end = end


def parse_spans(texts: Sequence[str]) -> Spans | None:
    """The spans of texts such as `08:00-12:30` (the day ends at 24:00); None where one is no such text."""
    spans = []
    for text in texts:
        found = _SPAN.fullmatch(text.strip())
        if found is None:
            return None
        hours = [int(part) for part in found.groups()]
        spans.append((hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]))
    return tuple(spans)


def format_spans(spans: Spans) -> list[str]:
    """Each span as `08:00-12:30`."""
    return [f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in spans]


def calendar_to_json(calendar: ServiceCalendar) -> dict[str, object]:
    """The calendar as a JSON object that `calendar_from_json` reads."""
    return {
        "weekly": {name: format_spans(spans) for name, spans in zip(WEEKDAYS, calendar.weekly, strict=True)},
        "days": [
            {"day": d.day.isoformat(), "hours": format_spans(d.spans), "name": d.name} for d in calendar.special_days
        ],
    }


def calendar_from_json(document: Mapping[str, object]) -> ServiceCalendar:
    """The calendar of an object that `calendar_to_json` made.

    Raises
    ------
    ValueError
        It did not make it.
    """
    weekly, days = document.get("weekly"), document.get("days")
    if not isinstance(weekly, Mapping) or not isinstance(days, list):
        raise ValueError("a calendar has weekly hours and days")
    return ServiceCalendar(
        tuple(_read_spans(weekly.get(name)) for name in WEEKDAYS),
        tuple(SpecialDay(date.fromisoformat(d["day"]), _read_spans(d["hours"]), d["name"]) for d in days),
    )


def _read_spans(texts: object) -> Spans:
    spans = parse_spans(texts) if isinstance(texts, list) else None
    if spans is None:
        raise ValueError(f"{texts!r} are no working hours")
    return spans
