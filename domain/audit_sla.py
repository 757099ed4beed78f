"""The audit's sentences about calendars, policies and SLA clocks."""

from collections.abc import Mapping
from typing import Any

from domain.audit import AuditEntry
from domain.sla_policy import ClockKind


def calendar_recorded(code: str, before: Mapping[str, Any] | None, after: Mapping[str, Any], reason: str) -> AuditEntry:
    """Somebody made a service calendar, or a new version of one."""
    verb = "created" if before is None else "changed"
    return AuditEntry(f"service_calendar.{verb}", "service_calendar", code, before, after, reason)


def calendar_renewed(code: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> AuditEntry:
    """The machine made a new version of a calendar: more years, or public holidays of a newer release."""
    return AuditEntry("service_calendar.renewed", "service_calendar", code, before, after)


def policy_recorded(code: str, before: Mapping[str, Any] | None, after: Mapping[str, Any], reason: str) -> AuditEntry:
    """Somebody made an SLA policy, or a new version of one."""
    verb = "created" if before is None else "changed"
    return AuditEntry(f"sla_policy.{verb}", "sla_policy", code, before, after, reason)


def calendar_assigned(site: str, before: str | None, after: str | None, reason: str) -> AuditEntry:
    """A site is served by another calendar from now on; None: by its contract's policy, or around the clock."""
    return AuditEntry(
        "site.calendar_assigned", "site", site, {"service_calendar": before}, {"service_calendar": after}, reason
    )


def policy_assigned(contract: str, before: str | None, after: str | None, reason: str) -> AuditEntry:
    """A contract has another SLA policy from now on; None: the times of the device models' profiles."""
    return AuditEntry(
        "contract.sla_policy_assigned", "contract", contract, {"sla_policy": before}, {"sla_policy": after}, reason
    )


def clock_waived(order: str, clock: ClockKind, version: int, state: str, request: str, reason: str) -> AuditEntry:
    """Two people took a clock out of the figures; its breach, if there is one, stays."""
    after = {"clock": clock, "version": version, "state": state, "approval_request": request}
    return AuditEntry("sla.waived", "work_order", order, None, after, reason)


def clock_mended(order: str, clock: ClockKind, before: Mapping[str, Any], after: Mapping[str, Any]) -> AuditEntry:
    """A clock's line for lists did not say what its events say, and does again."""
    return AuditEntry("sla.clock_mended", "work_order", order, {"clock": clock, **before}, {"clock": clock, **after})
