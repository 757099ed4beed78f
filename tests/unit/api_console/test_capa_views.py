"""A release's figures as its CAPA page shows them: signs, units, and an interval that has no upper end."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.requests import Request

from api.console.capa_cohort_views import RIGHT, find_cohort
from api.console.capa_regression_views import find_regression
from api.console.capa_views import find_trigger
from api.console.page import View
from store.capas import Capa
from tests.support.releases import PROFILE

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LEVEL = {
    "measure": "level", "subject": "current", "unit": "A", "before": 0.497, "after": 0.487, "effect": -0.01,
    "low": -0.0125, "high": 0.0025, "share": None, "p": 0.03, "q": 0.04,
}  # fmt: skip
RATE = {
    "measure": "rate", "subject": "motor", "unit": "/1000 d", "before": 0.0, "after": 284.4, "effect": 119.6,
    "low": 13.12, "high": None, "share": None, "p": 2e-7, "q": 5e-7,
}  # fmt: skip
FIGURES = {
    "devices": 15, "customers": 3, "device_days": 43.0, "rate": 284.4, "baseline_rate": 0.0, "ratio": 119.6,
    "interval": [13.12, None], "p": 2e-7, "q": 5e-7,
    "regression": {"devices": 15, "controls": 25, "device_hours": 1032.0, "lines": [LEVEL, RATE]},
}  # fmt: skip


def make_capa(**figures: Any) -> Capa:
    return Capa(
        id=1, code="CAPA-2026-0001", kind="CORRECTIVE", state="PROPOSED", state_since=NOW, device_model_id=1,
        model="PUMP", model_name={}, safety_critical=False, scope_kind="FIRMWARE", scope_value="2.0",
        fault_group="motor", trigger="FIRMWARE_REGRESSION", statistics=FIGURES | figures, decision_reason=None,
        decided_by=None, decided_at=None, ineffective_of_code=None, round=1, plan_version=1, author_ids=[], problem="",
        investigated_round=0, before_until=None, effective_from=None, effective_until=None, effectiveness_verdict=None,
        open_actions=0, next_due_on=None, member_count=9, device_count=15, customer_count=3, is_simulated=False,
        region="", row_version=1, created_at=NOW, updated_at=NOW, closed_at=None,
    )  # fmt: skip


@pytest.fixture(params=["en", "zh"])
def view(request: pytest.FixtureRequest) -> View:
    return View(Request({"type": "http", "headers": []}), None, request.param, NOW, "UTC")


def test_a_difference_shows_its_sign_and_a_ratio_without_an_upper_end_says_so(view: View) -> None:
    shown = find_regression(view, make_capa(), {"PUMP": PROFILE})
    assert shown is not None
    level, rate = shown.rows
    assert level[1:6] == ["0.4970 A", "0.4870 A", "-0.0100 A", "-0.0125 – +0.0025", "–"]
    assert rate[1:] == ["0.00", "284.40", "× 119.6", "≥ 13.12", "–", "< 0.0001", "< 0.0001"]
    assert shown.columns[6] == "p", "the comparison is no Poisson test"


def test_a_cohort_of_some_hours_is_counted_in_words_and_table_and_has_no_rate(view: View) -> None:
    group = {"kind": "LOT", "value": "L1", "devices": 3, "device_days": 0.04, "events": 4}
    # As it is stored now, and as versions before stored it.
    for rates in ({"rate": None, "rate_interval": None}, {"rate": 1e5, "rate_interval": [2e4, 3e5]}):
        figures = {"window_days": 30, "device_days": 0.04, "events": 4, "groups": [group | rates], **rates}
        old = {"ratio": 119.6} if rates["rate"] else {"ratio": None, "interval": None}
        capa = replace(make_capa(baseline_rate=0.9, **figures, **old), trigger="COHORT")
        cohort = find_cohort(view, capa)
        assert cohort.interval is None
        assert cohort.rows[0][3:9] == ["< 1", "4", "–", "0.90", "–", "–"]
        assert cohort.explain == view.t("capa.explain_no_rate")
        (line,) = cohort.groups
        assert (line.device_days, line.rate, line.interval, line.has_rate) == ("< 1", "–", "–", False)
        said = find_trigger(view, capa, {})
        assert "119.6" not in said
        assert ("Less than one device-day: counts only." in said) is (view.language == "en")


def test_an_interval_without_an_upper_end_is_drawn_open(view: View) -> None:
    cohort = find_cohort(view, make_capa())
    assert "≥ 13.1" in cohort.rows[0]
    assert "p" in cohort.columns
    assert cohort.interval is not None
    assert (cohort.interval.is_open, cohort.interval.high) == (True, RIGHT)
    assert "–" not in cohort.interval.label
    closed = find_cohort(view, make_capa(interval=[13.12, 480.0])).interval
    assert closed is not None
    assert not closed.is_open
    assert closed.high < RIGHT
