"""A sensor that changes its unit without a word is a fault of the measurement, never one of the device."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from anomaly.bank import WatchedDevice
from anomaly.shard_scorer import ShardScorer
from anomaly.snapshot import adopt_bytes, scorer_to_bytes
from domain.breach import BreachKind, BreachTransition, Severity
from domain.profile import Direction, FaultGroup, Monitor, MonitorRule, Sensor
from domain.sentences import render
from domain.ticket_sentence import render_ticket
from tests.unit.anomaly.fleet_of_one import NAME, PROFILE, SECOND, START, make_block

TEMPERATURE, CURRENT = 1, 2
Row = tuple[int, float, float]


def _monitor(key: str, rule: MonitorRule, kind: BreachKind, *sensors: str, **fields: object) -> Monitor:
    return Monitor(key, rule, kind, Severity.MAJOR, "group", sensors, **fields)  # type: ignore[arg-type]


def _watch(sensor: str, limit: float) -> tuple[Monitor, ...]:
    return (
        _monitor(
            f"{sensor}_high",
            MonitorRule.LIMIT,
            BreachKind.LIMIT,
            sensor,
            raise_at=limit,
            clear_at=0.9 * limit,
            critical_at=1.2 * limit,
            n=3,
            m=5,
        ),
        _monitor(
            f"{sensor}_unusual",
            MonitorRule.ADAPTIVE,
            BreachKind.ANOMALY,
            sensor,
            raise_at=8.0,
            clear_at=4.0,
            direction=Direction.BOTH,
            warmup=40,
        ),
        _monitor(
            f"{sensor}_novel", MonitorRule.NOVELTY, BreachKind.ANOMALY, sensor, raise_at=4.0, clear_at=2.0, warmup=60
        ),
    )


QUALITY = FaultGroup("data_quality", NAME, NAME, NAME, NAME)
UNITS = replace(
    PROFILE,
    sensors=(Sensor("temperature", NAME, "Cel", 1, -50, 2e3), Sensor("current", NAME, "A", 3, 0, 5e3)),
    fault_groups=(*PROFILE.fault_groups, QUALITY),
    monitors=(
        *_watch("temperature", 60.0),
        *_watch("current", 2.0),
        _monitor(
            "joint", MonitorRule.MULTIVARIATE, BreachKind.ANOMALY, "temperature", "current", raise_at=3.0, warmup=60
        ),
    ),
)
DEVICE = WatchedDevice(1, "SN-0001", "M-1", "1.0", {"temperature": TEMPERATURE, "current": CURRENT})


def _make() -> ShardScorer:
    return ShardScorer([DEVICE], {"M-1": UNITS})


def _story(change: Callable[[int, float], float], series: int, seconds: int = 240) -> list[Row]:
    rng = np.random.default_rng(1)
    rows: list[Row] = []
    for k in range(seconds):
        for s, level, noise in ((TEMPERATURE, 36.5, 0.1), (CURRENT, 1.2, 0.01)):
            value = level + float(rng.normal(0.0, noise))
            rows.append((s, float(k), change(k, value) if s == series else value))
    return rows


def _run(rows: list[Row], size: int = 50) -> list[BreachTransition]:
    scorer = _make()
    found = []
    for first in range(0, len(rows), size):
        found += scorer.score(make_block(rows[first : first + size]), [], START).transitions
    return found


CHANGES: dict[str, tuple[int, Callable[[float], float]]] = {
    "Fahrenheit": (TEMPERATURE, lambda v: 1.8 * v + 32.0),
    "Kelvin": (TEMPERATURE, lambda v: v + 273.15),
    "milliampere": (CURRENT, lambda v: 1000.0 * v),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_a_monitor_finds_is_minor_and_about_the_measurement(name: str) -> None:
    series, convert = CHANGES[name]
    found = _run(_story(lambda k, v: convert(v) if 150 <= k < 220 else v, series))
    raised = [t for t in found if t.kind.value == "RAISED"]
    assert {t.monitor.rsplit("_", 1)[-1] for t in raised} >= {"high", "unusual"}
    for t in found:
        assert (t.fault_group, t.severity, t.kind.value == "ESCALATED") == ("data_quality", Severity.MINOR, False)
    for t in raised:
        assert t.reason_code == "unit_changed"
        assert name[:1] in render_ticket(t.reason_code, t.params, "en") or name == "milliampere"
        for language in ("en", "zh"):
            assert "?" not in render(t.reason_code, t.params, language)
    assert {t.monitor for t in found if t.kind.value == "CLEARED"} >= {raised[0].monitor}


@pytest.mark.parametrize("size", [5, 77, 10_000])
def test_the_doubt_does_not_depend_on_blocks_or_restarts(size: int) -> None:
    rows = _story(lambda k, v: 1.8 * v + 32.0 if 150 <= k < 220 else v, TEMPERATURE)
    expected = _run(rows)
    key = lambda t: (t.at, t.monitor, t.kind.value)  # noqa: E731
    assert sorted(_run(rows, size), key=key) == sorted(expected, key=key)
    first, second = _make(), _make()
    found = first.score(make_block(rows[:320]), [], START).transitions
    adopt_bytes(second, scorer_to_bytes(first))
    found += second.score(make_block(rows[320:]), [], START).transitions
    assert sorted(found, key=key) == sorted(expected, key=key)


def test_a_device_that_grows_as_hot_is_a_fault_of_the_device() -> None:
    found = _run(_story(lambda k, v: v + min(max(k - 150, 0) * 2.0, 61.2), TEMPERATURE))
    raised = {(t.monitor, t.fault_group, t.severity) for t in found if t.kind.value == "RAISED"}
    assert ("temperature_high", "group", Severity.MAJOR) in raised
    assert ("temperature_high", "ESCALATED") in {(t.monitor, t.kind.value) for t in found}
    assert "data_quality" not in {t.fault_group for t in found}


@pytest.mark.parametrize("jump", [1.6, 2.4, 4.0, 300.0])
def test_a_jump_that_is_no_unit_is_a_fault_of_the_device(jump: float) -> None:
    found = _run(_story(lambda k, v: v * jump if k >= 150 else v, CURRENT))
    assert {t.fault_group for t in found} == {"group"}


def test_a_series_that_scatters_is_never_doubted() -> None:
    scorer = _make()
    rng = np.random.default_rng(5)
    rows = [(CURRENT, float(k), float(10.0 ** rng.uniform(-3.0, 3.0))) for k in range(500)]
    for first in range(0, len(rows), 100):
        scorer.score(make_block(rows[first : first + 100]), [], START)
    assert scorer.units.state_to_arrays()["other"].tolist() == [-1, -1]


def test_a_doubt_ends_after_a_day() -> None:
    scorer = _make()
    scorer.score(make_block(_story(lambda k, v: 1.8 * v + 32.0 if k >= 150 else v, TEMPERATURE, 160)), [], START)
    index = 0
    assert scorer.units.find_doubt(index, 10_000, START + 151 * SECOND, START + 80_000 * SECOND) is not None
    assert scorer.units.find_doubt(index, 10_000, START + 149 * SECOND, START + 160 * SECOND) is None, "began before"
    assert scorer.units.find_doubt(index, 10_000, START + 151 * SECOND, START + 90_000 * SECOND) is None
