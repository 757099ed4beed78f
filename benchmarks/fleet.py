"""The simulated fleet with ground truth: how many faults are ticketed in time, how early, and how often for nothing.

    python -m benchmarks.fleet [--devices 500] [--days 90] [--seeds 10] [--first-seed 101] [--json]
    python -m benchmarks.fleet --devices 100 --days 30 --seeds 1 --first-seed 1      # the quick form
    python -m benchmarks.fleet --merge FILE [FILE ...]                               # outputs of runs as one table

Both device kinds run through the production evaluator with the bundled profiles and through the production ticket
rules; beside it, on the same readings, the same with fixed limits alone; and a hundred new devices a seed run from
nothing and with what another fleet has learnt. docs/benchmarks.md says what is simulated, how it is sampled and how
tickets are judged. Profiles were tuned on seeds 1 to 3 and are reported on 101 to 110.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import resources

from benchmarks.fleet_figures import SeedResult, load_runs, merge_seeds, render, to_line
from benchmarks.fleet_newcomers import run_newcomers
from domain.profile import Profile
from domain.profile_file import parse_profile
from lab.plan import WorldSettings
from lab.service import Service
from lab.signals import FleetSignals, Sampling
from lab.truth import find_truth
from lab.world import plan_fleet

PROFILE_FILES = ("infusion_pump.yaml", "ventilator.yaml")
FULL, FIXED = "bundled profiles", "fixed limits alone"


def load_profiles() -> dict[str, Profile]:
    """The bundled profiles by model."""
    profiles = {}
    for name in PROFILE_FILES:
        profile = parse_profile(resources.files("profiles").joinpath(name).read_text("utf-8"), name)
        assert isinstance(profile, Profile), profile
        profiles[profile.model] = profile
    return profiles


def run_seed(settings: WorldSettings, sampling: Sampling, profiles: Mapping[str, Profile]) -> SeedResult:
    """One fleet, judged by both sets of rules, and the new devices of its seed."""
    began = time.monotonic()
    plan = plan_fleet(settings)
    signals = FleetSignals(plan, profiles, sampling)
    fleet = Service(plan, plan.units, profiles, signals, find_truth(plan))
    readings, said = 0, began
    for block in signals.iterate_blocks():
        readings += len(block.columns)
        fleet.hear(block)
        if time.monotonic() - said > 20.0:
            said = time.monotonic()
            done = (block.received_us - settings.start_us) / (plan.end_us - settings.start_us)
            print(f"seed {settings.seed}: {100 * done:3.0f} %, {readings / 1e6:.0f} million readings", file=sys.stderr)
    verdicts = {FULL: fleet.judge(fleet.desk), FIXED: fleet.judge(fleet.fixed_desk)}
    newcomers = run_newcomers(settings.seed, sampling, profiles)
    return SeedResult(verdicts, newcomers, readings, round(time.monotonic() - began))


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the figures of every seed and of all together; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--days", type=float, default=90.0)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=101)
    parser.add_argument("--step-s", type=int, default=300, help="seconds between readings; 5 leaves nothing out")
    parser.add_argument("--merge", nargs="+", metavar="FILE", help="run nothing: what these runs printed, as one")
    parser.add_argument("--json", action="store_true", help="only the last line")
    options = parser.parse_args(arguments)
    if options.step_s < 1 or 300 % options.step_s:
        parser.error("--step-s must divide 300")
    if options.merge:
        try:
            settings, results = load_runs(options.merge)
        except (OSError, ValueError) as error:
            parser.error(str(error))
    else:
        settings = {"devices": options.devices, "days": options.days, "step_s": options.step_s}
        results = {}
        profiles, sampling = load_profiles(), Sampling(step_s=options.step_s)
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            results[seed] = run_seed(WorldSettings(options.devices, options.days, seed), sampling, profiles)
            if not options.json:
                print(render(f"seed {seed}", results[seed]), flush=True)
    if not options.json:
        print(render("all seeds", merge_seeds(results.values())))
    print(to_line(settings, results))


if __name__ == "__main__":
    main()
