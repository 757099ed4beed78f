"""The scorers of remaining life, on cases worked out by hand."""

from math import e, sqrt

import numpy as np
import pytest

from benchmarks.rul_battery import find_questions
from benchmarks.rul_scores import (
    draw_cuts,
    find_coverage,
    find_life_scores,
    find_rmse,
    find_s_score,
    find_share_within,
    find_spread,
)


def test_rmse_by_hand() -> None:
    assert find_rmse(np.asarray([10.0, 20.0]), np.asarray([13.0, 16.0])) == pytest.approx(sqrt(12.5))


def test_too_late_costs_more_than_too_early() -> None:
    actual = np.asarray([50.0])
    assert find_s_score(np.asarray([60.0]), actual) == pytest.approx(e - 1)
    assert find_s_score(np.asarray([37.0]), actual) == pytest.approx(e - 1)
    assert find_s_score(np.asarray([50.0]), actual) == 0.0
    both = find_s_score(np.asarray([60.0, 37.0]), np.asarray([50.0, 50.0]))
    assert both == pytest.approx(2 * (e - 1))


def test_coverage_counts_the_ends() -> None:
    low, high = np.asarray([0.0, 10.0, 20.0, 30.0]), np.asarray([5.0, 15.0, 25.0, 35.0])
    assert find_coverage(low, high, np.asarray([5.0, 10.0, 26.0, 29.0])) == 0.5


def test_share_within_a_fifth() -> None:
    predicted, actual = np.asarray([80.0, 121.0, 0.0, 1.0]), np.asarray([100.0, 100.0, 0.0, 0.0])
    assert find_share_within(predicted, actual, 0.2) == 0.5


def test_all_figures_by_hand_with_the_cap() -> None:
    predicted = np.asarray([130.0, 20.0, 100.0, 90.0])
    actual = np.asarray([300.0, 30.0, 125.0, 100.0])
    low, high = predicted - 15.0, predicted + 5.0
    scores = find_life_scores(predicted, low, high, actual, cap=125.0, per_unit=2)
    # 130 and 300 are both 125; errors 0, -10, -25, -10.
    assert scores.forecasts == 4
    assert scores.rmse == pytest.approx(sqrt((100 + 625 + 100) / 4))
    assert scores.s_score == pytest.approx((2 * (e ** (10 / 13) - 1) + e ** (25 / 13) - 1) / 2)
    assert scores.coverage == 0.25  # 125 in 115..135 alone
    assert scores.coverage_below_cap == 0.0
    assert scores.width == 20.0


def test_cuts_lie_before_the_last_row_and_after_the_first_ones() -> None:
    lengths = np.asarray([100, 21, 5, 1, 300])
    cuts = draw_cuts(lengths, 400, np.random.default_rng(1), shortest=20, longest_life=150)
    assert cuts.shape == (5, 400)
    assert (cuts[0].min(), cuts[0].max()) == (19, 98)
    assert set(cuts[1].tolist()) == {19}
    assert set(cuts[2].tolist()) == {3}
    assert set(cuts[3].tolist()) == {0}
    assert (cuts[4].min(), cuts[4].max()) == (149, 298)


def test_a_battery_is_asked_about_from_two_fifths_of_its_life() -> None:
    t = np.arange(1.0, 12.0)
    y = np.where(t < 10, 1.5, 1.3)
    assert find_questions((t, y), 1.4, 0.4) == [(i, 10.0 - i) for i in range(4, 10)]
    assert find_questions((t, np.full(11, 1.5)), 1.4, 0.4) == []


def test_the_spread_over_draws_by_hand() -> None:
    actual = np.asarray([10.0, 20.0])
    draws = [find_life_scores(actual + off, actual, actual + off, actual, cap=20.0, per_unit=1) for off in (0.0, -4.0)]
    found = find_spread(draws)
    assert found["rmse"] == pytest.approx([2.0, 2.0])
    assert found["coverage"] == pytest.approx([0.5, 0.5])
    assert found["coverage_below_cap"] == pytest.approx([0.5, 0.5])
