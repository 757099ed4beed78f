"""What the cohort statistic promises, on simulated fleets: hardly a false proposal, and a true one where there is
enough to see. The figures of many more fleets are in docs/benchmarks.md (`python -m benchmarks.capa`)."""

import numpy as np
from scipy.stats import binom, poisson

from benchmarks.capa import evaluate
from benchmarks.capa_fleet import WINDOW_D, Excess, Model, draw_cohorts, make_fleet
from service_link.cohort import (
    find_proposals,
    is_enough,
)
from service_link.cohort_statistics import (
    adjust_false_discovery,
    find_poisson_p,
)


def test_without_any_change_proposals_are_at_or_below_the_stated_rate() -> None:
    rng = np.random.default_rng(7)
    wrong, fleet = 0, list[Model]()
    for n in range(120):
        fleet = make_fleet(rng, models=4, groups=3) if n % 10 == 0 else fleet
        wrong += bool(evaluate(draw_cohorts(rng, fleet), fleet))
    # At one in a hundred so many or more come once in a thousand runs.
    assert wrong < binom.isf(0.001, 120, 0.01) + 1


def test_a_lot_that_fails_three_times_as_often_is_named() -> None:
    rng = np.random.default_rng(8)
    named = 0
    for _ in range(20):
        fleet = make_fleet(rng, models=4, groups=3)
        model = fleet[0]
        lot = int(np.bincount(model.lots).argmax())
        model.rates[0] = 20.0 / (model.lots == lot).sum() / WINDOW_D
        found = evaluate(draw_cohorts(rng, fleet, (Excess(model.id, 0, "LOT", lot, 3.0),)), fleet)
        named += any(
            (f.scope.device_model_id, f.scope.fault_group, f.scope.value) == (1, "g0", f"L{lot}") for f in found
        )
    assert named >= 18


def test_p_and_q_of_a_fleet_are_those_of_scipy() -> None:
    """Every scope of an evaluation, recomputed from its counts by scipy.stats and the step-up rule as published."""
    rng = np.random.default_rng(9)
    fleet = make_fleet(rng, models=4, groups=3)
    hypotheses = sum(model.hypotheses for model in fleet)
    for model in fleet:
        model.rates[:] = 20.0 / model.devices / WINDOW_D
    excess = (Excess(1, 0, "LOT", 3, 8.0), Excess(2, 1, "MODEL", 0, 4.0))
    cohorts = [c for c in draw_cohorts(rng, fleet, excess) if is_enough(c.cases, c.policy)]
    found = find_proposals(cohorts, hypotheses)
    assert {(f.scope.device_model_id, f.scope.fault_group) for f in found} == {(1, "g0"), (2, "g1")}
    for finding in found:
        assert finding.p is not None
        expected = finding.baseline.rate * finding.device_days
        assert np.isclose(finding.p, poisson.sf(len(finding.cases) - 1, expected), rtol=1e-6)
        assert finding.q is not None
        assert finding.p <= finding.q < 0.01
    p_values = [find_poisson_p(n, 4.0) for n in (4, 9, 15, 7, 20)]
    adjusted = adjust_false_discovery(p_values, 100)
    in_order = np.sort(p_values)
    for p, q in zip(p_values, adjusted, strict=True):
        later = [value * 100 / rank for rank, value in enumerate(in_order, 1) if value >= p]
        assert q is not None
        assert np.isclose(q, min(1.0, *later))
