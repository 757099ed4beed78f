"""Courses of similar devices, shifted to a device's own level."""

import numpy as np
import pytest

from anomaly.rul.similar import find_course_slopes, find_pooled_time
from domain.profile import Direction

AGE = np.arange(100, dtype=np.float64)
BENT = np.where(AGE < 60, 2.0 - 0.002 * AGE, 2.0 - 0.002 * 60 - 0.02 * (AGE - 60))


def test_a_course_is_followed_from_the_own_level() -> None:
    own = BENT[:50] - 0.1  # lower by a tenth: it reaches 1.6 sooner
    found = find_course_slopes(AGE[:50], own, [(AGE, BENT)], 1.6, Direction.LOW)
    (slope,) = found.after
    assert found.before == pytest.approx((-0.002,))
    assert found.change == pytest.approx(-0.002 - slope)
    crossing = float(AGE[np.flatnonzero(BENT - 0.1 < 1.6)[0]])
    assert slope == pytest.approx((1.6 - own[-1]) / (crossing - 49.0))
    (rising,) = find_course_slopes(AGE[:50], -own, [(AGE, -BENT)], -1.6, Direction.HIGH).after
    assert rising == pytest.approx(-slope)


def test_a_course_that_ends_before_the_limit_lends_its_slope() -> None:
    line = 2.0 - 0.01 * AGE
    (slope,) = find_course_slopes(AGE[:50], line[:50], [(AGE[:80], line[:80])], 0.5, Direction.LOW).after
    assert slope == pytest.approx(-0.01, rel=0.01)


def test_devices_that_are_not_ahead_say_nothing() -> None:
    line = 2.0 - 0.01 * AGE
    for others in ([(AGE[:51], line[:51])], []):
        found = find_course_slopes(AGE[:50], line[:50], others, 0.5, Direction.LOW)
        assert (found.before, found.after, found.change) == ((), (), 0.0)


def test_a_bend_that_similar_devices_had_is_foreseen() -> None:
    rng = np.random.default_rng(2)
    own = BENT[:50] + rng.normal(0.0, 0.005, 50)
    others = [(AGE, BENT + shift + rng.normal(0.0, 0.005, 100)) for shift in (-0.05, 0.05, 0.02)]
    actual = float(np.flatnonzero(BENT < 1.5)[0]) - 49.0
    alone = find_pooled_time(AGE[:50], own, [], 1.5, Direction.LOW)
    pooled = find_pooled_time(AGE[:50], own, others, 1.5, Direction.LOW)
    assert alone is not None
    assert pooled is not None
    assert alone.median > 2.0 * actual
    assert abs(pooled.median - actual) < 0.35 * abs(alone.median - actual)


def test_without_a_trend_similar_devices_make_none() -> None:
    flat = np.random.default_rng(3).normal(2.0, 0.01, 50)
    assert find_pooled_time(AGE[:50], flat, [(AGE, BENT)], 1.5, Direction.LOW) is None
