"""The audit's sentences about breaches."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from domain.audit import AuditEntry

ENTITY = "breach"


def breach_acknowledged(breach_id: UUID) -> AuditEntry:
    """Somebody has seen the breach."""
    return AuditEntry("breach.acknowledged", ENTITY, str(breach_id), None, None)


def triage_failed(breach_id: UUID, params: Mapping[str, Any]) -> AuditEntry:
    """A transition could not be decided and was set aside."""
    return AuditEntry("breach.triage_failed", ENTITY, str(breach_id), None, params)
