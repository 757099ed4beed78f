"""Working time: how much of it lies between two instants, and when a given amount of it is used up.

Working time is the set of instants at which a clock on the site's wall shows a working hour. So an hour that is skipped
when daylight saving begins is not there to be worked, and one that is repeated when it ends counts twice.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from domain.service_calendar import AROUND_THE_CLOCK, ServiceCalendar, Spans

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = EPOCH.toordinal()
MINUTE_US = 60_000_000
DAY_US = 1440 * MINUTE_US
_US = timedelta(microseconds=1)
# A special day is one date, so a calendar with hours on any weekday has some in each stretch of this many years.
_MAX_YEARS = 100


def to_us(at: datetime) -> int:
    """The instant in microseconds since 1970, exactly."""
    return (at - EPOCH) // _US


def from_us(us: int) -> datetime:
    """The instant, in UTC."""
    return EPOCH + us * _US


def find_zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name; UTC where there is none of it."""
    return _find_known_zone(name) or ZoneInfo("UTC")


def is_zone(name: str) -> bool:
    """Whether there is a time zone of that name."""
    return _find_known_zone(name) is not None


@lru_cache(maxsize=1024)
def _find_known_zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class _Year:
    """The working time of one UTC year: disjoint spans in order, and how much was worked before each."""

    starts: list[int]
    ends: list[int]
    before: list[int]
    total: int

    def count(self, us: int) -> int:
        """How much of the year was worked before this instant."""
        place = bisect_right(self.starts, us) - 1
        if place < 0:
            return 0
        return self.before[place] + min(us, self.ends[place]) - self.starts[place]


class WorkingSchedule:
    """A calendar on the wall clock of one time zone. Each UTC year is worked out once, when it is first asked for."""

    def __init__(self, calendar: ServiceCalendar, zone_name: str) -> None:
        self.calendar = calendar
        self.zone = find_zone(zone_name)
        self._special = {d.day.toordinal(): d.spans for d in calendar.special_days}
        self._years: dict[int, _Year] = {}

    @property
    def zone_name(self) -> str:
        """The IANA name of the zone that is counted in."""
        return self.zone.key

    def measure(self, since: datetime, until: datetime) -> timedelta:
        """The working time in [since, until); nothing where `until` is not later."""
        first, last = to_us(since), to_us(until)
        if last <= first:
            return timedelta()
        worked = self._find_year(until.astimezone(UTC).year).count(last)
        worked -= self._find_year(since.astimezone(UTC).year).count(first)
        for year in range(since.astimezone(UTC).year, until.astimezone(UTC).year):
            worked += self._find_year(year).total
        return worked * _US

    def add(self, start: datetime, worked: timedelta) -> datetime:
        """The first instant at which `worked` has been worked since `start`; `start` itself where that is nothing.

        What is used up at the end of a working day is used up then, not when the next one begins.

        Raises
        ------
        OverflowError
            The calendar has too few working hours for it in a hundred years.
        """
        if worked <= timedelta():
            return start
        wanted = worked // _US
        year = start.astimezone(UTC).year
        done = self._find_year(year).count(to_us(start))
        for at in range(year, year + _MAX_YEARS):
            known = self._find_year(at)
            if known.total - done >= wanted:
                place = bisect_left(known.before, done + wanted) - 1
                return from_us(known.starts[place] + done + wanted - known.before[place])
            wanted -= known.total - done
            done = 0
        raise OverflowError(f"{worked} are not worked in {_MAX_YEARS} years")

    def _find_year(self, year: int) -> _Year:
        known = self._years.get(year)
        if known is None:
            known = self._years[year] = self._work_out(year)
        return known

    def _work_out(self, year: int) -> _Year:
        begin, end = to_us(datetime(year, 1, 1, tzinfo=UTC)), to_us(datetime(year + 1, 1, 1, tzinfo=UTC))
        starts: list[int] = []
        ends: list[int] = []
        before: list[int] = []
        total = 0
        for start, stop in self._find_spans(begin, end):
            if ends and ends[-1] == start:
                ends[-1] = stop
            else:
                starts.append(start)
                ends.append(stop)
                before.append(total)
            total += stop - start
        return _Year(starts, ends, before, total)

    def _find_spans(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Working spans in [begin, end): local hours, stretch by stretch of one offset from UTC."""
        for first, last, offset in _find_stretches(self.zone, begin, end):
            day = (first + offset) // DAY_US
            while (local := day * DAY_US - offset) < last:
                for start_min, end_min in self._find_hours(day + EPOCH_DAY):
                    start = max(first, local + start_min * MINUTE_US)
                    stop = min(last, local + end_min * MINUTE_US)
                    if start < stop:
                        yield start, stop
                day += 1

    def _find_hours(self, ordinal: int) -> Spans:
        special = self._special.get(ordinal)
        return self.calendar.weekly[date.fromordinal(ordinal).weekday()] if special is None else special


def _find_stretches(zone: ZoneInfo, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(from, until, offset) of the stretches of [begin, end) in which the zone has one offset; all in microseconds.

    Offsets are looked at once a day: two changes within a day that undo each other would be overlooked; none is known.
    """
    first, offset = begin, _find_offset(zone, begin)
    known = begin
    while known < end:
        later = min(known + DAY_US, end)
        changed = _find_offset(zone, later)
        if changed != offset:
            low, high = known, later
            while high - low > 1_000_000:
                middle = (low + high) // 2_000_000 * 1_000_000
                low, high = (middle, high) if _find_offset(zone, middle) == offset else (low, middle)
            if high > first:
                yield first, high, offset
            first, offset = high, changed
        known = later
    if end > first:
        yield first, end, offset


def _find_offset(zone: ZoneInfo, us: int) -> int:
    offset = from_us(us).astimezone(zone).utcoffset()
    assert offset is not None
    return offset // _US


@lru_cache(maxsize=512)
def find_schedule(calendar: ServiceCalendar, zone_name: str) -> WorkingSchedule:
    """The schedule of this calendar in this zone; the same one every time, with the years it has worked out."""
    return WorkingSchedule(calendar, zone_name)


def find_continuous_schedule(zone_name: str = "UTC") -> WorkingSchedule:
    """Around the clock: working time is time."""
    return find_schedule(AROUND_THE_CLOCK, zone_name)
