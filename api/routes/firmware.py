"""Firmware: what a device runs and ran, how its updates went, and how many devices run what."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from api.auth import Caller, require
from api.problems import declare
from api.routes.devices import find_device
from api.shapes.firmware import (
    DeviceFirmware,
    FirmwareChangeShape,
    FirmwareCounts,
    FirmwareCountShape,
    RunningShape,
    UpdateAttemptShape,
)
from api.state import Database, now
from domain.firmware import find_attempts
from domain.roles import Permission
from store.firmware import load_firmware_at, load_firmware_changes, load_firmware_counts, load_firmware_reports

router = APIRouter(tags=["installed base"])
Reader = Annotated[Caller, require(Permission.DEVICE_READ)]
Instant = Annotated[AwareDatetime | None, Query(description="With offset, device time; default: now.")]
EVER = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(9999, 12, 31, tzinfo=UTC)


@router.get("/devices/{serial}/firmware", summary="Firmware of a device", responses=declare(404))
def read_device_firmware(serial: str, caller: Reader, pool: Database, at: Instant = None) -> DeviceFirmware:
    """What each component of the device runs, or ran at any past moment, with its newest changes and updates.

    Everything follows from the device's reports by its own time; one that came late stands where it belongs.
    """
    instant = at or now()
    with pool.connection() as conn:
        device = find_device(conn, serial, caller)
        running = load_firmware_at(conn, device.serial, instant)
        changes = load_firmware_changes(conn, device.id, EVER, END)
        reports = load_firmware_reports(conn, device.id)
    return DeviceFirmware(
        serial=device.serial,
        at=instant,
        running=[RunningShape.model_validate(r) for r in running],
        changes=[FirmwareChangeShape.model_validate(c) for c in reversed(changes)],
        attempts=[UpdateAttemptShape.model_validate(a) for a in find_attempts(reports)],
    )


@router.get("/firmware", summary="Firmware by model")
def list_firmware(caller: Reader, pool: Database, model: str | None = None) -> FirmwareCounts:
    """Every version of the main component that runs now, with its number of devices; the most frequent first."""
    with pool.connection() as conn:
        counts = load_firmware_counts(conn, customer_id=caller.customer_id, model=model)
    return FirmwareCounts(items=[FirmwareCountShape.model_validate(c) for c in counts])
