"""Whole tables of continuous columns: any sampling rate, number of columns, holes, units of measure."""

import numpy as np
import pytest

from anomaly.detectors.contract import Floats, Ints
from anomaly.offline.contract import ScoredTable
from anomaly.offline.joint import SETTLED_WARMUPS, score_joint

SECOND_US = 1_000_000
WARMUP = 150
FAULT = range(250, 330)
ROWS = 400


def _table(columns: int = 4, seed: int = 2, rows: int = ROWS, size: float = 4.0) -> Floats:
    values: Floats = 20.0 + np.random.default_rng(seed).normal(0.0, 1.0, (rows, columns))
    values[FAULT.start : FAULT.stop, 1] += size
    return values


def _clock(rows: int = ROWS, step_us: int = SECOND_US) -> Ints:
    return 1_700_000_000 * SECOND_US + np.arange(rows, dtype=np.int64) * step_us


def _score(values: Floats, at_us: Ints | None = None, warmup: int | None = WARMUP) -> ScoredTable:
    names = [f"c{k}" for k in range(values.shape[1])]
    return score_joint(names, _clock(values.shape[0]) if at_us is None else at_us, values, warmup)


def _flips(table: ScoredTable) -> list[int]:
    return np.flatnonzero(np.diff(table.alarm.astype(np.int8), prepend=0)).tolist()


def test_a_fault_is_one_alarm_that_names_its_column_and_ends_with_it() -> None:
    table = _score(_table())
    raised, cleared = _flips(table)
    assert FAULT.start <= raised < FAULT.start + 20
    assert FAULT.stop <= cleared < FAULT.stop + 20
    assert set(table.state[:WARMUP]) == {"warming"}
    assert set(table.state[raised:cleared]) == {"alarm"}
    assert set(table.detector[:WARMUP]) == {""}
    assert set(table.detector[WARMUP:]) == {"multivariate"}
    name, share = table.contributions[FAULT.stop - 1][0]
    assert name == "c1"
    assert 0.7 < share <= 1.0
    assert np.isfinite(table.score).all()
    assert (table.score[:WARMUP] == 0.0).all()


@pytest.mark.parametrize("step_us", [1_000, 500_000, 3_600 * SECOND_US, 86_400 * SECOND_US])
def test_the_sampling_rate_changes_nothing(step_us: int) -> None:
    values = _table()
    one, other = _score(values), _score(values, _clock(step_us=step_us))
    assert one.alarm.tolist() == other.alarm.tolist()
    assert one.score.tolist() == other.score.tolist()


@pytest.mark.parametrize(("a", "b"), [(1_024.0, 0.0), (1.8, 32.0), (1e-3, -273.15)])
def test_another_unit_or_offset_changes_no_alarm(a: float, b: float) -> None:
    values = _table()
    assert _flips(_score(a * values + b)) == _flips(_score(values))


def test_rows_to_come_change_nothing() -> None:
    values = _table()
    whole, part = _score(values), _score(values[:300])
    assert part.score.tolist() == whole.score[:300].tolist()
    assert part.alarm.tolist() == whole.alarm[:300].tolist()
    assert list(part.contributions) == list(whole.contributions[:300])


def test_whole_weeks_on_the_clock_change_nothing() -> None:
    values = _table()
    later = _clock() + 30 * 7 * 86_400 * SECOND_US
    assert _score(values, later).score.tolist() == _score(values).score.tolist()


def test_holes_are_filled_from_the_other_columns_and_an_empty_row_is_held() -> None:
    values = _table()
    holes = np.random.default_rng(4).random(values.shape) < 0.15
    values[holes] = np.nan
    values[200:205] = np.nan
    values[-1, 0] = np.nan
    table = _score(values)
    assert np.isfinite(table.score).all()
    assert set(table.state[200:205]) == {"held"}
    assert (table.score[200:205] == 0.0).all()
    assert table.state[-1] in ("normal", "alarm"), "the last row is complete when the table ends"
    raised, cleared = _flips(table)
    assert FAULT.start <= raised < FAULT.start + 25
    assert FAULT.stop <= cleared < FAULT.stop + 25


def test_columns_that_never_change_or_are_empty_are_left_out() -> None:
    values = np.column_stack((_table(), np.full(ROWS, 5.0), np.full(ROWS, np.nan)))
    values[300:, 4] = 6.0
    table = _score(values)
    assert _flips(table) == _flips(_score(_table()))
    assert all(name not in ("c4", "c5") for row in table.contributions for name, _ in row)


def test_a_table_without_any_spread_says_nothing() -> None:
    table = _score(np.full((ROWS, 3), 1.0))
    assert set(table.state) == {"warming"}
    assert not table.alarm.any()


def test_a_hundred_columns_make_several_units_and_at_most_five_are_named() -> None:
    values = _table(columns=100, rows=300, size=8.0)
    table = _score(values)
    (raised,) = _flips(table)
    assert FAULT.start <= raised < FAULT.start + 20
    row = table.contributions[-1]
    assert row[0][0] == "c1"
    assert len(row) == 5


def test_rows_of_one_instant_are_one_after_the_other() -> None:
    values = _table()
    table = _score(values, _clock() // (10 * SECOND_US) * (10 * SECOND_US))
    assert set(table.state[WARMUP:]) <= {"normal", "alarm"}
    assert len(_flips(table)) == 2


def test_without_a_warm_up_the_first_400_rows_are_one_and_a_short_table_never_speaks() -> None:
    table = _score(_table(rows=600), warmup=None)
    assert set(table.state[:400]) == {"warming"}
    assert table.state[400] != "warming"
    assert set(_score(_table(rows=390), warmup=None).state) == {"warming"}


def test_a_level_that_moved_for_good_is_one_alarm_that_ends_and_the_next_fault_is_found() -> None:
    moved, later = 300, 1_000
    values = _table(rows=1_200, size=0.0)
    values[moved:, 1] += 6.0
    values[later : later + 60, 2] += 6.0
    raised, cleared, again, ended = _flips(_score(values))
    assert moved <= raised < moved + 20
    assert cleared <= raised + (SETTLED_WARMUPS + 1) * WARMUP + 20  # what it waits for, and a new warm-up
    assert later <= again < later + 20
    assert ended < later + 100


def test_a_fault_shorter_than_that_is_one_alarm_to_its_end() -> None:
    values = _table(rows=900, size=0.0)
    values[300:580, 1] += 6.0  # not quite two warm-ups
    raised, cleared = _flips(_score(values))
    assert 300 <= raised < 320
    assert 580 <= cleared < 600
