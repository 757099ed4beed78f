"""The simulated fleet with ground truth: how many faults are ticketed in time, how early, and how often for nothing.

    python -m benchmarks.fleet [--devices 500] [--days 90] [--seeds 10] [--first-seed 101] [--json]
    python -m benchmarks.fleet --devices 100 --days 30 --seeds 1 --first-seed 1      # the quick form

Both device kinds run through the production evaluator with the bundled profiles and through the production ticket
rules; beside it, on the same readings, the same with fixed limits alone. docs/benchmarks.md says what is simulated,
how it is sampled and how tickets are judged. Profiles were tuned on seeds 1 to 3 and are reported on 101 to 110.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources

from anomaly.bank import WatchedDevice
from anomaly.shard_scorer import ShardScorer
from benchmarks.fleet_orders import ServiceDesk
from benchmarks.fleet_signals import FleetSignals, Sampling
from benchmarks.fleet_truth import TrueFault, Verdict, find_summary, judge, merge
from benchmarks.fleet_world import FleetPlan, WorldSettings, kind_of, plan_fleet
from domain.profile import MonitorRule, Profile
from domain.profile_file import parse_profile
from domain.tickets import GATEWAY_FAULT_GROUP

PROFILE_FILES = ("infusion_pump.yaml", "ventilator.yaml")
FIXED_RULES = (
    MonitorRule.LIMIT,
    MonitorRule.RATE_OF_CHANGE,
    MonitorRule.STALENESS,
    MonitorRule.OFFLINE,
    MonitorRule.DEVICE_CODE,
)
FULL, FIXED = "bundled profiles", "fixed limits alone"


@dataclass(slots=True)
class Contender:
    """One set of rules with its evaluator and its service desk."""

    scorer: ShardScorer
    desk: ServiceDesk


def load_profiles() -> dict[str, Profile]:
    """The bundled profiles by model."""
    profiles = {}
    for name in PROFILE_FILES:
        profile = parse_profile(resources.files("profiles").joinpath(name).read_text("utf-8"), name)
        assert isinstance(profile, Profile), profile
        profiles[profile.model] = profile
    return profiles


def keep_fixed_rules(profile: Profile) -> Profile:
    """The profile with what needs no past alone: limits, device codes, silence."""
    return replace(profile, monitors=tuple(m for m in profile.monitors if m.rule in FIXED_RULES))


def find_truth(plan: FleetPlan) -> list[TrueFault]:
    """The plan's faults as tickets are judged by them."""
    id_of = {unit.device.serial: unit for unit in plan.units}
    truth = []
    for fault in plan.faults:
        unit = id_of[fault.serial]
        group = kind_of(unit.device.model).faults[fault.kind]
        end_us = plan.end_us if fault.end_us is None else fault.end_us
        truth.append(TrueFault(unit.id, fault.kind.value, group, fault.onset_us, fault.failure_us, end_us))
    for wrong in plan.clock_errors:
        truth.append(TrueFault(wrong.unit + 1, "wrong_clock", "data_quality", wrong.since_us, None, wrong.until_us))
    for outage in plan.outages:
        truth.append(
            TrueFault(0, "gateway_outage", GATEWAY_FAULT_GROUP, outage.since_us, None, outage.until_us, outage.gateway)
        )
        truth += [
            TrueFault(unit.id, "outage_of_its_gateway", "connectivity", outage.since_us, None, outage.until_us)
            for unit in plan.units
            if unit.gateway == outage.gateway
        ]
    return truth


def make_contender(
    plan: FleetPlan, profiles: Mapping[str, Profile], signals: FleetSignals, truth: Sequence[TrueFault]
) -> Contender:
    """A set of rules that has seen nothing."""
    devices = [
        WatchedDevice(u.id, u.device.serial, u.device.model, u.device.firmware, signals.series[u.number])
        for u in plan.units
    ]
    return Contender(ShardScorer(devices, profiles), ServiceDesk(plan, profiles, truth))


def run_seed(settings: WorldSettings, sampling: Sampling, profiles: Mapping[str, Profile]) -> dict[str, Verdict]:
    """One fleet, judged by both sets of rules."""
    plan = plan_fleet(settings)
    truth = find_truth(plan)
    signals = FleetSignals(plan, profiles, sampling)
    fixed = {model: keep_fixed_rules(profile) for model, profile in profiles.items()}
    contenders = {
        FULL: make_contender(plan, profiles, signals, truth),
        FIXED: make_contender(plan, fixed, signals, truth),
    }
    readings, said = 0, time.monotonic()
    for block in signals.iterate_blocks():
        readings += len(block.columns)
        for contender in contenders.values():
            scored = contender.scorer.score(block.columns, block.reports, block.received_us)
            contender.desk.handle(scored.transitions)
            ticked = contender.scorer.tick(block.received_us, plan.settings.start_us)
            contender.desk.handle(ticked.transitions)
        if time.monotonic() - said > 20.0:
            said = time.monotonic()
            done = (block.received_us - settings.start_us) / (plan.end_us - settings.start_us)
            print(f"seed {settings.seed}: {100 * done:3.0f} %, {readings / 1e6:.0f} million readings", file=sys.stderr)
    begins = {unit.id: unit.begins_us for unit in plan.units}
    for name, contender in contenders.items():
        if contender.scorer.unscored:
            raise RuntimeError(f"{name}: a detector gave up: {contender.scorer.unscored}")
    return {name: judge(c.desk.tickets, truth, begins, plan.end_us) for name, c in contenders.items()}


def render(name: str, summary: Mapping[str, object]) -> str:
    """A summary as lines for people."""
    return "\n".join([name, *(f"  {key:40}{value}" for key, value in summary.items())])


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the figures of every seed and of all together; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--days", type=float, default=90.0)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=101)
    parser.add_argument("--step-s", type=int, default=300, help="seconds between readings; 5 leaves nothing out")
    parser.add_argument("--json", action="store_true", help="only the last line")
    options = parser.parse_args(arguments)
    profiles, sampling = load_profiles(), Sampling(step_s=options.step_s)
    verdicts: dict[str, list[Verdict]] = {FULL: [], FIXED: []}
    seeds: dict[str, dict[str, object]] = {}
    began = time.monotonic()
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        found = run_seed(WorldSettings(options.devices, options.days, seed), sampling, profiles)
        for name, verdict in found.items():
            verdicts[name].append(verdict)
        seeds[str(seed)] = {name: find_summary(verdict) for name, verdict in found.items()}
        if not options.json:
            for name, verdict in found.items():
                print(render(f"seed {seed}, {name}", find_summary(verdict)), flush=True)
    whole = {name: find_summary(merge(several)) for name, several in verdicts.items()}
    if not options.json:
        for name, summary in whole.items():
            print(render(f"all seeds, {name}", summary))
    print(json.dumps({"seconds": round(time.monotonic() - began), "seeds": seeds, "all": whole}))


if __name__ == "__main__":
    main()
