"""SLA clocks against a slow and obvious reference: one that lives through every minute of their life."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.service_calendar import AROUND_THE_CLOCK, ServiceCalendar
from domain.sla import ClockTerms
from domain.sla_clock import Clock, ClockEvent, ClockEventKind, ClockState, count_until, read_clock
from domain.sla_policy import DEFAULT_PAUSES, ClockKind
from domain.sla_story import explain_clock
from domain.working_time import find_schedule
from tests.unit.domain.test_working_time import FEW, JUMPS, MINUTE, OFFICE, is_worked

_K = ClockEventKind
LONG_DAYS = ServiceCalendar((((7 * 60, 20 * 60),),) * 6 + (((60, 180),),))  # Sundays from 01:00 to 03:00
CALENDARS = (OFFICE, LONG_DAYS, AROUND_THE_CLOCK)
# What may follow, by what the clock does.
FOLLOWING = {
    "counts": (_K.PAUSED, _K.PAUSED, _K.ESCALATED, _K.MET, _K.MET, _K.STOPPED, _K.WAIVED, _K.DUE_SOON),
    "paused": (_K.RESUMED, _K.RESUMED, _K.ESCALATED),
    "met": (_K.TAKEN_BACK, _K.WAIVED),
    "ended": (),
}
BECOMES = {
    _K.PAUSED: "paused",
    _K.RESUMED: "counts",
    _K.MET: "met",
    _K.TAKEN_BACK: "counts",
    _K.STOPPED: "ended",
}


def make_terms(calendar: ServiceCalendar, zone: str, minutes: int) -> ClockTerms:
    pauses = DEFAULT_PAUSES[ClockKind.RESOLUTION]
    return ClockTerms(timedelta(minutes=minutes), find_schedule(calendar, zone), pauses)


@dataclass
class Slow:
    """A clock that is lived through minute by minute. No sum, no calendar arithmetic: it looks at the wall."""

    at: datetime
    left: list[int] = field(default_factory=list)
    used_up: list[datetime | None] = field(default_factory=list)
    terms: list[ClockTerms] = field(default_factory=list)
    counts: bool = False
    since: datetime | None = None  # it counts without a break since
    breached_at: datetime | None = None

    def add(self, terms: ClockTerms) -> None:
        self.terms.append(terms)
        self.left.append(terms.allowed // MINUTE)
        self.used_up.append(None)

    def live_until(self, until: datetime) -> None:
        while self.at < until:
            if self.counts:
                self._find_breach()
                for n, terms in enumerate(self.terms):
                    self.left[n] -= is_worked(terms.schedule.calendar, terms.schedule.zone, self.at)
                    if self.left[n] == 0 and self.used_up[n] is None:
                        self.used_up[n] = self.at + MINUTE
            self.at += MINUTE

    def _find_breach(self) -> None:
        """This minute counts, and a limit was used up before it."""
        assert self.since is not None
        over = [max(used_up, self.since) for used_up in self.used_up if used_up is not None]
        if over and self.breached_at is None:
            self.breached_at = min(over)

    def find_due(self) -> datetime:
        """Where it would be used up if it counted on for ever: lives on to see."""
        assert self.since is not None
        at, left = self.at, list(self.left)
        over = [max(used_up, self.since) for used_up in self.used_up if used_up is not None]
        if over:
            return min(over)
        while min(left) > 0:
            for n, terms in enumerate(self.terms):
                left[n] -= is_worked(terms.schedule.calendar, terms.schedule.zone, at)
            at += MINUTE
        return at


@st.composite
def lives(draw: st.DrawFn) -> list[ClockEvent]:
    """The events of a clock in the order of a life, near a change of the clocks of its site."""
    zone = draw(st.sampled_from(("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai")))
    at = draw(st.sampled_from(JUMPS[zone])) + draw(st.integers(-2000, 100)) * MINUTE
    state = "counts"
    events = [
        ClockEvent(_K.STARTED, at, terms=make_terms(draw(st.sampled_from(CALENDARS)), zone, draw(st.integers(1, 900))))
    ]
    for _ in range(draw(st.integers(0, 6))):
        if not FOLLOWING[state]:
            break
        kind = draw(st.sampled_from(FOLLOWING[state]))
        at += draw(st.integers(0, 600)) * MINUTE
        terms = None
        if kind is _K.ESCALATED:
            terms = make_terms(draw(st.sampled_from(CALENDARS)), zone, draw(st.integers(1, 900)))
        events.append(ClockEvent(kind, at, "PARTS" if kind is _K.PAUSED else "", terms))
        if kind is _K.WAIVED:
            state = "ended"
        state = BECOMES.get(kind, state)
    return events


def live(events: list[ClockEvent], until: datetime) -> Slow:
    """The same life, lived. Work that was taken back had never been done."""
    slow = Slow(events[0].at)
    real: list[ClockEvent] = []
    for event in events:
        if event.kind is _K.TAKEN_BACK:
            real.pop()
        else:
            real.append(event)
    for event in real:
        slow.live_until(event.at)
        if event.kind in (_K.STARTED, _K.ESCALATED):
            assert event.terms is not None
            slow.add(event.terms)
        if event.kind in (_K.STARTED, _K.RESUMED):
            slow.counts, slow.since = True, event.at
        if event.kind in (_K.PAUSED, _K.MET, _K.STOPPED, _K.WAIVED):
            slow.counts = False
    slow.live_until(until)
    return slow


@FEW
@given(lives(), st.integers(0, 1500))
def test_as_the_one_that_lives_through_every_minute(events: list[ClockEvent], later: int) -> None:
    now = events[-1].at + later * MINUTE
    clock, slow = read_clock(events, now), live(events, now)
    assert clock is not None
    assert [limit.left // MINUTE for limit in clock.limits] == slow.left
    assert clock.breached_at == slow.breached_at
    assert (clock.counted_since is not None) == slow.counts
    if slow.breached_at is not None:
        assert (clock.state, clock.due_at) == (ClockState.BREACHED, slow.breached_at)
    elif slow.counts:
        assert (clock.state, clock.due_at) == (ClockState.RUNNING, slow.find_due())
    elif clock.met_at is None:
        assert clock.due_at is None


@FEW
@given(lives(), st.lists(st.integers(0, 3000), max_size=4))
def test_looking_in_between_changes_nothing(events: list[ClockEvent], looks: list[int]) -> None:
    end = events[-1].at + timedelta(days=3)
    clock = read_clock(events, events[-1].at)
    for look in sorted(looks):
        assert clock is not None
        clock = count_until(clock, events[-1].at + look * MINUTE)
    assert clock is not None
    assert count_until(clock, end) == read_clock(events, end)


@FEW
@given(lives(), st.integers(1, 900), st.integers(0, 3000))
def test_an_escalation_never_gives_more_time(events: list[ClockEvent], minutes: int, later: int) -> None:
    """At whatever moment of whatever life: with one more limit nothing is due later, nor breached later."""
    end = events[-1].at + later * MINUTE
    plain = read_clock(events, end)
    for place in range(1, len(events) + 1):
        at = events[place - 1].at
        zone = "Asia/Shanghai"
        more = ClockEvent(_K.ESCALATED, at, terms=make_terms(OFFICE, zone, minutes))
        raised = read_clock([*events[:place], more, *events[place:]], end)
        assert plain is not None
        assert raised is not None
        if plain.breached_at is not None:
            assert raised.breached_at is not None
            assert raised.breached_at <= plain.breached_at
        elif plain.due_at is not None and raised.due_at is not None:
            assert raised.due_at <= plain.due_at


@FEW
@given(lives(), st.integers(0, 6))
def test_a_breach_stays_whatever_comes(events: list[ClockEvent], cut: int) -> None:
    end = events[-1].at + timedelta(days=30)
    before = read_clock(events[: cut + 1], events[min(cut, len(events) - 1)].at)
    after = read_clock(events, end)
    assert before is not None
    assert after is not None
    if before.state is ClockState.BREACHED:
        assert (after.state, after.breached_at) == (ClockState.BREACHED, before.breached_at)
        said = ClockEvent(_K.BREACHED, before.breached_at or end)
        assert read_clock([*events, said], end) == _say(after)


def _say(clock: Clock) -> Clock:
    return replace(clock, breach_said=True)


BERLIN = ZoneInfo("Europe/Berlin")
FRIDAY = datetime(2026, 3, 27, 15, tzinfo=BERLIN)


def test_a_hold_over_a_weekend_moves_the_due_time_by_working_time_alone() -> None:
    """The hold that other systems count in calendar hours: from Friday 16:00 to Monday 09:00 are two hours of work."""
    events = [
        ClockEvent(_K.STARTED, FRIDAY, terms=make_terms(OFFICE, "Europe/Berlin", 8 * 60)),
        ClockEvent(_K.PAUSED, FRIDAY + timedelta(hours=1), "PARTS"),
        ClockEvent(_K.RESUMED, datetime(2026, 3, 30, 9, tzinfo=BERLIN)),
    ]
    paused = read_clock(events[:2], FRIDAY + timedelta(days=1))
    assert paused is not None
    assert (paused.state, paused.due_at, paused.limit.left) == (ClockState.PAUSED, None, timedelta(hours=7))
    clock = read_clock(events, events[-1].at)
    assert clock is not None
    # Seven hours are left: Monday has seven more, from 09:00 to 17:00 without the hour of noon.
    assert clock.due_at == datetime(2026, 3, 30, 17, tzinfo=BERLIN)
    # A quarter of eight hours before that.
    assert clock.due_soon_at == datetime(2026, 3, 30, 15, tzinfo=BERLIN)
    english = explain_clock(clock, "en")
    assert english == [
        "8 h 00 min allowed from 2026-03-27 15:00+0100 (Europe/Berlin).",
        "2026-03-27 15:00+0100 to 2026-03-27 16:00+0100: 1 h 00 min of working time counted.",
        "2026-03-27 16:00+0100 to 2026-03-30 09:00+0200: paused (PARTS), nothing counted.",
        "7 h 00 min are left: due 2026-03-30 17:00+0200.",
    ]
    chinese = explain_clock(clock, "zh")
    assert len(chinese) == len(english)
    assert chinese[2:] == [
        "2026-03-27 16:00+0100 至 2026-03-30 09:00+0200：暂停（备件），不计时。",
        "还剩 7 小时 00 分：2026-03-30 17:00+0200 到期。",
    ]
    assert explain_clock(paused, "zh")[-1] == "自 2026-03-27 16:00+0100 起暂停（备件）；恢复后还剩 7 小时 00 分。"


def test_met_at_the_last_moment_is_met_and_a_moment_later_is_breached() -> None:
    start = ClockEvent(_K.STARTED, FRIDAY, terms=make_terms(OFFICE, "Europe/Berlin", 120))
    due = FRIDAY + timedelta(hours=2)
    for late, state in ((timedelta(), ClockState.MET), (timedelta(microseconds=1), ClockState.BREACHED)):
        clock = read_clock([start, ClockEvent(_K.MET, due + late)], due + timedelta(days=9))
        assert clock is not None
        assert (clock.state, clock.met_at, clock.due_at) == (state, due + late, due)
    # On Saturday nobody works, and the clock is breached all the same: it was due on Friday.
    saturday = read_clock([start], FRIDAY + timedelta(days=1))
    assert saturday is not None
    assert (saturday.state, saturday.limit.left) == (ClockState.BREACHED, timedelta())


def test_what_was_said_stays_said_though_the_events_would_say_it_later() -> None:
    """The rules of a time zone change after a breach was said: nobody takes it back, and nobody moves it on."""
    due = FRIDAY + timedelta(hours=2)
    start = ClockEvent(_K.STARTED, FRIDAY, terms=make_terms(OFFICE, "Europe/Berlin", 120))
    for said in (due - timedelta(hours=1), due + timedelta(hours=1)):
        clock = read_clock([start, ClockEvent(_K.BREACHED, said)], FRIDAY + timedelta(minutes=90))
        assert clock is not None
        assert (clock.state, clock.breached_at) == (ClockState.BREACHED, said)
    late = read_clock(
        [start, ClockEvent(_K.MET, due + timedelta(hours=9)), ClockEvent(_K.BREACHED, due + timedelta(hours=1))], due
    )
    assert late is not None
    assert late.breached_at == due


def test_work_that_did_not_hold_counts_as_if_it_had_never_been_done() -> None:
    start = ClockEvent(_K.STARTED, FRIDAY, terms=make_terms(AROUND_THE_CLOCK, "UTC", 240))
    back = [ClockEvent(_K.MET, FRIDAY + timedelta(hours=1)), ClockEvent(_K.TAKEN_BACK, FRIDAY + timedelta(hours=3))]
    clock = read_clock([start, *back], FRIDAY + timedelta(hours=3))
    assert clock is not None
    assert (clock.state, clock.limit.left, clock.due_at) == (
        ClockState.RUNNING,
        timedelta(hours=1),
        FRIDAY + timedelta(hours=4),
    )


@pytest.mark.parametrize(
    ("more", "state", "waived", "due"),
    [
        ([], ClockState.STOPPED, True, False),
        ([_K.RESUMED, _K.ESCALATED], ClockState.STOPPED, True, False),
    ],
)
def test_a_waived_clock_counts_no_more(more: list[ClockEventKind], state: ClockState, waived: bool, due: bool) -> None:
    terms = make_terms(AROUND_THE_CLOCK, "UTC", 60)
    at = FRIDAY + timedelta(minutes=30)
    events = [
        ClockEvent(_K.STARTED, FRIDAY, terms=terms),
        ClockEvent(_K.WAIVED, at, "the customer asked for another date"),
        *(ClockEvent(kind, at, terms=terms if kind is _K.ESCALATED else None) for kind in more),
    ]
    clock = read_clock(events, FRIDAY + timedelta(days=9))
    assert clock is not None
    assert (clock.state, clock.waived_at is not None, clock.due_at is not None) == (state, waived, due)


def test_waiving_a_breached_clock_leaves_its_breach_to_be_seen() -> None:
    start = ClockEvent(_K.STARTED, FRIDAY, terms=make_terms(AROUND_THE_CLOCK, "UTC", 60))
    waived = ClockEvent(_K.WAIVED, FRIDAY + timedelta(hours=5), "power failure at the site")
    clock = read_clock([start, waived], FRIDAY + timedelta(days=1))
    assert clock is not None
    assert (clock.state, clock.breached_at) == (ClockState.BREACHED, FRIDAY + timedelta(hours=1))
    assert (clock.waiver_reason, clock.limit.used) == ("power failure at the site", timedelta(hours=5))


def test_without_a_start_there_is_no_clock() -> None:
    assert read_clock([], datetime(2026, 1, 1, tzinfo=UTC)) is None
    assert read_clock([ClockEvent(_K.MET, FRIDAY)], FRIDAY) is None
