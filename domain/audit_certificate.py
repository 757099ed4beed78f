"""The audit's sentences about technicians: their certificates, and where they work."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from domain.audit import AuditEntry

ENTITY = "technician_certificate"


def find_certificate_id(name: str, model: str) -> str:
    """How the audit names the certificate of a technician for a device model."""
    return f"{name}/{model}"


def certificate_granted(name: str, model: str, valid_until: date, reference: str, reason: str) -> AuditEntry:
    """A technician may work on a device model until that day."""
    after = {"model": model, "valid_until": valid_until, "reference": reference}
    return AuditEntry("certificate.granted", ENTITY, find_certificate_id(name, model), None, after, reason)


def certificate_changed(
    name: str, model: str, before: Mapping[str, Any], after: Mapping[str, Any], reason: str
) -> AuditEntry:
    """A technician's certificate for a device model has another end or document."""
    return AuditEntry("certificate.changed", ENTITY, find_certificate_id(name, model), before, after, reason)


def certificate_revoked(name: str, model: str, before: Mapping[str, Any], reason: str) -> AuditEntry:
    """A technician may not work on a device model any more."""
    return AuditEntry("certificate.revoked", ENTITY, find_certificate_id(name, model), before, None, reason)


def regions_changed(name: str, before: Sequence[str], after: Sequence[str], reason: str) -> AuditEntry:
    """A technician works in these regions from now on; none: in all."""
    return AuditEntry(
        "technician.regions_changed", "user", name, {"regions": list(before)}, {"regions": list(after)}, reason
    )
