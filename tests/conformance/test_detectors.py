"""What every registered detector must hold to, whatever it computes."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.bank import REGISTERED_DETECTORS
from anomaly.breach_rules import BreachRules
from anomaly.breach_state import SlotRule
from anomaly.detectors.adaptive import AdaptiveDetector
from anomaly.detectors.contract import Detector, Floats, Ints, SlotSettings, StepDetector
from anomaly.detectors.forecast import ForecastDetector
from anomaly.detectors.limits import FlatLineDetector, LimitDetector, RateOfChangeDetector
from anomaly.detectors.multivariate import MultivariateDetector
from anomaly.detectors.novelty.detector import NoveltyDetector
from domain.profile import Direction

SECOND = 1_000_000
WEEK = 7 * 86_400 * SECOND
MONDAY = 1_772_409_600 * SECOND
UNITS = 6
CHANNELS = 4
SERIES = UNITS * CHANNELS
WARMUP = 80
BYTES_PER_SERIES = 1_000
LINES_PER_STEP = 1_000


@dataclass(frozen=True)
class Case:
    """How to make a detector of `SERIES` slots, its limit, and a fault that it has to see."""

    make: Callable[[float], Detector]  # of the scale of the sensor's unit
    raise_at: float
    plant: Callable[[Floats], None]  # changes columns (instants, series) from row FAULT on
    auc_floor: float
    is_affine: bool = False  # a*x + b with a > 0 changes no alarm


ROWS = 240
FAULT = 200


def _slots(kind: type[Detector]) -> Callable[[float], Detector]:
    def make(scale: float) -> Detector:
        detector = kind()
        one = SlotSettings(Direction.BOTH, resolution=0.01 * scale, warmup=WARMUP, window_s=20.0)
        detector.add_slots([one] * SERIES)
        return detector

    return make


def _adaptive(scale: float) -> Detector:
    detector = AdaptiveDetector()
    detector.add_slots([SlotSettings(Direction.BOTH, resolution=0.01 * scale, warmup=WARMUP)] * SERIES)
    return detector


def _forecast(scale: float) -> Detector:
    detector = ForecastDetector()
    one = SlotSettings(Direction.HIGH, resolution=0.01 * scale, window_s=128.0, limit=80.0, lead_s=60.0)
    detector.add_slots([one] * SERIES)
    return detector


def _multivariate(scale: float) -> Detector:
    detector = MultivariateDetector(CHANNELS)
    for _ in range(UNITS):
        detector.add_slots([SlotSettings(resolution=0.01 * scale, warmup=WARMUP)] * CHANNELS)
    return detector


def _shift(values: Floats) -> None:
    values[FAULT:] += 8.0


def _stick(values: Floats) -> None:
    values[FAULT:] = values[FAULT]


def _climb(values: Floats) -> None:
    """A ramp that began before, as a trend takes a while to be told from chance."""
    begin = FAULT - 40
    values[begin:] += 0.6 * np.arange(values.shape[0] - begin)[:, None]


def _uncouple(values: Floats) -> None:
    """One sensor of each unit goes its own way, within its own usual range."""
    values[FAULT:, ::CHANNELS] += 4.0


CASES: dict[type[Detector], Case] = {
    LimitDetector: Case(_slots(LimitDetector), 56.0, _shift, 0.99),
    RateOfChangeDetector: Case(
        _slots(RateOfChangeDetector), 6.0, lambda v: v.__setitem__(slice(FAULT, None, 2), 70.0), 0.99
    ),
    FlatLineDetector: Case(_slots(FlatLineDetector), 1.0, _stick, 0.95),
    AdaptiveDetector: Case(_adaptive, 5.0, _shift, 0.99, is_affine=True),
    NoveltyDetector: Case(_slots(NoveltyDetector), 4.0, _shift, 0.95, is_affine=True),
    ForecastDetector: Case(_forecast, 80.0, _climb, 0.95),
    MultivariateDetector: Case(_multivariate, 2.2, _uncouple, 0.95, is_affine=True),
}
every_detector = pytest.mark.parametrize("case", [CASES[d] for d in CASES], ids=[d.RULE.value for d in CASES])


def _healthy(rows: int = ROWS, seed: int = 3) -> Floats:
    """Values (instants, series) around 50; the four sensors of a unit share a part of their movement."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.9, (rows, UNITS))
    values: Floats = 50.0 + np.repeat(shared, CHANNELS, axis=1) + rng.normal(0, 0.4, (rows, SERIES))
    return values


def _flatten(values: Floats, start_us: int = MONDAY) -> tuple[Ints, Ints, Floats]:
    rows = values.shape[0]
    slot = np.tile(np.arange(SERIES, dtype=np.int64), rows)
    at_us = np.repeat(start_us + np.arange(rows, dtype=np.int64) * SECOND, SERIES)
    return slot, at_us, values.reshape(-1)


def _score(detector: Detector, readings: tuple[Ints, Ints, Floats], cuts: list[int] | None = None) -> Floats:
    slot, at_us, value = readings
    bounds = [0, *sorted(cuts or []), slot.shape[0]]
    parts = [detector.score_block(slot[a:b], at_us[a:b], value[a:b]) for a, b in pairwise(bounds)]
    return np.concatenate(parts)


def _alarms(case: Case, score: Floats, readings: tuple[Ints, Ints, Floats]) -> set[tuple[str, int, int]]:
    """(kind, slot, row) of every transition of two successive scores beyond the limit."""
    slot, at_us, _ = readings
    rules = BreachRules()
    rules.add_slots([SlotRule(case.raise_at, 0.7 * case.raise_at, n=2, m=3)] * SERIES)
    found = set()
    # One instant, and so one score of each slot, at a time.
    for row in range(0, slot.shape[0], SERIES):
        one = slice(row, row + SERIES)
        for step in rules.judge(slot[one], np.arange(row, row + SERIES), at_us[one], score[one]):
            found.add((step.kind.value, step.slot, step.row))
    return found


@cache
def _make_step(seed: int) -> tuple[Ints, Ints, Floats]:
    """Readings that leave their level for good."""
    values = _healthy(120, seed)
    values[90:] += 6.0
    return _flatten(values)


@cache
def _score_step_in_one_block(case: Case, seed: int) -> bytes:
    return _score(case.make(1.0), _make_step(seed)).tobytes()


@cache
def _find_planted_alarms(case: Case) -> set[tuple[str, int, int]]:
    values = _healthy()
    case.plant(values)
    readings = _flatten(values)
    return _alarms(case, _score(case.make(1.0), readings), readings)


def test_every_registered_detector_is_tested_here() -> None:
    assert set(REGISTERED_DETECTORS) == set(CASES)


@every_detector
def test_one_finite_score_or_silence_per_reading(case: Case) -> None:
    readings = _flatten(_healthy())
    score = _score(case.make(1.0), readings)
    assert score.shape == readings[0].shape
    assert score.dtype == np.float64
    assert not np.isinf(score).any()
    assert np.isfinite(score[-SERIES * 50 :]).any()


@every_detector
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 120 * SERIES), max_size=12), seed=st.integers(0, 3))
def test_any_split_into_blocks_gives_the_same_bits(case: Case, cuts: list[int], seed: int) -> None:
    assert _score(case.make(1.0), _make_step(seed), cuts).tobytes() == _score_step_in_one_block(case, seed)


@every_detector
@settings(max_examples=10, deadline=None)
@given(cut=st.integers(0, 120 * SERIES))
def test_a_check_point_at_any_reading_changes_nothing(case: Case, cut: int) -> None:
    slot, at_us, value = _make_step(seed=3)
    first = case.make(1.0)
    head = first.score_block(slot[:cut], at_us[:cut], value[:cut])
    arrays = {name: array.copy() for name, array in first.state_to_arrays().items()}
    second = case.make(1.0)
    everything = np.arange(second.size, dtype=np.int64)
    second.adopt_arrays(arrays, everything, everything)
    tail = second.score_block(slot[cut:], at_us[cut:], value[cut:])
    assert np.concatenate((head, tail)).tobytes() == _score_step_in_one_block(case, seed=3)


@every_detector
def test_nothing_is_known_before_it_arrives(case: Case) -> None:
    values = _healthy()
    other = values.copy()
    other[150:] = 80.0
    same = 150 * SERIES
    a, b = _score(case.make(1.0), _flatten(values)), _score(case.make(1.0), _flatten(other))
    assert a[:same].tobytes() == b[:same].tobytes()
    assert a[same:].tobytes() != b[same:].tobytes()


@every_detector
def test_gaps_and_missing_values_leave_every_score_finite_and_are_not_learnt(case: Case) -> None:
    values = _healthy()
    rng = np.random.default_rng(5)
    holes = rng.random(values.shape) < 0.1
    values[holes] = rng.choice(np.array([np.nan, np.inf, -np.inf]), holes.sum())
    slot, at_us, value = _flatten(values)
    at_us = at_us + np.where(at_us > MONDAY + 120 * SECOND, 3 * 86_400 * SECOND, 0)
    score = _score(case.make(1.0), (slot, at_us, value))
    assert not np.isinf(score).any()
    if case.make is not _multivariate:
        assert np.isnan(score[~np.isfinite(value)]).all()
    assert np.isfinite(score[-SERIES * 50 :]).any()


@every_detector
def test_a_constant_series_raises_nothing(case: Case) -> None:
    if isinstance(case.make(1.0), FlatLineDetector):
        pytest.skip("a constant series is what the flat line monitor looks for")
    readings = _flatten(np.full((ROWS, SERIES), 50.0))
    assert _alarms(case, _score(case.make(1.0), readings), readings) == set()


@every_detector
def test_the_order_of_series_in_a_block_does_not_matter(case: Case) -> None:
    values = _healthy()
    case.plant(values)
    slot, at_us, value = _flatten(values)
    score = _score(case.make(1.0), (slot, at_us, value)).reshape(ROWS, SERIES)
    order = np.random.default_rng(1).permutation(SERIES)
    turned = np.arange(slot.shape[0]).reshape(ROWS, SERIES)[:, order].reshape(-1)
    other = _score(case.make(1.0), (slot[turned], at_us[turned], value[turned])).reshape(ROWS, SERIES)
    if case.make is _multivariate:
        # The score stands at whichever sensor came last.
        back = np.empty_like(other)
        back[:, order] = other
        assert _by_unit(back).tobytes() == _by_unit(score).tobytes()
    else:
        assert other.tobytes() == score[:, order].tobytes()


@every_detector
def test_where_its_slots_lie_in_memory_does_not_matter(case: Case) -> None:
    """Slots side by side are read as they lie, others one by one; a missing reading makes one the other."""
    side_by_side, apart = case.make(1.0), case.make(1.0)
    if not isinstance(apart, StepDetector):
        pytest.skip("which slots belong together is told by their numbers")
    values = _healthy()
    case.plant(values)
    values[np.random.default_rng(7).random(values.shape) < 0.01] = np.nan
    slot, at_us, value = (column[np.tile(np.arange(SERIES) % 2 == 0, ROWS)] for column in _flatten(values))
    score = _score(side_by_side, (slot // 2, at_us, value))
    assert _score(apart, (slot, at_us, value)).tobytes() == score.tobytes()
    half = np.arange(SERIES // 2, dtype=np.int64)
    restored = case.make(1.0)
    restored.adopt_arrays(apart.state_to_arrays(), 2 * half, half)
    expected = side_by_side.state_to_arrays()
    assert {name: array.tobytes() for name, array in restored.state_to_arrays().items()} == {
        name: array.tobytes() for name, array in expected.items()
    }


def _by_unit(score: Floats) -> Floats:
    largest: Floats = np.where(np.isnan(score), -1.0, score).reshape(ROWS, UNITS, CHANNELS).max(axis=2)
    return largest


@every_detector
@pytest.mark.parametrize(("a", "b"), [(1024.0, 0.0), (1.8, 32.0), (0.001, -273.15)])
def test_another_unit_changes_no_alarm(case: Case, a: float, b: float) -> None:
    if not case.is_affine:
        pytest.skip("limits are given in the sensor's unit")
    values = _healthy()
    case.plant(values)
    other = _flatten(a * values + b)
    expected = _find_planted_alarms(case)
    assert expected
    assert _alarms(case, _score(case.make(a), other), other) == expected


@every_detector
def test_whole_weeks_on_the_clock_change_no_alarm(case: Case) -> None:
    values = _healthy()
    case.plant(values)
    later = _flatten(values, MONDAY + 30 * WEEK)
    expected = _find_planted_alarms(case)
    assert expected
    assert _alarms(case, _score(case.make(1.0), later), later) == expected


@every_detector
def test_planted_faults_score_higher_than_healthy_readings(case: Case) -> None:
    values = _healthy()
    case.plant(values)
    score = _score(case.make(1.0), _flatten(values)).reshape(ROWS, SERIES)
    # A line is flat, and a smoothed distance far, only after a while.
    faulty, healthy = score[FAULT + 12 :], score[WARMUP + 20 : FAULT]
    faulty, healthy = faulty[np.isfinite(faulty)], healthy[np.isfinite(healthy)]
    wins = np.searchsorted(np.sort(healthy), faulty, side="left").mean() / healthy.shape[0]
    assert wins >= case.auc_floor


@every_detector
def test_healthy_readings_raise_nothing(case: Case) -> None:
    values = _healthy(2_000, seed=11)
    slot = np.tile(np.arange(SERIES, dtype=np.int64), 2_000)
    at_us = np.repeat(MONDAY + np.arange(2_000, dtype=np.int64) * SECOND, SERIES)
    readings = (slot, at_us, values.reshape(-1))
    assert _alarms(case, _score(case.make(1.0), readings), readings) == set()


@every_detector
def test_state_is_bounded(case: Case) -> None:
    detector = case.make(1.0)
    before = sum(a.nbytes for a in detector.state_to_arrays().values())
    _score(detector, _flatten(_healthy()))
    assert sum(a.nbytes for a in detector.state_to_arrays().values()) == before
    rules = BreachRules()
    rules.add_slots([SlotRule(1.0, 0.5)])
    assert detector.bytes_per_slot + rules.bytes_per_slot <= BYTES_PER_SERIES


@every_detector
def test_the_cost_of_a_step_depends_neither_on_the_number_of_series_nor_on_what_was_seen(case: Case) -> None:
    """As lines of Python that run, not as time: the work on all slots is done in as many array operations as on one."""
    values = _healthy()
    slot, at_us, value = _flatten(values)
    all_at_once: list[int] = []
    one_unit: list[int] = []
    for lines, series in ((all_at_once, SERIES), (one_unit, CHANNELS)):
        detector = case.make(1.0)
        for row in range(ROWS):
            of_row = slice(row * SERIES, row * SERIES + series)
            lines.append(_count_lines(detector, slot[of_row], at_us[of_row], value[of_row]))
    assert max(all_at_once) <= LINES_PER_STEP
    # Rare ways, such as a new mode, are taken by some of many series more often than by one.
    assert sum(all_at_once) <= 1.5 * sum(one_unit)
    assert sum(all_at_once[ROWS // 2 :]) <= 1.5 * sum(all_at_once[: ROWS // 2])


def _count_lines(detector: Detector, slot: Ints, at_us: Ints, value: Floats) -> int:
    lines = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace if "/anomaly/" in frame.f_code.co_filename.replace("\\", "/") else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        detector.score_block(slot, at_us, value)
    finally:
        sys.settrace(before)
    return lines
