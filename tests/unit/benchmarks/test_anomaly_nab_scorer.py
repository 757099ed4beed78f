"""NAB's score on cases worked out by hand."""

import math

import numpy as np
import pytest

from benchmarks.anomaly_nab_scorer import (
    APPLICATIONS,
    Floats,
    find_best_limit,
    find_gains,
    find_sigmoid,
    judge_rows,
    sum_at_limit,
    to_percent,
)

STANDARD = APPLICATIONS["standard"]


def _scores(rows: int, **at: float) -> Floats:
    score = np.zeros(rows)
    for row, value in at.items():
        score[int(row[1:])] = value
    return score


def _percent(rows: int, windows: list[tuple[int, int]], score: Floats, application: str = "standard") -> float:
    gains = [find_gains(judge_rows(rows, windows), score)]
    raw = sum_at_limit(gains, APPLICATIONS[application], 1.0)
    return to_percent(raw, len(windows), APPLICATIONS[application])


def test_the_sigmoid_by_hand() -> None:
    assert find_sigmoid(np.array([0.0]))[0] == 0.0
    assert find_sigmoid(np.array([-1.0]))[0] == pytest.approx(2 / (1 + math.exp(-5)) - 1)
    assert find_sigmoid(np.array([3.0]))[0] == pytest.approx(2 / (1 + math.exp(15)) - 1)
    assert find_sigmoid(np.array([3.0001]))[0] == -1.0


@pytest.mark.parametrize(("rows", "begins"), [(100, 15), (1_003, 150), (4_999, 749), (5_000, 750), (100_000, 750)])
def test_counting_begins_after_the_first_rows(rows: int, begins: int) -> None:
    assert judge_rows(rows, []).begins == begins


def test_an_alarm_at_the_first_row_of_the_only_window_is_perfect() -> None:
    assert _percent(200, [(100, 119)], _scores(200, r100=2.0)) == pytest.approx(100.0)


def test_no_alarm_is_zero_in_every_profile() -> None:
    for application in APPLICATIONS:
        assert _percent(200, [(100, 119)], np.zeros(200), application) == 0.0


def test_an_alarm_at_the_last_row_of_a_window_of_twenty() -> None:
    # Worth s(-1/20)/s(-1); with the miss that it mends: (worth + 1) / 2.
    s = 2 / (1 + math.exp(-0.25)) - 1
    full = 2 / (1 + math.exp(-5)) - 1
    assert _percent(200, [(100, 119)], _scores(200, r119=1.0)) == pytest.approx(50 * (s / full + 1))


def test_a_window_counts_its_best_row_once() -> None:
    twice = _percent(200, [(100, 119)], _scores(200, r105=1.0, r110=9.0))
    assert twice == pytest.approx(_percent(200, [(100, 119)], _scores(200, r105=1.0)))


def test_what_a_false_alarm_costs() -> None:
    hit = {"r100": 2.0}
    # Before the first window: the full weight. 100 * 0.11 / 2 for the standard profile, 0.22 / 2 and 0.11 / 3 else.
    for application, cost in (("standard", 5.5), ("low_fp", 11.0), ("low_fn", 11 / 3)):
        found = _percent(200, [(100, 119)], _scores(200, r50=1.0, **hit), application)
        assert found == pytest.approx(100 - cost)
    # One window length (19 rows) behind the window: s(1) = 2/(1+e^5) - 1; far behind it: the full weight.
    behind = _percent(200, [(100, 119)], _scores(200, r138=1.0, **hit))
    assert behind == pytest.approx(100 + 5.5 * (2 / (1 + math.exp(5)) - 1))
    assert _percent(200, [(100, 119)], _scores(200, r190=1.0, **hit)) == pytest.approx(94.5)
    # In the first rows nothing counts.
    assert _percent(200, [(100, 119)], _scores(200, r29=1.0, **hit)) == pytest.approx(100.0)


def test_behind_the_second_window_the_distance_is_to_that_one() -> None:
    windows = [(100, 109), (120, 129)]
    perfect = {"r100": 2.0, "r120": 2.0}
    found = _percent(200, windows, _scores(200, r134=1.0, **perfect))
    s = 2 / (1 + math.exp(5 * 5 / 9)) - 1
    assert found == pytest.approx(100 + 100 * 0.11 * s / 4)


def test_the_best_limit_takes_equal_scores_together() -> None:
    # At 5: one hit (worth 1 and its miss). At 3: three false alarms more, and the second window.
    judged = judge_rows(200, [(100, 119), (150, 159)])
    score = _scores(200, r100=5.0, r40=3.0, r50=3.0, r60=3.0, r150=3.0)
    raw, limit = find_best_limit([find_gains(judged, score)], STANDARD)
    assert raw == pytest.approx(4 - 0.33)
    assert limit == 3.0
    # Twenty false alarms at that score cost more than the window brings.
    score[40:60] = 3.0
    raw, limit = find_best_limit([find_gains(judged, score)], STANDARD)
    assert raw == pytest.approx(2.0)
    assert limit == 5.0


def test_where_every_alarm_costs_more_than_it_brings_the_best_is_none() -> None:
    judged = judge_rows(200, [])
    assert find_best_limit([find_gains(judged, _scores(200, r50=1.0))], STANDARD) == (0.0, math.inf)
