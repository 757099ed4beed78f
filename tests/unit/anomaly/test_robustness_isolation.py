"""A detector that raises loses the series that it raises on, and nothing else: no state is ever half written."""

from collections.abc import Iterator

import numpy as np
import pytest

from anomaly.bank import Bank, WatchedDevice
from anomaly.detectors.contract import Bools, Floats, Ints, StepDetector
from anomaly.detectors.multivariate import MultivariateDetector, UnitScores
from anomaly.isolation import DetectorFailedError, find_failing_units, step_carefully
from anomaly.shard_scorer import ShardScorer
from anomaly.snapshot import adopt_bytes, scorer_to_bytes
from domain.breach import BreachTransition, TransitionKind
from domain.clock import from_micros
from domain.profile import MonitorRule
from domain.sentences import render
from tests.unit.anomaly.fleet_of_one import FLOW, LEVEL, PROFILE, START, make_block, make_history, make_scorer
from tests.unit.anomaly.test_robustness_restart import STORY, make_full_scorer, score_block

POISON = 66.6
Row = tuple[int, float, float]


def _poison_step(detector: StepDetector, poison: float = POISON) -> None:
    """Makes the detector raise on one value, after it has written whatever it writes."""
    step = detector.step

    def fail(slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None = None) -> Floats:
        score = step(slot, observed_us, value, frozen)
        if (value == poison).any():
            raise FloatingPointError("planted")
        return score

    detector.step = fail  # type: ignore[method-assign]


def _poison_units(detector: MultivariateDetector) -> None:
    iterate = detector.iterate_scores

    def fail(slot: Ints, observed_us: Ints, value: Floats) -> Iterator[UnitScores]:
        yield from iterate(slot, observed_us, value)
        if (value == POISON).any():
            raise FloatingPointError("planted")

    detector.iterate_scores = fail  # type: ignore[method-assign]


def _poison(bank: Bank) -> None:
    if isinstance(bank.detector, MultivariateDetector):
        _poison_units(bank.detector)
    else:
        assert isinstance(bank.detector, StepDetector)
        _poison_step(bank.detector)


@pytest.mark.parametrize("rule", [r for r, b in make_full_scorer().banks.items() if b.slots])
def test_all_other_monitors_go_on_as_if_nothing_had_happened(rule: MonitorRule) -> None:
    """The poison is read as a value like any other where nobody is poisoned by it, so only the failing rule differs."""
    healthy, failing = make_full_scorer(), make_full_scorer()
    failing.is_careful = True
    _poison(failing.banks[rule])
    found: dict[ShardScorer, list[BreachTransition]] = {healthy: [], failing: []}
    for number, (rows, reports) in enumerate(STORY[:6]):
        planted = [(s, at, POISON if number == 4 and s == LEVEL else v) for s, at, v in rows]
        planted = [(s, at, POISON if number == 4 and s == FLOW else v) for s, at, v in planted]
        for scorer, transitions in found.items():
            transitions += score_block(scorer, number, (planted, reports))
    failed = {(u.device_id, u.monitor) for u in failing.unscored}
    keys = {s.monitor.key for s in failing.banks[rule].slots if s.device.id == 1}
    assert failed == {(1, key) for key in keys}
    assert {u.reason for u in failing.unscored} == {"FloatingPointError: planted"}
    for name, bank in failing.banks.items():
        if name is rule:
            # Of the failing detector the other device's slots go on bit for bit.
            others = np.array([n for n, s in enumerate(bank.slots) if s.device.id == 2], dtype=np.int64)
            expected = healthy.banks[name].detector
            for state, array in bank.detector.state_to_arrays().items():
                width = array.shape[0] // max(len(bank.slots), 1)
                a, b = array.reshape(-1, width), expected.state_to_arrays()[state].reshape(-1, width)
                assert a[others].tobytes() == b[others].tobytes(), state
    own = [t for t in found[failing] if t.monitor in keys and t.device_id == 1]
    assert all(t.kind is TransitionKind.CLEARED for t in own[-1:])
    # Learning freezes where a breach is open: that of a monitor that is no longer judged freezes nothing any more.
    rest = {(t.device_id, t.monitor, t.kind, t.at) for t in found[failing] if t.monitor not in keys}
    expected_rest = {(t.device_id, t.monitor, t.kind, t.at) for t in found[healthy] if t.monitor not in keys}
    assert {t for t in rest if t[0] == 2} == {t for t in expected_rest if t[0] == 2}


def test_without_care_the_failure_is_told_and_the_scorer_is_of_no_use() -> None:
    scorer = make_scorer()
    _poison(scorer.banks[MonitorRule.ADAPTIVE])
    with pytest.raises(DetectorFailedError, match="adaptive: FloatingPointError: planted"):
        scorer.score(make_block([(FLOW, 0.0, POISON)]), [], START)


def test_what_is_open_is_closed_with_a_reason_that_says_that_nobody_judges_it() -> None:
    scorer = make_scorer()
    scorer.score(make_block([*make_history(100), *[(FLOW, 100.0 + k, 30.0) for k in range(5)]]), [], START)
    assert scorer._open_of_series.tolist() == [0, 1, 0, 0]
    scorer.is_careful = True
    _poison(scorer.banks[MonitorRule.ADAPTIVE])
    rows: list[Row] = [(FLOW, 110.0, POISON), (FLOW, 111.0, POISON), (LEVEL, 110.0, 99.0), (4, 111.0, 5.0)]
    out = scorer.score(make_block(rows), [], START)
    said = {(t.monitor, t.kind.value, t.reason_code) for t in out.transitions if t.monitor != "joint"}
    assert said == {("unusual", "CLEARED", "detector_failed"), ("high", "RAISED", "limit_high")}
    closed = next(t for t in out.transitions if t.reason_code == "detector_failed")
    assert "no longer be judged" in render(closed.reason_code, closed.params, "en")
    assert scorer._open_of_series.tolist() == [1, 0, 0, 0]


def test_what_failed_stays_unjudged_over_a_restart() -> None:
    scorer = make_scorer()
    scorer.is_careful = True
    _poison(scorer.banks[MonitorRule.ADAPTIVE])
    scorer.score(make_block([*make_history(100), (FLOW, 100.0, POISON)]), [], START)
    resumed = make_scorer()
    adopt_bytes(resumed, scorer_to_bytes(scorer))
    assert resumed.unscored == scorer.unscored
    shifted: list[Row] = [(series, 101.0 + k, 40.0) for k in range(10) for series in (FLOW, 4)]
    out = resumed.score(make_block(shifted), [], START)
    assert {t.device_id for t in out.transitions if t.monitor == "unusual"} == {2}


@pytest.mark.parametrize("bad", [[3], [0, 7, 8], list(range(16)), []])
def test_every_slot_that_raises_is_found_and_no_other(bad: list[int]) -> None:
    one, other = (make_many().banks[MonitorRule.ADAPTIVE].detector for _ in range(2))
    assert isinstance(one, StepDetector)
    assert isinstance(other, StepDetector)
    _poison_step(one)
    slot = np.arange(16, dtype=np.int64)
    value = np.where(np.isin(slot, bad), POISON, 5.0)
    at_us = np.full(16, START)
    calls = 0
    step = one.step

    def count(*arguments: object) -> Floats:
        nonlocal calls
        calls += 1
        return step(*arguments)  # type: ignore[arg-type]

    one.step = count  # type: ignore[method-assign,assignment]
    score, failed = step_carefully(one, slot, at_us, value, None)
    assert sorted(failed) == bad
    assert calls <= 1 + 2 * 5 * max(len(bad), 0)
    good = np.setdiff1d(slot, bad)
    other.step(slot[good], at_us[good], value[good])
    for name, array in one.state_to_arrays().items():
        assert array.tobytes() == other.state_to_arrays()[name].tobytes(), name
    assert np.isnan(score[np.isin(slot, bad)]).all()


@pytest.mark.parametrize("blocks", [1, 2, 50])
def test_a_unit_is_judged_up_to_the_reading_that_it_fails_on_however_blocks_are_cut(blocks: int) -> None:
    """Two devices stray jointly; one fails later in the block, the other goes on, and is judged in the next block."""
    rows: list[Row] = [*make_history(150)]
    strayed = [(series, 150.0 + k, 70.0) for k in range(20) for series in (LEVEL, FLOW, 3, 4)]
    rows += [(s, at, POISON if (s, at) == (FLOW, 165.0) else v) for s, at, v in strayed]
    scorer = make_scorer()
    scorer.is_careful = True
    _poison_units(scorer.banks[MonitorRule.MULTIVARIATE].detector)  # type: ignore[arg-type]
    cut = -(-len(rows) // blocks)
    found = [
        t
        for at in range(0, len(rows), cut)
        for t in scorer.score(make_block(rows[at : at + cut]), [], START).transitions
        if t.monitor == "joint"
    ]
    own = [(t.kind.value, t.reason_code) for t in found if t.device_id == 1]
    assert own == [("RAISED", "multivariate"), ("CLEARED", "detector_failed")]
    assert [t.kind.value for t in found if t.device_id == 2] == ["RAISED"]
    (closed,) = (t for t in found if t.reason_code == "detector_failed")
    assert closed.at == from_micros(START + 165_000_000)
    assert [(u.device_id, u.monitor) for u in scorer.unscored] == [(1, "joint")]
    # The next block goes on: what is not judged says nothing, what is says that it is over.
    scorer.score(make_block([(s, 171.0 + k, v) for k in range(60) for s, v in ((LEVEL, 50.0), (FLOW, 5.0))]), [], START)
    assert [u.device_id for u in scorer.unscored] == [1]


def make_many() -> ShardScorer:
    """Sixteen devices, so that taking apart takes more than one try."""
    devices = [WatchedDevice(d, f"SN-{d:04d}", "M-1", "1.0", {"level": 2 * d, "flow": 2 * d + 1}) for d in range(1, 17)]
    return ShardScorer(devices, {"M-1": PROFILE})


def test_units_of_several_sensors_that_raise_are_found_and_nothing_is_written() -> None:
    bank = make_many().banks[MonitorRule.MULTIVARIATE]
    detector = bank.detector
    assert isinstance(detector, MultivariateDetector)
    _poison_units(detector)
    before = {name: array.tobytes() for name, array in detector.state_to_arrays().items()}
    slot = np.repeat(np.arange(16, dtype=np.int64), 2) * detector.width + np.tile([0, 1], 16)
    value = np.where(np.isin(slot // detector.width, [5, 11]), POISON, 5.0)
    failed = find_failing_units(detector, slot, np.full(32, START), value)
    assert {unit: f.readings_before for unit, f in failed.items()} == {5: 0, 11: 0}
    assert {name: array.tobytes() for name, array in detector.state_to_arrays().items()} == before
