"""Everything at once: devices that start from their fleet, work done, new firmware, a detector that raises, and kills.

What `OwnedShard` does around a scorer is done here without a database: a check-point now and then, replay without
output, and, where a detector raises, a second try with care from the check-point on, which is saved at once.
"""

import random
from functools import cache

import numpy as np
import pytest

from anomaly.bank import WatchedDevice
from anomaly.detectors.contract import Bools, Floats, Ints
from anomaly.detectors.novelty.detector import NoveltyDetector
from anomaly.isolation import DetectorFailedError
from anomaly.shard_scorer import ShardScorer
from anomaly.snapshot import adopt_bytes, scorer_to_bytes
from anomaly.training.contract import FleetPrior
from anomaly.training.pool import pool_fleet
from anomaly.training.seeding import seed_scorer
from domain.breach import BreachTransition, TransitionKind
from domain.profile import MonitorRule
from tests.unit.anomaly.fleet_of_one import FLOW, START, make_block
from tests.unit.anomaly.test_robustness_restart import STORY, Block, find_open, make_full_scorer, score_block

POISON = 66.6
PLANTED_IN = 9  # the number of the block
POISONED = dict(enumerate(STORY)) | {
    PLANTED_IN: ([(s, at, POISON if s == FLOW else v) for s, at, v in STORY[PLANTED_IN][0]], STORY[PLANTED_IN][1])
}


@cache
def find_prior() -> FleetPrior:
    """Of six devices of the same model, each with levels of its own."""
    devices = [
        WatchedDevice(d, f"SN-{d:04d}", "M-1", "1.0", {"level": 2 * d, "flow": 2 * d + 1}) for d in range(11, 17)
    ]
    fleet = make_full_scorer(devices)
    rng = np.random.default_rng(5)
    offset = rng.normal(0.0, 0.3, (len(devices), 2))
    for k in range(120):
        rows = [
            (2 * d.id + i, float(k), base + float(offset[n, i] + rng.normal(0.0, 0.4)))
            for n, d in enumerate(devices)
            for i, base in enumerate((50.0, 5.0))
        ]
        fleet.score(make_block(rows), [], START)
    return pool_fleet(fleet, "M-1")


def make_poisoned_scorer() -> ShardScorer:
    """Its novelty detector raises on one value, after it has written whatever it writes."""
    scorer = make_full_scorer()
    detector = scorer.banks[MonitorRule.NOVELTY].detector
    assert isinstance(detector, NoveltyDetector)
    step = detector.step

    def fail(slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None = None) -> Floats:
        score = step(slot, observed_us, value, frozen)
        if (value == POISON).any():
            raise FloatingPointError("planted")
        return score

    detector.step = fail  # type: ignore[method-assign]
    return scorer


class Process:
    """One process that owns the shard; only what it saved and recorded outlives it."""

    def __init__(self, checkpoint: bytes, saved_at: int, recorded: list[BreachTransition], committed: int) -> None:
        self.checkpoint, self.saved_at, self.recorded, self.committed = checkpoint, saved_at, recorded, committed
        self.must_save = False
        try:
            self._rebuild(careful=False)
        except DetectorFailedError:
            self._rebuild(careful=True)
            self.must_save = True

    def _rebuild(self, careful: bool) -> None:
        self.scorer = make_poisoned_scorer()
        adopt_bytes(self.scorer, self.checkpoint)
        self.scorer.is_careful = careful
        for number in range(self.saved_at, self.committed):
            score_block(self.scorer, number, POISONED[number])
        self.scorer.adopt_open(find_open(self.recorded))

    def find(self) -> list[BreachTransition]:
        """What the next block leads to; nothing of it is committed yet."""
        block: Block = POISONED[self.committed]
        try:
            return score_block(self.scorer, self.committed, block)
        except DetectorFailedError:
            self._rebuild(careful=True)
            self.must_save = True
            return score_block(self.scorer, self.committed, block)

    def commit(self, found: list[BreachTransition]) -> None:
        self.recorded += found
        self.committed += 1

    def save(self) -> None:
        self.checkpoint, self.saved_at = scorer_to_bytes(self.scorer), self.committed
        self.scorer.is_careful = self.must_save = False


@cache
def find_first_checkpoint() -> bytes:
    """Both devices as they were seeded."""
    scorer = make_full_scorer()
    assert seed_scorer(scorer, [find_prior()]) == 4  # `unusual` and `joint` of both
    return scorer_to_bytes(scorer)


@cache
def run_straight() -> tuple[tuple[BreachTransition, ...], bytes]:
    """The transitions and the state at the end, of a process that nobody killed."""
    process = Process(find_first_checkpoint(), 0, [], 0)
    for _ in range(len(STORY)):
        process.commit(process.find())
    return tuple(process.recorded), scorer_to_bytes(process.scorer)


def test_the_story_has_the_fleet_the_work_and_the_failure_in_it() -> None:
    transitions, state = run_straight()
    reasons = {t.reason_code for t in transitions}
    assert {"baseline_relearned", "forecast_high", "device_code"} <= reasons
    early = {t.monitor for t in transitions if t.kind is TransitionKind.RAISED and t.device_id == 1}
    assert "unusual" in early, "the poison is far from all that the fleet knows"
    scorer = make_full_scorer()
    adopt_bytes(scorer, state)
    assert [(u.device_id, u.monitor, u.reason) for u in scorer.unscored] == [
        (1, "flow_novel", "FloatingPointError: planted")
    ]
    unseeded = Process(scorer_to_bytes(make_full_scorer()), 0, [], 0)
    for _ in range(len(STORY)):
        unseeded.commit(unseeded.find())
    assert tuple(unseeded.recorded) != transitions, "the prior decides something in here"


@pytest.mark.parametrize("seed", range(3))
def test_kills_at_any_block_leave_the_same_breaches_and_the_same_state(seed: int) -> None:
    """A dead process leaves its last check-point, which needs neither the prior nor what failed before it."""
    expected, state = run_straight()
    chance = random.Random(seed)
    process = Process(find_first_checkpoint(), 0, [], 0)
    while process.committed < len(STORY):
        found = process.find()
        if chance.random() < 0.15:  # before the round was committed: what it found is lost, and found again
            process = Process(process.checkpoint, process.saved_at, process.recorded, process.committed)
            continue
        process.commit(found)
        if process.must_save or chance.random() < 0.1:
            process.save()
    assert tuple(process.recorded) == expected
    assert scorer_to_bytes(process.scorer) == state
