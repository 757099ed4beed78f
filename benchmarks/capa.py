"""Whether the cohort statistic of CAPA proposals keeps its promise: few false proposals, and enough true ones.

    python -m benchmarks.capa [--fleets 2000] [--years 20] [--json]

Simulated installed bases (`benchmarks.capa_fleet`): eight models of 50 to 2,000 devices, twelve lots, four firmware
versions, five fault groups with 0.3 to 30 cases a month each. The production code decides, pure functions over counts.

- false: no rate has changed. Share of evaluations with any proposal, which is the false-discovery rate where every
  proposal is false; wanted at or below `capa_p_value` (0.01).
- mixed: the rate of one lot in every tenth cohort is tripled. Mean share of proposals that are about another cohort.
- power: the rate of one lot, firmware version or whole model is doubled or tripled for the window, by the number of
  cases that it would have had; share proposed at all, and share proposed as that scope.
- year: a year of daily looks at the last 30 days with no rate changed: proposals a fleet-year.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import binomtest

from benchmarks.capa_fleet import (
    WINDOW_D,
    Excess,
    Model,
    draw_cohorts,
    find_exposures,
    make_cohort,
    make_fleet,
)
from service_link.cohort import Cohort, Finding, find_proposals, is_enough

SEED = 2026
EXPECTED = (3.0, 5.0, 10.0, 20.0, 40.0)  # cases of the scope in 30 days, were nothing wrong
FACTORS = (2.0, 3.0)
BASELINE_D = 365


def main() -> None:
    """Prints the figures as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fleets", type=int, default=2_000, help="evaluations with no rate changed")
    parser.add_argument("--years", type=int, default=20, help="years of daily looks")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    arguments = parser.parse_args()
    began = time.perf_counter()
    figures: dict[str, Any] = {}
    parts: dict[str, Callable[[], Any]] = {
        "false": lambda: measure_false(arguments.fleets),
        "power": lambda: measure_power(max(arguments.fleets // 10, 20)),
        "mixed": lambda: measure_mixed(arguments.fleets // 4),
        "year": lambda: measure_years(arguments.years),
    }
    for name, measure in parts.items():
        figures[name] = measure()
        if not arguments.json:
            print(name, json.dumps(figures[name]), flush=True)
    print(json.dumps(figures | {"seconds": round(time.perf_counter() - began, 1)}))


def evaluate(cohorts: list[Cohort], fleet: list[Model]) -> list[Finding]:
    """What production proposes of them: those with too few devices or customers are not looked at, and still count as
    questions that were asked."""
    asked = [cohort for cohort in cohorts if is_enough(cohort.cases, cohort.policy)]
    return find_proposals(asked, hypotheses=sum(model.hypotheses for model in fleet))


def measure_false(evaluations: int) -> dict[str, Any]:
    """Proposals where nothing has changed; the fleet is drawn anew every 20 evaluations."""
    rng = np.random.default_rng(SEED)
    wrong = proposals = 0
    fleet: list[Model] = []
    for n in range(evaluations):
        fleet = make_fleet(rng) if n % 20 == 0 else fleet
        found = evaluate(draw_cohorts(rng, fleet), fleet)
        wrong += bool(found)
        proposals += len(found)
    low, high = find_share_interval(wrong, evaluations)
    return {
        "evaluations": evaluations,
        "with_a_proposal": wrong,
        "proposals": proposals,
        "share": round(wrong / evaluations, 5),
        "share_interval": [low, high],
    }


def measure_mixed(evaluations: int) -> dict[str, Any]:
    """The share of false proposals among all, where some are true."""
    rng = np.random.default_rng(SEED + 1)
    shares, proposals, fleet = [], 0, list[Model]()
    for n in range(evaluations):
        fleet = make_fleet(rng) if n % 20 == 0 else fleet
        keys = [(model.id, group) for model in fleet for group in range(len(model.rates))]
        chosen = {keys[n] for n in rng.choice(len(keys), len(keys) // 10, replace=False)}
        excess = tuple(Excess(model, group, "LOT", int(rng.integers(12)), 3.0) for model, group in sorted(chosen))
        found = evaluate(draw_cohorts(rng, fleet, excess), fleet)
        wrong = [f for f in found if (f.scope.device_model_id, int(f.scope.fault_group[1:])) not in chosen]
        shares.append(len(wrong) / max(len(found), 1))
        proposals += len(found)
    return {
        "evaluations": evaluations,
        "proposals": proposals,
        "false_share": round(float(np.mean(shares)), 5),
    }


def measure_power(evaluations: int) -> list[dict[str, Any]]:
    """How often a scope that has become worse is proposed, as one question among all that are asked of a fleet."""
    lines = []
    for kind in ("LOT", "FIRMWARE", "MODEL"):
        for expected in EXPECTED:
            for factor in FACTORS:
                rng = np.random.default_rng([SEED, len(kind), int(expected), int(factor)])
                found = _find_power(rng, kind, expected, factor, evaluations)
                lines.append({"scope": kind, "expected": expected, "factor": factor, **found})
    return lines


def _find_power(
    rng: np.random.Generator, kind: str, expected: float, factor: float, evaluations: int
) -> dict[str, float]:
    proposed = named = 0
    for _ in range(evaluations):
        fleet = make_fleet(rng)
        model = fleet[0]
        of = {"LOT": model.lots, "FIRMWARE": model.firmwares}.get(kind)
        value = 0 if of is None else int(np.bincount(of).argmax())
        devices = model.devices if of is None else int((of == value).sum())
        model.rates[0] = expected / devices / WINDOW_D
        factors = Excess(model.id, 0, kind, value, factor).find_factors(model, 0)
        failed = np.repeat(np.arange(model.devices), rng.poisson(model.rates[0] * factors * WINDOW_D))
        history = int(rng.poisson(model.rates[0] * model.devices * BASELINE_D))
        found = evaluate([make_cohort(model, 0, failed, find_exposures(model), history)], fleet)
        wanted = {"LOT": f"L{value}", "FIRMWARE": f"F{value}"}.get(kind, "")
        proposed += bool(found)
        named += any((f.scope.kind.value, f.scope.value) == (kind, wanted) for f in found)
    return {"proposed": round(proposed / evaluations, 3), "as_this_scope": round(named / evaluations, 3)}


def measure_years(years: int) -> dict[str, Any]:
    """New proposals in a year of daily looks; a scope that was proposed is not counted again."""
    rng = np.random.default_rng(SEED + 2)
    per_year = []
    for _ in range(years):
        fleet = make_fleet(rng)
        days = BASELINE_D + WINDOW_D + 365
        happened = [
            (model, group, *_draw_days(rng, model, float(rate), days), find_exposures(model))
            for model in fleet
            for group, rate in enumerate(model.rates)
        ]
        seen = set()
        for today in range(BASELINE_D + WINDOW_D, days):
            cohorts = []
            for model, group, devices, on, exposures in happened:
                first, last = np.searchsorted(on, (today - WINDOW_D, today))
                before = int(first - np.searchsorted(on, today - WINDOW_D - BASELINE_D))
                cohorts.append(make_cohort(model, group, devices[first:last], exposures, before))
            seen |= {f.scope for f in evaluate(cohorts, fleet)}
        per_year.append(len(seen))
    return {
        "fleet_years": years,
        "looks": 365 * years,
        "false_proposals": sum(per_year),
        "per_fleet_year": round(sum(per_year) / years, 3),
        "years_with_any": sum(n > 0 for n in per_year),
    }


def _draw_days(rng: np.random.Generator, model: Model, rate: float, days: int) -> tuple[Any, Any]:
    count = int(rng.poisson(rate * model.devices * days))
    on = np.sort(rng.uniform(0.0, days, count))
    return rng.integers(0, model.devices, count), on


def find_share_interval(hits: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a share (Clopper-Pearson)."""
    interval = binomtest(hits, n).proportion_ci(0.95, "exact")
    return round(float(interval.low), 5), round(float(interval.high), 5)


if __name__ == "__main__":
    main()
