"""Firmware: what a device runs and ran, how its updates went, and how many devices run what."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from api.auth import Caller, require
from api.problems import declare, not_found
from api.routes.devices import find_device
from api.shapes.firmware import (
    DeviceFirmware,
    FirmwareChangeShape,
    FirmwareCounts,
    FirmwareCountShape,
    Regression,
    RegressionLine,
    ReleaseShape,
    RunningShape,
    UpdateAttemptShape,
)
from api.shapes.pages import Instant
from api.state import Database, now
from api.versioned_router import make_router
from domain.firmware import find_attempts
from domain.firmware_release import Judged
from domain.roles import Permission
from store.firmware import load_firmware_at, load_firmware_changes, load_firmware_counts, load_firmware_reports
from store.release_records import ReleaseState, load_judged, load_proposed, load_states_of_version

router = make_router(tag="installed base")
Reader = Annotated[Caller, require(Permission.DEVICE_READ)]
# Figures over the devices of all customers.
FleetReader = Annotated[Caller, require(Permission.CAPA_READ)]
At = Annotated[Instant | None, Query(description="With offset, device time; default: now.")]
EVER = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(9999, 12, 31, tzinfo=UTC)


@router.get("/devices/{serial}/firmware", summary="Firmware of a device", responses=declare(404))
def read_device_firmware(serial: str, caller: Reader, pool: Database, at: At = None) -> DeviceFirmware:
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


@router.get("/firmware/{model}/{version}/regression", summary="What a firmware version changed", responses=declare(404))
def read_regression(model: str, version: str, caller: FleetReader, pool: Database) -> Regression:
    """Breach rates by fault group, level and spread of every signal: before and after the update, each device with
    itself, with the p-values that hold at every look and their false-discovery correction."""
    with pool.connection() as conn:
        states = load_states_of_version(conn, model, version)
        if not states:
            raise not_found("compared firmware release", f"{model} {version}", "version")
        judged = load_judged(conn, model=model, version=version)
        releases = [
            _describe(state, judged.get(state.release, []), dict(load_proposed(conn, state.release)))
            for state in states
        ]
    return Regression(model=model, version=version, releases=releases)


def _describe(state: ReleaseState, judged: list[Judged], capas: dict[str, str]) -> ReleaseShape:
    lines = [
        RegressionLine.model_validate(asdict(j.line) | {"p_valid": j.p_valid, "q": j.q, "verdict": j.verdict})
        for j in judged
    ]
    known = {name: value for name, value in asdict(state).items() if name in ReleaseShape.model_fields}
    return ReleaseShape(**known, lines=lines, capas=capas)
