"""No alarm means health only where the data are complete."""

from typing import Any

import pytest

from domain.breach import Severity
from domain.health import DeviceHealth, HealthReason, HealthState, find_health

GOOD: dict[str, Any] = {"worst": None, "completeness": 0.95, "least": 0.8, "connectivity": "ONLINE"}


@pytest.mark.parametrize(
    ("differs", "state", "reason"),
    [
        ({}, HealthState.OK, HealthReason.COMPLETE),
        ({"completeness": 0.8}, HealthState.OK, HealthReason.COMPLETE),
        ({"completeness": 0.79}, HealthState.UNKNOWN, HealthReason.INCOMPLETE),
        ({"completeness": None}, HealthState.UNKNOWN, HealthReason.COMPLETENESS_NOT_KNOWN),
        ({"connectivity": "OFFLINE"}, HealthState.UNKNOWN, HealthReason.OFFLINE),
        ({"connectivity": "STALE"}, HealthState.UNKNOWN, HealthReason.STALE),
        ({"connectivity": "UNKNOWN"}, HealthState.OK, HealthReason.COMPLETE),
        ({"is_scored": False}, HealthState.UNKNOWN, HealthReason.NOT_SCORED),
        ({"is_scored": False, "worst": Severity.MINOR}, HealthState.ATTENTION, HealthReason.OPEN_BREACH),
        ({"has_reported": False}, HealthState.UNKNOWN, HealthReason.NEVER_REPORTED),
        ({"lifecycle": "UNDER_MAINTENANCE"}, HealthState.UNKNOWN, HealthReason.NOT_IN_SERVICE),
        ({"worst": Severity.MINOR}, HealthState.ATTENTION, HealthReason.OPEN_BREACH),
        ({"worst": Severity.MAJOR}, HealthState.FAULT, HealthReason.OPEN_BREACH),
        # A breach says more than what is missing.
        (
            {"worst": Severity.CRITICAL, "completeness": 0.1, "connectivity": "OFFLINE", "lifecycle": "QUARANTINED"},
            HealthState.FAULT,
            HealthReason.OPEN_BREACH,
        ),
    ],
)
def test_health(differs: dict[str, Any], state: HealthState, reason: HealthReason) -> None:
    assert find_health(**GOOD | differs) == DeviceHealth(state, reason)
