"""Whether a CAPA helped: chances and intervals against scipy.stats, and the verdict at its edges."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, poisson

from domain.capa import Verdict
from domain.capa_effectiveness import (
    Counts,
    EffectivenessFigures,
    EffectivenessMetric,
    EffectivenessPlan,
    LimitKind,
    VerdictReason,
    find_best_p,
    is_reachable,
)
from service_link.effectiveness import find_chances, find_figures, find_ratio_interval

NOW = datetime(2026, 11, 22, tzinfo=UTC)
RATE = EffectivenessPlan(EffectivenessMetric.WORK_ORDER_RATE, LimitKind.RATE, 1.0, 90)
RATIO = EffectivenessPlan(EffectivenessMetric.WORK_ORDER_RATE, LimitKind.RATIO, 0.5, 90)
days = st.floats(10.0, 100_000.0)
events = st.integers(0, 200)


def judge(plan: EffectivenessPlan, before: Counts, after: Counts) -> EffectivenessFigures:
    since = NOW - timedelta(days=90)
    return find_figures(plan, before, after, before_until=since, after_since=since, after_until=NOW, is_final=True)


def test_less_than_a_device_day_has_no_rate_before_or_after() -> None:
    short = judge(RATE, Counts(10, 0.04), Counts(6, 0.9))
    assert (short.rate_before, short.rate_after, short.rate_after_interval, short.ratio) == (None,) * 4
    assert short.ratio_interval is None
    assert (short.verdict, short.reason) == (Verdict.INCONCLUSIVE, VerdictReason.NO_DEVICE_DAYS)
    # A ratio to what ten minutes had is no limit.
    assert judge(RATIO, Counts(10, 0.04), Counts(0, 900.0)).reason is VerdictReason.NO_EVENTS_BEFORE
    whole = judge(RATE, Counts(10, 1.0), Counts(6, 1.0))
    assert (whole.rate_before, whole.rate_after) == (10_000.0, 6_000.0)
    assert whole.verdict is Verdict.FAILED


@given(events, days, st.floats(0.01, 50.0))
@settings(deadline=None)
def test_against_a_rate_the_chance_is_the_lower_poisson_tail(count: int, device_days: float, limit: float) -> None:
    plan = EffectivenessPlan(EffectivenessMetric.BREACH_RATE, LimitKind.RATE, limit, 90)
    chances = find_chances(plan, Counts(0, 0.0), Counts(count, device_days, undecided=3))
    expected = limit * device_days / 1000.0
    assert chances.p == pytest.approx(poisson.cdf(count, expected), rel=1e-6, abs=1e-12)
    assert chances.p_at_worst == pytest.approx(poisson.cdf(count + 3, expected), rel=1e-6, abs=1e-12)


@given(events, events, days, days, st.floats(0.05, 1.0))
@settings(deadline=None)
def test_against_the_rate_before_the_chance_is_binomial_given_the_sum(
    was: int, now: int, days_before: float, days_after: float, limit: float
) -> None:
    plan = EffectivenessPlan(EffectivenessMetric.BREACH_RATE, LimitKind.RATIO, limit, 90)
    chances = find_chances(plan, Counts(was, days_before), Counts(now, days_after))
    share = limit * days_after / (limit * days_after + days_before)
    wanted = binom.cdf(now, was + now, share) if was + now else 1.0
    assert chances.p == pytest.approx(wanted, rel=1e-6, abs=1e-12)


@given(events, events, days, days)
@settings(deadline=None, max_examples=50)
def test_the_interval_of_the_ratio_is_clopper_and_pearsons(
    was: int, now: int, days_before: float, days_after: float
) -> None:
    found = find_ratio_interval(Counts(was, days_before), Counts(now, days_after))
    if was + now == 0:
        assert found is None
        return
    assert found is not None
    share = binomtest(now, was + now).proportion_ci(0.95, "exact")
    scale = days_before / days_after
    assert found[0] == pytest.approx(share.low / (1 - share.low) * scale, rel=1e-6)
    if was:
        assert found[1] == pytest.approx(share.high / (1 - share.high) * scale, rel=1e-6)
    else:
        assert found[1] is None


@pytest.mark.parametrize(
    ("plan", "before", "after", "verdict", "reason"),
    [
        (RATE, Counts(0, 0.0), Counts(0, 2900.0), Verdict.INCONCLUSIVE, VerdictReason.TOO_LITTLE_EVIDENCE),
        (RATE, Counts(0, 0.0), Counts(0, 3000.0), Verdict.MET, VerdictReason.BELOW_LIMIT),  # the rule of three
        (RATE, Counts(0, 0.0), Counts(3, 3000.0), Verdict.INCONCLUSIVE, VerdictReason.TOO_LITTLE_EVIDENCE),
        (RATE, Counts(0, 0.0), Counts(4, 3000.0), Verdict.FAILED, VerdictReason.ABOVE_LIMIT),
        (RATE, Counts(0, 0.0), Counts(0, 3000.0, 1), Verdict.INCONCLUSIVE, VerdictReason.OUTCOMES_AWAITED),
        (RATE, Counts(0, 0.0), Counts(4, 3000.0, 9), Verdict.FAILED, VerdictReason.ABOVE_LIMIT),
        (RATE, Counts(0, 0.0), Counts(0, 0.0), Verdict.INCONCLUSIVE, VerdictReason.NO_DEVICE_DAYS),
        (RATIO, Counts(0, 9000.0), Counts(0, 9000.0), Verdict.INCONCLUSIVE, VerdictReason.NO_EVENTS_BEFORE),
        (RATIO, Counts(20, 9000.0), Counts(2, 9000.0), Verdict.MET, VerdictReason.BELOW_LIMIT),
        (RATIO, Counts(20, 9000.0), Counts(9, 9000.0), Verdict.INCONCLUSIVE, VerdictReason.TOO_LITTLE_EVIDENCE),
        (RATIO, Counts(20, 9000.0), Counts(11, 9000.0), Verdict.FAILED, VerdictReason.ABOVE_LIMIT),
    ],
)
def test_the_verdict(
    plan: EffectivenessPlan, before: Counts, after: Counts, verdict: Verdict, reason: VerdictReason
) -> None:
    figures = judge(plan, before, after)
    assert (figures.verdict, figures.reason) == (verdict, reason)
    shown = figures.to_json()
    assert all(math.isfinite(value) for value in shown.values() if isinstance(value, float))


@given(days, events, days, st.sampled_from([RATE, RATIO]))
@settings(deadline=None)
def test_a_plan_is_refused_as_too_short_exactly_where_not_even_no_event_would_do(
    days_before: float, was: int, days_after: float, plan: EffectivenessPlan
) -> None:
    before, none = Counts(was, days_before), Counts(0, days_after)
    assert find_best_p(plan, before, days_after) == pytest.approx(find_chances(plan, before, none).p, rel=1e-6)
    can_be_met = judge(plan, before, none).verdict is Verdict.MET
    has_limit = plan.limit_kind is LimitKind.RATE or was > 0
    assert can_be_met == (is_reachable(plan, before, days_after) and has_limit)


def test_actions_that_did_nothing_pass_as_rarely_as_is_said() -> None:
    """At a true rate that is the limit itself, at most `max_p` of the checks are met: the promise of the p-value."""
    rng = np.random.default_rng(11)
    for plan, true_ratio in ((RATE, 1.0), (RATIO, 0.5)):
        met = 0
        for _ in range(1_000):
            before = Counts(int(rng.poisson(20.0)), 20_000.0)
            after = Counts(int(rng.poisson(true_ratio * 20.0)), 20_000.0)
            met += judge(plan, before, after).verdict is Verdict.MET
        assert met <= 1_000 * plan.max_p + 3 * math.sqrt(1_000 * plan.max_p * (1 - plan.max_p))
    helped = sum(
        judge(RATIO, Counts(int(rng.poisson(40.0)), 20_000.0), Counts(int(rng.poisson(4.0)), 20_000.0)).verdict
        is Verdict.MET
        for _ in range(200)
    )
    assert helped > 180
