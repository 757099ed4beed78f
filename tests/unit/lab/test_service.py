"""Fixed limits beside all monitors are what they would be alone."""

from dataclasses import replace

from benchmarks.fleet import load_profiles
from lab.plan import HOUR, MINUTE, WorldSettings
from lab.service import Service, keep_fixed_rules
from lab.signals import FleetSignals, Sampling
from lab.truth import find_truth
from lab.world import plan_fleet
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
