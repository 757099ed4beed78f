"""A figure is what was counted divided by what it is divided by, or says why it has no value."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.kpi import (
    Counted,
    KpiDimension,
    KpiFigure,
    KpiGroup,
    KpiQuery,
    KpiSource,
    KpiSums,
    NoValue,
    find_figures,
    find_groups,
    find_withheld,
)
from domain.kpi_catalogue import KPI_BY_KEY, KPIS
from domain.kpi_period import PeriodUnit, find_buckets
from domain.roles import Permission

NOW = datetime(2026, 3, 11, tzinfo=UTC)
QUERY = KpiQuery(find_buckets(NOW - timedelta(days=10), NOW, None), NOW)
ALL = KpiGroup()
PAGE = Path(__file__).parents[3] / "docs/reference/service/kpis.md"


def find(key: str, counted: Counted, query: KpiQuery = QUERY) -> KpiFigure:
    (figure,) = find_figures(KPI_BY_KEY[key], counted, query, [ALL], None)
    return figure


def test_mtbf_is_hours_over_failures() -> None:
    counted = {
        KpiSource.FAILURE: {(ALL, 0): KpiSums(4, 4, 4, left_out=2)},
        KpiSource.OPERATION: {(ALL, 0): KpiSums(7200 * 100, 7200 * 120, 3)},
    }
    figure = find("mtbf", counted)
    # 720,000 s are 200 h, over 4 failures.
    assert (figure.value, figure.numerator, figure.denominator) == (50.0, 200.0, 4.0)
    assert (figure.records, figure.left_out) == (4, 2)
    assert find("availability", counted).value == pytest.approx(100 / 120)
    no_failure = {KpiSource.OPERATION: counted[KpiSource.OPERATION]}
    assert (find("mtbf", no_failure).value, find("mtbf", no_failure).reason) == (None, NoValue.NOTHING_TO_DIVIDE_BY)


def test_tickets_are_counted_per_thousand_device_days() -> None:
    operation = {(ALL, 0): KpiSums(0, 86_400 * 500, 50)}
    figure = find(
        "tickets_per_1000_device_days", {KpiSource.TICKET: {(ALL, 0): KpiSums(2, 2, 2)}, KpiSource.OPERATION: operation}
    )
    # 2 on 500 device-days are 4 on 1,000.
    assert (figure.value, figure.records) == (4.0, 2)
    assert find("tickets_per_1000_device_days", {KpiSource.OPERATION: operation}).value == 0.0
    assert find("tickets_per_1000_device_days", {}).reason is NoValue.NO_RECORDS


@pytest.mark.parametrize(("hours", "value"), [(4, None), (23.9, None), (24, 6000.0)])
def test_less_than_a_device_day_has_no_rate_and_says_so(hours: float, value: float | None) -> None:
    exposed = {KpiSource.OPERATION: {(ALL, 0): KpiSums(0, 3600 * hours, 3)}}
    figure = find("tickets_per_1000_device_days", {KpiSource.TICKET: {(ALL, 0): KpiSums(6, 6, 6)}, **exposed})
    assert (figure.value, figure.numerator, figure.denominator) == (value, 6_000.0, hours * 3600 / 86_400)
    assert figure.reason is (NoValue.TOO_LITTLE_EXPOSURE if value is None else None)
    assert find("tickets_per_1000_device_days", exposed).value == (None if value is None else 0.0)


def test_a_flood_is_measured_against_the_time_that_has_passed() -> None:
    flood = {KpiSource.ALARM_FLOOD: {(ALL, 0): KpiSums(8640, 0, 30)}}
    assert find("alarm_flood", flood).value == pytest.approx(0.01)  # of ten days
    ahead = replace(QUERY, buckets=find_buckets(NOW - timedelta(days=1), NOW + timedelta(days=9), None))
    assert find("alarm_flood", flood, ahead).value == pytest.approx(0.1)  # a day of it is over
    later = replace(QUERY, buckets=find_buckets(NOW + timedelta(days=1), NOW + timedelta(days=2), None))
    assert find("alarm_flood", {}, later).value is None


def test_warnings_are_counted_over_failures_and_their_time_over_warnings() -> None:
    counted = {KpiSource.WARNING: {(ALL, 0): KpiSums(60, 3, 5, 0, 18, 30)}}
    lead, warned = find("warning_lead_time", counted), find("failures_warned", counted)
    assert (lead.value, lead.records, lead.median, lead.p90) == (20.0, 3, 18, 30)
    assert (warned.value, warned.records, warned.median) == (0.6, 5, None)
    unwarned = {KpiSource.WARNING: {(ALL, 0): KpiSums(0, 0, 2)}}
    assert find("warning_lead_time", unwarned).reason is NoValue.NOTHING_TO_DIVIDE_BY
    assert find("failures_warned", unwarned).value == 0.0


def test_what_is_left_out_is_said() -> None:
    pending = {KpiSource.FIRST_TIME_FIX: {(ALL, 0): KpiSums(0, 0, 0, left_out=3)}}
    figure = find("first_time_fix", pending)
    assert (figure.value, figure.left_out, figure.reason) == (None, 3, NoValue.UNDECIDED)
    assert find("first_time_fix", {}).reason is NoValue.NO_RECORDS


def test_groups_are_those_of_which_anything_was_counted_in_every_period() -> None:
    one, two = KpiGroup(customer="B"), KpiGroup(is_simulated=True, customer="A")
    by_month = find_buckets(NOW - timedelta(days=40), NOW, PeriodUnit.MONTH)
    query = replace(QUERY, group_by=frozenset({KpiDimension.CUSTOMER}), buckets=by_month)
    counted = {
        KpiSource.SLA_MET: {(two, 1): KpiSums(1, 2, 2)},
        KpiSource.RESPONSE_TIME: {(one, 0): KpiSums(3, 1, 1)},
    }
    groups = find_groups(counted, query)
    assert groups == [one, two]  # real before simulated
    figures = find_figures(KPI_BY_KEY["sla_met"], counted, query, groups, None)
    assert [(f.group, f.bucket.name, f.value) for f in figures] == [
        (one, "2026-01", None),
        (one, "2026-02", None),
        (one, "2026-03", None),
        (two, "2026-01", None),
        (two, "2026-02", 0.5),
        (two, "2026-03", None),
    ]
    assert find_groups({}, QUERY) == [ALL]
    assert find_groups({}, replace(QUERY, is_simulated=True)) == [KpiGroup(is_simulated=True)]
    assert find_groups({}, query) == []


def test_figures_of_no_customer_and_of_other_rights_are_withheld() -> None:
    capa, own = KPI_BY_KEY["capa_age"], replace(QUERY, customer_id=7)
    by_customer = replace(QUERY, group_by=frozenset({KpiDimension.CUSTOMER}))
    may = frozenset({Permission.KPI_READ, Permission.CAPA_READ})
    assert find_withheld(capa, QUERY, may) is None
    assert find_withheld(capa, QUERY, {Permission.KPI_READ}) is NoValue.PERMISSION_MISSING
    for query in (own, by_customer, replace(QUERY, customers=("C-1",))):
        assert find_withheld(capa, query, may) is NoValue.NOT_BY_CUSTOMER
        assert find_withheld(KPI_BY_KEY["mtbf"], query, may) is None
    (figure,) = find_figures(capa, {}, own, [ALL], NoValue.NOT_BY_CUSTOMER)
    assert (figure.value, figure.reason, figure.records) == (None, NoValue.NOT_BY_CUSTOMER, 0)


def test_the_page_says_of_each_figure_what_goes_out_with_it() -> None:
    page = " ".join(PAGE.read_text("utf-8").split())
    assert len(KPI_BY_KEY) == len(KPIS)
    for kpi in KPIS:
        assert f"`{kpi.key}`" in page, kpi.key
        for text in (kpi.definition.en, kpi.numerator.en, kpi.denominator.en):
            assert text in page, (kpi.key, text)
