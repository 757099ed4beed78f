"""What devices do that nobody expects: bounded memory and time, and no breach that is only about the measurement."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from anomaly.bank import WatchedDevice
from anomaly.detectors.contract import Bools, Floats, Ints, SlotSettings, StepDetector
from anomaly.detectors.forecast import ROWS_AT_ONCE, ForecastDetector
from anomaly.shard_output import ShardOutput
from anomaly.shard_scorer import ShardScorer
from anomaly.snapshot import scorer_to_bytes
from domain.profile import MonitorRule
from domain.reading import ReadingFlag
from store.blocks import BlockColumns
from tests.unit.anomaly.fleet_of_one import FLOW, LEVEL, PROFILE, SECOND, START, make_block
from tests.unit.anomaly.test_robustness_restart import ALL_RULES, make_full_scorer

YEAR_S = 365 * 86_400.0
Row = tuple[int, float, float]
Step = Callable[..., Floats]


def _healthy(seconds: int, since_s: float = 0.0, seed: int = 1) -> list[Row]:
    rng = np.random.default_rng(seed)
    return [
        (series, since_s + k, centre + float(rng.normal(0.0, 0.4)))
        for k in range(seconds)
        for series, centre in ((LEVEL, 50.0), (FLOW, 5.0))
    ]


def _said(*outputs: ShardOutput) -> set[tuple[str, str]]:
    return {(t.monitor, t.kind.value) for out in outputs for t in out.transitions}


def test_a_year_of_silence_breaches_nothing_but_silence() -> None:
    scorer = make_full_scorer()
    scorer.score(make_block(_healthy(300)), [], START)
    year_us = round(YEAR_S * SECOND)
    ticks = scorer.tick(START + year_us, START)
    assert _said(ticks) == {("missing", "RAISED")}
    before = len(scorer_to_bytes(scorer))
    out = scorer.score(make_block(_healthy(300, YEAR_S, seed=2)), [], START + year_us)
    assert _said(out) == {("missing", "CLEARED")}
    assert abs(len(scorer_to_bytes(scorer)) - before) < 2_000


@pytest.mark.parametrize("flag", [0, int(ReadingFlag.LATE)])
def test_a_clock_that_jumps_a_year_and_back_breaches_nothing(flag: int) -> None:
    """Ingest refuses what is more than five minutes ahead, and marks what comes behind as late; here neither helps."""
    scorer = make_full_scorer()
    outputs = [
        scorer.score(make_block(_healthy(200)), [], START),
        scorer.score(make_block(_healthy(100, YEAR_S, seed=2)), [], START + 200 * SECOND),
        scorer.score(make_block(_healthy(200, 300.0, seed=3), flag), [], START + 300 * SECOND),
        scorer.score(make_block(_healthy(100, YEAR_S + 600.0, seed=4)), [], START + 500 * SECOND),
    ]
    assert _said(*outputs) == set()
    assert outputs[2].late == (0 if flag == 0 else 400)


def test_a_clock_that_runs_backwards_for_long_ends_nothing_and_raises_nothing() -> None:
    scorer = make_full_scorer()
    scorer.score(make_block(_healthy(200)), [], START)
    rows = [(series, 200.0 - k / 2, value) for k, (series, _, value) in enumerate(_healthy(200, seed=5))]
    assert _said(scorer.score(make_block(rows), [], START)) == set()


def test_a_hundred_thousand_series_with_one_reading_each() -> None:
    count = 100_000
    devices = [WatchedDevice(d, f"SN-{d}", "M-1", "1.0", {"flow": d}) for d in range(1, count + 1)]
    flow_only = replace(PROFILE, monitors=tuple(m for m in ALL_RULES.monitors if m.sensors == ("flow",)))
    scorer = ShardScorer(devices, {"M-1": flow_only})
    block = BlockColumns(
        np.arange(1, count + 1, dtype=np.int32),
        np.full(count, START, dtype=np.int64),
        np.random.default_rng(1).normal(5.0, 1.0, count),
        np.zeros(count, dtype=np.int16),
    )
    steps = _count_steps(scorer)
    out = scorer.score(block, [], START)
    assert (out.scored, out.transitions) == (count, [])
    assert steps == [count] * len(steps), "one vector step for all, in each detector"
    state = (
        sum(array.nbytes for bank in scorer.banks.values() for array in bank.detector.state_to_arrays().values())
        / count
    )
    assert state < 1_500 * 1.3


def _count_steps(scorer: ShardScorer) -> list[int]:
    """How many readings each vector step had, of all detectors, as they come."""
    sizes: list[int] = []
    for bank in scorer.banks.values():
        if isinstance(bank.detector, StepDetector):
            bank.detector.step = _count(bank.detector.step, sizes)  # type: ignore[method-assign]
    return sizes


def _count(step: Step, sizes: list[int]) -> Step:
    def count(slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None = None) -> Floats:
        sizes.append(slot.shape[0])
        return step(slot, observed_us, value, frozen)

    return count


def test_a_thousand_readings_a_second_for_a_minute_cost_fifty_a_second_and_no_memory() -> None:
    count = 60_000
    scorer = make_full_scorer()
    scorer.score(make_block(_healthy(100)), [], START)
    before = len(scorer_to_bytes(scorer))
    values = 50.0 + np.random.default_rng(2).normal(0.0, 0.4, count)
    at_us = START + 101 * SECOND + np.arange(count, dtype=np.int64) * 1_000
    series, flags = np.full(count, LEVEL, dtype=np.int32), np.zeros(count, dtype=np.int16)
    whole = BlockColumns(series, at_us, values, flags)
    steps = _count_steps(scorer)
    judged = _count_trends(scorer)
    out = scorer.score(whole, [], START + 161 * SECOND)
    assert (out.readings, out.scored, out.thinned) == (count, 3_000, 57_000)
    step_rules = (MonitorRule.LIMIT, MonitorRule.RATE_OF_CHANGE, MonitorRule.FLAT_LINE, MonitorRule.FORECAST)
    own = [s for s in scorer.slots if s.device.id == 1 and s.monitor.rule in step_rules and s.series_ids == (LEVEL,)]
    assert sum(steps) == 3_000 * len(own)
    assert sum(judged) <= 60 / 3 + 1, "the costly part is done once a bucket of time, not once a reading"
    assert {t.monitor for t in out.transitions} <= {"level_jump"}, "0.4 of noise in 20 ms is a jump of 20 a second"
    assert abs(len(scorer_to_bytes(scorer)) - before) < 2_000


def test_which_readings_of_a_flood_are_scored_does_not_depend_on_the_blocks() -> None:
    rng = np.random.default_rng(3)
    n = 4_000
    at_us = START + np.cumsum(rng.choice(np.array([500, 3_000, 25_000]), n))
    series = rng.choice(np.array([LEVEL, FLOW, 3, 4], dtype=np.int32), n)
    values = rng.normal(50.0, 0.4, n)
    flags = np.zeros(n, dtype=np.int16)
    states, scored = [], []
    for cuts in ([], [1, 2, 3, 900, 901, 3_333]):
        scorer = make_full_scorer()
        bounds = [0, *cuts, n]
        outputs = [
            scorer.score(BlockColumns(series[a:b], at_us[a:b], values[a:b], flags[a:b]), [], START)
            for a, b in pairwise(bounds)
        ]
        scored.append(sum(out.scored for out in outputs))
        states.append(scorer_to_bytes(scorer))
    assert scored[0] == scored[1] < n
    assert states[0] == states[1]


def _count_trends(scorer: ShardScorer) -> list[int]:
    """How many trends were judged, call by call."""
    detector = scorer.banks[MonitorRule.FORECAST].detector
    assert isinstance(detector, ForecastDetector)
    judge = detector._judge
    sizes: list[int] = []

    def count(slot: Ints) -> None:
        sizes.append(slot.shape[0])
        judge(slot)

    detector._judge = count  # type: ignore[method-assign]
    return sizes


def test_buckets_that_end_together_are_judged_in_bounded_memory() -> None:
    count = 4 * ROWS_AT_ONCE
    detector = ForecastDetector()
    detector.add_slots([SlotSettings(resolution=0.01, window_s=3_200.0, limit=80.0, lead_s=600.0)] * count)
    slot = np.arange(count, dtype=np.int64)
    rng = np.random.default_rng(1)
    for k in range(12):
        detector.step(slot, np.full(count, START + k * 100 * SECOND), 50.0 + k + rng.normal(0.0, 0.1, count))
    tracemalloc.start()
    detector.step(slot, np.full(count, START + 1_200 * SECOND), 50.0 + rng.normal(0.0, 0.1, count))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60e6 * ROWS_AT_ONCE / 1_000
