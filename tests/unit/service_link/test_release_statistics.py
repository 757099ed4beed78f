"""Level and rate changes against cases worked by hand and scipy; looks and false discoveries under the null."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, mannwhitneyu, wilcoxon

from service_link.cohort_statistics import adjust_false_discovery
from service_link.firmware_regression import AFTER, MOST_DEVICES
from service_link.release_statistics import (
    EXACT_PRODUCT,
    FIRST_LOOK_HOURS,
    LOOK_FACTOR,
    MOST_LOOKS,
    Floats,
    find_level_change,
    find_next_look_hours,
    find_rank_sum_p,
    find_rate_change,
    find_signed_rank_p,
    find_valid_p,
)

NOTHING = np.zeros(0)


def test_signed_ranks_by_hand() -> None:
    # Five of five upwards: one of 2^5 choices of signs, and its mirror.
    assert find_signed_rank_p(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == 2 / 32
    # The smallest one downwards: rank sum 1, which two choices do not exceed.
    assert find_signed_rank_p(np.array([-1.0, 2.0, 3.0, 4.0, 5.0])) == 4 / 32
    assert find_signed_rank_p(np.zeros(20)) == 1.0


def test_rank_sums_by_hand() -> None:
    # Two above three: one of C(5, 2) mixtures, and its mirror.
    assert find_rank_sum_p(np.array([4.0, 5.0]), np.array([1.0, 2.0, 3.0])) == 2 / 10
    assert find_rank_sum_p(np.array([3.0, 5.0]), np.array([1.0, 2.0, 4.0])) == 4 / 10


@pytest.mark.parametrize("n", [9, 17, 50, 51, 180])
def test_signed_ranks_as_scipy_has_them(n: int) -> None:
    changes = np.random.default_rng(n).normal(0.2, 1.0, n)
    expected = wilcoxon(changes, method="exact" if n <= 50 else "asymptotic", correction=n > 50).pvalue
    assert find_signed_rank_p(changes) == pytest.approx(expected, rel=1e-9)
    tied = np.round(changes, 0)
    expected = wilcoxon(tied, method="asymptotic", correction=True).pvalue
    assert find_signed_rank_p(tied) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(5, 9), (12, 10), (50, 50), (51, 50), (150, 200)])
def test_rank_sums_as_scipy_has_them(n: int, m: int) -> None:
    chance = np.random.default_rng(n)
    first, second = chance.normal(0.4, 1.0, n), chance.normal(0.0, 1.0, m)
    expected = mannwhitneyu(first, second, method="exact" if n * m <= 2_500 else "asymptotic").pvalue
    assert find_rank_sum_p(first, second) == pytest.approx(expected, rel=1e-9)
    tied = np.round(first, 1), np.round(second, 1)
    assert find_rank_sum_p(*tied) == pytest.approx(mannwhitneyu(*tied, method="asymptotic").pvalue, rel=1e-9)


def test_a_level_change_is_estimated_with_its_interval() -> None:
    chance = np.random.default_rng(1)
    noise = chance.normal(0.0, 0.1, 40)
    alone = find_level_change(0.5 + noise, NOTHING)
    assert (alone.devices, alone.controls) == (40, 0)
    assert alone.low < 0.5 < alone.high
    assert alone.effect == pytest.approx(0.5, abs=0.05)
    assert alone.p < 1e-8
    # What all devices went through is not the update's.
    together = find_level_change(0.5 + noise, 0.5 + chance.normal(0.0, 0.1, 60))
    assert together.effect == pytest.approx(0.0, abs=0.06)
    assert together.p > 0.01
    # Nine controls are none.
    assert find_level_change(0.5 + noise, np.full(9, 0.5)).controls == 0
    with pytest.raises(ValueError, match="no device"):
        find_level_change(NOTHING, NOTHING)


def test_intervals_hold_what_they_promise() -> None:
    chance = np.random.default_rng(2)
    held = [0, 0]
    for _ in range(300):
        changes, controls = chance.standard_t(3, 15) + 1.0, chance.standard_t(3, 25)
        alone, together = find_level_change(changes, NOTHING), find_level_change(changes, controls)
        held[0] += alone.low <= 1.0 <= alone.high
        held[1] += together.low <= 1.0 <= together.high
    assert min(held) > 0.92 * 300


def test_a_rate_by_hand_and_as_scipy_has_it() -> None:
    # Eight events, all in the half that lies behind the update: 1 / 2^8 on each side.
    half = find_rate_change(0, 100.0, 8, 100.0)
    assert half.p == pytest.approx(2 / 256)
    assert half.high is None
    found = find_rate_change(3, 100.0, 9, 50.0)
    assert found.ratio == pytest.approx(6.0)
    assert found.p == pytest.approx(2 * binomtest(9, 12, 1 / 3, alternative="greater").pvalue)
    interval = binomtest(9, 12, 1 / 3).proportion_ci(0.95, "exact")
    assert found.low == pytest.approx(interval.low / (1 - interval.low) * 2)
    assert found.high == pytest.approx(interval.high / (1 - interval.high) * 2)
    nothing = find_rate_change(0, 10.0, 0, 1.0)
    assert (nothing.ratio, nothing.p) == (None, 1.0)
    assert find_rate_change(5, 10.0, 0, 10.0).ratio == 0.0
    with pytest.raises(ValueError, match="exposure"):
        find_rate_change(1, 0.0, 1, 1.0)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 200), st.floats(0.1, 1e4), st.integers(0, 200), st.floats(0.1, 1e4))
def test_a_rate_change_is_always_whole(before: int, days_before: float, after: int, days_after: float) -> None:
    found = find_rate_change(before, days_before, after, days_after)
    assert 0.0 <= found.p <= 1.0
    if found.ratio is not None and before > 0:
        assert found.low is not None
        assert found.low <= found.ratio <= (np.inf if found.high is None else found.high)


def test_looks_come_by_the_clock_and_cost_no_more_than_all_of_the_error() -> None:
    due = [FIRST_LOOK_HOURS]
    for _ in range(5):
        due.append(find_next_look_hours(due[-1]))
    assert due == pytest.approx([FIRST_LOOK_HOURS * LOOK_FACTOR**k for k in range(6)])
    assert find_next_look_hours(0.0) == FIRST_LOOK_HOURS
    assert find_next_look_hours(1_000.0) > 1_000.0
    # No release has the hours of an eleventh look.
    most = MOST_DEVICES * AFTER / timedelta(hours=1)
    assert FIRST_LOOK_HOURS * LOOK_FACTOR ** (MOST_LOOKS - 1) <= most < FIRST_LOOK_HOURS * LOOK_FACTOR**MOST_LOOKS
    assert find_valid_p(0.001) == pytest.approx(0.01)
    assert find_valid_p(0.001, before=0.005) == 0.005
    assert find_valid_p(0.9) == 1.0


def find_rank_sum_ps(first: Floats, second: Floats) -> Floats:
    """`find_rank_sum_p` of every row at once, which takes a fiftieth of the time; both agree on the first rows."""
    is_exact = first.shape[1] * second.shape[1] <= EXACT_PRODUCT
    found: Floats = mannwhitneyu(first, second, axis=1, method="exact" if is_exact else "asymptotic").pvalue
    alone = [find_rank_sum_p(*rows) for rows in zip(first[:5], second[:5], strict=True)]
    assert found[:5] == pytest.approx(alone, rel=1e-12)
    return found


def test_looking_again_and_again_finds_nothing_where_there_is_nothing() -> None:
    """500 releases without any effect, ten looks at each while devices come in: the naive test is wrong too often."""
    chance = np.random.default_rng(3)
    alpha, releases = 0.05, 500
    drawn = [(chance.normal(0.0, 1.0, 120), chance.normal(0.0, 1.0, 40)) for _ in range(releases)]
    changes, controls = (np.array(samples) for samples in zip(*drawn, strict=True))
    ever, valid = [1.0] * releases, [1.0] * releases
    for look in range(1, MOST_LOOKS + 1):
        for release, p in enumerate(find_rank_sum_ps(changes[:, : 10 * look], controls).tolist()):
            ever[release], valid[release] = min(ever[release], p), find_valid_p(p, valid[release])
    assert sum(p <= alpha for p in ever) > 2 * alpha * releases
    assert sum(p <= alpha for p in valid) <= alpha * releases


def test_false_discoveries_are_as_rare_as_promised_among_signals_that_move_together() -> None:
    """20 signals, four of them really changed, all sharing half of their noise; q below 0.1 is wrong in a tenth."""
    chance = np.random.default_rng(4)
    wrong = []
    for _ in range(150):
        shared = chance.normal(0.0, 1.0, (30, 1))
        changes = shared + chance.normal(0.0, 1.0, (30, 20)) + np.where(np.arange(20) < 4, 1.5, 0.0)
        p = [find_signed_rank_p(changes[:, i]) for i in range(20)]
        found = [i for i, q in enumerate(adjust_false_discovery(p)) if q is not None and q < 0.1]
        wrong.append(sum(i >= 4 for i in found) / max(len(found), 1))
    assert float(np.mean(wrong)) < 0.1
