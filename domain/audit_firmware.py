"""The audit's sentences about firmware that may be installed."""

from collections.abc import Mapping
from typing import Any

from domain.audit import AuditEntry
from domain.firmware_record import FirmwareRecord, FirmwareRecordState, find_firmware_content

ENTITY = "firmware_record"
_ACTIONS = {
    FirmwareRecordState.APPROVED: "firmware.approved",
    FirmwareRecordState.RELEASED: "firmware.released",
    FirmwareRecordState.WITHDRAWN: "firmware.withdrawn",
}


def firmware_registered(record: FirmwareRecord) -> AuditEntry:
    """Somebody registered a version as a draft."""
    after = find_firmware_content(record) | {"state": record.state}
    return AuditEntry("firmware.registered", ENTITY, record.code, None, after)


def firmware_changed(code: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> AuditEntry:
    """Somebody changed a draft; signatures on it as it was do not count any more."""
    return AuditEntry("firmware.changed", ENTITY, code, before, after)


def firmware_signed(record: FirmwareRecord, signatures: int, content_sha256: str) -> AuditEntry:
    """The first of two people approved; it stays a draft."""
    after = {"signatures": signatures, "content_sha256": content_sha256, "content_version": record.content_version}
    return AuditEntry("firmware.signed", ENTITY, record.code, {"state": record.state}, after)


def firmware_moved(
    before: FirmwareRecord, after: FirmwareRecord, reason: str, content_sha256: str | None
) -> AuditEntry:
    """A version was approved by its second signature, released, or withdrawn."""
    becomes: dict[str, Any] = {"state": after.state, "version": after.version}
    if content_sha256 is not None:
        becomes["content_sha256"] = content_sha256
    return AuditEntry(_ACTIONS[after.state], ENTITY, before.code, {"state": before.state}, becomes, reason)
