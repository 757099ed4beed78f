"""The cohort statistic against published values and on planted cohorts."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, poisson

from domain.capa import CapaTrigger, ScopeKind
from domain.profile import TicketPolicy
from service_link.cohort import (
    Baseline,
    Case,
    Cohort,
    Exposure,
    describe,
    find_proposals,
)
from service_link.cohort_statistics import (
    adjust_false_discovery,
    find_poisson_p,
    find_rate_interval,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NO_HISTORY = Baseline(0, 0.0)


def _cases(*groups: tuple[int, str, str]) -> tuple[Case, ...]:
    """`count` cases per (count, lot, firmware), each of another device and one of four customers."""
    made: list[Case] = []
    for count, lot, firmware in groups:
        for _ in range(count):
            n = len(made) + 1
            made.append(Case(n, n, n % 4, lot, firmware, NOW))
    return tuple(made)


def _cohort(
    cases: tuple[Case, ...], exposures: dict[tuple[str, str], float], baseline: Baseline = NO_HISTORY
) -> Cohort:
    rows = tuple(Exposure(lot, firmware, 10, days) for (lot, firmware), days in exposures.items())
    return Cohort(1, "motor_wear", cases, rows, baseline, TicketPolicy(), is_simulated=False)


def _scopes(*cohorts: Cohort) -> list[tuple[ScopeKind, str]]:
    return [(f.scope.kind, f.scope.value) for f in find_proposals(cohorts)]


def test_the_published_exact_interval_of_a_count() -> None:
    # Garwood 1936, table: 95 % limits of a Poisson mean at 0, 1, 10 events.
    for events, low, high in ((0, 0.0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904)):
        assert find_rate_interval(events, 1.0) == pytest.approx((low, high), abs=1e-4)


@settings(deadline=None)
@given(events=st.integers(0, 200), expected=st.floats(0.01, 200.0))
def test_p_is_the_chance_of_so_many_or_more(events: int, expected: float) -> None:
    assert find_poisson_p(events, expected) == pytest.approx(poisson.sf(events - 1, expected), rel=1e-6, abs=1e-12)


@settings(deadline=None)
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30))
def test_q_values_are_those_of_benjamini_and_hochberg(p_values: list[float]) -> None:
    adjusted = adjust_false_discovery(p_values)
    assert adjusted == pytest.approx(list(false_discovery_control(p_values, method="bh")))
    assert adjust_false_discovery([None, *p_values, None]) == [None, *adjusted, None]


def test_a_bad_firmware_is_one_proposal_and_not_also_the_model_and_the_lots() -> None:
    days = {("A", "2.4.0"): 300.0, ("A", "2.4.1"): 150.0, ("B", "2.4.0"): 300.0, ("B", "2.4.1"): 150.0}
    cohort = _cohort(_cases((4, "A", "2.4.1"), (4, "B", "2.4.1")), days)
    assert _scopes(cohort) == [(ScopeKind.FIRMWARE, "2.4.1")]
    assert _scopes(replace(cohort, baseline=Baseline(10, 10_000.0))) == [(ScopeKind.FIRMWARE, "2.4.1")]


def test_a_bad_lot_is_named_as_a_lot() -> None:
    days = {("A", "1"): 300.0, ("B", "1"): 300.0, ("A", "2"): 300.0, ("B", "2"): 300.0}
    assert _scopes(_cohort(_cases((4, "A", "1"), (4, "A", "2")), days)) == [(ScopeKind.LOT, "A")]


def test_where_all_versions_fail_alike_it_is_the_model() -> None:
    days = {("A", "1"): 300.0, ("B", "2"): 300.0}
    cases = _cases((5, "A", "1"), (5, "B", "2"))
    assert _scopes(_cohort(cases, days)) == [(ScopeKind.MODEL, "")]
    assert _scopes(_cohort(cases, days, Baseline(10, 10_000.0))) == [(ScopeKind.MODEL, "")]


def test_where_there_is_one_version_only_nothing_tells_it_from_the_model() -> None:
    assert _scopes(_cohort(_cases((5, "", "1")), {("", "1"): 300.0})) == [(ScopeKind.MODEL, "")]


def test_a_bad_firmware_in_a_model_that_fails_everywhere_gives_both() -> None:
    days = {("", "1"): 300.0, ("", "2"): 300.0}
    cohort = _cohort(_cases((20, "", "1"), (5, "", "2")), days, Baseline(10, 10_000.0))
    assert _scopes(cohort) == [(ScopeKind.FIRMWARE, "1"), (ScopeKind.MODEL, "")]


def test_too_few_devices_or_customers_are_no_cohort() -> None:
    days = {("", "1"): 300.0, ("", "2"): 300.0}
    assert _scopes(_cohort(_cases((2, "", "1")), days)) == []
    same_device = tuple(replace(c, device_id=1) for c in _cases((5, "", "1")))
    assert _scopes(_cohort(same_device, days)) == []
    same_customer = tuple(replace(c, customer_id=1) for c in _cases((5, "", "1")))
    assert _scopes(_cohort(same_customer, days)) == []
    no_customer = tuple(replace(c, customer_id=None) for c in _cases((5, "", "1")))
    assert _scopes(_cohort(no_customer, days)) == []


def test_the_usual_rate_is_no_excess() -> None:
    days = {("", "1"): 1000.0, ("", "2"): 1000.0}
    assert _scopes(_cohort(_cases((4, "", "1"), (4, "", "2")), days, Baseline(40, 10_000.0))) == []


def test_many_cohorts_at_once_need_stronger_evidence() -> None:
    days = {("", ""): 1000.0}
    weak = _cohort(_cases((4, "", "")), days, Baseline(7, 10_000.0))
    alone = find_proposals([weak])
    assert len(alone) == 1
    assert alone[0].p is not None
    assert 0.005 < alone[0].p < 0.01
    others = [
        replace(_cohort(_cases((1, "", "")), days, Baseline(15, 10_000.0)), fault_group=f"g{n}") for n in range(30)
    ]
    assert find_proposals([weak, *others]) == []


def test_history_that_is_too_short_is_no_baseline() -> None:
    cases, days = _cases((3, "", "")), {("", ""): 100.0}
    (short,) = find_proposals([_cohort(cases, days, Baseline(0, 364.0))])
    assert (short.trigger, short.p, short.q) == (CapaTrigger.COHORT_NO_BASELINE, None, None)
    (enough,) = find_proposals([_cohort(cases, days, Baseline(0, 3650.0))])
    assert enough.trigger is CapaTrigger.COHORT


def test_what_is_stored_says_all_that_the_page_shows() -> None:
    cohort = _cohort(_cases((4, "A", "1")), {("A", "1"): 200.0, ("B", "2"): 800.0}, Baseline(9, 10_000.0))
    (finding,) = find_proposals([cohort])
    described = describe(finding, cohort)
    assert (described["devices"], described["customers"], described["events"]) == (4, 4, 4)
    assert described["rate"] == pytest.approx(20.0)
    assert described["baseline_rate"] == pytest.approx(0.95)
    assert described["ratio"] == pytest.approx(21.05)
    assert described["interval"][0] < described["ratio"] < described["interval"][1]
    firmware = {g["value"]: g for g in described["groups"] if g["kind"] == "FIRMWARE"}
    assert (firmware["1"]["events"], firmware["2"]["events"]) == (4, 0)
    assert firmware["2"]["rate_interval"][1] == pytest.approx(1000 * -math.log(0.025) / 800.0, abs=1e-3)


@pytest.mark.parametrize("days", [0.0, 0.04])
def test_a_fleet_that_was_just_installed_is_counted_and_has_no_rate(days: float) -> None:
    cohort = _cohort(_cases((3, "L1", "2")), {("L1", "2"): days} if days else {})
    (finding,) = find_proposals([cohort])
    described = describe(finding, cohort)
    assert (described["events"], described["device_days"]) == (3, days)
    assert [described[name] for name in ("rate", "rate_interval", "ratio", "interval")] == [None] * 4
    assert [(g["events"], g["rate"], g["rate_interval"]) for g in described["groups"]] == [(3, None, None)] * 2


def test_an_excess_in_hours_is_tested_and_not_extrapolated() -> None:
    cohort = _cohort(_cases((3, "L1", "2")), {("L1", "2"): 0.04}, baseline=Baseline(1, 1_000.0))
    (finding,) = find_proposals([cohort])
    described = describe(finding, cohort)
    assert described["baseline_rate"] == pytest.approx(1.5)
    assert described["p"] < 1e-10
    assert [described[name] for name in ("rate", "ratio", "interval")] == [None] * 3
