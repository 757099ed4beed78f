"""The audit's sentences about devices."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.audit import AuditEntry

ENTITY = "device"


def device_registered(serial: str, after: Mapping[str, Any]) -> AuditEntry:
    """A person or another system made a device known."""
    return AuditEntry("device.registered", ENTITY, serial, None, after)


def devices_imported(serial: str | None, summary: Mapping[str, Any]) -> AuditEntry:
    """A file of the installed base was taken in; `serial` None: of several devices."""
    return AuditEntry("device.imported", ENTITY, serial or "*", None, summary)


def gateway_assigned(serial: str, before: str | None, after: str | None) -> AuditEntry:
    """Another gateway, or none, speaks for the device from now on."""
    return AuditEntry("device.assigned", ENTITY, serial, {"gateway": before}, {"gateway": after})


def device_shelved(serial: str, shelving_id: int, fault_group: str | None, until: datetime, reason: str) -> AuditEntry:
    """A device, or one fault group of it, opens no orders for a while."""
    after = {"id": shelving_id, "fault_group": fault_group, "until": until}
    return AuditEntry("device.shelved", ENTITY, serial, None, after, reason)


def device_unshelved(serial: str, shelving_id: int) -> AuditEntry:
    """Somebody ended a shelving."""
    return AuditEntry("device.unshelved", ENTITY, serial, None, {"id": shelving_id})


def shelving_expired(serial: str, shelving_id: int) -> AuditEntry:
    """A shelving ran out."""
    return AuditEntry("device.shelving_expired", ENTITY, serial, None, {"id": shelving_id})
