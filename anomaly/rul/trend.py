"""When a value that drifts will reach its limit: a robust trend with an interval, or nothing where there is no trend.

Pure arithmetic on arrays, without I/O, time or randomness, for a handful of points up to any number of them.

`domain.forecast` is another robust trend, for another question. It watches a live series and must stay silent unless
something has begun: the last 32 equal buckets, cut at level jumps, the newest part alone where that says more, and
significant at 0.1 %. Here somebody asks how long a recorded course will last: any number of points at any times, from
the first one on, significant at 5 %, the slope as a distribution, so that slopes of similar devices can be averaged in.
A jump back, as a battery makes after each rest, belongs to the pace here; cut at jumps the pace is that between rests,
which comes too early: of the batteries of `benchmarks.rul_battery`, own trend alone, the intervals of `domain.forecast`
hold one time in five, and it has no answer to a quarter of the questions.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import erfc, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.profile import Direction

Floats = NDArray[np.float64]

MIN_POINTS = 8
MAX_POINTS = 256  # more are merged first: pairs grow with the square of the points
GRID: Floats = (
    np.arange(199, dtype=np.float64) + 1.0
) / 200.0  # the probabilities at which the distribution of slopes is held
POOL_FLOOR = 0.1  # similar devices never differ by less than this share of their slope, however few agree by chance


class TimeToLimit(NamedTuple):
    """How long until the limit, from the last point, in the unit of `t`; never negative. `high` may be infinite."""

    median: float
    low: float
    high: float


class Trend(NamedTuple):
    """A robust line through points.

    Attributes
    ----------
    slope
        Theil-Sen, in units of y per unit of t.
    level
        The line at the last point.
    p_value
        Two-sided, of the hypothesis that there is no trend (Mann-Kendall).
    slopes
        The distribution of the slope at the probabilities `GRID`, rising.
    """

    slope: float
    level: float
    p_value: float
    slopes: Floats


def find_trend(t: Floats, y: Floats) -> Trend | None:
    """The robust trend of y over t, or None with fewer than 8 usable points or without any spread in t.

    Points with a NaN are left out; t need not be regular. The variance of Mann-Kendall's statistic is corrected for
    ties and for the autocorrelation of what the line leaves over, so that a slow wave is not taken for a trend.

    Where the newer half of the points is steeper or flatter than the older one, by more than noise explains, the
    distribution of the slope is wider by half of that difference: what has bent may bend again.

    Source: Theil 1950 and Sen 1968 (slope and its confidence limits by ranks), Mann 1945 and Kendall 1975 (the test),
    Hamed and Rao 1998 (the correction for autocorrelation).
    """
    usable = np.isfinite(t) & np.isfinite(y)
    order = np.argsort(t[usable], kind="stable")
    t, y = _merge(t[usable][order], y[usable][order])
    n = t.shape[0]
    if n < MIN_POINTS or t[-1] <= t[0]:
        return None
    first, second = np.triu_indices(n, 1)
    step = t[second] - t[first]
    apart = step > 0
    rise = y[second] - y[first]
    slopes = np.sort(rise[apart] / step[apart])
    slope = float(np.median(slopes))
    residual = y - slope * (t - t[-1])
    level = float(np.median(residual))
    # What a line through exact points leaves over is rounding, whose order means nothing.
    exact = float(np.ptp(residual)) <= 1e-9 * float(np.ptp(y))
    deviation = sqrt(_find_variance(y) * (1.0 if exact else _find_inflation(residual)))
    score = float(np.sign(rise[apart]).sum())
    z = max(abs(score) - 1.0, 0.0) / deviation if deviation > 0 else 0.0
    # Sen's limits: the slope at probability p stands as many ranks from the median as Kendall's score may be off by
    # chance. `slopes` has one entry a pair, the score counts pairs twice, so a rank is half a step of the score.
    place = (slopes.shape[0] - 1) / 2.0 + _find_normal_points(GRID) * deviation / 2.0
    distribution = np.interp(place, np.arange(slopes.shape[0]), slopes)
    bend = _find_bend(t, y) if n >= 2 * MIN_POINTS else 0.0
    spread = _find_spread(distribution)
    if spread > 0:
        distribution = slope + (distribution - slope) * sqrt(1.0 + (bend / (2.0 * spread)) ** 2)
    return Trend(slope, level, erfc(z / sqrt(2.0)), distribution)


def find_time_to_limit(
    t: Floats,
    y: Floats,
    limit: float,
    direction: Direction,
    *,
    coverage: float = 0.8,
    significance: float = 0.05,
    pool: Sequence[float] = (),
    change: float = 0.0,
) -> TimeToLimit | None:
    """The time from the last point until y reaches the limit, or None where no significant trend leads there.

    Parameters
    ----------
    direction
        HIGH: the limit is reached from below; LOW: from above. BOTH is no question that has an answer.
    coverage
        Of the interval low..high, in (0, 1).
    significance
        The largest p-value of Mann-Kendall's test at which there is a trend.
    pool
        Slopes that similar devices showed on the way to this limit, in units of y per unit of t. Own and pooled slope
        are averaged by their precision, so the pool counts where the own points say little.
    change
        By how much (standard deviation, in units of y per unit of t) the slope of similar devices went on to differ
        from what it had been until then. The own slope is as uncertain as that, however well it is known so far.

    Returns
    -------
    TimeToLimit | None
        None also with fewer than 8 points and where the trend leads away. Zero where the line is beyond the limit.

    The line is the robust one of `find_trend`. The level is the median of the last points about that line, so one
    outlier at the end moves nothing; the interval is that of the slope, turned about the middle of the points.
    It assumes that the trend goes on as it is: what accelerates is reached sooner.

    Source: Sen 1968; precision weighting of own and pooled slope as in DerSimonian and Laird 1986.
    """
    if direction is Direction.BOTH:
        raise ValueError("direction must be HIGH or LOW: a limit is reached from one side")
    if not 0.0 < coverage < 1.0:
        raise ValueError(f"coverage must lie between 0 and 1, not {coverage}")
    trend = find_trend(t, y)
    sign = 1.0 if direction is Direction.HIGH else -1.0
    if trend is None or trend.p_value > significance or sign * trend.slope <= 0:
        return None
    seen = trend.slopes
    spread = _find_spread(seen)
    # A line without any noise has a width of its own all the same, where slopes are known to change.
    unit = (seen - trend.slope) / spread if spread > 0 else _find_normal_points(GRID)
    own = trend.slope + unit * change if change > spread else seen
    slopes = _shrink(own, trend.slope, np.asarray(pool, dtype=np.float64)) if len(pool) else own
    usable = np.isfinite(t) & np.isfinite(y)
    middle = float(t[usable].max() - np.median(t[usable]))
    # A steeper line through the same points ends nearer to the limit: it turns about their middle.
    distance = sign * (limit - (trend.level + (seen - trend.slope) * middle))
    speed = sign * slopes
    with np.errstate(divide="ignore", invalid="ignore"):
        time = np.where(distance <= 0, 0.0, np.where(speed > 0, distance / speed, np.inf))
    time = np.sort(time)
    low, median, high = (_find_quantile(time, share) for share in ((1.0 - coverage) / 2.0, 0.5, (1.0 + coverage) / 2.0))
    return TimeToLimit(median, low, high)


def _merge(t: Floats, y: Floats) -> tuple[Floats, Floats]:
    """At most MAX_POINTS points: medians of consecutive ones, each of as many."""
    if t.shape[0] <= MAX_POINTS:
        return t, y
    edges = np.linspace(0, t.shape[0], MAX_POINTS + 1).astype(np.int64)
    groups = list(pairwise(edges))
    return (
        np.asarray([np.median(t[a:b]) for a, b in groups]),
        np.asarray([np.median(y[a:b]) for a, b in groups]),
    )


def _find_bend(t: Floats, y: Floats) -> float:
    """By how much the slopes of both halves differ beyond the noise of their difference, in units of the slope."""
    half = t.shape[0] // 2
    slopes, noise = [], 0.0
    for part in (slice(None, half), slice(half, None)):
        first, second = np.triu_indices(t[part].shape[0], 1)
        step = t[part][second] - t[part][first]
        apart = step > 0
        if not apart.any():
            return 0.0
        pairs = np.sort((y[part][second] - y[part][first])[apart] / step[apart])
        slopes.append(float(np.median(pairs)))
        place = (pairs.shape[0] - 1) / 2.0 + _find_normal_points(GRID) * sqrt(_find_variance(y[part])) / 2.0
        noise += _find_spread(np.interp(place, np.arange(pairs.shape[0]), pairs)) ** 2
    return sqrt(max(0.0, (slopes[1] - slopes[0]) ** 2 - noise))


def _find_variance(y: Floats) -> float:
    """The variance of Kendall's score without a trend, for independent values with ties."""
    n = y.shape[0]
    _, ties = np.unique(y, return_counts=True)
    return float(n * (n - 1) * (2 * n + 5) - int(np.sum(ties * (ties - 1) * (2 * ties + 5)))) / 18.0


def _find_inflation(residual: Floats) -> float:
    """By how much autocorrelation widens that variance, at least 1; only lags that stand out of the noise count.

    Lags are taken up to a quarter of the points: beyond that their estimate is noise.
    """
    n = residual.shape[0]
    ranks = np.argsort(np.argsort(residual, kind="stable"), kind="stable").astype(np.float64)
    ranks -= ranks.mean()
    power = float(ranks @ ranks)
    total = 0.0
    for lag in range(1, n // 4 + 1):
        correlation = float(ranks[:-lag] @ ranks[lag:]) / power
        if abs(correlation) > 1.96 / sqrt(n):
            total += (n - lag) * (n - lag - 1) * (n - lag - 2) * correlation
    return float(max(1.0, 1.0 + 2.0 * total / (n * (n - 1) * (n - 2))))


def _shrink(own: Floats, slope: float, pool: Floats) -> Floats:
    """The distribution of the slope when similar devices are taken into account, at the same probabilities."""
    pool = pool[np.isfinite(pool)]
    if pool.shape[0] == 0:
        return own
    own_variance = _find_spread(own) ** 2
    centre = float(np.median(pool))
    apart = 1.4826 * float(np.median(np.abs(pool - centre)))
    pool_variance = max(apart, POOL_FLOOR * abs(centre)) ** 2 * (1.0 + 1.0 / pool.shape[0])
    if own_variance == 0.0 or pool_variance == 0.0:
        return own
    weight = pool_variance / (own_variance + pool_variance)
    return np.asarray(weight * slope + (1.0 - weight) * centre + (own - slope) * sqrt(weight))


def _find_spread(distribution: Floats) -> float:
    """Half of the width between its 16 and 84 % points: a standard deviation, were it normal."""
    low, high = np.interp((0.1587, 0.8413), GRID, distribution)
    return float(high - low) / 2.0


def _find_normal_points(probability: Floats) -> Floats:
    """The standard normal quantile, to within 5e-4.

    Source: Abramowitz and Stegun 1964, 26.2.23.
    """
    tail = np.minimum(probability, 1.0 - probability)
    root = np.sqrt(-2.0 * np.log(tail))
    numerator = 2.515517 + root * (0.802853 + root * 0.010328)
    denominator = 1.0 + root * (1.432788 + root * (0.189269 + root * 0.001308))
    return np.asarray(np.sign(probability - 0.5) * (root - numerator / denominator), dtype=np.float64)


def _find_quantile(rising: Floats, share: float) -> float:
    """The value at this share; infinite where it lies among infinite ones."""
    place = share * (rising.shape[0] + 1) - 1.0
    below, above = int(np.floor(place)), int(np.ceil(place))
    low, high = rising[max(below, 0)], rising[min(above, rising.shape[0] - 1)]
    if not np.isfinite(high):
        return float("inf")
    return float(low + (high - low) * (place - below))
