"""When a series will reach a limit: a robust trend with an interval, or the plain word that there is none. Pure.

The history is a row of equal buckets, oldest first, each with the mean of its readings. `anomaly.detectors.forecast`
does the same to thousands of series at once; both give the same numbers (tested). `anomaly.rul.trend` answers another
question, how long a recorded course of any length will last, where jumps belong to the pace; it says why there are two.

- Level jumps are no trend: where two neighbouring buckets differ by far more than their neighbours do, the history is
  cut, and only pairs of buckets between two cuts are compared. A ramp is no row of jumps.
- The slope is the median of the slopes of all these pairs (Theil 1950, Sen 1968). It counts where Mann-Kendall's test
  (Mann 1945, Kendall 1975; over blocks: Hirsch, Slack and Smith 1982) finds it significant at 0.1 %, its variance
  widened for the autocorrelation of what the line leaves over (Yue and Wang 2004).
- A fault that has just begun is a trend of the newest buckets alone: the whole history, its newer half and its newest
  third are tried, and the most significant one counts. What the newer ones alone say belongs to the interval.
- The level is the median of the newest quarter about the line, so that a value that was mended is believed soon.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, floor, inf, sqrt
from statistics import median

BUCKETS = 32
SUFFIXES = (32, 16, 10)  # newest buckets that a trend is looked for in
LEVEL_BUCKETS = 8
LEAST_POINTS = 8
LEAST_RECENT = 3  # of the newest LEVEL_BUCKETS, in the newest piece without a jump
JUMP_FACTOR = 6.0
LEAST_Z = 3.29  # 0.1 %, two-sided
MOST_CORRELATION = 0.7  # a curved trend leaves correlated rests, too: it must not hide itself altogether
COVERAGE_Z = 1.2816  # the interval covers 80 %, two-sided
# The error of a median of n values by their median absolute deviation: 1.4826 for the spread, 1.2533 for the median.
LEVEL_ERROR = COVERAGE_Z * 1.4826 * 1.2533
ROUNDING = 0.25  # rests smaller than this share of the resolution are rounding, whose order means nothing


@dataclass(frozen=True, slots=True)
class Trend:
    """A significant robust line; per bucket, at the middle of the newest one. `low`..`high` hold the slope at 80 %."""

    slope: float
    low: float
    high: float
    level: float
    error: float  # of the level, at 80 %


@dataclass(frozen=True, slots=True)
class TimeToLimit:
    """Hours until the limit: 0 where it is reached already; `high` is None where the slower bound never reaches it."""

    hours: float
    low: float
    high: float | None


@dataclass(frozen=True, slots=True)
class _Found:
    z: float
    slope: float
    low: float
    high: float


def find_trend(history: Sequence[float | None], resolution: float = 0.0) -> Trend | None:
    """The trend of a row of buckets, None where none is significant or where the newest buckets do not tell.

    Parameters
    ----------
    history
        At most `BUCKETS`, oldest first, the newest last; None: the bucket had no reading.
    resolution
        The smallest difference that the sensor shows, in its unit.
    """
    points = [(k, y) for k, y in enumerate(history, start=BUCKETS - len(history)) if y is not None]
    if len(points) < LEAST_POINTS:
        return None
    piece = _find_pieces([y for _, y in points], resolution)
    best: _Found | None = None
    for buckets in SUFFIXES:
        chosen = [i for i, (k, _) in enumerate(points) if k >= BUCKETS - buckets]
        found = _find_slope([points[i] for i in chosen], [piece[i] for i in chosen], resolution)
        if found is None or found.z < LEAST_Z:
            continue
        if best is None or found.z > best.z:
            best = found
        else:
            best = replace(best, low=min(best.low, found.slope), high=max(best.high, found.slope))
    if best is None:
        return None
    level = find_level(history, best.slope, resolution)
    if level is None:
        return None
    return Trend(best.slope, best.low, best.high, *level)


def find_level(
    history: Sequence[float | None], slope: float = 0.0, resolution: float = 0.0
) -> tuple[float, float] | None:
    """(level, its error at 80 %) at the newest bucket, about a line of this slope; None: the newest do not tell."""
    points = [(k, y) for k, y in enumerate(history, start=BUCKETS - len(history)) if y is not None]
    piece = _find_pieces([y for _, y in points], resolution)
    newest = [
        y - slope * (k - (BUCKETS - 1))
        for (k, y), p in zip(points, piece, strict=True)
        if k >= BUCKETS - LEVEL_BUCKETS and p == piece[-1]
    ]
    if len(newest) < LEAST_RECENT:
        return None
    level = median(newest)
    return level, LEVEL_ERROR * median([abs(y - level) for y in newest]) / sqrt(len(newest))


def find_time_to_limit(
    trend: Trend, limit: float, *, is_high: bool, bucket_s: float, elapsed_s: float = 0.0
) -> TimeToLimit | None:
    """The time until the trend reaches the limit, None where it leads away from it.

    It goes on as it is: what accelerates is reached sooner. The interval holds the slope's and the level's error.

    Parameters
    ----------
    is_high
        Whether the trouble lies above the limit.
    elapsed_s
        Since the middle of the newest bucket.
    """
    sign = 1.0 if is_high else -1.0
    slope, low, high = sign * trend.slope, sign * trend.low, sign * trend.high
    if slope <= 0.0:
        return None
    low, high = min(low, high), max(low, high)
    distance = sign * (limit - trend.level)
    hour = bucket_s / 3600.0
    elapsed = elapsed_s / 3600.0
    # A steeper line turns about the middle of the buckets that the level was taken from.
    near, far = ((bound - slope) * LEVEL_BUCKETS / 2.0 for bound in (high, low))
    fastest = max((distance - trend.error - near) / high * hour - elapsed, 0.0)
    middle = max(distance / slope * hour - elapsed, 0.0)
    slowest = max((distance + trend.error - far) / low * hour - elapsed, 0.0) if low > 0.0 else inf
    return TimeToLimit(middle, min(fastest, middle), None if slowest == inf else max(slowest, middle))


def _find_pieces(values: Sequence[float], resolution: float) -> list[int]:
    """For each value the number of the piece without a jump that it belongs to."""
    change = [abs(b - a) for a, b in pairwise(values)]
    if not change:
        return [0] * len(values)
    usual = median(change)
    piece = [0]
    for i, size in enumerate(change):
        near = [change[j] for j in (i - 2, i - 1, i + 1, i + 2) if 0 <= j < len(change)]
        around = median(near) if near else 0.0
        piece.append(piece[-1] + (size > JUMP_FACTOR * max(usual, around, resolution)))
    return piece


def _find_slope(points: Sequence[tuple[int, float]], piece: Sequence[int], resolution: float) -> _Found | None:
    pairs = [
        (points[j][1] - points[i][1], points[j][0] - points[i][0])
        for j in range(len(points))
        for i in range(j)
        if piece[i] == piece[j]
    ]
    if not pairs:
        return None
    slopes = sorted(rise / step for rise, step in pairs)
    slope = median(slopes)
    sizes = [piece.count(p) for p in piece]
    variance = sum((n - 1) * (2 * n + 5) for n in sizes) / 18.0
    correlation = _find_correlation(points, piece, slope, resolution)
    deviation = sqrt(variance * (1.0 + correlation) / (1.0 - correlation))
    score = sum((rise > 0.0) - (rise < 0.0) for rise, _ in pairs)
    z = (abs(score) - 1.0) / deviation if deviation > 0.0 else 0.0
    middle, apart = (len(slopes) - 1) / 2.0, COVERAGE_Z * deviation / 2.0
    low = slopes[max(floor(middle - apart), 0)]
    high = slopes[min(ceil(middle + apart), len(slopes) - 1)]
    return _Found(z, slope, low, high)


def _find_correlation(
    points: Sequence[tuple[int, float]], piece: Sequence[int], slope: float, resolution: float
) -> float:
    """The correlation of what the line leaves over with itself one bucket later, jumps taken out."""
    rest = [0.0]
    for i in range(len(points) - 1):
        (k, y), (later_k, later_y) = points[i], points[i + 1]
        step = later_y - y - slope * (later_k - k) if piece[i] == piece[i + 1] else 0.0
        rest.append(rest[-1] + step)
    n = len(rest)
    mean = _add(rest) / n
    rest = [r - mean for r in rest]
    power = _add([r * r for r in rest])
    if power <= n * (ROUNDING * resolution) ** 2 or power == 0.0:
        return 0.0
    return min(max(_add([a * b for a, b in pairwise(rest)]) / power, 0.0), MOST_CORRELATION)


def _add(values: Sequence[float]) -> float:
    """From left to right, as the vectorised form does."""
    total = 0.0
    for value in values:
        total += value
    return total


def gather_history(means: Iterable[tuple[float, float, int]], window_s: float) -> list[float | None]:
    """The row of buckets of a window from finer means; None where a bucket has none.

    Parameters
    ----------
    means
        (seconds since the window's begin, mean, readings), those outside of the window count for nothing.
    """
    total, count = [0.0] * BUCKETS, [0] * BUCKETS
    for at_s, mean, n in means:
        bucket = floor(at_s / window_s * BUCKETS)
        if 0 <= bucket < BUCKETS and n > 0:
            total[bucket] += mean * n
            count[bucket] += n
    return [t / n if n else None for t, n in zip(total, count, strict=True)]
