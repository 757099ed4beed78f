"""A device whose data are missing is never among those that are well, and every exception has its reason."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.breach import Severity
from domain.device_exception import (
    DeviceException,
    DeviceStanding,
    find_device_exceptions,
    find_standing_health,
)
from domain.due_date import DueDate, DueState, find_due_date
from domain.health import HealthState

TODAY = date(2026, 3, 2)
E = DeviceException
WELL = DeviceStanding(
    worst=None,
    lifecycle="IN_SERVICE",
    connectivity="ONLINE",
    has_reported=True,
    is_scored=True,
    completeness=0.95,
    least_completeness=0.8,
    calibration_due=TODAY + timedelta(days=31),
    warranty_end=TODAY + timedelta(days=61),
    today=TODAY,
)


@pytest.mark.parametrize(
    ("differs", "found"),
    [
        ({}, {}),
        ({"worst": Severity.MINOR}, {E.OPEN_BREACH: "MINOR"}),
        ({"connectivity": "OFFLINE"}, {E.OFFLINE: "OFFLINE", E.UNKNOWN_HEALTH: "offline"}),
        ({"connectivity": "STALE"}, {E.STALE: "STALE", E.UNKNOWN_HEALTH: "stale"}),
        ({"has_reported": False}, {E.UNKNOWN_HEALTH: "never_reported"}),
        ({"completeness": None}, {E.UNKNOWN_HEALTH: "completeness_not_known"}),
        ({"completeness": 0.5}, {E.UNKNOWN_HEALTH: "incomplete"}),
        ({"is_scored": False}, {E.UNKNOWN_HEALTH: "not_scored"}),
        # What is known to be wrong does not make the rest known.
        (
            {"worst": Severity.CRITICAL, "completeness": None},
            {E.OPEN_BREACH: "CRITICAL", E.UNKNOWN_HEALTH: "completeness_not_known"},
        ),
        # Known to be away.
        ({"lifecycle": "UNDER_MAINTENANCE", "connectivity": "OFFLINE"}, {}),
        ({"lifecycle": "QUARANTINED", "connectivity": "OFFLINE"}, {E.QUARANTINED: "QUARANTINED"}),
        ({"calibration_due": TODAY}, {}),
        ({"calibration_due": TODAY - timedelta(days=1)}, {E.CALIBRATION_OVERDUE: "2026-03-01"}),
        ({"calibration_due": None, "warranty_end": None}, {}),
        ({"warranty_end": TODAY}, {E.WARRANTY_ENDING: "2026-03-02"}),
        ({"warranty_end": TODAY + timedelta(days=60)}, {E.WARRANTY_ENDING: "2026-05-01"}),
        ({"warranty_end": TODAY - timedelta(days=1)}, {}),
        ({"lifecycle": "REGISTERED", "calibration_due": date(2020, 1, 1)}, {}),
        ({"lifecycle": "DECOMMISSIONED", "worst": Severity.MAJOR}, {}),
    ],
)
def test_exceptions(differs: dict[str, object], found: dict[DeviceException, str]) -> None:
    assert find_device_exceptions(replace(WELL, **differs)) == found  # type: ignore[arg-type]


@given(
    worst=st.sampled_from([None, *Severity]),
    connectivity=st.sampled_from(["UNKNOWN", "ONLINE", "STALE", "OFFLINE"]),
    has_reported=st.booleans(),
    is_scored=st.booleans(),
    completeness=st.sampled_from([None, 0.0, 0.79, 0.8, 1.0]),
)
def test_unknown_is_never_well(
    worst: Severity | None, connectivity: str, has_reported: bool, is_scored: bool, completeness: float | None
) -> None:
    standing = replace(
        WELL,
        worst=worst,
        connectivity=connectivity,
        has_reported=has_reported,
        is_scored=is_scored,
        completeness=completeness,
    )
    is_blind = (
        connectivity in ("STALE", "OFFLINE")
        or not (has_reported and is_scored)
        or completeness is None
        or completeness < 0.8
    )
    found = find_device_exceptions(standing)
    assert (E.UNKNOWN_HEALTH in found) == is_blind
    assert (find_standing_health(standing).state is HealthState.OK) == (not found)


@pytest.mark.parametrize(
    ("days", "expected"),
    [(-1, DueState.OVER), (0, DueState.SOON), (30, DueState.SOON), (31, DueState.LATER)],
)
def test_the_day_itself_is_not_over(days: int, expected: DueState) -> None:
    on = TODAY + timedelta(days=days)
    assert find_due_date(on, TODAY, 30) == DueDate(on, days, expected)


def test_no_date_says_nothing_good() -> None:
    assert find_due_date(None, TODAY, 30) == DueDate(None, None, DueState.UNKNOWN)
