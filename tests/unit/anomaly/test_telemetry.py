"""Scoring a recorded signal with its commands: what is found, and what must change nothing."""

import numpy as np
import pytest

from anomaly.detectors.contract import Floats, Ints
from anomaly.offline.contract import ScoredTable
from anomaly.offline.telemetry import score_telemetry

WARMUP, ROWS = 1500, 3500
SPIKE, STUCK, SHIFT = 2200, 2600, 3100
WEEK_US = 7 * 86_400_000_000
NAMES = ("signal", "a", "b", "c")


def _make_table(*, faults: bool = True) -> tuple[Ints, Floats]:
    chance = np.random.default_rng(11)
    row = np.arange(ROWS)
    commands = (chance.random((ROWS, 3)) < 0.05).astype(np.float64)
    signal = np.sin(row / 15.0) + 0.3 * np.sin(row / 4.0) + 0.05 * chance.standard_normal(ROWS)
    if faults:
        signal[SPIKE : SPIKE + 3] = 6.0
        signal[STUCK : STUCK + 120] = 0.4
        signal[SHIFT:] += 5.0
    return row * 60_000_000 + 1_700_000_000_000_000, np.column_stack((signal, commands))


def _find_onsets(scored: ScoredTable) -> list[int]:
    return [int(k) for k in np.flatnonzero(np.diff(scored.alarm.astype(int), prepend=0) == 1)]


def test_spike_stuck_value_and_shift_are_found_and_nothing_else() -> None:
    scored = score_telemetry(NAMES, *_make_table(), WARMUP)
    onsets = _find_onsets(scored)
    for fault, within in ((SPIKE, 3), (STUCK, 120), (SHIFT, 3)):
        assert any(fault <= onset < fault + within for onset in onsets)
    assert all(any(0 <= onset - fault < 300 for fault in (SPIKE, STUCK, SHIFT)) for onset in onsets)
    assert not score_telemetry(NAMES, *_make_table(faults=False), WARMUP).alarm.any()


def test_states_detectors_and_contributions() -> None:
    at_us, values = _make_table()
    values[2000:2010, 0] = np.nan
    scored = score_telemetry(NAMES, at_us, values, WARMUP)
    assert set(scored.state[:WARMUP]) == {"warming"}
    assert not scored.score[:WARMUP].any()
    assert set(scored.state[2000:2010]) == {"held"}
    assert scored.state[SPIKE] == "alarm"
    assert scored.state[2150] == "normal"
    assert scored.detector[SPIKE] == "channel.level"
    assert scored.contributions[SPIKE] == (("signal", 1.0),)
    assert scored.score[SPIKE] > 5.0
    assert np.isfinite(scored.score).all()


def test_a_burst_of_new_commands_is_an_incident_and_is_named() -> None:
    at_us, values = _make_table(faults=False)
    burst = np.zeros((ROWS, 4))
    burst[2500, :] = 1.0
    names = (*NAMES, "d", "e", "f", "g")
    scored = score_telemetry(names, at_us, np.column_stack((values, burst)), WARMUP)
    assert _find_onsets(scored) == [2500]
    assert scored.detector[2500] == "channel.commands"
    assert [name for name, _ in scored.contributions[2500]][:4] == ["d", "e", "f", "g"]
    assert sum(share for _, share in scored.contributions[2500]) == pytest.approx(1.0)


@pytest.mark.parametrize("change", ["scale", "weeks", "commands", "alone"])
def test_what_must_change_no_alarm(change: str) -> None:
    at_us, values = _make_table()
    expected = score_telemetry(NAMES, at_us, values, WARMUP).alarm
    names: tuple[str, ...] = NAMES
    if change == "scale":
        values = np.column_stack((0.004 * values[:, 0] + 273.15, values[:, 1:]))
    elif change == "weeks":
        at_us = at_us + 5 * WEEK_US
    elif change == "commands":
        names, values = ("signal", "c", "a", "b"), values[:, [0, 3, 1, 2]]
    else:
        names, values = NAMES[:1], values[:, :1]
    np.testing.assert_array_equal(score_telemetry(names, at_us, values, WARMUP).alarm, expected)


def test_a_tail_cut_off_changes_nothing_before() -> None:
    at_us, values = _make_table()
    whole = score_telemetry(NAMES, at_us, values, WARMUP)
    for rows in (STUCK + 60, SHIFT + 1):
        part = score_telemetry(NAMES, at_us[:rows], values[:rows], WARMUP)
        np.testing.assert_array_equal(part.score, whole.score[:rows])
        np.testing.assert_array_equal(part.alarm, whole.alarm[:rows])
        assert part.state.tolist() == whole.state[:rows].tolist()


def test_normal_rows_dropped_leave_the_faults_found() -> None:
    at_us, values = _make_table()
    kept = np.r_[0:1700, 1900:ROWS]
    onsets = _find_onsets(score_telemetry(NAMES, at_us[kept], values[kept], WARMUP))
    for fault in (SPIKE, STUCK, SHIFT):
        assert any(fault <= onset + 200 < fault + 150 for onset in onsets)
    assert all(onset + 200 >= SPIKE for onset in onsets)


def test_a_signal_that_never_moved_alarms_once_it_does() -> None:
    values = np.full((900, 1), 21.5)
    values[700:] = 21.6
    scored = score_telemetry(("signal",), np.arange(900) * 1_000_000, values, 400)
    assert _find_onsets(scored) == [700]
    assert not scored.alarm[-50:].any()  # the new level was accepted


@pytest.mark.parametrize("warmup", [None, 0, 1, 5000])
def test_short_empty_and_odd_tables_are_scored_without_a_word(warmup: int | None) -> None:
    for rows in (0, 1, 3):
        scored = score_telemetry(("x",), np.arange(rows), np.full((rows, 1), np.nan), warmup)
        assert not scored.alarm.any()
        scored = score_telemetry(("x",), np.arange(rows), np.arange(float(rows))[:, None], warmup)
        assert not scored.alarm.any()
        assert len(scored.contributions) == rows
