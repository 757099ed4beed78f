"""The audit's sentences about master data: customers, sites, contracts, device models and devices."""

from collections.abc import Mapping
from typing import Any

from domain.audit import AuditEntry
from domain.contract import ContractState
from domain.device_lifecycle import Lifecycle
from domain.master_data import MasterKind


def master_created(kind: MasterKind, code: str, after: Mapping[str, Any]) -> AuditEntry:
    """A person or another system made a record known."""
    action = "device.registered" if kind is MasterKind.DEVICE else f"{kind}.created"
    return AuditEntry(action, kind, code, None, after)


def master_changed(kind: MasterKind, code: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> AuditEntry:
    """What is known of a record was changed: the fields that differ, as they were and as they are."""
    return AuditEntry(f"{kind}.changed", kind, code, before, after)


def master_data_imported(kind: MasterKind, summary: Mapping[str, Any]) -> AuditEntry:
    """A file of master data was taken in; each record that it made or changed has a sentence of its own before."""
    return AuditEntry("master_data.imported", kind, "*", None, summary)


def contract_moved(code: str, before: ContractState, to: ContractState, reason: str) -> AuditEntry:
    """A contract came into force, was ended, or ran out."""
    return AuditEntry(f"contract.{to.lower()}", MasterKind.CONTRACT, code, {"status": before}, {"status": to}, reason)


def lifecycle_moved(serial: str, before: Lifecycle, to: Lifecycle, reason: str) -> AuditEntry:
    """A device took a step of its life-cycle."""
    return AuditEntry("device.lifecycle", MasterKind.DEVICE, serial, {"lifecycle": before}, {"lifecycle": to}, reason)


def key_fields_changed(
    serial: str, before: Mapping[str, Any], after: Mapping[str, Any], request: str, reason: str
) -> AuditEntry:
    """Two people changed serial, UDI or owner of a device; `serial` is the one that the request named."""
    after = {**after, "approval_request": request}
    return AuditEntry("device.key_fields_changed", MasterKind.DEVICE, serial, before, after, reason)


def serial_taken_over(serial: str, before: str, request: str) -> AuditEntry:
    """A device goes on under this serial; what was said of it before stands under the other."""
    return AuditEntry(
        "device.renamed", MasterKind.DEVICE, serial, {"serial": before}, {"serial": serial, "approval_request": request}
    )
