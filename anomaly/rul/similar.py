"""What similar devices say about one that has no failure behind it yet: their own course, from its level on."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from anomaly.rul.trend import TimeToLimit, find_time_to_limit, find_trend
from domain.profile import Direction

Floats = NDArray[np.float64]

END_POINTS = 5  # of a course that ends before the limit: the median of so many gives its end
LEAST_AHEAD = 3  # points that a similar device must be ahead


@dataclass(frozen=True, slots=True)
class CourseSlopes:
    """The mean slopes of similar devices before and after this device's age, one entry a device that is ahead of it."""

    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def change(self) -> float:
        """By how much a slope that was seen differs from the one that followed: root mean square, 0 without devices."""
        if not self.after:
            return 0.0
        return sqrt(sum((b - a) ** 2 for b, a in zip(self.before, self.after, strict=True)) / len(self.after))


def find_course_slopes(
    t: Floats, y: Floats, others: Sequence[tuple[Floats, Floats]], limit: float, direction: Direction
) -> CourseSlopes:
    """What other devices did over the times of y, and the mean slope that each would give this one from there on.

    Each course (times and values, both by the same clock of age as t) is shifted to the level of y over the times of y,
    and followed from the last t on until it crosses the limit, noise included; a course that ends before has the
    slope of what is left of it. Devices that are not ahead of the last t have no part in it.
    """
    sign = 1.0 if direction is Direction.HIGH else -1.0
    own = find_trend(t, y)
    level = float(np.median(y)) if own is None else own.level
    before, after = [], []
    for other_t, other_y in others:
        ahead = other_t > t[-1]
        behind = (other_t >= t[0]) & ~ahead
        past = find_trend(other_t[behind], other_y[behind])
        if ahead.sum() < LEAST_AHEAD or past is None:
            continue
        shift = float(np.median(y - np.interp(t, other_t[behind], other_y[behind])))
        beyond = np.flatnonzero(sign * (other_y[ahead] + shift - limit) > 0)
        if beyond.size:
            way = sign * max(0.0, sign * (limit - level))
            slope = way / float(other_t[ahead][beyond[0]] - t[-1])
        else:
            rest_t, rest_y = other_t[ahead], other_y[ahead]
            way = float(np.median(rest_y[-END_POINTS:])) - past.level
            slope = way / (float(np.median(rest_t[-END_POINTS:])) - float(t[-1]))
        before.append(past.slope)
        after.append(slope)
    return CourseSlopes(tuple(before), tuple(after))


def find_pooled_time(
    t: Floats,
    y: Floats,
    others: Sequence[tuple[Floats, Floats]],
    limit: float,
    direction: Direction,
    *,
    coverage: float = 0.8,
) -> TimeToLimit | None:
    """The time until y reaches the limit, by its own newer half and the courses of similar devices from its age on.

    None where the newer half has no significant trend towards the limit. `others` may be empty. The newer half, because
    wear is seldom a straight line from the first day on. See `find_time_to_limit` for the interval.
    """
    half = t.shape[0] // 2
    newer_t, newer_y = t[half:], y[half:]
    pool = find_course_slopes(newer_t, newer_y, others, limit, direction)
    return find_time_to_limit(
        newer_t, newer_y, limit, direction, coverage=coverage, pool=pool.after, change=pool.change
    )
