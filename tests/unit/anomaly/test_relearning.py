"""After work the level is learnt anew and the scale is kept; while a breach is open nothing is learnt."""

import numpy as np
import pytest

from anomaly.baselines import Baselines, Cause
from anomaly.detectors.adaptive import AdaptiveDetector
from anomaly.detectors.contract import SlotSettings
from anomaly.shard_scorer import ShardScorer
from anomaly.snapshot import adopt_bytes, scorer_to_bytes
from domain.breach import BreachTransition
from domain.profile import Direction, MonitorRule
from domain.report import Report, WorkReport
from domain.sentences import render
from domain.work_order import Outcome, ResetReason, WorkOrderType, find_reset_reason
from tests.support.wording import find_keys
from tests.unit.anomaly.fleet_of_one import FLOW, LEVEL, SECOND, START, make_block, make_history, make_scorer

Row = tuple[int, float, float]
WORK_AT = 150


def _work(at_s: float = WORK_AT, code: str = "WO-7") -> WorkReport:
    at_us = START + round(at_s * SECOND)
    return WorkReport(1, at_us, at_us, code)


def _shifted(rows: list[Row], since_s: float, until_s: float, by: float) -> list[Row]:
    return [(s, at, v + (by if s == FLOW and since_s <= at < until_s else 0.0)) for s, at, v in rows]


def _run(scorer: ShardScorer, rows: list[Row], heard: dict[int, Report], size: int = 40) -> list[BreachTransition]:
    found = []
    for first in range(0, len(rows), size):
        reports = [report for at, report in heard.items() if first <= at < first + size]
        found += scorer.score(make_block(rows[first : first + size]), reports, START).transitions
    return found


def _said(found: list[BreachTransition], device: int = 1) -> list[tuple[str, str, str]]:
    return [(t.monitor, t.kind.value, t.reason_code) for t in found if t.monitor == "unusual" and t.device_id == device]


def test_a_new_level_after_work_is_normal_and_a_breach_that_was_open_is_closed_with_its_reason() -> None:
    rows = _shifted(make_history(300), 120.0, 1e9, 15.0)
    found = _run(make_scorer(), rows, {WORK_AT * 4: _work()})
    assert _said(found) == [("unusual", "RAISED", "adaptive_high"), ("unusual", "CLEARED", "baseline_relearned")]
    closed = next(t for t in found if t.reason_code == "baseline_relearned")
    assert closed.params["work_order"] == "WO-7"
    assert "“Motor current: adaptive” can no longer be judged" in render(closed.reason_code, closed.params, "en")
    assert find_keys(render(closed.reason_code, closed.params, "zh")) == []


def test_the_level_of_before_is_forgotten_and_what_comes_after_the_warm_up_is_judged() -> None:
    """Mended to its old level; then, with the new baseline learnt, the fault comes back and is seen."""
    rows = _shifted(_shifted(make_history(400), 120.0, 150.0, 15.0), 300.0, 1e9, 15.0)
    found = _run(make_scorer(), rows, {WORK_AT * 4: _work()})
    assert _said(found) == [
        ("unusual", "RAISED", "adaptive_high"),
        ("unusual", "CLEARED", "baseline_relearned"),
        ("unusual", "RAISED", "adaptive_high"),
    ]


def test_a_baseline_is_provisional_until_its_warm_up_is_over_and_begins_again_with_the_next_work() -> None:
    scorer = make_scorer()
    detector = scorer.banks[MonitorRule.ADAPTIVE].detector
    assert isinstance(detector, AdaptiveDetector)
    rows = make_history(260)
    _run(scorer, rows[: 170 * 4], {WORK_AT * 4: _work()})
    # Nothing is said before `warmup` readings, however far.
    assert _said(scorer.score(make_block([(FLOW, 169.5, 60.0)]), [], START).transitions) == []
    assert 0 < detector.varied[0] < 40 <= detector.varied[1]
    _run(scorer, rows[170 * 4 : 200 * 4], {0: _work(170.0, "WO-7")})
    assert detector.seen[0] == 30


def test_scatter_is_kept_and_level_and_modes_are_forgotten() -> None:
    detector = AdaptiveDetector()
    detector.add_slots([SlotSettings(Direction.BOTH, resolution=0.01, warmup=50)] * 2)
    rng = np.random.default_rng(1)
    slot = np.arange(2, dtype=np.int64)
    for k in range(600):
        level = 9.0 if 300 <= k < 400 else 5.0
        detector.step(slot, np.full(2, START + k * SECOND), level + rng.normal(0.0, 0.4, 2))
    spread, tail = detector.find_expected(0)[1], float(detector.tail[0])
    detector.begin_anew(slot[:1])
    learnt = detector.state_to_arrays()["learnt"]
    assert (learnt[:6] == 0.0).all()
    assert (learnt[6:] > 0.0).any()
    far = 0
    for k in range(600, 700):
        score = detector.step(slot[:1], np.array([START + k * SECOND]), 80.0 + rng.normal(0.0, 0.4, 1))
        far += bool(score[0] > 5.0)
        assert 0.7 * spread < detector.find_expected(0)[1] < 1.4 * spread
    level, _ = detector.find_expected(0)
    assert abs(level - 80.0) < 0.3
    assert abs(float(detector.tail[0]) - tail) < 0.5
    assert far == 0


def test_a_fault_that_lasts_teaches_nothing_while_its_breach_is_open() -> None:
    scorer = make_scorer()
    detector = scorer.banks[MonitorRule.ADAPTIVE].detector
    assert isinstance(detector, AdaptiveDetector)
    rows = make_history(200)
    _run(scorer, rows[: 120 * 4], {})
    # Four deviations and more open a breach; then readings that would be near enough to be learnt.
    _run(scorer, _shifted(rows, 120.0, 125.0, 15.0)[120 * 4 : 125 * 4], {})
    assert scorer._open_of_series[1] == 1
    before = {name: array.copy() for name, array in detector.state_to_arrays().items()}
    _run(scorer, _shifted(rows, 125.0, 140.0, 1.2)[125 * 4 : 126 * 4], {})
    after = detector.state_to_arrays()
    for name in ("center", "spread", "learnt", "tail", "excess"):
        width = after[name].shape[0] // 2
        assert after[name][:width].tobytes() == before[name][:width].tobytes(), name
        if name in ("center", "learnt"):
            assert after[name][width:].tobytes() != before[name][width:].tobytes(), "the other device goes on"


@pytest.mark.parametrize("size", [1, 7, 333])
def test_the_baseline_begins_at_the_same_reading_however_blocks_are_cut_and_after_a_restart(size: int) -> None:
    rows = [r for r in _shifted(make_history(240), 120.0, 1e9, 15.0) if r[0] in (LEVEL, FLOW)]
    whole = make_scorer()
    expected = _run(whole, rows, {0: _work()}, len(rows))
    first, second = make_scorer(), make_scorer()
    found = _run(first, rows[:180], {0: _work()}, size)
    adopt_bytes(second, scorer_to_bytes(first))
    found += _run(second, rows[180:], {}, size)
    assert _said(found) == _said(expected)
    assert scorer_to_bytes(second) == scorer_to_bytes(whole)


def test_work_and_new_firmware_before_the_next_reading_begin_once_and_by_work() -> None:
    baselines = Baselines()
    one = np.array([0], dtype=np.int64)
    baselines.put_down(one, 10, Cause.WORK)
    baselines.put_down(one, 20, Cause.FIRMWARE)
    due, cause = baselines.take_due(one, np.array([25]))
    assert (due.tolist(), cause.tolist()) == ([True], [Cause.WORK])
    assert not baselines.find_due(one, np.array([30])).any()


@pytest.mark.parametrize(
    ("type_", "outcome", "reason"),
    [
        (WorkOrderType.CORRECTIVE, Outcome.CONFIRMED, ResetReason.FAULT_MENDED),
        (WorkOrderType.PREDICTIVE, Outcome.SENSOR_FAULT, ResetReason.SENSOR_MENDED),
        (WorkOrderType.PREVENTIVE, Outcome.NO_FAULT_FOUND, ResetReason.MAINTENANCE),
        (WorkOrderType.CALIBRATION, None, ResetReason.MAINTENANCE),
        (WorkOrderType.CORRECTIVE, Outcome.NO_FAULT_FOUND, None),
        (WorkOrderType.CORRECTIVE, Outcome.FALSE_ALARM, None),
    ],
)
def test_which_work_changes_what_is_normal(
    type_: WorkOrderType, outcome: Outcome | None, reason: ResetReason | None
) -> None:
    assert find_reset_reason(type_, outcome) is reason
