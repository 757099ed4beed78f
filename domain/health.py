"""Whether a device is healthy, and how we know: no alarm means health only where the data are complete. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from domain.breach import Severity


class HealthState(StrEnum):
    """How a device is. Values never change."""

    OK = "OK"
    ATTENTION = "ATTENTION"  # a MINOR or INFO breach is active
    FAULT = "FAULT"  # a MAJOR or CRITICAL one is
    UNKNOWN = "UNKNOWN"  # nothing says so, and what would say so is missing


class HealthReason(StrEnum):
    """Why it is said to be so. Values never change, new ones may come."""

    OPEN_BREACH = "open_breach"
    NOT_IN_SERVICE = "not_in_service"
    NEVER_REPORTED = "never_reported"
    OFFLINE = "offline"
    STALE = "stale"
    COMPLETENESS_NOT_KNOWN = "completeness_not_known"  # no sensor of its model says how often it reports
    INCOMPLETE = "incomplete"
    NOT_SCORED = "not_scored"  # a detector failed on a series of it: its monitors are silent without meaning anything
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """A state with its reason."""

    state: HealthState
    reason: HealthReason


def find_health(
    worst: Severity | None,
    completeness: float | None,
    least: float,
    *,
    connectivity: str,
    lifecycle: str = "IN_SERVICE",
    has_reported: bool = True,
    is_scored: bool = True,
) -> DeviceHealth:
    """The device's health by its worst active breach, and without one by how much of its data we have.

    Parameters
    ----------
    completeness
        Share of the expected readings that came, 0 to 1, of the last day that can be judged; None: it cannot.
    least
        The completeness from which silence of the monitors means health.
    is_scored
        False where a detector failed on a series of the device, so that its silence means nothing.
    """
    if worst is not None:
        is_grave = worst in (Severity.MAJOR, Severity.CRITICAL)
        return DeviceHealth(HealthState.FAULT if is_grave else HealthState.ATTENTION, HealthReason.OPEN_BREACH)
    if lifecycle != "IN_SERVICE":
        return DeviceHealth(HealthState.UNKNOWN, HealthReason.NOT_IN_SERVICE)
    if not has_reported:
        return DeviceHealth(HealthState.UNKNOWN, HealthReason.NEVER_REPORTED)
    if connectivity == "OFFLINE":
        return DeviceHealth(HealthState.UNKNOWN, HealthReason.OFFLINE)
    if connectivity == "STALE":
        return DeviceHealth(HealthState.UNKNOWN, HealthReason.STALE)
    if not is_scored:
        return DeviceHealth(HealthState.UNKNOWN, HealthReason.NOT_SCORED)
    if completeness is None:
        return DeviceHealth(HealthState.UNKNOWN, HealthReason.COMPLETENESS_NOT_KNOWN)
    if completeness < least:
        return DeviceHealth(HealthState.UNKNOWN, HealthReason.INCOMPLETE)
    return DeviceHealth(HealthState.OK, HealthReason.COMPLETE)
