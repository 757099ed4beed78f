"""The audit's sentences about monitors, their thresholds, and the profiles that hold them."""

from collections.abc import Mapping
from typing import Any

from domain.audit import AuditEntry

PROPOSAL = "threshold_proposal"


def monitor_flagged(model: str, monitor: str, profile_version: int, false_alarms: int) -> AuditEntry:
    """A monitor was behind too many false alarms."""
    after = {"profile_version": profile_version, "false_alarms": false_alarms}
    return AuditEntry("monitor.flagged", "monitor", f"{model}/{monitor}", None, after)


def threshold_proposed(code: str, after: Mapping[str, Any]) -> AuditEntry:
    """The machine proposed another threshold from the outcomes of orders."""
    return AuditEntry("threshold.proposed", PROPOSAL, code, None, after)


def threshold_backtested(code: str, backtest: Mapping[str, Any]) -> AuditEntry:
    """The production evaluator tried the proposed threshold."""
    return AuditEntry("threshold.backtested", PROPOSAL, code, None, {"backtest": backtest})


def threshold_decided(code: str, before: str, after: str, made_version: int | None, reason: str) -> AuditEntry:
    """A person endorsed, accepted or rejected a proposed threshold."""
    becomes = {"state": after, "made_version": made_version}
    return AuditEntry(f"threshold.{after.lower()}", PROPOSAL, code, {"state": before}, becomes, reason)


def profile_applied(model: str, before_version: int | None, after: Mapping[str, Any], reason: str) -> AuditEntry:
    """A version of a device model's profile is in force from now on."""
    before = None if before_version is None else {"version": before_version}
    return AuditEntry("profile.applied", "device_model", model, before, after, reason)


def profile_kept(model: str, version: int, bundled_version: int) -> AuditEntry:
    """A profile that people made stays in force, though a newer one came with the program."""
    after = {"version": version, "bundled_version": bundled_version}
    return AuditEntry("profile.kept", "device_model", model, None, after)
