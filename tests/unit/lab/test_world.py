"""The plan and what is sent by it: the same every time, and as `ingest` would have recorded it."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.fleet import load_profiles
from domain.reading import ReadingFlag
from domain.report import EventReport, StatusReport
from lab.plan import DAY, HOUR, MINUTE, SECOND, ClockError, Episode, FleetPlan, Nuisance, WorldSettings
from lab.signals import FleetSignals, Sampling, WorldBlock
from lab.truth import find_truth
from lab.world import plan_fleet
from simulators.faults import Fault, FaultKind
from simulators.infusion_pump import InfusionPump
from store.blocks import BlockColumns

SMALL = WorldSettings(devices=6, days=0.25, seed=5, new_share=0.0)
START = SMALL.start_us


@pytest.fixture(scope="module")
def quiet() -> FleetPlan:
    """Six devices, long installed, for six hours in which nothing happens."""
    plan = plan_fleet(SMALL)
    units = tuple(replace(unit, skew_us=0, begins_us=START - 3 * HOUR) for unit in plan.units)
    return replace(
        plan,
        units=units,
        faults=(),
        clock_errors=(),
        episodes=(),
        outages=(),
        swaps=(),
        rollouts=(),
        heat=(0, 0, 0.0),
    )


def send(plan: FleetPlan) -> tuple[FleetSignals, list[WorldBlock]]:
    signals = FleetSignals(plan, load_profiles(), Sampling(step_s=60, window_s=0))
    return signals, list(signals.iterate_blocks())


def join(blocks: list[WorldBlock]) -> BlockColumns:
    return BlockColumns(
        *(
            np.concatenate([getattr(block.columns, name) for block in blocks])
            for name in ("series_id", "observed_us", "value", "flags")
        )
    )


def find_times(blocks: list[WorldBlock], series: int, *, late: bool = False) -> list[int]:
    """Whole minutes after the second hour of what is not late (or is)."""
    columns = join(blocks)
    is_late = (columns.flags & int(ReadingFlag.LATE)) != 0
    chosen = (columns.series_id == series) & (is_late == late)
    minutes = (columns.observed_us[chosen] - START) / MINUTE
    return [int(m) for m in minutes if m > 120 and m == int(m)]


def test_equal_settings_give_an_equal_plan_and_other_seeds_another() -> None:
    settings = WorldSettings(devices=60, days=60, seed=3)
    plan = plan_fleet(settings)
    assert plan == plan_fleet(settings)
    assert plan.faults != plan_fleet(replace(settings, seed=4)).faults


def test_a_device_has_one_fault_at_a_time_and_wear_is_slow() -> None:
    plan = plan_fleet(WorldSettings(devices=300, days=90, seed=3))
    truth = sorted((f for f in find_truth(plan) if f.kind != "outage_of_its_gateway"), key=lambda f: f.onset_us)
    assert len({f.kind for f in truth}) == 13, "every kind there is, wrong clocks and outages included"
    last: dict[int, int] = {}
    for fault in truth:
        if fault.gateway is None:
            assert fault.onset_us >= last.get(fault.device, 0), fault
            last[fault.device] = fault.end_us
    for planned in plan.faults:
        assert planned.end_us is not None
        if planned.growth_s > 3600:
            assert planned.failure_us is not None
            assert planned.failure_us - planned.onset_us > 3 * DAY
            assert 4 * HOUR <= planned.end_us - planned.failure_us <= 30 * HOUR


def test_readings_come_at_their_times_and_within_their_ranges(quiet: FleetPlan) -> None:
    signals, blocks = send(quiet)
    pressure = signals.series[0]["pressure"]
    assert find_times(blocks, pressure) == list(range(121, 361))
    assert len(join(blocks)) == len(join(send(quiet)[1])), "the same every time"
    columns = join(blocks)
    values = columns.value[columns.series_id == pressure]
    assert ((values >= -20) & (values <= 200)).all()
    assert not (columns.flags & int(ReadingFlag.LATE)).any()


def test_what_is_lost_is_absent_what_was_buffered_comes_in_order_and_what_is_late_is_marked(quiet: FleetPlan) -> None:
    hour = START + 3 * HOUR
    plan = replace(
        quiet,
        episodes=(
            Episode(0, Nuisance.LOST, hour, hour + 10 * MINUTE),
            Episode(1, Nuisance.BUFFERED, hour, hour + 12 * MINUTE),
            Episode(2, Nuisance.LATE, hour, hour + 3 * MINUTE),
        ),
    )
    signals, blocks = send(plan)
    lost, buffered, late = (signals.series[unit]["pressure"] for unit in range(3))
    assert find_times(blocks, lost) == [m for m in range(121, 361) if not 180 <= m < 190]
    assert find_times(blocks, buffered) == list(range(121, 361)), "in order, none missing"
    silent = [b for b in blocks if hour < b.received_us < hour + 12 * MINUTE]
    assert not any((b.columns.series_id == buffered).any() for b in silent)
    assert find_times(blocks, late, late=True) == [180, 181, 182]


def test_a_clock_ahead_is_refused_and_one_behind_is_late(quiet: FleetPlan) -> None:
    since, until = START + 3 * HOUR, START + 4 * HOUR
    plan = replace(quiet, clock_errors=(ClockError(0, since, until, DAY), ClockError(1, since, until, -HOUR)))
    signals, blocks = send(plan)
    ahead, behind = (signals.series[unit]["pressure"] for unit in range(2))
    assert find_times(blocks, ahead) == [m for m in range(121, 361) if not 180 <= m < 240]
    assert find_times(blocks, behind) == find_times(blocks, ahead)
    assert len(find_times(blocks, behind, late=True)) >= 59


def test_faults_of_sensors_and_of_the_connection_are_sent_as_such(quiet: FleetPlan) -> None:
    serials = [unit.device.serial for unit in quiet.units]
    since, until = START + 3 * HOUR, START + 4 * HOUR
    faults = (
        Fault(serials[0], FaultKind.STUCK_SENSOR, since, 0.0, until, sensor="pressure"),
        Fault(serials[1], FaultKind.SILENT_SENSOR, since, 0.0, until, sensor="pressure"),
        Fault(serials[2], FaultKind.OFFLINE, since, 0.0, until),
    )
    signals, blocks = send(replace(quiet, faults=faults))
    columns = join(blocks)
    stuck = columns.series_id == signals.series[0]["pressure"]
    meanwhile = (columns.observed_us >= since) & (columns.observed_us < until)
    assert len(set(columns.value[stuck & meanwhile].tolist())) == 1
    assert len(set(columns.value[stuck].tolist())) > 100
    gap = [m for m in range(121, 361) if not 180 <= m < 240]
    assert find_times(blocks, signals.series[1]["pressure"]) == gap
    assert find_times(blocks, signals.series[1]["temperature"]) == list(range(121, 361))
    assert find_times(blocks, signals.series[2]["temperature"]) == gap
    said = [r for block in blocks for r in block.reports if isinstance(r, StatusReport)]
    assert [(r.device_id, r.observed_us) for r in said] == [(3, since), (3, until)]


def test_an_occlusion_is_sent_every_five_seconds_and_the_device_says_so(quiet: FleetPlan) -> None:
    onset = START + 3 * HOUR
    serial = quiet.units[0].device.serial
    fault = Fault(serial, FaultKind.OCCLUSION, onset, 120.0, onset + 5 * MINUTE)
    signals, blocks = send(replace(quiet, faults=(fault,)))
    columns = join(blocks)
    own = (columns.series_id == signals.series[0]["pressure"]) & (columns.observed_us >= onset)
    first = columns.observed_us[own][:30]
    assert np.diff(first).max() <= 5 * SECOND
    codes = [r.code for block in blocks for r in block.reports if isinstance(r, EventReport)]
    assert codes == [InfusionPump.alarms[0].code]
