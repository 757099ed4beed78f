"""A sensor that sticks beyond a limit: told as the sensor's fault, and no signal that lives is held up for long."""

from dataclasses import replace

import numpy as np
import pytest

from anomaly.bank import WatchedDevice
from anomaly.shard_scorer import ShardScorer
from anomaly.snapshot import adopt_bytes, scorer_to_bytes
from domain.breach import BreachTransition, Severity, TransitionKind
from domain.profile import FaultGroup
from domain.sentences import LANGUAGES, render
from tests.unit.anomaly.fleet_of_one import LEVEL, NAME, PROFILE, START, make_block

QUALITY = FaultGroup("data_quality", NAME, NAME, NAME, NAME)
MONITORS = tuple(
    replace(m, n=3, m=5) if m.key == "high" else replace(m, severity=Severity.MINOR, fault_group="data_quality")
    for m in PROFILE.monitors
    if m.key in ("high", "stuck")
)
PUMP = replace(PROFILE, monitors=MONITORS, fault_groups=(*PROFILE.fault_groups, QUALITY))
DEVICE = WatchedDevice(1, "SN-0001", "M-1", "1.0", {"level": LEVEL})


def make_scorer(*, watches_lines: bool = True) -> ShardScorer:
    monitors = tuple(m for m in MONITORS if watches_lines or m.key != "stuck")
    return ShardScorer([DEVICE], {"M-1": replace(PUMP, monitors=monitors)})


def run(scorer: ShardScorer, *rows: tuple[float, float]) -> list[BreachTransition]:
    """(seconds after START, value) of the one series."""
    return scorer.score(make_block([(LEVEL, at, value) for at, value in rows]), [], START).transitions


def tell(transitions: list[BreachTransition]) -> list[tuple[str, str, str, str]]:
    return [(t.monitor, t.kind.value, t.severity.value, t.reason_code) for t in transitions]


HEALTHY = [(float(s), 50.0 + 0.1 * (s % 7)) for s in range(0, 50, 5)]
STUCK = [(float(s), 85.0) for s in range(50, 200, 5)]


def test_a_sensor_that_sticks_beyond_a_limit_is_an_order_about_the_sensor_and_none_about_the_device() -> None:
    found = run(make_scorer(), *HEALTHY, *STUCK)
    assert tell(found) == [("stuck", "RAISED", "MAJOR", "flat_line_beyond")]
    (raised,) = found
    assert raised.fault_group == "data_quality"
    assert raised.first_seen == raised.at, "the line has to hold for its window first"
    for language in LANGUAGES:
        assert "80" in render(raised.reason_code, raised.params, language)
    assert tell(run(make_scorer(watches_lines=False), *HEALTHY, *STUCK)) == [("high", "RAISED", "MAJOR", "limit_high")]


def test_a_sensor_that_sticks_within_its_limits_stays_minor() -> None:
    found = run(make_scorer(), *HEALTHY, *((at, 55.0) for at, _ in STUCK))
    assert tell(found) == [("stuck", "RAISED", "MINOR", "flat_line")]


def test_a_signal_that_lives_is_raised_at_the_reading_at_which_it_would_be_anyhow() -> None:
    fault = [(float(s), 82.0 + 0.1 * (s % 7)) for s in range(50, 120, 5)]
    found = [run(make_scorer(watches_lines=w), *HEALTHY, *fault) for w in (True, False)]
    assert tell(found[0]) == tell(found[1]) == [("high", "RAISED", "MAJOR", "limit_high")]
    assert found[0][0].at == found[1][0].at


def test_a_repeat_by_chance_holds_a_breach_up_for_that_reading_alone() -> None:
    (raised,) = run(make_scorer(), *HEALTHY, (50, 82.0), (55, 82.0), (60, 82.1), (65, 82.3))
    assert (raised.monitor, raised.at.timestamp() - START / 1e6) == ("high", 65.0)


def test_what_is_critical_counts_however_often_it_is_repeated() -> None:
    found = run(make_scorer(), *HEALTHY, *((float(s), 96.0) for s in range(50, 100, 5)))
    assert tell(found) == [("high", "RAISED", "CRITICAL", "limit_high")]


def test_a_breach_that_is_open_goes_on_while_the_sensor_repeats_itself() -> None:
    scorer = make_scorer()
    (raised,) = run(scorer, *HEALTHY, (50, 82.0), (55, 82.1), (60, 82.2))
    assert tell(run(scorer, (65, 82.2), (70, 82.2), (75, 50.0), (80, 50.0))) == [
        ("high", "CLEARED", "MAJOR", "back_to_normal")
    ]
    assert raised.kind is TransitionKind.RAISED


def test_after_a_gap_a_reading_is_no_repeat() -> None:
    found = run(make_scorer(), *HEALTHY, (50, 82.0), (115, 82.0), (180, 82.0))
    assert tell(found) == [("high", "RAISED", "MAJOR", "limit_high")], "a line of a minute is broken by a longer gap"


@pytest.mark.parametrize("cut", [0, 3, 11, 12, 25, 39])
def test_the_story_is_the_same_however_the_readings_are_cut_and_after_a_restart(cut: int) -> None:
    rows = [*HEALTHY, *STUCK, *((float(s), 50.0 + 0.1 * (s % 7)) for s in range(200, 300, 5))]
    whole = run(make_scorer(), *rows)
    assert tell(whole) == [
        ("stuck", "RAISED", "MAJOR", "flat_line_beyond"),
        ("stuck", "CLEARED", "MAJOR", "back_to_normal"),
    ]
    first, second = make_scorer(), make_scorer()
    before = run(first, *rows[:cut])
    adopt_bytes(second, scorer_to_bytes(first))
    assert before + run(second, *rows[cut:]) == whole


def test_the_readings_that_are_held_up_are_those_that_repeat_on_each_series_for_itself() -> None:
    other = replace(DEVICE, id=2, serial="SN-0002", series={"level": 3})
    scorer = ShardScorer([DEVICE, other], {"M-1": PUMP})
    rng = np.random.default_rng(4)
    rows = [(LEVEL, at, value) for at, value in (*HEALTHY, *STUCK)]
    rows += [(3, at, 85.0 + float(rng.normal(0.0, 1.0))) for at, _ in (*HEALTHY, *STUCK)]
    found = scorer.score(make_block(sorted(rows, key=lambda r: r[1])), [], START).transitions
    assert sorted((t.device_id, t.monitor) for t in found) == [(1, "stuck"), (2, "high")]
