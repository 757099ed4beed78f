"""Which devices of a customer are not as they should be, and how. What is not known is an exception too. Pure."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from domain.breach import Severity
from domain.due_date import DueState, find_due_date
from domain.health import DeviceHealth, HealthState, find_health
from domain.reminder import REMIND_DAYS, ReminderKind

IN_SERVICE = "IN_SERVICE"
NOT_IN_USE = frozenset({"REGISTERED", "DECOMMISSIONED"})


class DeviceException(StrEnum):
    """Values never change, new ones may come. A device may be in several."""

    OPEN_BREACH = "open_breach"
    OFFLINE = "offline"
    STALE = "stale"
    UNKNOWN_HEALTH = "unknown_health"
    QUARANTINED = "quarantined"
    CALIBRATION_OVERDUE = "calibration_overdue"
    WARRANTY_ENDING = "warranty_ending"


@dataclass(frozen=True, slots=True)
class DeviceStanding:
    """What is known of a device; `today` is the date where it stands."""

    worst: Severity | None  # of its active breaches
    lifecycle: str
    connectivity: str
    has_reported: bool
    is_scored: bool
    completeness: float | None
    least_completeness: float
    calibration_due: date | None
    warranty_end: date | None
    today: date


def find_standing_health(standing: DeviceStanding, *, blind: bool = False) -> DeviceHealth:
    """Its health; `blind`: whatever is known to be wrong, whether its data would show that it is well."""
    return find_health(
        None if blind else standing.worst,
        standing.completeness,
        standing.least_completeness,
        connectivity=standing.connectivity,
        lifecycle=standing.lifecycle,
        has_reported=standing.has_reported,
        is_scored=standing.is_scored,
    )


def find_device_exceptions(standing: DeviceStanding) -> dict[DeviceException, str]:
    """Each exception with its reason: severity, reason of health, or date. Empty: all is known and well.

    Of silence and of unknown health only devices in service: the others are known to be away.
    """
    found: dict[DeviceException, str] = {}
    if standing.lifecycle == "DECOMMISSIONED":
        return found
    if standing.worst is not None:
        found[DeviceException.OPEN_BREACH] = standing.worst
    if standing.lifecycle == IN_SERVICE:
        if standing.connectivity in ("OFFLINE", "STALE"):
            found[DeviceException(standing.connectivity.lower())] = standing.connectivity
        blind = find_standing_health(standing, blind=True)
        if blind.state is HealthState.UNKNOWN:
            found[DeviceException.UNKNOWN_HEALTH] = blind.reason
    if standing.lifecycle == "QUARANTINED":
        found[DeviceException.QUARANTINED] = standing.lifecycle
    if standing.lifecycle not in NOT_IN_USE:
        soon = REMIND_DAYS[ReminderKind.CALIBRATION]
        if find_due_date(standing.calibration_due, standing.today, soon).state is DueState.OVER:
            found[DeviceException.CALIBRATION_OVERDUE] = str(standing.calibration_due)
        soon = REMIND_DAYS[ReminderKind.WARRANTY]
        if find_due_date(standing.warranty_end, standing.today, soon).state is DueState.SOON:
            found[DeviceException.WARRANTY_ENDING] = str(standing.warranty_end)
    return found
