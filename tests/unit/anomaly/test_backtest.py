"""Backtests: what is judged at which level, how readings are cut, and how two sides compare."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from anomaly.backtest.comparison import NO_ORDER, SideResult, compare_sides, judge_side
from anomaly.backtest.coverage import find_changed, find_uncovered
from anomaly.backtest.evaluator import MOST_ROWS, Evaluator, Side, _cut
from anomaly.backtest.levels import LeftOut, adapt_profile, find_approximate, find_finest_needed
from anomaly.training.contract import FleetPrior, PriorPart
from anomaly.training.progress import Progress, Step
from domain.breach import BreachKind, BreachTransition, Severity, TransitionKind, breach_id_of
from domain.clock import from_micros, to_micros
from domain.profile import Monitor, MonitorRule, Profile
from domain.report import EventReport
from domain.ticket_replay import ReplayedDevice
from store.blocks import BlockColumns
from store.history import HistoryLevel, PastOrder
from tests.unit.anomaly.fleet_of_one import DEVICES, PROFILE, SECOND, START, make_block, make_history

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
DEVICE = ReplayedDevice(1, "SN-0001", safety_critical=False)


def _with(*monitors: Monitor, interval_s: float | None = 60.0) -> Profile:
    sensors = tuple(replace(s, interval_s=interval_s) for s in PROFILE.sensors)
    return replace(PROFILE, sensors=sensors, monitors=monitors)


LIMIT = Monitor("high", MonitorRule.LIMIT, BreachKind.LIMIT, Severity.MAJOR, "group", ("level",), raise_at=80.0)
LONG = replace(LIMIT, key="long", duration_s=7_200.0)
COUNTED = replace(LIMIT, key="counted", n=300, m=400)
ADAPTIVE = replace(LONG, key="unusual", rule=MonitorRule.ADAPTIVE, kind=BreachKind.ANOMALY, warmup=6_000)


def test_a_monitor_is_judged_from_means_where_it_looks_at_two_of_them() -> None:
    profile = _with(LIMIT, LONG, COUNTED)
    kept, left = adapt_profile(profile, HistoryLevel.HOUR)
    assert [(m.key, m.n, m.m) for m in kept.monitors] == [("long", 1, 1), ("counted", 5, 7)]
    assert [x.monitor for x in left] == ["high"]
    kept, left = adapt_profile(profile, HistoryLevel.RAW)
    assert (kept.monitors, left) == (profile.monitors, ())


def test_without_a_known_pace_counts_cannot_be_translated() -> None:
    kept, _ = adapt_profile(_with(LONG, COUNTED, interval_s=None), HistoryLevel.MINUTE)
    assert [m.key for m in kept.monitors] == ["long"]


def test_what_differs_between_two_sides_is_changed_and_silence_is_no_matter_of_a_backtest() -> None:
    silence = Monitor("gone", MonitorRule.OFFLINE, BreachKind.OFFLINE, Severity.MINOR, "group", duration_s=60.0)
    now = _with(LIMIT, LONG, ADAPTIVE, silence)
    moved = replace(LONG, raise_at=90.0)
    assert find_changed(now, now, ()) == ()
    then = _with(LIMIT, moved, COUNTED, replace(silence, duration_s=90.0))
    assert find_changed(now, then, ()) == ("long", "unusual", "counted")
    assert find_changed(now, _with(LIMIT, LONG, ADAPTIVE, silence, interval_s=30.0), ()) == ("high", "long", "unusual")
    part = PriorPart(MonitorRule.ADAPTIVE, "unusual:level", 1, 9, {})
    assert find_changed(now, now, (FleetPrior("M-1", "", (part,)),)) == ("unusual",)


def test_a_changed_monitor_is_covered_by_one_device_that_it_was_judged_on() -> None:
    profile = _with(LIMIT, replace(LIMIT, key="flow_high", sensors=("flow",)))
    evaluator = Evaluator(DEVICES, [Side("proposed", {"M-1": profile})])
    evaluator.take(make_block([(3, 0.0, 5.0)]), [], START + 10_000_000)
    scorer = evaluator.evaluations[0].scorer
    left = LeftOut("other", "too coarse")
    found = find_uncovered(("high", "flow_high", "other", "taken_away"), (left,), scorer)
    assert [u.monitor for u in found] == ["flow_high", "other"]
    assert found[1] == left
    bank = scorer.banks[MonitorRule.LIMIT]
    for number, slot in enumerate(bank.slots):
        if slot.monitor.key == "high":
            bank.give_up(number, "planted")
    assert find_uncovered(("high",), (), scorer) == (LeftOut("high", "its detector failed"),)


def test_the_coarsest_level_is_chosen_that_loses_nothing_and_what_learns_is_judged_from_readings() -> None:
    assert find_finest_needed([_with(LONG)]) is HistoryLevel.HOUR
    assert find_finest_needed([_with(LONG), _with(replace(LONG, duration_s=600.0))]) is HistoryLevel.MINUTE
    assert find_finest_needed([_with(LONG, LIMIT)]) is HistoryLevel.RAW
    assert find_finest_needed([_with(LONG, ADAPTIVE)]) is HistoryLevel.RAW
    adapted, _ = adapt_profile(_with(LONG, ADAPTIVE), HistoryLevel.HOUR)
    assert find_approximate(adapted, HistoryLevel.HOUR) == ("unusual",)
    assert adapted.monitors[1].warmup == 100


def test_silence_is_never_judged() -> None:
    _, left = adapt_profile(PROFILE, HistoryLevel.RAW)
    assert [x.monitor for x in left] == ["missing", "gone"]


def test_wherever_slices_are_cut_a_side_finds_the_same() -> None:
    rows = [(s, at, 90.0 if s == 1 and 100 <= at < 160 else v) for s, at, v in make_history(300)]

    def run(*cuts: int) -> list[BreachTransition]:
        evaluator = Evaluator(DEVICES, [Side("now", {"M-1": PROFILE})])
        for begin, end in zip((0, *cuts), (*cuts, len(rows)), strict=True):
            block = make_block(rows[begin:end])
            evaluator.take(block, [], int(block.observed_us[-1]) + 1)
        assert evaluator.readings == len(rows)
        assert [days.tolist() for days in evaluator.days.values()] == [[True, True]]
        return [replace(t, received_at=t.at) for t in evaluator.evaluations[0].transitions]

    whole = run()
    assert {t.monitor for t in whole} >= {"high"}
    assert run(1, 400, 401) == whole
    assert run(777) == whole


def test_a_device_code_ends_when_it_is_quiet_by_the_clock_of_the_readings() -> None:
    evaluator = Evaluator(DEVICES, [Side("now", {"M-1": adapt_profile(PROFILE, HistoryLevel.RAW)[0]})])
    report = EventReport(1, START + 10 * SECOND, START + 10 * SECOND, "E1", Severity.MAJOR)
    block = make_block([(1, float(60 * k), 50.0) for k in range(300)])
    evaluator.take(block, [report], START + 18_000 * SECOND)
    found = [(t.kind, t.at) for t in evaluator.evaluations[0].transitions if t.monitor == "code"]
    assert [kind for kind, _ in found] == [TransitionKind.RAISED, TransitionKind.CLEARED]
    assert found[0][1] == from_micros(START + 10 * SECOND)
    assert timedelta(0) < found[1][1] - found[0][1] <= timedelta(hours=3)


def test_large_slices_are_scored_in_pieces() -> None:
    count = 2 * MOST_ROWS + 5
    at = START + np.arange(count, dtype=np.int64)
    block = BlockColumns(np.ones(count, dtype=np.int32), at, np.zeros(count), np.zeros(count, dtype=np.int16))
    pieces = list(_cut(block, [], int(at[-1]) + 1, hourly=False))
    assert [len(b) for b, _, _ in pieces] == [MOST_ROWS, MOST_ROWS, 5]
    assert pieces[-1][2] == int(at[-1]) + 1


def _episode(hours: float, lasted_h: float = 1.0) -> list[BreachTransition]:
    began = BEGIN + timedelta(hours=hours)
    return [
        BreachTransition(
            breach_id=breach_id_of(1, "high", 1, to_micros(began)),
            kind=kind,
            device_id=1,
            series_id=1,
            monitor="high",
            profile_version=1,
            breach_kind=BreachKind.LIMIT,
            severity=Severity.MAJOR,
            fault_group="group",
            first_seen=began,
            at=at,
            received_at=at,
            count=1,
            peak=1.0,
            score=1.0,
            reason_code="limit_high",
            params={},
        )
        for kind, at in ((TransitionKind.RAISED, began), (TransitionKind.CLEARED, began + timedelta(hours=lasted_h)))
    ]


def _order(code: str, outcome: str | None, created_h: float, closed_h: float | None) -> PastOrder:
    closed = None if closed_h is None else BEGIN + timedelta(hours=closed_h)
    created = BEGIN + timedelta(hours=created_h)
    return PastOrder(code, 1, "SN-0001", "group", "CORRECTIVE", "MANUAL", outcome, created, closed, None)


ORDERS = [_order("WO-1", "FALSE_ALARM", 0, 48), _order("WO-2", "CONFIRMED", 2_000, 2_100)]


def _judge(*episodes: list[BreachTransition], counted_from: datetime = BEGIN) -> SideResult:
    return judge_side([t for e in episodes for t in e], [DEVICE], PROFILE, ORDERS, counted_from, {})


def test_a_proposal_that_is_quieter_and_earlier_is_shown_to_be_so() -> None:
    # Now: once in vain, and for the failure only when it was there. Proposed: two days before it.
    now, proposed = _judge(_episode(1), _episode(2_010)), _judge(_episode(1_952))
    found = compare_sides(now, proposed, ORDERS, 1_000, {1: "SN-0001"})
    assert (found["now"]["tickets"], found["proposed"]["tickets"]) == (2, 1)
    assert (found["now"]["per_1000_device_days"], found["proposed"]["per_1000_device_days"]) == (2.0, 1.0)
    assert found["now"]["by_outcome"] == {"CONFIRMED": 1, "FALSE_ALARM": 1}
    assert (found["lost"]["by_outcome"], found["gained"]["by_outcome"]) == ({"FALSE_ALARM": 1}, {})
    assert found["lost"]["listed"][0]["code"] == "WO-1"
    assert (found["now"]["lead_time_h"]["median"], found["proposed"]["lead_time_h"]["median"]) == (-10.0, 48.0)
    assert found["top_devices"] == [{"serial": "SN-0001", "now": 2, "proposed": 1}]


def test_a_proposal_that_misses_a_confirmed_failure_loses_it() -> None:
    found = compare_sides(_judge(_episode(2_010)), _judge(), ORDERS, 0, {1: "SN-0001"})
    assert found["lost"]["by_outcome"] == {"CONFIRMED": 1}
    assert found["proposed"]["per_1000_device_days"] is None


def test_a_ticket_that_nobody_ever_had_an_order_for_is_counted_as_such() -> None:
    assert _judge(_episode(500)).outcomes == {NO_ORDER: 1}
    assert _judge(_episode(1_990 - 24 * 30)).outcomes == {NO_ORDER: 1}


def test_what_happens_while_detectors_settle_is_not_counted() -> None:
    side = _judge(_episode(1), _episode(2_010), counted_from=BEGIN + timedelta(days=3))
    assert (side.breaches, len(side.tickets)) == (1, 1)


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_progress_says_how_long_the_rest_takes(share: float) -> None:
    clock = iter([0.0, 10.0, 10.5, 20.0])
    said: list[Step] = []
    progress = Progress(said.append, clock=lambda: next(clock))
    progress.note(share, "first")
    progress.note(share, "too soon")
    progress.note(1.0, "done")
    assert [s.message for s in said] == ["first", "done"]
    assert said[0].seconds_left == pytest.approx(10.0 * (1.0 - share) / share)
    assert said[1].seconds_left == 0.0
