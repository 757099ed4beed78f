"""Intervals hold as often as they say, and are as narrow as the cap lets them be."""

import numpy as np
import pytest

from anomaly.rul.intervals import Offsets, find_weighted_quantile, fit_offsets, mix_weights, weigh_rows


def test_a_weighted_quantile_by_hand() -> None:
    values, weight = np.asarray([3.0, 1.0, 2.0]), np.asarray([1.0, 1.0, 2.0])
    assert find_weighted_quantile(values, weight, 0.25) == 1.0
    assert find_weighted_quantile(values, weight, 0.5) == 2.0
    assert find_weighted_quantile(values, weight, 0.76) == 3.0
    assert find_weighted_quantile(values, weight, 0.0) == 1.0


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_new_rows_are_covered_at_every_level(coverage: float) -> None:
    rng = np.random.default_rng(1)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        actual = rng.uniform(0.0, 900.0, count)
        return np.clip(actual + rng.normal(0.0, 2.0 + actual / 20.0), 0.0, 1e4), actual

    predicted, actual = draw(20_000)
    offsets = fit_offsets(predicted, actual, np.ones(20_000), 200, 1e4, coverage)
    predicted, actual = draw(20_000)
    low, high = offsets.find_interval(predicted, 1e4)
    held = (low <= actual) & (actual <= high)
    assert held.mean() == pytest.approx(coverage, abs=0.02)
    for least, most in ((20.0, 200.0), (400.0, 500.0), (700.0, 850.0)):
        level = (predicted > least) & (predicted < most)
        assert held[level].mean() == pytest.approx(coverage, abs=0.05)
    narrow, wide = (high - low)[predicted < 100], (high - low)[predicted > 700]
    assert wide.mean() > 2.5 * narrow.mean()


def test_whole_lives_are_held_a_little_more_often_and_what_is_below_the_cap_a_little_less() -> None:
    rng = np.random.default_rng(2)
    lengths = rng.integers(130, 350, 60)
    starts = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    life = np.concatenate([np.arange(n)[::-1] for n in lengths]).astype(np.float64)
    actual = np.minimum(life, 125.0)
    whole, below = weigh_rows(actual, starts, 125.0)

    def predict() -> np.ndarray:
        return np.clip(actual + rng.normal(0.0, 8.0, actual.shape[0]), 0.0, 125.0)

    offsets = fit_offsets(predict(), actual, mix_weights(whole, below), 60, 125.0, 0.8)
    predicted = predict()
    low, high = offsets.find_interval(predicted, 125.0)
    held = (low <= actual) & (actual <= high)
    assert 0.80 <= np.average(held, weights=whole) <= 0.84
    assert 0.76 <= np.average(held, weights=below) <= 0.80
    assert np.all((low <= predicted) & (predicted <= high) & (low >= 0.0) & (high <= 125.0))


def test_rows_are_weighed_by_hand() -> None:
    lengths = np.asarray([24, 3, 22])
    starts = np.asarray([0, 24, 27, 49])
    actual = np.concatenate([np.minimum(np.arange(n)[::-1], 3) for n in lengths]).astype(np.float64)
    whole, below = weigh_rows(actual, starts, 3.0)
    np.testing.assert_allclose(whole[:24], [0.0] * 19 + [0.2] * 5)  # from the 20th row on
    np.testing.assert_allclose(below[:24], [0.0] * 21 + [1 / 3] * 3)  # and with 2, 1 or 0 to come
    np.testing.assert_allclose(whole[24:27], [0.0, 0.0, 1.0])  # a life as short as that: its last row alone
    np.testing.assert_allclose(below[24:27], [0.0, 0.0, 1.0])
    np.testing.assert_allclose(np.add.reduceat(mix_weights(whole, below), starts[:-1]), 1.0)


def test_rows_without_weight_have_no_part() -> None:
    rng = np.random.default_rng(4)
    actual = rng.uniform(0.0, 100.0, 2_000)
    predicted = np.clip(actual + rng.normal(0.0, 5.0, 2_000), 0.0, 125.0)
    weight = np.ones(2_000)
    alone = fit_offsets(predicted[:1_000], actual[:1_000], weight[:1_000], 100, 125.0, 0.8)
    actual[1_000:] = 0.0
    weight[1_000:] = 0.0
    among = fit_offsets(predicted, actual, weight, 100, 125.0, 0.8)
    for name in ("level", "low", "high"):
        assert np.array_equal(getattr(among, name), getattr(alone, name))


def test_units_with_many_rows_count_no_more_than_others() -> None:
    predicted = np.full(1_010, 50.0)
    actual = np.concatenate((np.full(1_000, 90.0), np.full(10, 50.0)))
    weight = np.concatenate((np.full(1_000, 1e-3), np.full(10, 1.0)))
    offsets = fit_offsets(predicted, actual, weight, 11, 125.0, 0.8)
    assert offsets.high[0] == 0.0  # ten units of one row each outweigh one unit of a thousand


def test_between_levels_offsets_lie_on_a_line() -> None:
    offsets = Offsets(np.asarray([10.0, 20.0]), np.asarray([-2.0, -4.0]), np.asarray([1.0, 3.0]))
    low, high = offsets.find_interval(np.asarray([5.0, 15.0, 124.0]), 125.0)
    assert low.tolist() == [3.0, 12.0, 120.0]
    assert high.tolist() == [6.0, 17.0, 125.0]
