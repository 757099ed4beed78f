"""A key figure as people read it, where there is none as well."""

from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import Request

from api.console.kpi_views import find_figure_line
from api.console.page import View
from domain.kpi import KpiGroup, KpiQuery, KpiSource, KpiSums, find_figures
from domain.kpi_catalogue import KPI_BY_KEY
from domain.kpi_period import find_buckets

NOW = datetime(2026, 3, 11, tzinfo=UTC)
TICKETS = KPI_BY_KEY["tickets_per_1000_device_days"]


@pytest.mark.parametrize(
    ("hours", "value", "denominator"), [(4, "", "< 1"), (24, "6,000.00", "1"), (24 * 1_204, "4.98", "1,204")]
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_tickets_in_some_hours_are_no_rate(language: str, hours: int, value: str, denominator: str) -> None:
    query = KpiQuery(find_buckets(NOW - timedelta(days=10), NOW, None), NOW)
    group = KpiGroup()
    counted = {
        KpiSource.TICKET: {(group, 0): KpiSums(6, 6, 6)},
        KpiSource.OPERATION: {(group, 0): KpiSums(0, 3_600.0 * hours, 3)},
    }
    (figure,) = find_figures(TICKETS, counted, query, [group], None)
    view = View(Request({"type": "http", "headers": []}), None, language, NOW, "UTC")
    line = find_figure_line(view, TICKETS, figure)
    assert (line.value, line.denominator, line.records) == (value, denominator, "6")
    assert line.reason == ("" if value else view.name("kpi_reason", "too_little_exposure"))
