"""The scorer of SMAP and MSL on cases worked out by hand."""

import numpy as np
import pytest

from benchmarks.anomaly_smap_events import Tally, find_onsets, judge_onsets


def _alarm(steps: list[int], length: int = 2000) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    alarm = np.zeros(length, dtype=bool)
    alarm[steps] = True
    return alarm


@pytest.mark.parametrize(
    ("steps", "onsets"),
    [
        ([], []),
        ([0], [0]),
        ([10, 110], [10]),  # 100 apart: one alarm
        ([10, 111], [10, 111]),  # 101 apart: two
        ([10, 110, 210, 310], [10]),  # a chain is one alarm however long
        ([*range(500, 700), 801], [500, 801]),
    ],
)
def test_alarms_at_most_a_hundred_steps_apart_are_one(steps: list[int], onsets: list[int]) -> None:
    assert find_onsets(_alarm(steps)) == onsets


@pytest.mark.parametrize(
    ("onset", "hits", "false"),
    [(899, 0, 1), (900, 1, 0), (1000, 1, 0), (1050, 1, 0), (1051, 0, 1)],
)
def test_an_onset_counts_from_a_hundred_steps_before_the_event_to_its_end(onset: int, hits: int, false: int) -> None:
    assert judge_onsets([onset], [(1000, 1050)]) == Tally(hits, 1, false)


def test_repeats_within_a_hit_event_are_free_and_gain_nothing() -> None:
    assert judge_onsets([950, 1010, 1300, 1400], [(1000, 1350), (1900, 1950)]) == Tally(hits=1, events=2, false=1)


def test_an_onset_that_is_early_for_one_event_and_late_for_another_hits_both() -> None:
    assert judge_onsets([540], [(500, 550), (600, 620)]) == Tally(hits=2, events=2, false=0)


def test_everything_flagged_hits_nothing_but_an_event_at_the_very_beginning() -> None:
    everything = find_onsets(np.ones(2000, dtype=bool))
    assert judge_onsets(everything, [(150, 400)]) == Tally(hits=0, events=1, false=1)
    assert judge_onsets(everything, [(100, 400)]) == Tally(hits=1, events=1, false=0)


def test_rates_by_hand() -> None:
    tally = Tally(hits=2, events=5, false=1) + Tally(hits=1, events=1, false=0)
    assert (tally.precision, tally.recall) == (0.75, 0.5)
    assert tally.find_f(1.0) == pytest.approx(0.6)  # 2 * .75 * .5 / 1.25
    assert tally.find_f(0.5) == pytest.approx(1.25 * 0.375 / (0.25 * 0.75 + 0.5))
    assert tally.to_figures()["F0.5"] == 0.682


def test_nothing_raised_is_nothing_won() -> None:
    assert judge_onsets([], [(5, 6)]).to_figures() == {
        "hits": 0, "events": 1, "false": 0, "P": 0.0, "R": 0.0, "F1": 0.0, "F0.5": 0.0,
    }  # fmt: skip
