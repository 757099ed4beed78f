"""Data quality of one device on one day (rule 11 of the service): what was to be expected, what is absent of it, and
what was wrong with what came. Pure: instants and states in, ratios and alerts out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.profile import DataQualityPolicy

# Before a day is over, shares of what was received are judged from so many values on: one repeat of ten is no alert.
ENOUGH_RECEIVED = 100


class AlertKind(StrEnum):
    """Which limit of the device model's profile a day is over. Stands in events and the database; never changes."""

    MISSING = "missing"
    DUPLICATE = "duplicate"
    INCONSISTENT = "inconsistent"
    IMPLAUSIBLE = "implausible"
    CLOCK_SKEW = "clock_skew"


# Only a device in service owes readings: one that is registered, installed, under maintenance, quarantined or
# decommissioned may be silent. One that said goodbye, or whose will said so, owes none until it is back: that it is
# offline is a finding of its own, and no device with it is called healthy.
LIFECYCLE_OWING = frozenset({"IN_SERVICE"})
CONNECTIVITY_OWING = frozenset({"ONLINE", "STALE", "UNKNOWN"})


@dataclass(frozen=True, slots=True)
class StateChange:
    """A device went from one state to another."""

    at: datetime
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """[start, end)."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end - self.start).total_seconds()


def find_spans_in(
    changes: Sequence[StateChange], now_in: str, wanted: frozenset[str], start: datetime, end: datetime
) -> list[Span]:
    """The parts of [start, end) in which the state was one of `wanted`, in order and apart.

    Parameters
    ----------
    changes
        All of them from `start` until now, the oldest first; those after `end` may be among them.
    now_in
        The state after the last change, or all along where there is none.
    """
    spans: list[Span] = []
    at = start
    state = changes[0].before if changes else now_in
    for change in changes:
        until = min(max(change.at, start), end)
        _add(spans, at, until, state in wanted)
        at, state = until, change.after
    _add(spans, at, end, state in wanted)
    return spans


def _add(spans: list[Span], start: datetime, end: datetime, is_wanted: bool) -> None:
    if not is_wanted or start >= end:
        return
    if spans and spans[-1].end == start:
        spans[-1] = Span(spans[-1].start, end)
    else:
        spans.append(Span(start, end))


def find_common(first: Sequence[Span], second: Sequence[Span]) -> list[Span]:
    """What lies in a span of both, in order; each is in order and without overlaps."""
    common = []
    for a in first:
        for b in second:
            start, end = max(a.start, b.start), min(a.end, b.end)
            if start < end:
                common.append(Span(start, end))
    return common


@dataclass(frozen=True, slots=True)
class Expectation:
    """Readings of one day. `of_day` is what will have been expected when the day is over, if the device runs on."""

    expected: int = 0
    absent: int = 0
    of_day: int = 0

    def __add__(self, other: "Expectation") -> "Expectation":
        """Both sensors together."""
        return Expectation(self.expected + other.expected, self.absent + other.absent, self.of_day + other.of_day)


def find_expectation(owing: Sequence[Span], interval_s: float, present: int, rest_s: float) -> Expectation:
    """What one sensor owed in these spans of a day, and how much of it never came.

    Parameters
    ----------
    present
        How many usable readings there are of the whole day.
    rest_s
        Seconds of the day that are still to come.
    """
    # What begins and ends between two readings owes none: each span is counted by itself, and rounded down.
    expected = sum(_count(span.seconds, interval_s) for span in owing)
    return Expectation(expected, max(0, expected - present), expected + _count(rest_s, interval_s))


def _count(seconds: float, interval_s: float) -> int:
    # The margin is for intervals such as 0.1, of which binary numbers know no exact one.
    return int(seconds / interval_s + 1e-9)


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What ingestion counted of a device on a day of receipt, in values; a step back of `seq` counts as one."""

    received: int = 0
    duplicates: int = 0
    inconsistent: int = 0
    implausible: int = 0
    seq_back: int = 0


@dataclass(frozen=True, slots=True)
class DayQuality:
    """The verdict on one day. A ratio is None where there is nothing that it could be a share of."""

    expected: int
    present: int
    missing_ratio: float | None
    completeness: float | None
    duplicate_ratio: float | None
    inconsistent_ratio: float | None
    implausible_ratio: float | None
    alerts: tuple[AlertKind, ...]


def judge_day(
    expectation: Expectation, counts: DayCounts, skew_s: float | None, policy: DataQualityPolicy, *, is_over: bool
) -> DayQuality:
    """Ratios of the day, and which limits of the policy it is over.

    A day that is not over is over its limit of missing readings only when nothing that is still to come can mend it, so
    that a device is not called incomplete at one in the morning for what the whole day will not show.
    """
    missing = _share(expectation.absent, expectation.expected)
    duplicate = _share(counts.duplicates, counts.received)
    inconsistent = _share(counts.inconsistent, counts.received)
    implausible = _share(counts.implausible + counts.seq_back, counts.received)
    certain = missing if is_over else _share(expectation.absent, expectation.of_day)
    alerts = [AlertKind.MISSING] if _is_over_limit(certain, policy.max_missing) else []
    if is_over or counts.received >= ENOUGH_RECEIVED:
        shares = (
            (AlertKind.DUPLICATE, duplicate, policy.max_duplicate),
            (AlertKind.INCONSISTENT, inconsistent, policy.max_inconsistent),
            (AlertKind.IMPLAUSIBLE, implausible, policy.max_implausible),
        )
        alerts += [kind for kind, share, most in shares if _is_over_limit(share, most)]
    if skew_s is not None and abs(skew_s) > policy.max_skew_s:
        alerts.append(AlertKind.CLOCK_SKEW)
    return DayQuality(
        expected=expectation.expected,
        present=expectation.expected - expectation.absent,
        missing_ratio=missing,
        completeness=None if missing is None else 1.0 - missing,
        duplicate_ratio=duplicate,
        inconsistent_ratio=inconsistent,
        implausible_ratio=implausible,
        alerts=tuple(alerts),
    )


def _share(part: int, whole: int) -> float | None:
    # A replay takes from the day of receipt what it mends: of a day from before such counts there is less than nothing.
    return min(1.0, max(0, part) / whole) if whole > 0 else None


def _is_over_limit(share: float | None, most: float) -> bool:
    return share is not None and share > most
