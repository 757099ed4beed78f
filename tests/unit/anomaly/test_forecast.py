"""The forecast detector: the same numbers as the pure rule, breaches in time, honest intervals, silence otherwise."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from anomaly.breach_rules import BreachRules
from anomaly.breach_state import SlotRule
from anomaly.detectors.contract import Floats, SlotSettings
from anomaly.detectors.forecast import ForecastDetector, find_trends
from domain.breach import TransitionKind
from domain.forecast import BUCKETS, find_level, find_time_to_limit, find_trend
from domain.profile import Direction

HOUR_US = 3_600_000_000
DAY_S = 86_400.0
START_US = 1_772_409_600_000_000
LIMIT = 80.0
STEPS_A_BUCKET = 6


def _histories(rows: int, seed: int) -> Floats:
    """Noise, ramps, jumps, quantised and missing buckets, in all mixtures."""
    rng = np.random.default_rng(seed)
    k = np.arange(BUCKETS)
    out = rng.normal(0.0, 1.0, (rows, BUCKETS))
    out += rng.choice([0.0, 0.05, -0.3, 2.0], (rows, 1)) * np.maximum(k - rng.integers(-5, 28, (rows, 1)), 0)
    out += np.where(k >= rng.integers(0, BUCKETS, (rows, 1)), rng.choice([0.0, 30.0, -1e3], (rows, 1)), 0.0)
    out = np.where(rng.random((rows, 1)) < 0.3, np.round(out), out)
    out[rng.random(out.shape) < rng.choice([0.0, 0.2, 0.7], (rows, 1))] = np.nan
    return out


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_arrays_give_what_the_pure_rule_gives(seed: int) -> None:
    rows = _histories(40, seed)
    resolution = np.full(40, 0.01)
    found = np.stack(find_trends(rows, resolution), axis=1)
    told = 0
    for row, (slope, low, high, level, error) in zip(rows, found, strict=True):
        history = [None if np.isnan(y) else float(y) for y in row]
        trend = find_trend(history, 0.01)
        if trend is None:
            assert np.isnan(slope)
            flat = find_level(history, 0.0, 0.01) if np.count_nonzero(~np.isnan(row)) >= 8 else None
            assert np.isnan(level) if flat is None else (level, error) == pytest.approx(flat, abs=1e-9)
        else:
            told += 1
            assert (slope, low, high, level, error) == pytest.approx(
                (trend.slope, trend.low, trend.high, trend.level, trend.error), abs=1e-9
            )
    assert 0 < told < 40


def test_a_trend_does_not_depend_on_who_else_is_judged() -> None:
    rows = _histories(300, 1)
    resolution = np.full(300, 0.01)
    together = np.stack(find_trends(rows, resolution))
    alone = np.concatenate([np.stack(find_trends(rows[i : i + 1], resolution[:1])) for i in range(300)], axis=1)
    assert together.tobytes() == alone.tobytes()


def test_an_exact_line_is_followed_to_the_limit() -> None:
    trend = find_trend([50.0 + 0.5 * k for k in range(BUCKETS)], 0.01)
    assert trend is not None
    assert (trend.slope, trend.low, trend.high) == pytest.approx((0.5, 0.5, 0.5))
    assert trend.level == pytest.approx(65.5)
    left = find_time_to_limit(trend, 80.5, is_high=True, bucket_s=7_200.0, elapsed_s=3_600.0)
    assert left is not None
    assert (left.hours, left.low, left.high) == pytest.approx((59.0, 59.0, 59.0))  # 15 / 0.5 buckets of 2 h less 1 h
    assert find_time_to_limit(trend, 20.0, is_high=False, bucket_s=7_200.0) is None
    beyond = find_time_to_limit(trend, 60.0, is_high=True, bucket_s=7_200.0)
    assert beyond is not None
    assert beyond.hours == 0.0


@pytest.mark.parametrize(
    "change",
    [
        lambda k: np.where(k >= 14, 40.0, 0.0),
        lambda k: np.where(k >= 20, -1e4, 0.0),
        lambda k: 12.0 * (k // 7),
        lambda k: np.where(k == 9, 1e6, 0.0),
        lambda k: 3.0 * np.sin(k * np.pi),
    ],
    ids=["step", "other unit", "settings of a user", "one bucket far out", "day and night"],
)
def test_jumps_outliers_and_days_are_no_trend(change: Callable[[NDArray[np.int64]], Floats]) -> None:
    k = np.arange(BUCKETS)
    noise = np.random.default_rng(3).normal(0.0, 0.5, (200, BUCKETS))
    slope = find_trends(50.0 + noise + change(k), np.full(200, 0.01))[0]
    assert np.isfinite(slope).mean() <= 0.02


def test_noise_that_remembers_is_rarely_a_trend() -> None:
    rng = np.random.default_rng(5)
    noise = rng.normal(0.0, 1.0, (500, 3 * BUCKETS))
    for k in range(1, noise.shape[1]):
        noise[:, k] += 0.5 * noise[:, k - 1]
    slope = find_trends(noise[:, -BUCKETS:].copy(), np.full(500, 0.01))[0]
    assert np.isfinite(slope).mean() <= 0.03


def test_a_trend_that_begins_after_a_jump_counts_from_there() -> None:
    k = np.arange(BUCKETS)
    noise = np.random.default_rng(7).normal(0.0, 0.2, (50, BUCKETS))
    rows = np.where(k < 12, 900.0, 50.0 + 0.5 * k) + noise
    slope = find_trends(rows, np.full(50, 0.01))[0]
    assert np.isfinite(slope).all()
    assert slope == pytest.approx(np.full(50, 0.5), abs=0.1)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    held, told = 0, 0
    for _ in range(300):
        slope = float(rng.uniform(0.15, 1.0))
        history = 50.0 + slope * np.arange(BUCKETS) + rng.normal(0.0, 1.0, BUCKETS)
        trend = find_trend(history.tolist(), 0.01)
        if trend is None:
            continue
        left = find_time_to_limit(trend, 110.0, is_high=True, bucket_s=3_600.0)
        assert left is not None
        told += 1
        truth = (110.0 - 50.0 - slope * (BUCKETS - 1)) / slope
        held += left.low <= truth <= (np.inf if left.high is None else left.high)
    assert told > 250
    assert 0.78 <= held / told <= 0.95


def _detector(direction: Direction = Direction.HIGH, limit: float = LIMIT) -> ForecastDetector:
    detector = ForecastDetector()
    window_s = BUCKETS * STEPS_A_BUCKET * 3_600.0
    detector.add_slots([SlotSettings(direction, resolution=0.01, window_s=window_s, limit=limit, lead_s=5 * DAY_S)])
    return detector


def _run(detector: ForecastDetector, values: Floats, start_us: int = START_US) -> tuple[Floats, list[tuple[str, int]]]:
    """The scores of hourly readings, and the steps of a breach with the hour of each."""
    rules = BreachRules()
    sign = float(detector.sign[0])
    raise_at = float(np.nextafter(detector.below[0], np.inf))
    rules.add_slots([SlotRule(raise_at, raise_at - 10.0)])
    slot = np.zeros(1, dtype=np.int64)
    score = np.full(values.shape[0], np.nan)
    steps = []
    for hour, value in enumerate(values):
        at_us = np.array([start_us + hour * HOUR_US])
        score[hour] = detector.step(slot, at_us, np.array([value]))[0]
        for found in rules.judge(slot, slot, at_us, score[hour : hour + 1]):
            steps.append((found.kind.value, hour))
    assert sign in (1.0, -1.0)
    return score, steps


def _wear(hours: int, begin: int, rise_a_day: float, seed: int = 1) -> Floats:
    rng = np.random.default_rng(seed)
    values: Floats = 50.0 + rng.normal(0.0, 0.5, hours)
    values[begin:] += rise_a_day / 24.0 * np.arange(hours - begin)
    return values


def test_wear_is_raised_about_the_lead_time_before_the_limit_and_cleared_when_mended() -> None:
    values = _wear(40 * 24, 240, 1.5)  # the limit is reached after 20 days of wear, at hour 720
    values[700:] = _wear(40 * 24 - 700, 10_000, 0.0, seed=2)
    _, steps = _run(_detector(), values)
    assert [kind for kind, _ in steps] == [TransitionKind.RAISED, TransitionKind.CLEARED]
    assert 720 - 1.35 * 120 <= steps[0][1] <= 720 - 0.65 * 120
    assert 700 <= steps[1][1] <= 700 + 8 * STEPS_A_BUCKET


def test_a_low_limit_is_seen_from_its_side() -> None:
    values = 100.0 - _wear(30 * 24, 240, 1.5)
    detector = _detector(Direction.LOW, 100.0 - LIMIT)
    _, steps = _run(detector, values)
    mirrored = _run(_detector(), _wear(30 * 24, 240, 1.5))[1]
    assert [kind for kind, _ in steps] == [kind for kind, _ in mirrored]
    assert abs(steps[0][1] - mirrored[0][1]) <= 1
    trend = detector.find_trend(0)
    assert trend is not None
    assert trend.low <= trend.slope <= trend.high < 0.0


def test_a_level_that_stands_near_or_beyond_the_limit_is_no_forecast() -> None:
    for level in (LIMIT - 0.2, LIMIT + 5.0):
        score, steps = _run(_detector(), level + np.random.default_rng(4).normal(0.0, 0.3, 600))
        assert steps == []
        assert np.isfinite(score[-10:]).all()


def test_a_year_of_silence_and_a_clock_that_jumps_begin_a_new_history() -> None:
    year_us = 365 * 24 * HOUR_US
    detector = _detector()
    values = _wear(300, 0, 1.5)
    _run(detector, values)
    assert detector.find_trend(0) is not None
    for start_us in (START_US + year_us, START_US - year_us, START_US + 3 * year_us):
        score, steps = _run(detector, values[:40], start_us)
        assert np.isnan(score).all()
        assert steps == []
        assert detector.find_trend(0) is None


def test_relearning_begins_a_new_history_and_only_of_that_slot() -> None:
    detector = ForecastDetector()
    one = SlotSettings(resolution=0.01, window_s=BUCKETS * 3_600.0, limit=LIMIT, lead_s=DAY_S)
    detector.add_slots([one, one])
    for hour, value in enumerate(_wear(100, 0, 10.0)):
        at_us = np.full(2, START_US + hour * HOUR_US)
        detector.step(np.array([0, 1]), at_us, np.full(2, value))
    assert detector.find_trend(0) is not None
    detector.relearn(np.array([0]))
    assert detector.find_trend(0) is None
    assert detector.find_trend(1) is not None


def test_the_state_is_small() -> None:
    assert _detector().bytes_per_slot < 400
