"""Frozen evidence as it is shown: both times where they differ, its own window, and nothing drawn where nothing was."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi import Request

from api.console.evidence_view import find_evidence
from api.console.page import View
from domain.clock import to_micros
from store.work_order_pages import LinkedBreach

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
BEGIN = AT - timedelta(seconds=450)


def make_body(received_after: timedelta, *, points: bool = True) -> dict[str, Any]:
    return {
        "at": AT.isoformat(),
        "received_at": (AT + received_after).isoformat(),
        "monitor": {"rule": "limit", "direction": "high"},
        "detector": {"rule": "limit", "version": 1},
        "limits": {"raise": 8.0, "clear": 7.0, "critical": None},
        "window": {
            "from_us": to_micros(BEGIN),
            "to_us": to_micros(AT),
            "trigger_from_us": to_micros(AT - timedelta(seconds=90)),
        },
        "series": [
            {
                "sensor": "level",
                "label": {"en": "Level", "zh": "液位"},
                "unit": "%",
                "decimals": 1,
                "points": [[to_micros(BEGIN) + k * 5_000_000, k / 10] for k in range(91)] if points else [],
            }
        ],
    }


def make_breach(body: dict[str, Any] | None) -> LinkedBreach:
    return LinkedBreach(
        id=UUID(int=1),
        serial="T-0000",
        monitor="level_high",
        profile_version=1,
        kind="LIMIT",
        severity="MAJOR",
        fault_group="tank",
        state="ACTIVE",
        first_seen=AT,
        raised_at=AT,
        last_seen=AT,
        cleared_at=None,
        count=1,
        peak=9.0,
        score=1.0,
        firmware="1.0.0",
        reason_code="limit_high",
        params={},
        linked_at=AT,
        sensor="level",
        evidence=body,
        evidence_sha256="ab" * 32,
        evidence_frozen_at=AT + timedelta(seconds=1),
        monitor_false_alarms=None,
        completeness=None,
        skew_s=None,
    )


def make_view(language: str = "en") -> View:
    return View(Request({"type": "http", "headers": []}), None, language, AT + timedelta(hours=1), "site")


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (timedelta(milliseconds=900), None),
        (timedelta(seconds=128), "Device time 11-22 12:00:00 UTC, received 11-22 12:02:08 UTC: 2 min later."),
        (
            timedelta(seconds=-30),
            "Device time 11-22 12:00:00 UTC, received 11-22 11:59:30 UTC: the device's clock was 30 s ahead.",
        ),
    ],
)
def test_both_times_are_said_where_they_differ(after: timedelta, said: str | None) -> None:
    found = find_evidence(make_view(), make_breach(make_body(after)), None, None)
    assert found is not None
    assert found.received == said


def test_nobody_moves_beyond_what_was_frozen_and_a_picture_says_by_what_it_is_proved() -> None:
    found = find_evidence(make_view("zh"), make_breach(make_body(timedelta())), None, "Asia/Shanghai")
    assert found is not None
    assert found.panels is not None
    data = found.panels.data
    assert data["window"] == (BEGIN.timestamp(), AT.timestamp())
    assert (data["earliest"], data["latest"], data["source"]) == (BEGIN.timestamp(), AT.timestamp(), "")
    assert data["zone"] == "Asia/Shanghai"
    assert any("ab" * 32 in line for line in data["stamp"])
    (chart,) = found.charts
    assert [value for value in chart.data["breach"] if value is not None] == [k / 10 for k in range(80, 91)]
    assert {limit.kind for limit in chart.limits} == {"raise", "clear"}
    assert chart.count == 91


def test_without_readings_there_is_no_chart_and_no_window() -> None:
    found = find_evidence(make_view(), make_breach(make_body(timedelta(), points=False)), None, None)
    assert found is not None
    assert (found.charts, found.panels) == ([], None)
    assert find_evidence(make_view(), make_breach(None), None, None) is None
