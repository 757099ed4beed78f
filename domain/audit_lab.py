"""The audit's sentences about runs of the lab: who asked for what. What the simulated devices did is no event."""

from collections.abc import Mapping
from typing import Any

from domain.audit import AuditEntry

ENTITY = "lab_run"


def lab_run_asked(
    code: str, request: Mapping[str, Any], *, profile_version: int, profile_sha256: str, proposal: str | None
) -> AuditEntry:
    """A run was asked for, of this profile."""
    judged = {"profile_version": profile_version, "profile_sha256": profile_sha256, "proposal": proposal}
    return AuditEntry("lab.run_asked", ENTITY, code, None, {**request, **judged})


def lab_run_cancelled(code: str, reason: str = "") -> AuditEntry:
    """A run was called off."""
    return AuditEntry("lab.run_cancelled", ENTITY, code, None, {"state": "CANCELLED"}, reason)
