"""The audit's sentences about technicians: their certificates, and where they work."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.audit import AuditEntry

ENTITY = "user"


def certificate_changed(name: str, before: Mapping[str, Any], after: Mapping[str, Any], reason: str) -> AuditEntry:
    """A technician's certificate for a device model has another end or document."""
    return AuditEntry("certificate.changed", ENTITY, name, before, after, reason)


def certificate_revoked(name: str, before: Mapping[str, Any], reason: str) -> AuditEntry:
    """A technician may not work on a device model any more."""
    return AuditEntry("certificate.revoked", ENTITY, name, before, None, reason)


def regions_changed(name: str, before: Sequence[str], after: Sequence[str], reason: str) -> AuditEntry:
    """A technician works in these regions from now on; none: in all."""
    return AuditEntry(
        "technician.regions_changed", ENTITY, name, {"regions": list(before)}, {"regions": list(after)}, reason
    )
