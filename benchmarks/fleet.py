"""The simulated fleet with ground truth: how many faults are ticketed in time, how early, and how often for nothing.

    python -m benchmarks.fleet [--devices 500] [--days 90] [--seeds 10] [--first-seed 101] [--json]
    python -m benchmarks.fleet --devices 100 --days 30 --seeds 1 --first-seed 1      # the quick form

Both device kinds run through the production evaluator with the bundled profiles and through the production ticket
rules; beside it, on the same readings, the same with fixed limits alone, and the newly installed devices once more with
what the rest of the fleet has learnt. docs/benchmarks.md says what is simulated, how it is sampled and how tickets are
judged. Profiles were tuned on seeds 1 to 3 and are reported on 101 to 110.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

from benchmarks.fleet_service import Service, seed_newcomers
from benchmarks.fleet_signals import FleetSignals, Sampling
from benchmarks.fleet_truth import TrueFault, Verdict, find_summary, merge
from benchmarks.fleet_world import FleetPlan, WorldSettings, kind_of, plan_fleet
from domain.profile import Profile
from domain.profile_file import parse_profile
from domain.tickets import GATEWAY_FAULT_GROUP

PROFILE_FILES = ("infusion_pump.yaml", "ventilator.yaml")
FULL, FIXED = "bundled profiles", "fixed limits alone"


@dataclass(slots=True)
class FirstWeek:
    """What newly installed devices cost in their first week."""

    device_days: float = 0.0
    false_tickets: int = 0
    breaches: Counter[str] = field(default_factory=Counter)  # by learning monitor, without a fault

    def add(self, other: "FirstWeek") -> None:
        """Another fleet's."""
        self.device_days += other.device_days
        self.false_tickets += other.false_tickets
        self.breaches += other.breaches

    def find_summary(self) -> dict[str, object]:
        """The figures by name."""
        per = 1000 / self.device_days if self.device_days else None
        return {
            "device_days": round(self.device_days),
            "false_tickets": self.false_tickets,
            "false_per_1000_device_days": None if per is None else round(self.false_tickets * per, 2),
            "breaches_without_fault": dict(self.breaches),
        }


@dataclass(slots=True)
class SeedResult:
    """What one fleet gave."""

    verdicts: dict[str, Verdict]
    first_week: dict[str, FirstWeek]
    readings: int


def load_profiles() -> dict[str, Profile]:
    """The bundled profiles by model."""
    profiles = {}
    for name in PROFILE_FILES:
        profile = parse_profile(resources.files("profiles").joinpath(name).read_text("utf-8"), name)
        assert isinstance(profile, Profile), profile
        profiles[profile.model] = profile
    return profiles


def find_truth(plan: FleetPlan) -> list[TrueFault]:
    """The plan's faults as tickets are judged by them."""
    unit_of = {unit.device.serial: unit for unit in plan.units}
    truth = []
    for fault in plan.faults:
        unit = unit_of[fault.serial]
        group = kind_of(unit.device.model).faults[fault.kind]
        end_us = plan.end_us if fault.end_us is None else fault.end_us
        truth.append(TrueFault(unit.id, fault.kind.value, group, fault.onset_us, fault.failure_us, end_us))
    for wrong in plan.clock_errors:
        truth.append(TrueFault(wrong.unit + 1, "wrong_clock", "data_quality", wrong.since_us, None, wrong.until_us))
    for outage in plan.outages:
        since_us, until_us = outage.since_us, outage.until_us
        truth.append(TrueFault(0, "gateway_outage", GATEWAY_FAULT_GROUP, since_us, None, until_us, outage.gateway))
        truth += [
            TrueFault(unit.id, "outage_of_its_gateway", "connectivity", since_us, None, until_us)
            for unit in plan.units
            if unit.gateway == outage.gateway
        ]
    return truth


def run_seed(settings: WorldSettings, sampling: Sampling, profiles: Mapping[str, Profile]) -> SeedResult:
    """One fleet, judged by both sets of rules."""
    plan = plan_fleet(settings)
    truth = find_truth(plan)
    signals = FleetSignals(plan, profiles, sampling)
    fleet = Service(plan, plan.units, profiles, signals, truth)
    new = [unit for unit in plan.units if unit.begins_us > settings.start_us]
    installed_us = min((unit.begins_us for unit in new), default=plan.end_us)
    seeded: Service | None = None
    readings, said = 0, time.monotonic()
    for block in signals.iterate_blocks():
        readings += len(block.columns)
        if seeded is None and block.received_us >= installed_us:
            seeded = Service(plan, new, profiles, signals, truth)
            seed_newcomers(seeded, fleet, plan, truth, block.received_us)
        for service in (fleet,) if seeded is None else (fleet, seeded):
            service.hear(block)
        if time.monotonic() - said > 20.0:
            said = time.monotonic()
            done = (block.received_us - settings.start_us) / (plan.end_us - settings.start_us)
            print(f"seed {settings.seed}: {100 * done:3.0f} %, {readings / 1e6:.0f} million readings", file=sys.stderr)
    first_week = {
        name: FirstWeek(*service.find_first_week(), service.raised)
        for name, service in (("from nothing", fleet), ("with the fleet's prior", seeded))
        if service is not None
    }
    return SeedResult({FULL: fleet.judge(fleet.desk), FIXED: fleet.judge(fleet.fixed_desk)}, first_week, readings)


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
    if options.step_s < 1 or 300 % options.step_s:
        parser.error("--step-s must divide 300")
    profiles, sampling = load_profiles(), Sampling(step_s=options.step_s)
    verdicts: dict[str, list[Verdict]] = {FULL: [], FIXED: []}
    first_week: dict[str, FirstWeek] = {}
    seeds: dict[str, dict[str, object]] = {}
    began = time.monotonic()
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        seed_began = time.monotonic()
        found = run_seed(WorldSettings(options.devices, options.days, seed), sampling, profiles)
        seeds[str(seed)] = {
            "seconds": round(time.monotonic() - seed_began),
            "readings": found.readings,
            **{name: find_summary(verdict) for name, verdict in found.verdicts.items()},
        }
        for name, verdict in found.verdicts.items():
            verdicts[name].append(verdict)
            if not options.json:
                print(render(f"seed {seed}, {name}", find_summary(verdict)), flush=True)
        for name, week in found.first_week.items():
            first_week.setdefault(name, FirstWeek()).add(week)
            if not options.json:
                title = f"seed {seed}, first week of newly installed devices, {name}"
                print(render(title, week.find_summary()), flush=True)
    whole = {name: find_summary(merge(several)) for name, several in verdicts.items()}
    weeks = {name: week.find_summary() for name, week in first_week.items()}
    if not options.json:
        for name, summary in whole.items():
            print(render(f"all seeds, {name}", summary))
        for name, summary in weeks.items():
            print(render(f"first week of newly installed devices, {name}", summary))
    seconds = round(time.monotonic() - began)
    print(json.dumps({"seconds": seconds, "seeds": seeds, "all": whole, "first_week": weeks}))


if __name__ == "__main__":
    main()
