"""Calendars as people write them, and the public holidays that the library knows."""

from datetime import UTC, date, datetime, timedelta

import pytest

from domain.public_holidays import find_public_holidays, find_unknown_place
from domain.service_calendar import (
    AROUND_THE_CLOCK,
    MAX_OWN_DAYS,
    CalendarDraft,
    PublicHoliday,
    Spans,
    SpecialDay,
    calendar_from_json,
    calendar_to_json,
    find_calendar_problems,
    format_spans,
    make_calendar,
    parse_spans,
)
from domain.sla_policy import MAX_HOURS
from domain.working_time import WorkingSchedule

OFFICE = ((480, 720), (780, 1020))
WEEK = (OFFICE,) * 5 + ((), ())


def test_spans_are_read_as_they_are_written() -> None:
    assert parse_spans(["08:00-12:00", "13:00-24:00"]) == ((480, 720), (780, 1440))
    assert format_spans(OFFICE) == ["08:00-12:00", "13:00-17:00"]
    for wrong in ("8:00-12:00", "08:00", "08:60-09:00", "25:00-26:00", "08:00–12:00", ""):
        assert parse_spans([wrong]) is None, wrong


@pytest.mark.parametrize(
    ("draft", "fields"),
    [
        (CalendarDraft(WEEK), []),
        (CalendarDraft(AROUND_THE_CLOCK.weekly), []),
        (CalendarDraft(WEEK[:6]), ["weekly"]),
        (CalendarDraft(((),) * 7), ["weekly"]),
        (CalendarDraft((((480, 540),), *((),) * 6)), ["weekly"]),
        (CalendarDraft((((1320, 360),), *WEEK[1:])), ["weekly.monday"]),
        (CalendarDraft((((480, 1500),), *WEEK[1:])), ["weekly.monday"]),
        (CalendarDraft((((480, 720), (700, 800)), *WEEK[1:])), ["weekly.monday"]),
        (CalendarDraft((((780, 1020), (480, 720)), *WEEK[1:])), ["weekly.monday"]),
        (CalendarDraft(WEEK, "", "BY"), ["subdivision"]),
        (CalendarDraft(WEEK, own_days=(SpecialDay(date(2026, 1, 2), ()),) * 2), ["own_days[1].day"]),
        (CalendarDraft(WEEK, own_days=(SpecialDay(date(2026, 1, 2), ((9, 9),)),)), ["own_days[0].hours"]),
    ],
)
def test_every_mistake_names_its_field(draft: CalendarDraft, fields: list[str]) -> None:
    assert [field for field, _ in find_calendar_problems(draft)] == fields


def test_in_every_calendar_that_may_be_written_every_time_that_a_policy_may_promise_comes_to_its_end() -> None:
    # The least that is allowed: four hours on Mondays, and as many Mondays off as may be named.
    weekly: tuple[Spans, ...] = (((480, 720),), *((),) * 6)
    own = tuple(SpecialDay(date(2026, 1, 5) + timedelta(weeks=n), ()) for n in range(MAX_OWN_DAYS))
    draft = CalendarDraft(weekly, own_days=own)
    assert not list(find_calendar_problems(draft))
    schedule = WorkingSchedule(make_calendar(draft, ()), "Europe/Berlin")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    due = schedule.add(start, timedelta(hours=MAX_HOURS))
    assert schedule.measure(start, due) == timedelta(hours=MAX_HOURS)


def test_a_day_of_ones_own_goes_before_a_public_holiday_and_a_worked_weekend_has_a_weekdays_hours() -> None:
    holidays = (
        PublicHoliday(date(2026, 10, 1), "National Day"),
        PublicHoliday(date(2026, 10, 2), "National Day"),
        PublicHoliday(date(2026, 10, 10), "", is_worked=True),
    )
    own = (SpecialDay(date(2026, 10, 2), ((480, 600),), "stocktaking"),)
    calendar = make_calendar(CalendarDraft(((), *WEEK[1:]), "CN", own_days=own), holidays)
    assert [(d.day.day, d.spans) for d in calendar.special_days] == [(1, ()), (2, ((480, 600),)), (10, OFFICE)]
    assert calendar_from_json(calendar_to_json(calendar)) == calendar


@pytest.mark.parametrize("wrong", [{}, {"weekly": {}, "days": []}, {"weekly": {"monday": ["x"]}, "days": []}])
def test_what_is_no_calendar_is_not_read(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"calendar|hours"):
        calendar_from_json(wrong)


def test_holidays_of_a_country_and_of_a_part_of_it() -> None:
    germany = {h.day: h.name for h in find_public_holidays("DE", "", [2026])}
    bavaria = {h.day: h.name for h in find_public_holidays("DE", "BY", [2026])}
    assert germany[date(2026, 10, 3)] == "German Unity Day"
    assert date(2026, 1, 6) in bavaria.keys() - germany.keys()
    assert {day.year for day in bavaria} == {2026}
    america = {h.day for h in find_public_holidays("US", "", [2026])}
    # Independence Day is a Saturday in 2026: the Friday before is off.
    assert {date(2026, 7, 3), date(2026, 11, 26)} <= america


def test_china_works_some_weekends_in_return() -> None:
    """The State Council's notice for 2025: eight days off from 1 October, worked in on 28 September and 11 October."""
    known = find_public_holidays("CN", "", [2025])
    off = {h.day for h in known if not h.is_worked}
    worked = {h.day for h in known if h.is_worked}
    # A Sunday among them is no public holiday of its own: the weekly hours have it off.
    assert {date(2025, 10, day) for day in (1, 2, 3, 6, 7, 8)} <= off
    assert {date(2025, 9, 28), date(2025, 10, 11)} <= worked
    assert {day.year for day in off | worked} == {2025}
    assert all(day.weekday() >= 5 for day in worked)


@pytest.mark.parametrize(
    ("country", "subdivision", "field"),
    [("DE", "", None), ("DE", "BY", None), ("QQ", "", "country"), ("DE", "QQ", "subdivision")],
)
def test_an_unknown_place_is_named(country: str, subdivision: str, field: str | None) -> None:
    unknown = find_unknown_place(country, subdivision)
    assert (None if unknown is None else unknown[0]) == field
