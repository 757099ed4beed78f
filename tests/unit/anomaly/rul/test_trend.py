"""Time to a limit: worked cases, coverage on planted lines, and silence where there is no trend."""

import math

import numpy as np
import pytest

from anomaly.rul.trend import GRID, find_time_to_limit, find_trend
from domain.profile import Direction

CYCLES = np.arange(40, dtype=np.float64)


def test_a_straight_line_reaches_the_limit_where_arithmetic_says() -> None:
    found = find_time_to_limit(CYCLES, 100.0 - 0.5 * CYCLES, 70.0, Direction.LOW)
    assert found == pytest.approx((21.0, 21.0, 21.0))  # 39 cycles have passed, 60 lead from 100 to 70


def test_whole_numbers_on_a_line_are_a_trend() -> None:
    trend = find_trend(CYCLES, 3.0 * CYCLES)
    assert trend is not None
    assert (trend.slope, trend.level) == (3.0, 117.0)
    assert trend.p_value < 1e-9


def test_a_rising_value_and_irregular_times() -> None:
    t = np.asarray([0.0, 1.0, 5.0, 6.0, 7.5, 20.0, 21.0, 30.0, 31.0])
    assert find_time_to_limit(t, 2.0 * t, 100.0, Direction.HIGH) == pytest.approx((19.0, 19.0, 19.0))


def test_beyond_the_limit_no_time_is_left() -> None:
    assert find_time_to_limit(CYCLES, 100.0 - CYCLES, 70.0, Direction.LOW) == (0.0, 0.0, 0.0)


def test_a_trend_that_leads_away_has_no_time() -> None:
    assert find_time_to_limit(CYCLES, 100.0 + CYCLES, 70.0, Direction.LOW) is None


def test_noise_a_constant_and_too_few_points_have_no_trend() -> None:
    noise = np.random.default_rng(4).normal(0.0, 1.0, 40)
    assert find_time_to_limit(CYCLES, noise, -5.0, Direction.LOW) is None
    assert find_time_to_limit(CYCLES, np.full(40, 3.0), -5.0, Direction.LOW) is None
    assert find_time_to_limit(CYCLES[:7], -CYCLES[:7], -50.0, Direction.LOW) is None


def test_a_slow_wave_is_rarely_taken_for_a_trend() -> None:
    rng = np.random.default_rng(7)
    t = np.arange(120, dtype=np.float64)
    wrong = 0
    for _ in range(100):
        noise = rng.normal(0.0, 1.0, 160)
        wave = np.empty(160)
        wave[0] = noise[0]
        for i in range(1, 160):
            wave[i] = 0.7 * wave[i - 1] + noise[i]
        trend = find_trend(t, wave[40:])
        assert trend is not None
        wrong += trend.p_value < 0.05
    assert wrong <= 20  # without the correction for autocorrelation some 40 of 100


def test_a_fifth_of_wild_points_and_missing_ones_move_little() -> None:
    rng = np.random.default_rng(5)
    y = 100.0 - 0.5 * CYCLES + rng.normal(0.0, 0.2, 40)
    y[::5] = 500.0
    y[3] = np.nan
    found = find_time_to_limit(CYCLES, y, 70.0, Direction.LOW)
    assert found is not None
    assert found.low <= 21.0 <= found.high
    assert found.median == pytest.approx(21.0, abs=6.0)


def test_four_of_five_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(300):
        y = 100.0 - 0.5 * CYCLES + rng.normal(0.0, 2.0, 40)
        found = find_time_to_limit(CYCLES, y, 70.0, Direction.LOW)
        assert found is not None
        held += found.low <= 21.0 <= found.high
    assert 0.74 <= held / 300 <= 0.86


def test_the_answer_is_the_same_in_other_units() -> None:
    rng = np.random.default_rng(3)
    y = 100.0 - 0.5 * CYCLES + rng.normal(0.0, 1.0, 40)
    plain = find_time_to_limit(CYCLES, y, 70.0, Direction.LOW, pool=(-0.4, -0.45))
    assert plain is not None
    scaled = find_time_to_limit(CYCLES, 1.8 * y + 32.0, 1.8 * 70.0 + 32.0, Direction.LOW, pool=(-0.72, -0.81))
    assert scaled == pytest.approx(plain)
    hours = find_time_to_limit(24.0 * CYCLES + 1e6, y, 70.0, Direction.LOW, pool=(-0.4 / 24, -0.45 / 24))
    assert hours == pytest.approx(tuple(24.0 * value for value in plain))
    upwards = find_time_to_limit(CYCLES, -y, -70.0, Direction.HIGH, pool=(0.4, 0.45))
    assert upwards == pytest.approx(plain)


def test_similar_devices_count_where_the_own_points_say_little() -> None:
    rng = np.random.default_rng(8)
    noisy = 100.0 - 0.5 * CYCLES + rng.normal(0.0, 8.0, 40)
    clean = 100.0 - 0.5 * CYCLES + rng.normal(0.0, 0.1, 40)
    pool = (-1.0, -1.05, -0.95)
    moved = [
        abs(with_pool.median - alone.median)
        for y in (noisy, clean)
        if (alone := find_time_to_limit(CYCLES, y, 40.0, Direction.LOW)) is not None
        and (with_pool := find_time_to_limit(CYCLES, y, 40.0, Direction.LOW, pool=pool)) is not None
    ]
    assert len(moved) == 2
    assert moved[0] > 10.0
    assert moved[1] < 1.0


def test_many_points_cost_no_more_and_give_the_same() -> None:
    t = np.linspace(0.0, 39.0, 50_000)
    assert find_time_to_limit(t, 100.0 - 0.5 * t, 70.0, Direction.LOW) == pytest.approx((21.0, 21.0, 21.0), abs=0.1)


def test_a_slope_that_may_be_none_has_no_upper_end() -> None:
    rng = np.random.default_rng(15)
    y = 100.0 - 0.02 * CYCLES + rng.normal(0.0, 1.0, 40)
    found = find_time_to_limit(CYCLES, y, 70.0, Direction.LOW, significance=0.9, coverage=0.98)
    assert found is not None
    assert math.isinf(found.high)
    assert math.isfinite(found.median)


def test_a_wrong_question_is_refused() -> None:
    with pytest.raises(ValueError, match="one side"):
        find_time_to_limit(CYCLES, CYCLES, 70.0, Direction.BOTH)
    with pytest.raises(ValueError, match="coverage"):
        find_time_to_limit(CYCLES, CYCLES, 70.0, Direction.HIGH, coverage=80.0)
    assert np.all(np.diff(GRID) > 0)


def test_what_has_bent_may_bend_again() -> None:
    rng = np.random.default_rng(21)
    noise = rng.normal(0.0, 0.05, 60)
    t = np.arange(60, dtype=np.float64)
    straight = find_trend(t, -0.2 * t + noise)
    bent = find_trend(t, np.where(t < 30, -0.1 * t, -3.0 - 0.3 * (t - 30)) + noise)
    assert straight is not None
    assert bent is not None
    assert np.ptp(bent.slopes) > 5.0 * np.ptp(straight.slopes)
    assert bent.slopes[0] < -0.25
