"""One shard: what becomes of blocks and reports, whatever way they were cut."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.detectors.adaptive import AdaptiveDetector
from anomaly.presence import OpenBreach
from anomaly.shard_output import ShardOutput
from anomaly.shard_scorer import ShardScorer
from anomaly.snapshot import adopt_bytes, scorer_to_bytes
from domain.breach import BreachKind, BreachTransition, Severity
from domain.clock import from_micros
from domain.profile import Monitor, MonitorRule
from domain.reading import ReadingFlag
from domain.report import ConnectionState, EventReport, FirmwareReport, FirmwareState, StatusReport
from domain.sentence_templates import SENTENCES
from domain.sentences import render
from tests.unit.anomaly.fleet_of_one import DEVICES, FLOW, LEVEL, PROFILE, START, make_block, make_history, make_scorer
from tests.unit.anomaly.fleet_of_one import SECOND as S

NOW = START + 5_000 * S


def _said(out: ShardOutput) -> list[tuple[str, str]]:
    return [(t.monitor, t.kind.value) for t in out.transitions]


def _story() -> list[tuple[int, float, float]]:
    """A level beyond both limits, a flow that shifts on one device, a level that sticks on the other."""
    rows = []
    for series, at, value in make_history(300):
        if series == LEVEL and 150 <= at < 170:
            value = 85.0 if at < 160 else 97.0
        if series == LEVEL and 200 <= at < 205:
            value = 5.0
        if series == FLOW and at >= 250:
            value += 20.0
        if series == 3 and at >= 200:
            value = 44.0
        rows.append((series, at, value))
    return rows


def _run(cuts: list[int]) -> tuple[list[BreachTransition], list[tuple[int, int, float, int]], bytes]:
    scorer = make_scorer()
    rows = _story()
    bounds = [0, *sorted(cuts), len(rows)]
    found: list[BreachTransition] = []
    minutes: list[tuple[int, int, float, int]] = []
    for a, b in pairwise(bounds):
        out = scorer.score(make_block(rows[a:b]), [], START)
        found += out.transitions
        for m in out.minutes:
            columns = (m.series_id, m.minutes.minute_us, m.minutes.mean_score, m.minutes.n)
            minutes += list(zip(*(c.tolist() for c in columns), strict=True))
    return found, minutes, scorer_to_bytes(scorer)


@cache
def _run_whole() -> tuple[list[BreachTransition], list[tuple[int, int, float, int]], bytes]:
    return _run([])


def _order(found: list[BreachTransition]) -> list[BreachTransition]:
    return sorted(found, key=lambda t: (t.at, t.device_id, t.monitor, t.kind.value))


def test_the_story_is_told() -> None:
    said = [
        (t.device_id, t.monitor, t.kind.value, t.severity.value)
        for t in _order(_run_whole()[0])
        if t.monitor != "joint"
    ]
    assert said == [
        (1, "high", "RAISED", "MAJOR"),
        (1, "high", "ESCALATED", "CRITICAL"),
        (1, "high", "CLEARED", "CRITICAL"),
        (1, "low", "RAISED", "MAJOR"),
        (1, "low", "CLEARED", "MAJOR"),
        (1, "unusual", "RAISED", "MAJOR"),
        (2, "stuck", "RAISED", "MAJOR"),
    ]
    low = next(t for t in _run_whole()[0] if t.monitor == "low")
    assert (low.peak, low.score) == (5.0, 5.0)
    assert render(low.reason_code, low.params, "en") == (
        "Motor current of SN-0001 fell to 5.0 A, below its limit of 10.0 A, for 0 seconds."
    )
    for t in _run_whole()[0]:
        for lang in ("en", "zh"):
            assert "?" not in render(t.reason_code, t.params, lang)
        assert t.reason_code in SENTENCES


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, 1200), max_size=15))
def test_any_split_into_blocks_gives_the_same_breaches_scores_and_state(cuts: list[int]) -> None:
    found, minutes, state = _run(cuts)
    assert _order(found) == _order(_run_whole()[0])
    assert sorted(minutes) == sorted(_run_whole()[1])
    assert state == _run_whole()[2]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1200))
def test_a_restart_from_a_check_point_goes_on_bit_for_bit(cut: int) -> None:
    rows = _story()
    first = make_scorer()
    found = first.score(make_block(rows[:cut]), [], START).transitions
    second = make_scorer()
    adopt_bytes(second, scorer_to_bytes(first))
    found += second.score(make_block(rows[cut:]), [], START).transitions
    assert _order(found) == _order(_run_whole()[0])
    assert scorer_to_bytes(second) == _run_whole()[2]


def test_state_is_found_again_by_its_key_when_devices_come_and_go() -> None:
    rows = [r for r in make_history(200) if r[0] > 2]
    both = make_scorer()
    both.score(make_block(rows), [], START)
    alone = ShardScorer(DEVICES[1:], {"M-1": PROFILE})
    adopt_bytes(alone, scorer_to_bytes(both))
    detector = alone.banks[MonitorRule.ADAPTIVE].detector
    assert isinstance(detector, AdaptiveDetector)
    assert detector.seen.tolist() == [200]
    back = make_scorer()
    adopt_bytes(back, scorer_to_bytes(alone))
    assert scorer_to_bytes(back) == scorer_to_bytes(both)


@pytest.mark.parametrize("flag", [ReadingFlag.LATE, ReadingFlag.BAD, ReadingFlag.BAD | ReadingFlag.LATE])
def test_late_and_bad_readings_are_counted_and_move_no_detector(flag: ReadingFlag) -> None:
    scorer, other = make_scorer(), make_scorer()
    out = scorer.score(make_block([(LEVEL, 0, 99.0)] * 3, int(flag)), [], START)
    assert out.transitions == []
    assert (out.readings, out.scored, out.late + out.bad) == (3, 0, 3)
    for rule, bank in scorer.banks.items():
        for name, array in bank.detector.state_to_arrays().items():
            assert array.tobytes() == other.banks[rule].detector.state_to_arrays()[name].tobytes()


def test_unknown_series_are_counted() -> None:
    out = make_scorer().score(make_block([(999, 0, 1.0), (-1, 0, 1.0), (LEVEL, 0, 1e9)]), [], START)
    assert (out.unknown, out.scored) == (2, 1)


def test_a_detector_that_fails_leaves_the_others_scoring(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = make_scorer()
    detector = scorer.banks[MonitorRule.ADAPTIVE].detector

    def fail(*_: object) -> None:
        raise FloatingPointError("planted")

    monkeypatch.setattr(detector, "step", fail)
    scorer.is_careful = True
    out = scorer.score(make_block(_story()), [], START)
    assert {t.monitor for t in out.transitions} >= {"high", "low", "stuck"}
    assert "unusual" not in {t.monitor for t in out.transitions}
    assert {(u.monitor, u.reason) for u in scorer.unscored} == {("unusual", "FloatingPointError: planted")}


def test_silence_is_stale_once_and_ends_with_a_reading() -> None:
    scorer = make_scorer()
    scorer.score(make_block([(FLOW, 0, 1.0)]), [], START)
    assert scorer.tick(START + 599 * S, START).transitions == []
    first = scorer.tick(START + 600 * S, START)
    assert _said(first) == [("missing", "RAISED")]
    assert scorer.tick(START + 900 * S, START).transitions == []
    last = scorer.score(make_block([(FLOW, 950, 1.0)]), [], START + 960 * S)
    assert _said(last) == [("missing", "CLEARED")]
    assert first.transitions[0].breach_id == last.transitions[0].breach_id
    assert first.transitions[0].first_seen == from_micros(START)


def test_silence_that_nobody_listened_to_does_not_count() -> None:
    scorer = make_scorer()
    scorer.score(make_block([(FLOW, 0, 1.0)]), [], START)
    assert scorer.tick(START + 5_000 * S, START + 4_500 * S).transitions == []
    assert _said(scorer.tick(START + 5_100 * S, START + 4_500 * S)) == [("missing", "RAISED")]


def test_a_series_that_never_reported_is_not_stale() -> None:
    assert make_scorer().tick(START + 10**9 * S, START).transitions == []


def test_offline_needs_its_duration_and_ends_with_any_newer_sign_of_life() -> None:
    scorer = make_scorer()
    gone = StatusReport(1, NOW, NOW, ConnectionState.OFFLINE)
    assert scorer.score(make_block([]), [gone], NOW).transitions == []
    assert scorer.tick(NOW + 119 * S, START).transitions == []
    assert _said(scorer.tick(NOW + 120 * S, START)) == [("gone", "RAISED")]
    old = scorer.score(make_block([(LEVEL, 10, 50.0)]), [], NOW + 130 * S)
    assert old.transitions == []  # sent before it went: a gateway's backlog
    assert _said(scorer.score(make_block([(LEVEL, 5_200, 50.0)]), [], NOW + 200 * S)) == [("gone", "CLEARED")]


def test_a_short_absence_is_no_breach() -> None:
    scorer = make_scorer()
    scorer.score(make_block([]), [StatusReport(1, NOW, NOW, ConnectionState.OFFLINE)], NOW)
    back = StatusReport(1, NOW + 30 * S, NOW + 30 * S, ConnectionState.ONLINE)
    scorer.score(make_block([]), [back], NOW + 30 * S)
    assert scorer.tick(NOW + 500 * S, START).transitions == []


def test_an_offline_breach_of_a_device_with_a_slow_clock_ends_with_its_next_readings_also_after_a_restart() -> None:
    """The device's clock is an hour behind, and it never says that it is online."""
    hour = 3_600 * S
    scorer = make_scorer()
    scorer.score(make_block([(LEVEL, 0.0, 50.0)]), [], START + hour)
    gone = StatusReport(1, START + hour + S, START + hour + S, ConnectionState.OFFLINE)
    scorer.score(make_block([]), [gone], START + hour + S)
    assert _said(scorer.tick(START + hour + 200 * S, START)) == [("gone", "RAISED")]
    restarted = make_scorer()
    adopt_bytes(restarted, scorer_to_bytes(scorer))
    restarted.adopt_open([_open("gone", START + hour + S, series_id=None, kind=BreachKind.OFFLINE)])
    kept_back = restarted.score(make_block([(LEVEL, 0.5, 50.0)]), [], START + hour + 201 * S)
    assert _said(kept_back) == [], "taken before it went"
    back = restarted.score(make_block([(LEVEL, 202.0, 50.0)]), [], START + hour + 202 * S)
    assert _said(back) == [("gone", "CLEARED")]
    assert back.transitions[0].params["duration"] == {"seconds": 201.0}


def test_a_device_code_is_raised_at_once_escalated_once_and_clears_when_it_was_quiet() -> None:
    scorer = make_scorer()
    events = [EventReport(1, NOW + k, NOW, "E1", s) for k, s in enumerate([Severity.MINOR, Severity.CRITICAL] * 2)]
    out = scorer.score(make_block([]), [*events, EventReport(1, NOW, NOW, "E2", Severity.CRITICAL)], NOW)
    assert [(t.kind.value, t.severity.value) for t in out.transitions] == [
        ("RAISED", "MAJOR"),
        ("ESCALATED", "CRITICAL"),
    ]
    assert scorer.tick(NOW + 899 * S, START).transitions == []
    assert _said(scorer.tick(NOW + 900 * S, START)) == [("code", "CLEARED")]


def test_new_firmware_starts_a_new_baseline_and_the_same_version_again_does_not() -> None:
    scorer = make_scorer()
    scorer.score(make_block(make_history(100)), [], START)
    detector = scorer.banks[MonitorRule.ADAPTIVE].detector
    assert isinstance(detector, AdaptiveDetector)
    assert (detector.varied >= 40).tolist() == [True, True]
    same = FirmwareReport(1, NOW, NOW, "main", "2.0", FirmwareState.UPDATED)
    scorer.score(make_block([]), [same, same], NOW)
    assert (detector.varied >= 40).tolist() == [True, True]
    new = FirmwareReport(1, NOW, NOW, "main", "2.1", FirmwareState.UPDATED)
    scorer.score(make_block([]), [FirmwareReport(1, NOW, NOW, "main", "2.1", FirmwareState.FAILED)], NOW)
    assert (detector.varied >= 40).tolist() == [True, True]
    scorer.score(make_block([(FLOW, 101.0, 5.0), (4, 101.0, 5.1)]), [new], NOW)
    assert detector.varied.tolist()[0] <= 1
    assert detector.varied.tolist()[1] >= 40


def test_learning_is_frozen_while_a_breach_of_the_series_is_open() -> None:
    scorer = make_scorer()
    rows = [
        (series, at, value + (20.0 if series == FLOW and at >= 200 else 0.0)) for series, at, value in make_history(400)
    ]
    scorer.score(make_block(rows), [], START)
    bank = scorer.banks[MonitorRule.ADAPTIVE]
    assert isinstance(bank.detector, AdaptiveDetector)
    assert bank.rules.is_open.tolist() == [True, False]
    assert bank.detector.find_expected(0)[0] == pytest.approx(5.0, abs=0.2)


def _open(monitor: str, first_us: int, **changes: object) -> OpenBreach:
    fields: dict[str, object] = {
        "device_id": 1,
        "series_id": LEVEL,
        "monitor": monitor,
        "kind": BreachKind.LIMIT,
        "profile_version": 3,
        "severity": Severity.MAJOR,
        "fault_group": "group",
        "first_seen_us": first_us,
        "last_seen_us": first_us,
        "count": 1,
        "peak": 90.0,
        "params": {},
    }
    return OpenBreach(**(fields | changes))  # type: ignore[arg-type]


def test_what_a_stuck_sensor_shows_is_neither_learnt_nor_judged() -> None:
    stuck = Monitor(
        "flow_stuck", MonitorRule.FLAT_LINE, BreachKind.LIMIT, Severity.MINOR, "group", ("flow",), window_s=60.0
    )
    scorer = ShardScorer(DEVICES, {"M-1": replace(PROFILE, monitors=(*PROFILE.monitors, stuck))})
    scorer.score(make_block(make_history(100)), [], START)
    out = scorer.score(make_block([(FLOW, 100.0 + k, 5.2) for k in range(61)]), [], START)
    assert _said(out) == [("flow_stuck", "RAISED")]
    detector = scorer.banks[MonitorRule.ADAPTIVE].detector
    before = detector.state_to_arrays()
    out = scorer.score(make_block([(FLOW, 161.0 + k, 5.2) for k in range(100)]), [], START)
    assert _said(out) == []
    assert all(
        np.array_equal(before[name], array, equal_nan=True) for name, array in detector.state_to_arrays().items()
    )
    back = [(FLOW, 261.0 + k, 5.0 + (0.3 if k % 2 else -0.3)) for k in range(20)]
    assert _said(scorer.score(make_block(back), [], START)) == [("flow_stuck", "CLEARED")]
    assert detector.state_to_arrays()["seen"].sum() == before["seen"].sum() + 20


def test_the_databases_word_on_open_breaches_is_taken() -> None:
    scorer = make_scorer()
    scorer.score(make_block([(3, 0, 99.0)]), [], START)
    low = _open("low", START, peak=4.0)
    out = scorer.adopt_open(
        [_open("high", START), low, _open("no_such_monitor", START), _open("x", START, device_id=77)]
    )
    assert [(t.monitor, t.kind.value, t.reason_code) for t in out.transitions] == [
        ("no_such_monitor", "CLEARED", "monitor_retired")
    ]
    bank = scorer.banks[MonitorRule.LIMIT]
    assert [s.monitor.key for s, is_open in zip(bank.slots, bank.rules.is_open, strict=True) if is_open] == [
        "high",
        "low",
    ]
    said = scorer.score(make_block([(LEVEL, 1, 50.0), (3, 1, 50.0)]), [], START)
    assert [(t.monitor, t.device_id, t.peak) for t in said.transitions] == [("high", 1, 90.0), ("low", 1, 4.0)]


def test_the_breaches_of_a_decommissioned_device_are_closed_and_those_of_a_stranger_are_not() -> None:
    breaches = [_open("high", START, device_id=77), _open("high", START, device_id=78)]
    (said,) = make_scorer().adopt_open(breaches, {77: "SN-GONE"}).transitions
    assert (said.device_id, said.kind.value, said.reason_code) == (77, "CLEARED", "device_decommissioned")
    assert render(said.reason_code, said.params, "en").startswith("SN-GONE was decommissioned")


def test_roll_ups_have_every_score_of_a_minute_once() -> None:
    scorer = make_scorer()
    rows = [r for r in make_history(300) if r[0] == FLOW]
    outs = [scorer.score(make_block(rows[k : k + 7]), [], START) for k in range(0, 300, 7)]
    counts = np.concatenate([m.minutes.n for out in outs for m in out.minutes if m.detector[0] == "unusual"])
    assert counts[1:].tolist() == [60, 60, 60]
    assert outs[-1].minutes == []
