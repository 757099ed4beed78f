"""What outcomes say of a monitor, in the words of its line, and over what a backtest compared."""

from datetime import UTC, datetime

import pytest
from starlette.requests import Request

from api.console.backtest_views import find_backtest
from api.console.monitor_lines import find_quality
from api.console.page import View
from api.shapes.monitors import QualityShape
from domain.monitor_quality import Budget

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def make_quality(budget: Budget) -> QualityShape:
    return QualityShape(
        is_simulated=False, confirmed=0, sensor_fault=0, no_fault_found=0, false_alarm=0, precision_mean=0.5,
        precision_low=0.0, precision_high=1.0, tickets=budget.tickets, device_days=budget.device_days,
        ticket_rate=budget.rate, allowed_rate=budget.allowed_rate, is_over_budget=budget.is_over, judged_at=NOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("budget", "rate", "is_over", "english", "chinese"),
    [
        (Budget(6, 4 / 24, 2.0), "–", True, "6 tickets in < 1 device-day", "< 1 设备日 6 张"),
        (Budget(1, 0.9, 2.0), "–", False, "1 ticket in < 1 device-day", "< 1 设备日 1 张"),
        (Budget(1, 1.0, 2.0), "1,000.00", False, "1 ticket in 1 device-day", "1 设备日 1 张"),
        (Budget(2, 1_204.0, 2.0), "1.66", False, "2 tickets in 1,204 device-days", "1,204 设备日 2 张"),
        (Budget(0, 0.0, 2.0), "–", False, "0 tickets in 0 device-days", "0 设备日 0 张"),
    ],
)
def test_a_budget_is_judged_where_no_rate_is_said(
    budget: Budget, rate: str, is_over: bool, english: str, chinese: str
) -> None:
    for language, tickets in (("en", english), ("zh", chinese)):
        view = View(Request({"type": "http", "headers": []}), None, language, NOW, "UTC")
        line = find_quality(view, make_quality(budget), None)
        assert (line.rate, line.is_over, line.tickets) == (rate, is_over, tickets)
        assert line.has_rate is (rate != "–")


@pytest.mark.parametrize(
    ("counted_from", "device_days", "said"),
    [
        ("2026-02-20", 240, "2026-02-20 to 2026-03-02: 24 devices, 240 device-days, every reading."),
        ("2026-03-02", 0, "2026-03-02 to 2026-03-02: 24 devices, 0 device-days, every reading."),
        # A fleet of some hours: the days in which detectors settle end after the window.
        (
            "2026-03-03",
            0,
            "Up to 2026-03-02: 24 devices, every reading. All readings lie within the days in which detectors settle.",
        ),
    ],
)
def test_a_backtest_names_no_span_that_ends_before_it_begins(counted_from: str, device_days: int, said: str) -> None:
    view = View(Request({"type": "http", "headers": []}), None, "en", NOW, "UTC")
    window = {"since": "2026-03-01T09:00:00+00:00", "until": "2026-03-02T09:00:00+00:00", "level": "raw"}
    counted = {"counted_from": f"{counted_from}T09:00:00+00:00", "devices": 24, "device_days": device_days}
    shown = find_backtest(view, {**window, **counted, "now": {}, "proposed": {}}, None)
    assert shown is not None
    assert shown.scope == said
