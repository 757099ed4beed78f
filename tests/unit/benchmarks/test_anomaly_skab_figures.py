"""The figures of SKAB, on cases worked out by hand."""

from math import pi, tanh

import numpy as np
import pytest

from benchmarks.anomaly_skab_figures import ChangeFinds, Judged, count_rows, find_changes, score_changes


def _judge(rows: int, fault: range, changes: list[int], alarm: list[range], step_s: float = 1.0) -> Judged:
    def mark(parts: list[range]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        marked = np.zeros(rows, dtype=np.bool_)
        for part in parts:
            marked[part.start : part.stop] = True
        return marked

    single = [range(c, c + 1) for c in changes]
    return Judged(np.arange(rows, dtype=np.float64) * np.float64(step_s), mark([fault]), mark(single), mark(alarm))


def test_rows_are_pooled_over_recordings() -> None:
    one = _judge(100, range(40, 80), [], [range(50, 90)])  # 30 hit, 10 false, 10 missed, 50 quiet
    two = _judge(10, range(0), [], [range(5)])  # 5 false, 5 quiet
    rows = count_rows([one, two])
    assert (rows.hit, rows.false, rows.missed, rows.quiet) == (30, 15, 10, 55)
    assert rows.f1 == pytest.approx(2 * 30 / (2 * 30 + 15 + 10))
    assert rows.false_share == pytest.approx(15 / 70)
    assert rows.missed_share == pytest.approx(10 / 40)


def test_of_nothing_no_figure_divides_by_nothing() -> None:
    rows = count_rows([])
    assert (rows.f1, rows.false_share, rows.missed_share) == (0.0, 0.0, 0.0)
    assert score_changes([]) == {"standard": 0.0, "low_fp": 0.0, "low_fn": 0.0}


def test_a_flip_counts_from_where_its_window_begins_and_only_the_first_one() -> None:
    # The alarm goes on 15 s and off 30 s after the change: the first is a quarter into the window, the second is free.
    found = find_changes(_judge(300, range(100, 200), [100], [range(115, 130)]))
    assert found == ChangeFinds((0.25,), 0)


def test_flips_outside_of_all_windows_are_false_and_an_alarm_from_the_first_row_is_one() -> None:
    found = find_changes(_judge(300, range(100, 200), [100], [range(20), range(161, 300)]))
    assert found == ChangeFinds((None,), 3)  # on at 0, off at 20, on at 161: one second late
    assert find_changes(_judge(300, range(100, 200), [100], [range(160, 300)])) == ChangeFinds((1.0,), 0)


def test_a_window_ends_where_the_next_one_begins() -> None:
    # Changes at 100 and 140: the first window has 40 s, and a flip at 140 is the second one's.
    found = find_changes(_judge(300, range(100, 200), [100, 140], [range(120, 140)]))
    assert found == ChangeFinds((0.5, 0.0), 0)
    assert find_changes(_judge(300, range(100, 200), [100, 140], [range(140, 300)])) == ChangeFinds((None, 0.0), 0)


def test_windows_are_seconds_not_rows() -> None:
    assert find_changes(_judge(60, range(20, 40), [20], [range(23, 60)], step_s=10.0)) == ChangeFinds((0.5,), 0)


def test_nobody_gets_nothing_and_who_is_at_once_everywhere_gets_all() -> None:
    silent = [ChangeFinds((None, None), 0)]
    perfect = [ChangeFinds((0.0, 0.0), 0)]
    for name in ("standard", "low_fp", "low_fn"):
        assert score_changes(silent)[name] == pytest.approx(0.0)
        assert score_changes(perfect)[name] == pytest.approx(100.0)


def test_the_value_falls_from_the_window_s_begin_to_that_of_a_false_alarm_at_its_end() -> None:
    # One window, one find. In the middle: (1 - 0.11) / 2; at the end: -0.11; a quarter in: by the hyperbolic tangent.
    at = {place: score_changes([ChangeFinds((place,), 0)]) for place in (0.25, 0.5, 1.0)}
    assert at[0.5]["standard"] == pytest.approx(100 * (0.445 + 1) / 2)
    assert at[0.5]["low_fp"] == pytest.approx(100 * (0.39 + 1) / 2)
    assert at[0.5]["low_fn"] == pytest.approx(100 * (0.445 + 2) / 3)
    assert at[1.0]["standard"] == pytest.approx(100 * (-0.11 + 1) / 2)
    quarter = 0.555 * tanh(pi / 4) / tanh(pi / 2) + 0.445
    assert at[0.25]["standard"] == pytest.approx(100 * (quarter + 1) / 2)


def test_what_false_and_missed_ones_cost() -> None:
    # Two windows, one met at once, one missed, three flips outside.
    scores = score_changes([ChangeFinds((0.0,), 1), ChangeFinds((None,), 2)])
    assert scores["standard"] == pytest.approx(100 * (1 - 1 - 3 * 0.11 + 2) / 4)
    assert scores["low_fp"] == pytest.approx(100 * (1 - 1 - 3 * 0.22 + 2) / 4)
    assert scores["low_fn"] == pytest.approx(100 * (1 - 2 - 3 * 0.11 + 4) / 6)
