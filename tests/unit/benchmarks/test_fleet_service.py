"""Fixed limits beside all monitors are what they would be alone; new devices are counted in their first week."""

from dataclasses import replace

from benchmarks.fleet import find_truth, load_profiles
from benchmarks.fleet_service import Service, keep_fixed_rules, seed_newcomers
from benchmarks.fleet_signals import FleetSignals, Sampling
from benchmarks.fleet_world import HOUR, MINUTE, WorldSettings, plan_fleet
from simulators.faults import Fault, FaultKind

SETTINGS = WorldSettings(devices=10, days=0.15, seed=5, new_share=0.0)


def test_fixed_limits_have_the_tickets_of_an_evaluator_of_their_own() -> None:
    plan = plan_fleet(SETTINGS)
    onset_us = SETTINGS.start_us + 3 * HOUR
    faults = tuple(
        Fault(unit.device.serial, kind, onset_us, 120.0, onset_us + 6 * MINUTE)
        for unit, kind in ((plan.units[0], FaultKind.OCCLUSION), (plan.units[-1], FaultKind.CIRCUIT_LEAK))
    )
    long_us = SETTINGS.start_us - 30 * 24 * HOUR
    units = tuple(replace(unit, begins_us=long_us) for unit in plan.units)
    plan = replace(plan, units=units, faults=faults, episodes=())
    profiles, truth = load_profiles(), find_truth(plan)
    fixed = {model: keep_fixed_rules(profile) for model, profile in profiles.items()}
    signals = FleetSignals(plan, profiles, Sampling())
    beside = Service(plan, plan.units, profiles, signals, truth)
    alone = Service(plan, plan.units, fixed, signals, truth)
    for block in signals.iterate_blocks():
        beside.hear(block)
        alone.hear(block)
    assert beside.fixed_desk.tickets == alone.desk.tickets == alone.fixed_desk.tickets
    warned = beside.judge(beside.fixed_desk).warned
    assert dict(warned) == {"occlusion": 1, "circuit_leak": 1}


def test_new_devices_take_over_what_the_healthy_ones_have_learnt() -> None:
    settings = replace(SETTINGS, devices=40, days=0.12)
    plan = replace(plan_fleet(settings), faults=(), episodes=(), rollouts=())
    late_us = settings.start_us + 2 * HOUR
    long_us = settings.start_us - 30 * 24 * HOUR
    units = tuple(replace(u, begins_us=late_us if u.number in (0, 39) else long_us) for u in plan.units)
    plan = replace(plan, units=units)
    profiles, truth = load_profiles(), find_truth(plan)
    signals = FleetSignals(plan, profiles, Sampling(step_s=10, window_s=0))
    fleet = Service(plan, plan.units, profiles, signals, truth)
    new = [units[0], units[39]]
    seeded = 0
    newcomers = Service(plan, new, profiles, signals, truth)
    for block in signals.iterate_blocks():
        if block.received_us >= late_us and not seeded:
            seeded = seed_newcomers(newcomers, fleet, plan, truth, block.received_us)
        fleet.hear(block)
        newcomers.hear(block)
    assert seeded >= 2, "the adaptive monitor of each kind"
    days, false = newcomers.find_first_week()
    assert (round(days, 3), false) == (round(2 * (plan.end_us - late_us) / (24 * HOUR), 3), 0)
