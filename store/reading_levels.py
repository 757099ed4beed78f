"""Which level answers a question about readings, and which parts of it finer levels must answer. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.clock import EPOCH
from store.rollups import RollupState

MICRO = timedelta(microseconds=1)


class Level(StrEnum):
    """Where figures come from, finest first."""

    RAW = "raw"
    MINUTE = "1m"
    HOUR = "1h"
    DAY = "1d"


LEVELS = tuple(Level)
WIDTH = {
    Level.RAW: MICRO,
    Level.MINUTE: timedelta(minutes=1),
    Level.HOUR: timedelta(hours=1),
    Level.DAY: timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Span:
    """The instants of [begin, end)."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Segment:
    """The instants of [begin, end), answered by `level`, to whose buckets both are aligned."""

    level: Level
    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Grid:
    """Equal buckets of time: the k-th is [origin + k * width, origin + (k + 1) * width)."""

    level: Level  # the coarsest that can fill it
    origin: datetime
    width: timedelta


def find_width(since: datetime, until: datetime, points: int) -> timedelta:
    """The narrowest bucket width, in whole microseconds, of which at most `points` cover [since, until)."""
    micros = (until - since) // MICRO
    return max(-(-micros // points), 1) * MICRO


def find_grid(since: datetime, until: datetime, points: int, finest: Level) -> Grid:
    """At most `points` buckets that cover [since, until), of the coarsest level that is fine enough or of `finest`.

    Buckets of the readings themselves begin at `since`; those of a level are whole buckets of it, in UTC.
    """
    needed = find_width(since, until, points)
    level = max((Level.RAW, *(level for level in LEVELS if WIDTH[level] <= needed)), key=LEVELS.index)
    level = max(level, finest, key=LEVELS.index)
    if level is Level.RAW:
        return Grid(level, since, needed)
    unit = WIDTH[level]
    origin = floor(since, unit)
    buckets = -(-(until - origin) // unit)
    return Grid(level, origin, -(-buckets // points) * unit)


def find_finest(since: datetime, raw_from: datetime, state: RollupState) -> Level:
    """The finest level that still has what happened at `since`."""
    if since >= raw_from:
        return Level.RAW
    if since >= state.minutes_from:
        return Level.MINUTE
    return Level.HOUR if since >= state.hours_from else Level.DAY


def find_segments(window: Span, level: Level, state: RollupState, late: Sequence[Span]) -> list[Segment]:
    """Segments that cover the window in order, without overlap, each of the coarsest level up to `level` that is valid
    there: its buckets lie inside, were rolled up, and hold nothing of `late`."""
    if window.begin >= window.end:
        return []
    if level is Level.RAW:
        return [Segment(level, window.begin, window.end)]
    finer = LEVELS[LEVELS.index(level) - 1]
    ready_to = {Level.MINUTE: state.minutes_to, Level.HOUR: state.hours_to, Level.DAY: state.days_to}[level]
    if ready_to <= window.begin:
        return find_segments(window, finer, state, late)
    segments = []
    at = window.begin
    begin = ceil(window.begin, WIDTH[level])
    end = min(floor(window.end, WIDTH[level]), ready_to)
    for hole in [*_find_holes(late, begin, end, WIDTH[level]), Span(max(end, begin), max(end, begin))]:
        if begin < min(hole.begin, end):
            segments += find_segments(Span(at, begin), finer, state, late)
            segments.append(Segment(level, begin, hole.begin))
            at = hole.begin
        begin = hole.end
    return segments + find_segments(Span(at, window.end), finer, state, late)


def _find_holes(late: Sequence[Span], begin: datetime, end: datetime, width: timedelta) -> list[Span]:
    """What of [begin, end) is late, in whole buckets, in order and without overlap."""
    holes: list[Span] = []
    for span in sorted(late, key=lambda span: span.begin):
        hole = Span(max(floor(span.begin, width), begin), min(ceil(span.end, width), end))
        if hole.begin >= hole.end:
            continue
        if holes and hole.begin <= holes[-1].end:
            hole = Span(holes[-1].begin, max(hole.end, holes.pop().end))
        holes.append(hole)
    return holes


def floor(at: datetime, width: timedelta) -> datetime:
    """The last bucket border at or before `at`, counted from 1970 in UTC."""
    return at - (at - EPOCH) % width


def ceil(at: datetime, width: timedelta) -> datetime:
    """The first bucket border at or after `at`."""
    return at + (EPOCH - at) % width
