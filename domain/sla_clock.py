"""An SLA clock, derived from its events: how it stands, when it is due, and how that comes about.

A clock holds one limit from its start, and one more from each escalation. All count the same stretches of time, each by
its own terms; whichever is used up first ends the clock. So an escalation can never give more time than was left,
however the clock is paused later.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.sla import ClockTerms


class ClockEventKind(StrEnum):
    """What happened to a clock. Values stand in the database and never change."""

    STARTED = "STARTED"  # with the terms that it counts by
    ESCALATED = "ESCALATED"  # the order's priority was raised: with the terms of one more limit
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    MET = "MET"
    TAKEN_BACK = "TAKEN_BACK"  # what met it did not hold: the time since counts
    STOPPED = "STOPPED"  # the order ended without what it waited for
    WAIVED = "WAIVED"  # two people took it out of the figures
    DUE_SOON = "DUE_SOON"  # said
    BREACHED = "BREACHED"  # said; `at` is when the time was used up


class ClockState(StrEnum):
    """How a clock stands; BREACHED never changes again."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    MET = "MET"
    BREACHED = "BREACHED"
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True)
class ClockEvent:
    """One event of one clock, in the order in which they were recorded."""

    kind: ClockEventKind
    at: datetime
    reason: str = ""
    terms: ClockTerms | None = None  # of STARTED and ESCALATED


@dataclass(frozen=True, slots=True)
class Limit:
    """An allowance of working time and what has been used of it."""

    since: datetime
    terms: ClockTerms
    used: timedelta = timedelta()

    @property
    def left(self) -> timedelta:
        """What is not used; below nothing once it is overdrawn."""
        return self.terms.allowed - self.used

    def find_due(self, start: datetime) -> datetime:
        """When it is used up if it is counted from `start` on."""
        return self.terms.schedule.add(start, self.left)

    def find_due_soon(self, start: datetime) -> datetime:
        """When only the share is left at which people are warned."""
        return self.terms.schedule.add(start, self.left - self.terms.due_soon_share * self.terms.allowed)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a clock's life in which it counted, or did not and why. `worked` is by the limit that governs."""

    since: datetime
    until: datetime
    is_counted: bool
    reason: str
    worked: timedelta


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock as its events leave it.

    `due_at` is None while it is paused or after it was stopped, as nobody can say then; of a breached clock it is when
    its time was used up, of one that was met when it would have been.
    """

    started_at: datetime
    limits: tuple[Limit, ...]
    counted_since: datetime | None  # None: it does not count now
    governing: int = 0  # the place of the limit that is used up first
    due_at: datetime | None = None
    due_soon_at: datetime | None = None
    paused_since: datetime | None = None
    pause_reason: str = ""
    met_at: datetime | None = None
    breached_at: datetime | None = None
    breach_said: bool = False
    warned_at: datetime | None = None
    waived_at: datetime | None = None
    waiver_reason: str = ""
    stopped_at: datetime | None = None
    stretches: tuple[Stretch, ...] = ()

    @property
    def state(self) -> ClockState:
        """How it stands."""
        if self.breached_at is not None:
            return ClockState.BREACHED
        if self.met_at is not None:
            return ClockState.MET
        if self.stopped_at is not None:
            return ClockState.STOPPED
        return ClockState.RUNNING if self.paused_since is None else ClockState.PAUSED

    @property
    def limit(self) -> Limit:
        """The limit that governs."""
        return self.limits[self.governing]


def read_clock(events: Iterable[ClockEvent], at: datetime) -> Clock | None:
    """The clock after these events, as of `at`; None where there are none. Same events and instant, same clock.

    An event that cannot be (a pause of a clock that was met, a second start) changes nothing.
    """
    clock: Clock | None = None
    for event in events:
        clock = apply_event(clock, event)
    return None if clock is None else count_until(clock, at)


def apply_event(clock: Clock | None, event: ClockEvent) -> Clock | None:
    """The clock after one more event."""
    kind = event.kind
    if clock is None:
        if kind is not ClockEventKind.STARTED or event.terms is None:
            return None
        return _find_due(Clock(event.at, (Limit(event.at, event.terms),), event.at))
    if kind is ClockEventKind.DUE_SOON:
        return replace(clock, warned_at=event.at)
    if kind is ClockEventKind.BREACHED:
        # What was said stays said, whatever a later program would make of the events.
        first = event.at if clock.breached_at is None else min(clock.breached_at, event.at)
        return replace(clock, breached_at=first, breach_said=True, due_at=first, due_soon_at=None)
    if kind is ClockEventKind.TAKEN_BACK:
        return _take_back(clock, event)
    clock = count_until(clock, event.at)
    if kind is ClockEventKind.WAIVED:
        clock = replace(clock, waived_at=event.at, waiver_reason=event.reason)
        return clock if clock.met_at is not None else _stop(clock, event.at)
    if clock.met_at is not None or clock.stopped_at is not None:
        return clock
    if kind is ClockEventKind.ESCALATED and event.terms is not None:
        return _escalate(clock, event.at, event.terms)
    if kind is ClockEventKind.PAUSED and clock.counted_since is not None:
        paused = replace(clock, counted_since=None, paused_since=event.at, pause_reason=event.reason)
        return _find_due(paused)
    if kind is ClockEventKind.RESUMED and clock.paused_since is not None:
        return _find_due(replace(_end_pause(clock, event.at), counted_since=event.at))
    if kind is ClockEventKind.MET:
        return replace(_end_pause(clock, event.at), counted_since=None, met_at=event.at)
    if kind is ClockEventKind.STOPPED:
        return _stop(clock, event.at)
    return clock


def count_until(clock: Clock, at: datetime) -> Clock:
    """The clock with the time up to `at` counted; breached where that is more than one of its limits allowed."""
    since = clock.counted_since
    if since is None or at <= since:
        return clock
    limits = tuple(replace(k, used=k.used + k.terms.schedule.measure(since, at)) for k in clock.limits)
    worked = limits[clock.governing].used - clock.limits[clock.governing].used
    counted = replace(
        clock,
        limits=limits,
        counted_since=at,
        stretches=_add_stretch(clock.stretches, Stretch(since, at, True, "", worked)),
    )
    if clock.breached_at is None and clock.due_at is not None and at > clock.due_at:
        return replace(counted, breached_at=clock.due_at, due_soon_at=None)
    return counted


def _take_back(clock: Clock, event: ClockEvent) -> Clock:
    """The work did not hold: the clock ran on since it was met."""
    if clock.met_at is None:
        return clock
    running = replace(clock, met_at=None, counted_since=clock.met_at)
    if clock.waived_at is not None:
        return _stop(running, event.at)
    return count_until(_find_due(running), event.at)


def _escalate(clock: Clock, at: datetime, terms: ClockTerms) -> Clock:
    raised = _find_due(replace(clock, limits=(*clock.limits, Limit(at, terms))))
    # A limit that takes over has not been warned of.
    return replace(raised, warned_at=None) if raised.governing != clock.governing else raised


def _end_pause(clock: Clock, at: datetime) -> Clock:
    if clock.paused_since is None:
        return clock
    pause = Stretch(clock.paused_since, at, False, clock.pause_reason, timedelta())
    return replace(clock, paused_since=None, pause_reason="", stretches=_add_stretch(clock.stretches, pause))


def _stop(clock: Clock, at: datetime) -> Clock:
    stopped = replace(_end_pause(clock, at), counted_since=None, stopped_at=clock.stopped_at or at)
    return _find_due(stopped)


def _find_due(clock: Clock) -> Clock:
    """The clock with the limit that governs and its instants, from where it counts; of a pause as if it ended now."""
    if clock.breached_at is not None:
        return clock
    start = clock.counted_since or clock.paused_since
    if start is None:
        return clock if clock.met_at is not None else replace(clock, due_at=None, due_soon_at=None)
    dues = [limit.find_due(start) for limit in clock.limits]
    governing = min(range(len(dues)), key=lambda place: dues[place])
    if clock.counted_since is None:
        return replace(clock, governing=governing, due_at=None, due_soon_at=None)
    soon = clock.limits[governing].find_due_soon(start)
    return replace(clock, governing=governing, due_at=dues[governing], due_soon_at=soon)


def _add_stretch(stretches: tuple[Stretch, ...], new: Stretch) -> tuple[Stretch, ...]:
    """With what only goes on joined."""
    last = stretches[-1] if stretches else None
    if last is not None and last.until == new.since and (last.is_counted, last.reason) == (new.is_counted, new.reason):
        return (*stretches[:-1], replace(last, until=new.until, worked=last.worked + new.worked))
    return (*stretches, new)
