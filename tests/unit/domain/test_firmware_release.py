"""What a certain difference means: for the worse towards a limit, a change otherwise."""

from dataclasses import replace

import pytest

from domain.breach import BreachKind, Severity
from domain.firmware_release import (
    Comparison,
    Measure,
    Verdict,
    find_level_verdict,
    find_rate_verdict,
    find_spread_verdict,
    find_way,
    judge,
)
from domain.profile import Direction, Monitor, MonitorRule, Profile, Sensor, Text

WORD = Text("word", "词")
CURRENT = Sensor("current", WORD, "A", 2, 0.0, 10.0)


def _monitor(key: str, direction: Direction, raise_at: float, rule: MonitorRule = MonitorRule.LIMIT) -> Monitor:
    return Monitor(
        key, rule, BreachKind.LIMIT, Severity.MAJOR, key, ("current",), direction, raise_at, clear_at=raise_at
    )


PROFILE = Profile(
    "M",
    1,
    "Maker",
    WORD,
    "1",
    safety_critical=False,
    sensors=(CURRENT,),
    fault_groups=(),
    monitors=(
        _monitor("high", Direction.HIGH, 2.0),
        _monitor("higher", Direction.HIGH, 4.0),
        _monitor("low", Direction.LOW, 0.5),
        _monitor("odd", Direction.HIGH, 12.0, MonitorRule.ADAPTIVE),
    ),
)


@pytest.mark.parametrize(
    ("move", "monitor", "share", "verdict"),
    [
        (0.3, "high", 0.3, Verdict.WORSE),
        (0.1, "high", 0.1, Verdict.CHANGED),
        (-0.25, "low", 0.5, Verdict.WORSE),
        (-0.05, "low", 0.1, Verdict.CHANGED),
        (0.004, "high", 0.004, Verdict.NONE),
    ],
)
def test_a_level_is_worse_when_it_used_up_a_fifth_of_its_way(
    move: float, monitor: str, share: float, verdict: Verdict
) -> None:
    way = find_way(PROFILE, CURRENT, 1.0, move)
    assert way is not None
    assert way.monitor.key == monitor
    assert way.share == pytest.approx(share)
    assert find_level_verdict(CURRENT, move, way) is verdict


def test_away_from_every_limit_is_better_and_without_a_limit_it_is_a_change() -> None:
    one = replace(PROFILE, monitors=PROFILE.monitors[:1])
    assert find_level_verdict(CURRENT, -0.4, find_way(one, CURRENT, 1.0, -0.4)) is Verdict.IMPROVED
    none = replace(PROFILE, monitors=PROFILE.monitors[3:])
    assert find_way(none, CURRENT, 1.0, 5.0) is None
    assert find_level_verdict(CURRENT, 5.0, None) is Verdict.CHANGED
    # What is beyond the limit already has no way to go.
    assert find_way(one, CURRENT, 2.5, 1.0) is None


def test_a_spread_is_worse_when_its_ends_come_nearer_to_a_limit() -> None:
    assert find_spread_verdict(CURRENT, 0.6, find_way(PROFILE, CURRENT, 1.0, 0.3)) is Verdict.WORSE
    assert find_spread_verdict(CURRENT, 0.2, find_way(PROFILE, CURRENT, 1.0, 0.1)) is Verdict.CHANGED
    assert find_spread_verdict(CURRENT, -0.6, None) is Verdict.CHANGED
    assert find_spread_verdict(CURRENT, 0.001, None) is Verdict.NONE


def test_a_rate_is_worse_when_it_doubled_and_that_of_the_others_did_not() -> None:
    assert find_rate_verdict(2.0, 1.0) is Verdict.WORSE
    assert find_rate_verdict(1.9, 1.0) is Verdict.CHANGED
    assert find_rate_verdict(3.0, 2.0) is Verdict.CHANGED
    assert find_rate_verdict(3.0, 0.1) is Verdict.WORSE
    assert find_rate_verdict(0.4, 1.0) is Verdict.IMPROVED
    assert find_rate_verdict(None, 1.0) is Verdict.NONE


def test_only_what_cannot_be_chance_is_said() -> None:
    line = Comparison(
        Measure.LEVEL, "current", "A", 20, 20, 1.0, 1.3, 0.3, 0.2, 0.4, 1e-6, 0.3, "high", "high", Verdict.WORSE
    )
    assert judge(line, 0.009, 0.01) is Verdict.WORSE
    assert judge(line, 0.01, 0.01) is Verdict.NONE
    assert judge(replace(line, verdict=Verdict.TOO_FEW), 1.0, 0.01) is Verdict.TOO_FEW
