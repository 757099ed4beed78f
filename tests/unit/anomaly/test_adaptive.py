"""The adaptive detector on the ways in which healthy devices change, and on faults that are easily taken for one."""

from itertools import pairwise

import numpy as np

from anomaly.breach_rules import BreachRules, SlotTransition
from anomaly.breach_state import SlotRule
from anomaly.detectors.adaptive import AdaptiveDetector
from anomaly.detectors.contract import Floats, SlotSettings
from domain.breach import TransitionKind
from domain.profile import Direction

STEP_US = 5_000_000
HOLD_S = 60.0


def _run(values: Floats, *, warmup: int = 100, step_us: int = STEP_US) -> tuple[AdaptiveDetector, list[SlotTransition]]:
    """Values (instants, series), `step_us` apart, with learning frozen while a breach is open."""
    series = values.shape[1]
    detector, rules = AdaptiveDetector(), BreachRules()
    one = SlotSettings(Direction.BOTH, resolution=0.01, warmup=warmup, hold_s=HOLD_S)
    slot = detector.add_slots([one] * series)
    rules.add_slots([SlotRule(6.0, 3.6, duration_s=HOLD_S, clear_duration_s=HOLD_S)] * series)
    found: list[SlotTransition] = []
    for k in range(values.shape[0]):
        at_us = np.full(series, k * step_us, dtype=np.int64)
        score = detector.step(slot, at_us, values[k], rules.is_open[slot])
        found += rules.judge(slot, np.full(series, k, dtype=np.int64), at_us, score)
    return detector, found


def _raised(found: list[SlotTransition], first: int = 0) -> list[SlotTransition]:
    return [t for t in found if t.kind is TransitionKind.RAISED and t.row >= first]


def _noise(rows: int, series: int = 20, seed: int = 1) -> Floats:
    noise: Floats = np.random.default_rng(seed).normal(0, 1, (rows, series))
    return noise


def test_noise_heavy_tails_and_a_daily_rhythm_raise_nothing() -> None:
    rows = 6_000
    heavy: Floats = np.random.default_rng(2).standard_t(3, (rows, 20))
    hours = np.arange(rows)[:, None] * 5 / 3_600
    rhythm = 5.0 * np.sin(2 * np.pi * hours / 24)
    for values in (_noise(rows), heavy, rhythm + _noise(rows)):
        assert _raised(_run(10.0 + values)[1]) == []


def test_a_step_that_lasts_is_raised_once_and_stays_open() -> None:
    values = 10.0 + _noise(2_000)
    values[1_000:] += 9.0
    _, found = _run(values)
    assert len({t.slot for t in _raised(found)}) >= 19
    assert len(_raised(found)) == len({t.slot for t in _raised(found)})
    assert [t for t in found if t.kind is TransitionKind.CLEARED] == []


def test_a_fault_that_grows_slowly_does_not_hide_itself() -> None:
    values = 10.0 + _noise(1_600)
    values[1_200:] += np.arange(400)[:, None] * 0.1  # a tenth of the noise with every reading
    _, found = _run(values)
    assert {t.slot for t in _raised(found)} == set(range(20))
    assert max(t.row for t in _raised(found)) < 1_200 + 250


def test_ways_of_working_that_are_known_are_no_news() -> None:
    rng = np.random.default_rng(4)
    levels = np.array([0.0, 2.0, 5.0, 10.0])
    mode = np.repeat(rng.integers(0, 4, (60, 10)), 100, axis=0)
    values: Floats = levels[mode] * (1.0 + 0.02 * rng.normal(0, 1, mode.shape))
    _, found = _run(values)
    # A way of working that warm-up did not see is news once or twice; of 200 later stays hardly one is.
    assert len(_raised(found)) <= 2 * 3 * 10
    assert len(_raised(found, first=4_000)) <= 6


def test_a_new_level_is_the_baseline_after_a_day() -> None:
    day = 86_400 // 30
    values = 10.0 + _noise(day + 1_500, series=2)
    values[400:] += 9.0
    _, found = _run(values, step_us=30_000_000)
    assert [(t.kind, t.slot) for t in found if t.kind is TransitionKind.CLEARED] != []
    cleared = [t.row for t in found if t.kind is TransitionKind.CLEARED]
    assert min(cleared) >= 400 + day


def test_a_series_that_never_varied_says_nothing_however_long() -> None:
    values = np.full((1_000, 3), 5.0)
    values[900:] = 50.0
    detector, found = _run(values)
    assert found == []
    assert (detector.varied < 200).all()


def test_single_spikes_neither_raise_nor_move_the_level() -> None:
    values = 10.0 + _noise(1_500)
    values[500::50] = 1_000.0
    detector, found = _run(values)
    assert found == []
    assert all(abs(detector.find_expected(s)[0] - 10.0) < 0.5 for s in range(20))


def test_the_second_output_is_the_rarity_of_the_score() -> None:
    detector, _ = _run(10.0 + _noise(4_000))
    slot = np.arange(20, dtype=np.int64)
    at_tail = detector.calibrate(slot, np.full(20, 2.807))
    assert np.allclose(at_tail, 2.301, atol=0.01)
    rarity = [detector.calibrate(slot, np.full(20, s)) for s in (0.0, 1.0, 3.0, 5.0, 10.0)]
    assert all((a < b).all() for a, b in pairwise(rarity))
