"""A change of the main firmware starts a new baseline: once, at its own instant, and not silently."""

import numpy as np
import pytest

from anomaly.bank import MonitorSlot
from anomaly.baselines import AT_ONCE, Baselines, Cause, FirmwareWatch
from anomaly.detectors.contract import NEVER
from anomaly.shard_output import ShardOutput
from anomaly.shard_scorer import ShardScorer
from anomaly.snapshot import adopt_bytes, scorer_to_bytes
from domain.breach import TransitionKind
from domain.profile import MonitorRule
from domain.report import FirmwareReport, FirmwareState
from domain.sentences import render
from tests.unit.anomaly.fleet_of_one import FLOW, LEVEL, SECOND, START, make_block, make_history, make_scorer

Row = tuple[int, float, float]


def _report(
    version: str, at_s: float, *, state: FirmwareState = FirmwareState.UPDATED, **more: object
) -> FirmwareReport:
    at_us = START + round(at_s * SECOND)
    fields: dict[str, object] = {"component": "main", "previous": None, "received_us": at_us + 1} | more
    return FirmwareReport(device_id=1, observed_us=at_us, version=version, state=state, **fields)  # type: ignore[arg-type]


def _shifted(rows: list[Row], since_s: float, by: float = 15.0) -> list[Row]:
    """Device 1 works at another level from then on: both sensors, neither beyond a fixed limit."""
    return [(s, at, value + (by if at >= since_s and s in (LEVEL, FLOW) else 0.0)) for s, at, value in rows]


def _anomalies(*outputs: ShardOutput) -> list[tuple[str, str, str]]:
    return [
        (t.monitor, t.kind.value, t.reason_code)
        for out in outputs
        for t in out.transitions
        if t.monitor in ("unusual", "joint")
    ]


def _run(
    scorer: ShardScorer, rows: list[Row], reports: dict[int, list[FirmwareReport]], size: int
) -> list[ShardOutput]:
    """The rows in blocks of `size`; `reports` come with the block that holds the row of that number."""
    outputs = []
    for first in range(0, len(rows), size):
        heard = [r for at, some in reports.items() if first <= at < first + size for r in some]
        outputs.append(scorer.score(make_block(rows[first : first + size]), heard, START))
    return outputs


STORY = _shifted(make_history(240), 120.0)
CHANGE = _report("2.0", 120.0, previous="1.0")


def test_a_new_level_raises_without_a_change_of_firmware_and_not_with_one() -> None:
    without = _anomalies(*_run(make_scorer(), STORY, {}, 64))
    assert {("unusual", "RAISED"), ("joint", "RAISED")} <= {(monitor, kind) for monitor, kind, _ in without}
    assert _anomalies(*_run(make_scorer(), STORY, {480: [CHANGE]}, 64)) == []


@pytest.mark.parametrize("size", [1, 7, 64, len(STORY)])
def test_the_baseline_begins_at_the_instant_of_the_change_however_blocks_are_cut(size: int) -> None:
    """The report comes long before the readings of its instant, as from a gateway that sends reports first."""
    rows = [r for r in STORY if r[0] in (LEVEL, FLOW)]
    whole, cut = make_scorer(), make_scorer()
    one = _run(whole, rows, {0: [_report("1.0", 0.0), CHANGE]}, len(rows))
    many = _run(cut, rows, {0: [_report("1.0", 0.0), CHANGE]}, size)
    assert _anomalies(*one) == _anomalies(*many) == []
    for rule in (MonitorRule.ADAPTIVE, MonitorRule.MULTIVARIATE):
        expected = whole.banks[rule].detector.state_to_arrays()
        for name, array in cut.banks[rule].detector.state_to_arrays().items():
            np.testing.assert_array_equal(array, expected[name], err_msg=name)
    assert whole.banks[MonitorRule.MULTIVARIATE].detector.state_to_arrays()["rows_seen"][0] == 120


def test_a_repeated_or_a_late_report_starts_nothing() -> None:
    quiet = make_history(200)
    reports = {
        0: [_report("1.0", 0.0)],
        400: [_report("2.0", 100.0, previous="1.0")],
        500: [_report("2.0", 100.0, previous="1.0"), _report("2.0", 125.0, previous="1.0")],
        600: [_report("1.5", 50.0, previous="1.0"), _report("2.0", 99.0), _report("7.0", 150.0, component="pump")],
    }
    scorer = make_scorer()
    _run(scorer, quiet, reports, 4)
    seen = scorer.banks[MonitorRule.MULTIVARIATE].detector.state_to_arrays()["rows_seen"]
    assert seen.tolist() == [100, 200], "one new baseline, at second 100, of this device alone"
    assert scorer.firmware.find_version(1) == "2.0"


def test_what_is_open_is_closed_with_a_reason_that_says_why_and_fixed_limits_stay() -> None:
    rows = _shifted(make_history(240), 100.0, by=35.0)  # beyond the fixed limit of 80, too
    scorer = make_scorer()
    reports = {0: [_report("1.0", 0.0)], 700: [_report("2.0", 175.0)]}
    outputs = _run(scorer, rows, reports, 4)
    closed = [t for out in outputs for t in out.transitions if t.reason_code == "baseline_restarted"]
    assert sorted(t.monitor for t in closed) == ["joint", "unusual"]
    for t in closed:
        assert (t.kind, t.device_id, t.params["firmware"]) == (TransitionKind.CLEARED, 1, "2.0")
        assert "no longer be judged" in render(t.reason_code, t.params, "en")
        assert "2.0" in render(t.reason_code, t.params, "zh")
    assert [_is_open(scorer, slot) for slot in scorer.slots if slot.device.id == 1] == [
        slot.monitor.key == "high" for slot in scorer.slots if slot.device.id == 1
    ]
    assert scorer._open_of_series.tolist() == [1, 0, 0, 0]


def _is_open(scorer: ShardScorer, slot: MonitorSlot) -> bool:
    bank = scorer.banks.get(slot.monitor.rule)
    return bank is not None and bool(bank.rules.is_open[bank.slots.index(slot)])


@pytest.mark.parametrize("killed_at", [90, 118, 119, 121, 150])
def test_a_replay_from_a_check_point_goes_on_in_the_same_way(killed_at: int) -> None:
    """The report lies behind the check-point, before it, or is put down and not yet due when it is written."""
    reports = {0: [_report("1.0", 0.0)], 450: [CHANGE]}
    straight = make_scorer()
    expected = _run(straight, STORY, reports, 4)
    before = make_scorer()
    _run(before, STORY[: killed_at * 4], {at: r for at, r in reports.items() if at < killed_at * 4}, 4)
    resumed = make_scorer()
    adopt_bytes(resumed, scorer_to_bytes(before))
    rest = {at - killed_at * 4: r for at, r in reports.items() if at >= killed_at * 4}
    found = _run(resumed, STORY[killed_at * 4 :], rest, 4)
    assert _anomalies(*found) == _anomalies(*expected[killed_at:])
    assert scorer_to_bytes(resumed) == scorer_to_bytes(straight)


def test_a_roll_back_is_a_change_and_a_failed_update_is_none() -> None:
    watch = FirmwareWatch()
    assert watch.hear(_report("1.0", 0.0)) is None
    assert watch.hear(_report("2.0", 5.0, state=FirmwareState.FAILED, previous="1.0")) is None
    assert watch.hear(_report("2.0", 10.0)) == START + 10 * SECOND
    assert watch.hear(_report("2.0", 20.0, state=FirmwareState.FAILED, previous="1.0")) == START + 20 * SECOND
    assert watch.find_version(1) == "1.0"
    assert watch.hear(_report("1.0", 30.0)) is None
    restored = FirmwareWatch()
    restored.adopt_json(watch.state_to_json())
    assert restored.hear(_report("1.0", 31.0)) is None
    restored.adopt_json([[1, "main", "1.0"]])  # as check-points were before
    assert restored.hear(_report("2.0", 1.0)) == START + SECOND


def test_a_report_without_a_time_of_its_own_counts_at_once() -> None:
    watch = FirmwareWatch()
    undated = _report("2.0", 10.0, previous="1.0", received_us=START + 10 * SECOND)
    assert watch.hear(undated) == AT_ONCE


def test_two_changes_before_the_next_reading_begin_twice_where_a_reading_lies_between() -> None:
    baselines = Baselines()
    both = np.array([0, 1], dtype=np.int64)
    baselines.put_down(both, 10)
    baselines.put_down(both, 20)
    assert baselines.take_due(both, np.array([9, 25]))[0].tolist() == [False, True]
    assert baselines.take_due(both, np.array([15, 26]))[0].tolist() == [True, False]
    assert baselines.take_due(both, np.array([19, 27]))[0].tolist() == [False, False]
    assert baselines.take_due(both, np.array([20, 28]))[0].tolist() == [True, False]
    assert baselines.waiting.tolist() == baselines.begins_us.tolist() == []


@pytest.mark.parametrize("is_old", [False, True])
def test_what_a_slot_waits_for_is_taken_over_under_its_new_number(is_old: bool) -> None:
    baselines = Baselines()
    for slot, at_us, cause in ((7, 10, Cause.WORK), (2, 20, Cause.FIRMWARE), (7, 30, Cause.FIRMWARE)):
        baselines.put_down(np.array([slot]), at_us, cause)
    arrays = baselines.state_to_arrays()
    if is_old:  # as check-points were before: a row for every one of nine slots
        waiting = arrays.pop("waiting")
        fills = {"begins_us": NEVER, "again_us": NEVER, "cause": 0, "again_cause": 0}
        for name, fill in fills.items():
            every = np.full(9, fill, dtype=arrays[name].dtype)
            every[waiting] = arrays[name]
            arrays[name] = every
    other = Baselines()
    other.put_down(np.array([4, 5]), 1)
    other.adopt_arrays(arrays, np.array([8, 7, 1, 2]), np.array([0, 5, 1, 3]))
    assert other.waiting.tolist() == [3, 4, 5]
    assert other.begins_us.tolist() == [20, 1, 10]
    assert other.again_us.tolist() == [NEVER, NEVER, 30]
    assert other.cause.tolist() == [Cause.FIRMWARE, Cause.FIRMWARE, Cause.WORK]
