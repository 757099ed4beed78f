"""Working time against a slow and obvious reference: one that looks at the wall clock minute by minute."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.service_calendar import AROUND_THE_CLOCK, ServiceCalendar, Spans, SpecialDay
from domain.working_time import WorkingSchedule, find_continuous_schedule, find_schedule, is_zone

MINUTE = timedelta(minutes=1)
FEW = settings(max_examples=50, deadline=None)
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Shanghai",
    "Pacific/Apia",
    "Africa/Casablanca",
)
# Instants near which the wall clocks of these zones jump, and one without any jump.
JUMPS = {
    "Europe/Berlin": (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "America/New_York": (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)),
    "Australia/Lord_Howe": (datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    "Asia/Shanghai": (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, 16, tzinfo=UTC)),
    "Pacific/Apia": (datetime(2011, 12, 30, 10, tzinfo=UTC), datetime(2012, 3, 31, 14, tzinfo=UTC)),
    "Africa/Casablanca": (datetime(2026, 2, 15, 2, tzinfo=UTC), datetime(2026, 3, 22, 2, tzinfo=UTC)),
}
OFFICE = ServiceCalendar((((8 * 60, 12 * 60), (13 * 60, 17 * 60)),) * 5 + ((), ()))


def is_worked(calendar: ServiceCalendar, zone: ZoneInfo, at: datetime) -> bool:
    """What the wall clock says at this instant. The reference: no arithmetic at all."""
    local = at.astimezone(zone)
    special = {d.day: d.spans for d in calendar.special_days}
    spans = special.get(local.date(), calendar.weekly[local.weekday()])
    return any(start <= local.hour * 60 + local.minute < end for start, end in spans)


def measure_slowly(calendar: ServiceCalendar, zone: ZoneInfo, since: datetime, until: datetime) -> timedelta:
    """Minute by minute; all times whole minutes."""
    worked, at = timedelta(), since
    while at < until:
        worked += MINUTE if is_worked(calendar, zone, at) else timedelta()
        at += MINUTE
    return worked


def add_slowly(calendar: ServiceCalendar, zone: ZoneInfo, start: datetime, wanted: timedelta) -> datetime:
    """The end of the minute in which it is used up."""
    worked, at = timedelta(), start
    while worked < wanted:
        worked += MINUTE if is_worked(calendar, zone, at) else timedelta()
        at += MINUTE
    return at


@st.composite
def spans(draw: st.DrawFn) -> Spans:
    edges = draw(st.lists(st.sampled_from((0, 60, 90, 120, 150, 180, 480, 723, 1020, 1380, 1440)), unique=True))
    edges.sort()
    return tuple((a, b) for a, b in list(pairwise(edges))[::2])


@st.composite
def cases(draw: st.DrawFn) -> tuple[ServiceCalendar, str, datetime, int]:
    """A calendar, a zone, an instant within two days of a jump of its clocks, and some minutes."""
    zone = draw(st.sampled_from(ZONES))
    jump = draw(st.sampled_from(JUMPS[zone]))
    weekly = draw(st.lists(spans(), min_size=7, max_size=7).filter(any))
    first = jump.astimezone(ZoneInfo(zone)).date()
    days = draw(st.dictionaries(st.integers(-2, 3), spans(), max_size=3))
    special = tuple(SpecialDay(first + timedelta(days=n), days[n]) for n in sorted(days))
    start = jump + timedelta(minutes=draw(st.integers(-2880, 2880)))
    return ServiceCalendar(tuple(weekly), special), zone, start, draw(st.integers(0, 3000))


@FEW
@given(cases())
def test_measured_as_the_wall_clock_says(case: tuple[ServiceCalendar, str, datetime, int]) -> None:
    calendar, zone, start, minutes = case
    end = start + minutes * MINUTE
    assert WorkingSchedule(calendar, zone).measure(start, end) == measure_slowly(calendar, ZoneInfo(zone), start, end)


@FEW
@given(cases())
def test_used_up_when_the_wall_clock_says(case: tuple[ServiceCalendar, str, datetime, int]) -> None:
    calendar, zone, start, minutes = case
    wanted = timedelta(minutes=minutes % 1200)
    assert WorkingSchedule(calendar, zone).add(start, wanted) == add_slowly(calendar, ZoneInfo(zone), start, wanted)


@FEW
@given(cases(), st.integers(0, 10**9), st.integers(0, 10**9))
def test_adding_and_measuring_are_each_others_reverse_to_the_microsecond(
    case: tuple[ServiceCalendar, str, datetime, int], shift: int, amount: int
) -> None:
    calendar, zone, start, minutes = case
    schedule = WorkingSchedule(calendar, zone)
    start += timedelta(microseconds=shift)
    wanted = timedelta(minutes=minutes, microseconds=amount)
    due = schedule.add(start, wanted)
    assert schedule.measure(start, due) == wanted
    if wanted:
        assert schedule.measure(start, due - timedelta(microseconds=1)) == wanted - timedelta(microseconds=1)


@FEW
@given(
    st.sampled_from(ZONES),
    st.integers(0, 70 * 365 * 1440).map(lambda minutes: datetime(1990, 1, 1, tzinfo=UTC) + minutes * MINUTE),
    st.timedeltas(timedelta(), timedelta(days=900)),
)
@example("Australia/Lord_Howe", datetime(2026, 4, 4, 14, 59, tzinfo=UTC), timedelta(hours=1))
def test_around_the_clock_is_time(zone: str, start: datetime, amount: timedelta) -> None:
    schedule = find_continuous_schedule(zone)
    assert schedule.add(start, amount) == start + amount
    assert schedule.measure(start, start + amount) == amount


@FEW
@given(st.sampled_from(ZONES), st.lists(st.integers(0, 400 * 1440), min_size=3, max_size=3))
def test_parts_add_up_over_years(zone: str, minutes: list[int]) -> None:
    schedule = find_schedule(OFFICE, zone)
    first, second, third = (datetime(2025, 11, 1, tzinfo=UTC) + n * MINUTE for n in sorted(minutes))
    assert schedule.measure(first, second) + schedule.measure(second, third) == schedule.measure(first, third)
    assert schedule.measure(third, first) == timedelta()


def test_an_hour_that_is_skipped_is_not_worked_and_one_that_is_repeated_counts_twice() -> None:
    nights = ServiceCalendar((((60, 240),),) * 7)  # 01:00 to 04:00
    berlin = find_schedule(nights, "Europe/Berlin")
    for day, hours in ((28, 3), (29, 2)):
        begin = datetime(2026, 3, day, tzinfo=ZoneInfo("Europe/Berlin"))
        assert berlin.measure(begin, begin.replace(hour=12)) == timedelta(hours=hours)
    begin = datetime(2026, 10, 25, tzinfo=ZoneInfo("Europe/Berlin"))
    assert berlin.measure(begin, begin.replace(hour=12)) == timedelta(hours=4)
    # Lord Howe's clocks go back by half an hour.
    howe = datetime(2026, 4, 5, tzinfo=ZoneInfo("Australia/Lord_Howe"))
    assert find_schedule(nights, "Australia/Lord_Howe").measure(howe, howe.replace(hour=12)) == timedelta(hours=3.5)


def test_a_weekend_with_a_clock_change_does_not_move_what_is_due() -> None:
    zone = ZoneInfo("Europe/Berlin")
    friday = datetime(2026, 3, 27, 16, tzinfo=zone)
    schedule = find_schedule(OFFICE, "Europe/Berlin")
    assert schedule.add(friday, timedelta(hours=2)) == datetime(2026, 3, 30, 9, tzinfo=zone)
    # What is used up with the end of a day is due then, not on Monday.
    assert schedule.add(friday, timedelta(hours=1)) == datetime(2026, 3, 27, 17, tzinfo=zone)
    assert schedule.add(friday, timedelta()) == friday


def test_a_holiday_is_off_and_a_day_of_its_own_has_its_own_hours() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    days = (SpecialDay(date(2026, 10, 1), ()), SpecialDay(date(2026, 10, 10), ((480, 720),)))
    schedule = find_schedule(ServiceCalendar(OFFICE.weekly, days), "Asia/Shanghai")
    start = datetime(2026, 9, 30, 16, tzinfo=zone)
    assert schedule.add(start, timedelta(hours=2)) == datetime(2026, 10, 2, 9, tzinfo=zone)
    saturday = datetime(2026, 10, 10, tzinfo=zone)
    assert schedule.measure(saturday, saturday + timedelta(days=1)) == timedelta(hours=4)


def test_a_calendar_that_never_works_again_is_an_error_and_no_endless_search() -> None:
    once = ServiceCalendar(((),) * 7, (SpecialDay(date(2026, 1, 2), ((480, 540),)),))
    schedule = WorkingSchedule(once, "UTC")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert schedule.add(start, timedelta(hours=1)) == datetime(2026, 1, 2, 9, tzinfo=UTC)
    with pytest.raises(OverflowError):
        schedule.add(start, timedelta(hours=2))


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "x" * 300])
def test_an_unknown_zone_counts_in_utc(name: str) -> None:
    assert not is_zone(name)
    assert find_schedule(AROUND_THE_CLOCK, name).zone_name == "UTC"
