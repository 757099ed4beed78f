"""What a chart is given: values with holes where data are missing, limits, band, marks; and the same as a table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from itertools import pairwise
from statistics import median, median_low
from typing import Any

from api.console.instants import name_offset
from domain.clock import from_micros, to_micros
from domain.figures import say_beside
from domain.firmware import MAIN, FirmwareChange

MAX_POINTS = 2_000
TABLE_ROWS = 200
GAP_FACTOR = 3.0  # a pause longer than so many usual intervals is a gap, and is never bridged
NEAR = 4  # intervals before and after a pause that tell what is usual there


@dataclass(frozen=True, slots=True)
class Limit:
    """A horizontal line. `kind` is raise, clear or critical."""

    kind: str
    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One signal in one panel. `data` is what charts.js reads; `table` the same for people who do not see it."""

    key: str
    label: str
    unit: str
    data: dict[str, Any]
    table: list[dict[str, Any]]
    limits: list[Limit] = field(default_factory=list)
    has_breach: bool = False
    has_band: bool = False
    window: bool = False
    gaps: bool = False
    marks: bool = False
    has_points: bool = True
    latest: str = ""
    diagnostic: bool = False
    width_s: float | None = None  # of the stretch that each point stands for; None: a reading

    @property
    def count(self) -> int:
        """Of the points; the table has the newest of them."""
        return sum(value is not None for value in self.data["y"])


def find_marks(changes: Sequence[FirmwareChange]) -> list[dict[str, Any]]:
    """A mark for each change of firmware, named by the new version; a first report of all is none."""
    return [
        {"at": to_micros(c.at) / 1e6, "label": c.after if c.component == MAIN else f"{c.component} {c.after}"}
        for c in changes
        if c.before
    ]


@dataclass(frozen=True, slots=True)
class Line:
    """Points of one signal with a None between those that are separated by a gap. Times in seconds since 1970."""

    x: list[float]
    y: list[float | None]
    gaps: list[tuple[float, float]]
    places: list[int]  # where the given points stand in x


def find_gaps(x: Sequence[float], usual: float | None = None) -> list[bool]:
    """For each point whether a gap lies before it: a pause of more than GAP_FACTOR usual intervals.

    What is usual is the median of the intervals around the pause: a device that begins to report every second instead
    of every five has no gaps before that. Of buckets of `usual` seconds it is that at least.
    """
    steps = [b - a for a, b in pairwise(x)]
    shortest = usual if usual is not None else min((step for step in steps if step > 0), default=0.0)
    # Nearly all intervals are usual ones, and need no look at those around them.
    return [False, *(step > GAP_FACTOR * shortest and _is_gap(steps, i, usual) for i, step in enumerate(steps))][
        : len(x)
    ]


def _is_gap(steps: Sequence[float], place: int, usual: float | None) -> bool:
    around = [step for step in steps[max(0, place - NEAR) : place + NEAR + 1] if step > 0] or [0.0]
    # Of a few the shorter one of those in the middle: the pause itself is among them.
    limit = median(around) if usual is None else max(usual, median_low(around))
    return steps[place] > GAP_FACTOR * limit


def find_outer_gaps(
    x: Sequence[float], extent: tuple[float, float], usual: float | None = None
) -> list[tuple[float, float]]:
    """Where a stretch of time begins or ends without points, or has none: gaps like those between points."""
    if not x:
        return [extent]
    steps = [b - a for a, b in pairwise(x) if b > a]
    least = GAP_FACTOR * (usual if usual is not None else median(steps or [0.0]))
    outer = [(extent[0], x[0]), (x[-1], extent[1])]
    return [gap for gap in outer if least > 0 and gap[1] - gap[0] > least]


def find_line(x: Sequence[float], y: Sequence[float | None], usual: float | None = None) -> Line:
    """The points with their gaps opened: no line is drawn where nothing was measured."""
    line = Line([], [], [], [])
    for place, (at, value, is_gap) in enumerate(zip(x, y, find_gaps(x, usual), strict=True)):
        if is_gap:
            line.gaps.append((x[place - 1], at))
            line.x.append((x[place - 1] + at) / 2)
            line.y.append(None)
        line.places.append(len(line.x))
        line.x.append(at)
        line.y.append(value)
    return line


def find_range(values: Sequence[float | None], lines: Sequence[float], *, reach: float | None) -> tuple[float, float]:
    """What the axis shows: all points, and those lines that lie within `reach` times their span (None: all)."""
    there = [value for value in values if value is not None]
    low, high = (min(there), max(there)) if there else (0.0, 1.0)
    span = (high - low) or abs(high) * 0.1 or 1.0
    for line in lines:
        if reach is None or low - reach * span <= line <= high + reach * span:
            low, high = min(low, line), max(high, line)
    room = (high - low) * 0.08 or span * 0.5
    return low - room, high + room


def find_breaches(y: Sequence[float | None], is_beyond: Sequence[bool]) -> list[float | None]:
    """The values of the points beyond; None elsewhere, so that only their segments are drawn in red."""
    return [value if beyond else None for value, beyond in zip(y, is_beyond, strict=True)]


def find_table(
    x: Sequence[float],
    y: Sequence[float | None],
    beyond: Sequence[bool],
    decimals: int,
    zone: tzinfo,
    *,
    limits: Sequence[Limit] = (),
    spread: tuple[Sequence[float | None], Sequence[float | None]] | None = None,
    rows: int = TABLE_ROWS,
) -> list[dict[str, Any]]:
    """At most `rows` rows, newest first; every point beyond the limit is among the first to be kept.

    `spread` has the lowest and the highest reading that each value is the mean of. What is not at one of `limits` is
    never said as if it were.
    """
    at_limits = [limit.value for limit in limits]

    def say_spread(place: int) -> str:
        if spread is None:
            return ""
        low, high = spread[0][place], spread[1][place]
        return (
            ""
            if low is None or high is None
            else " – ".join(say_beside(end, at_limits, decimals) for end in (low, high))
        )

    chosen = [place for place, value in enumerate(y) if value is not None]
    if len(chosen) > rows:
        step = len(chosen) / rows
        chosen = sorted({chosen[int(k * step)] for k in range(rows)} | {p for p in chosen if beyond[p]})[-rows:]
    return [
        {
            "at": name_second(x[place], zone),
            "value": say_beside(value, at_limits, decimals),
            "spread": say_spread(place),
            "breach": beyond[place],
        }
        for place in reversed(chosen)
        if (value := y[place]) is not None
    ]


def name_second(at: float, zone: tzinfo, *, with_year: bool = False) -> str:
    """A time to the second, with its offset."""
    local: datetime = from_micros(round(at * 1_000_000)).astimezone(zone)
    year = f"{local.year}-" if with_year else ""
    return f"{year}{local:%m-%d %H:%M:%S} {name_offset(local)}"


def name_zone(zone: tzinfo) -> str:
    """The IANA name for the browser."""
    return getattr(zone, "key", "UTC")
