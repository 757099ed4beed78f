"""The flat line: how long a value stood still, and how many readings it takes to say so."""

import numpy as np

from anomaly.detectors.contract import SlotSettings
from anomaly.detectors.limits import FlatLineDetector

SECOND = 1_000_000


def score(readings: list[tuple[float, float]], window_s: float = 180.0) -> list[float]:
    """(seconds, value) each, of one slot."""
    detector = FlatLineDetector()
    detector.add_slots([SlotSettings(window_s=window_s)])
    slot = np.zeros(1, dtype=np.int64)
    return [float(detector.step(slot, np.array([round(at * SECOND)]), np.array([value]))[0]) for at, value in readings]


def test_a_value_that_stands_still_is_told_after_its_window() -> None:
    scores = score([(5.0 * k, 7.0) for k in range(60)])
    assert scores[35] < 1.0 == scores[36]
    assert scores[59] == 59 * 5.0 / 180.0


def test_two_readings_alike_a_window_apart_are_chance() -> None:
    assert max(score([(0.0, 7.1), (180.0, 7.1), (185.0, 7.2), (365.0, 7.2)])) < 1.0


def test_of_a_slow_device_eight_alike_are_a_line() -> None:
    scores = score([(60.0 * k, 7.0) for k in range(9)])
    assert max(scores[:7]) < 1.0
    assert scores[7] == 420.0 / 180.0


def test_a_gap_and_a_change_begin_anew() -> None:
    steady = [(5.0 * k, 7.0) for k in range(40)]
    after_gap = [(1_000.0 + 5.0 * k, 7.0) for k in range(7)]
    assert max(score([*steady, *after_gap])[40:]) < 1.0
    changed = [(200.0, 8.0), *((200.0 + 30.0 * k, 8.0) for k in range(1, 7))]
    assert max(score([*steady, *changed])[40:]) < 1.0
