"""The parts of the novelty detector: what each sees, what it leaves out, and what its score means."""

from collections.abc import Callable

import numpy as np
import pytest

from anomaly.detectors.contract import Bools, Floats, Singles, SlotSettings
from anomaly.detectors.novelty.calibration import TailCalibration
from anomaly.detectors.novelty.detector import PARTS, NoveltyDetector
from anomaly.detectors.novelty.logarithm import find_log1p
from anomaly.detectors.novelty.season import SeasonProfile
from anomaly.detectors.novelty.sequence import BINS, SequenceModel
from anomaly.detectors.novelty.shape import SHAPES, ShapeMemory
from anomaly.detectors.step_slots import StepSlots

SECOND = 1_000_000
HOUR = 3_600 * SECOND
MONDAY = 1_772_409_600 * SECOND
ONE = StepSlots(np.zeros(1, dtype=np.int64))
YES = np.ones(1, dtype=np.bool_)
NO = np.zeros(1, dtype=np.bool_)


def _one(value: float) -> Singles:
    return np.array([value], dtype=np.float32)


def _run(values: Floats, step_s: int = 300, frozen_from: int | None = None) -> tuple[NoveltyDetector, Floats]:
    """Scores of values (rows, series), one row every `step_s`."""
    detector = NoveltyDetector()
    slots = detector.add_slots([SlotSettings()] * values.shape[1])
    score = np.empty(values.shape)
    for row, value in enumerate(values):
        at_us = np.full(slots.shape[0], MONDAY + row * step_s * SECOND)
        frozen = np.full(slots.shape[0], frozen_from is not None and row >= frozen_from)
        score[row] = detector.step(slots, at_us, value, frozen)
    return detector, score


def test_the_logarithm_is_one() -> None:
    values = np.concatenate(([0.0], np.logspace(-6, 9, 200))).astype(np.float32)
    expected = np.log1p(values.astype(np.float64))
    assert (np.abs(find_log1p(values) - expected) < 3e-7 * np.maximum(expected, 1.0)).all()


@pytest.mark.parametrize(
    "draw",
    [
        lambda random, shape: random.normal(0, 1, shape),
        lambda random, shape: random.exponential(1, shape),
        lambda random, shape: random.standard_t(3, shape),
        lambda random, shape: np.rint(random.normal(0, 2, shape)),
    ],
    ids=["normal", "exponential", "heavy", "whole numbers"],
)
def test_a_score_of_three_is_about_one_reading_in_a_thousand(
    draw: Callable[[np.random.Generator, tuple[int, int]], Floats],
) -> None:
    _, score = _run(draw(np.random.default_rng(2), (1_600, 40)))
    rate = (score[600:] >= 3.0).mean()
    assert 0.0002 < rate < 0.006


def test_a_usual_value_at_an_unusual_hour_is_the_season_s() -> None:
    rows = 12 * 24 * 10
    values = np.where((np.arange(rows) // 12) % 24 < 12, 10.0, 20.0) + np.random.default_rng(1).normal(0, 0.3, rows)
    values[-40:] = values[-184:-144]  # half a day out of step
    detector, score = _run(values[:, None])
    assert score[-40, 0] > 3.5
    assert PARTS[detector.part[0]] in ("season", "shape", "sequence")
    assert np.nanmean(score[-40:] > 2.6) > 0.9


def test_frozen_readings_teach_nothing() -> None:
    values = np.random.default_rng(3).normal(0, 1, (800, 1))
    values[600:] += 15.0
    _, learning = _run(values)
    _, frozen = _run(values, frozen_from=600)
    assert frozen[-1, 0] > 3.5
    assert learning[-1, 0] < frozen[-1, 0]


def test_new_firmware_forgets_all_and_a_repair_keeps_the_spread() -> None:
    detector, _ = _run(np.random.default_rng(4).normal(50, 1, (500, 2)))
    spread = detector.season.spread.copy()
    detector.relearn(np.array([0]))
    detector.begin_anew(np.array([1]))
    assert detector.seen.tolist() == [0, 0]
    assert detector.season.spread[0] == 0.0
    assert detector.season.spread[1] == spread[1]
    assert detector.tails[0].judged.tolist()[0] == 0
    assert not detector.season.visits.any()
    score = detector.step(np.arange(2), np.full(2, MONDAY), np.array([np.nan, 80.0]))
    assert np.isnan(score).all()


def test_a_stuck_sensor_is_held_until_it_moves() -> None:
    values = np.random.default_rng(5).normal(0, 1, (600, 1))
    values[300:500] = 0.7
    _, score = _run(values)
    assert np.isfinite(score[300:360, 0]).all()
    assert np.isnan(score[380:500, 0]).all()
    assert np.isfinite(score[500:, 0]).all()


def test_an_hour_never_seen_says_nothing_of_its_first_reading() -> None:
    season = SeasonProfile()
    season.add_slots(1)
    known: list[Bools | None] = []
    for row in range(40):
        at_us = np.array([MONDAY + row * 300 * SECOND])
        known.append(season.find_surprise(ONE, at_us, _one(row % 2), _one(300.0), _one(1e-6), None)[1])
    assert [k is None or bool(k[0]) for k in known[9:]] == [row % 12 != 0 for row in range(9, 40)]


def test_an_outlier_moves_its_hour_by_a_bounded_step() -> None:
    season = SeasonProfile()
    season.add_slots(1)
    random = np.random.default_rng(6)
    for row in range(200):
        value = _one(1e6 if row == 150 else random.normal(0, 1))
        season.find_surprise(ONE, np.array([MONDAY]), value, _one(60.0), _one(1e-6), YES)
    assert abs(float(season.center[0])) < 1.0
    assert float(season.spread[0]) < 2.0


def test_the_sequence_knows_what_followed_and_counts_stay_in_bounds() -> None:
    model = SequenceModel()
    model.add_slots(1)
    for row in range(2_000):
        usual, speaks = model.find_rarity(ONE, _one((-2.0, 0.0, 2.0)[row % 3]), None, None)
    assert speaks is None
    assert usual[0] < 0.2
    # After 0 came 2 always; -2 is as common as it is, and never came here.
    backwards, _ = model.find_rarity(ONE, _one(0.0), NO, NO)
    assert backwards[0] > 50.0
    after_gap = model.find_rarity(ONE, _one(0.0), YES, NO)[1]
    assert after_gap is not None
    assert not after_gap[0]
    counts = model.counts.reshape(BINS, BINS).astype(np.int64)
    assert counts.sum(axis=1).tolist() == model.from_total.tolist()
    assert counts.sum(axis=0).tolist() == model.to_total.tolist()
    assert counts.sum() == model.total[0]


def test_a_shape_is_known_once_it_was_drawn_and_the_memory_is_bounded() -> None:
    memory = ShapeMemory()
    memory.add_slots(1)
    wave = np.array([0.0, 0.0, 4.0, 8.0, 4.0, 0.0, 0.0, 0.0])
    first: list[float] = []
    for _ in range(30):
        for value in wave:
            memory.note(ONE, _one(value), None)
            distance, speaks = memory.find_surprise(ONE.number, _one(1.0), YES)
            if speaks is None or speaks[0]:
                first.append(float(distance[0]))
    assert max(first[:8]) > 3.0
    assert max(first[-8:]) < 0.2
    for value in -wave:
        memory.note(ONE, _one(value), NO)
    assert memory.find_surprise(ONE.number, _one(1.0), NO)[0][0] > 5.0
    assert memory.met.shape[0] == SHAPES


def test_a_tail_learns_one_event_from_a_stay_and_takes_what_persists_as_usual() -> None:
    tail = TailCalibration(persists=64)
    tail.add_slots(1)
    random = np.random.default_rng(7)
    for value in np.abs(random.normal(0, 1, 1_000)):
        tail.calibrate(ONE, _one(value), YES, None)
    scores = [float(tail.calibrate(ONE, _one(9.0), None, YES)[0]) for _ in range(400)]
    assert min(scores[:60]) > 4.0
    assert scores[-1] < 3.0
