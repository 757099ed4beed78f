"""Devices: the list, the first look, what happened to one, and registering a new one."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Literal
from zoneinfo import available_timezones

from fastapi import Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, WantsTotal, make_cursor, read_cursor, read_instant
from api.once import IdempotencyKey, change_once
from api.preconditions import make_etag
from api.problems import ALREADY_EXISTS, FORBIDDEN, INVALID, ProblemError, declare, not_found
from api.shapes.device_accounts import AccountShape
from api.shapes.installed_base import (
    AttributeShape,
    ContractShape,
    DeviceDetail,
    DeviceShape,
    HistoryShape,
    LatestShape,
    NewDevice,
)
from api.shapes.pages import Page
from api.state import Database
from api.versioned_router import make_router
from domain.installed_base import TAKEN_CUSTOMER_CODES, InstalledDevice
from domain.masking import mask_history, mask_owner
from domain.profile import Profile
from domain.roles import Permission
from domain.udi import find_udi_conflicts, parse_udi
from store.contracts import load_contract_of
from store.customers import load_contracts
from store.device_accounts import load_account
from store.device_attributes import load_attributes
from store.device_registration import RegistrationRefusal
from store.device_registration import register_device as record_registration
from store.devices import (
    Device,
    DeviceFilters,
    HistoryEntry,
    LatestValue,
    count_devices,
    find_device_health,
    load_device,
    load_devices,
    load_history,
    load_latest,
)
from store.pool import Connection
from store.profiles import load_profile

router = make_router("/devices", tag="installed base")
Reader = Annotated[Caller, require(Permission.DEVICE_READ)]
Registrar = Annotated[Caller, require(Permission.DEVICE_REGISTER)]


@router.get("", summary="List devices")
def list_devices(
    caller: Reader,
    pool: Database,
    model: str | None = None,
    firmware: str | None = None,
    customer: str | None = None,
    site: str | None = None,
    connectivity: Literal["UNKNOWN", "ONLINE", "STALE", "OFFLINE"] | None = None,
    lifecycle: str | None = None,
    q: str | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    total: WantsTotal = False,
) -> Page[DeviceShape]:
    """Devices by serial; `q` is looked for in serial, lot, UDI, customer and site."""
    filters = DeviceFilters(caller.customer_id, model, firmware, customer, site, connectivity, lifecycle, q)
    keys = read_cursor(cursor, [str])
    with pool.connection() as conn:
        found = load_devices(conn, filters, after=str(keys[0]) if keys else "", limit=limit + 1)
        count = count_devices(conn, filters) if total else None
    items = [DeviceShape.model_validate(_with_health(device)) for device in found[:limit]]
    return Page(items=items, next_cursor=make_cursor([items[-1].serial]) if len(found) > limit else None, total=count)


@router.get("/{serial}", summary="One device", responses=declare(404))
def read_device(serial: str, caller: Reader, pool: Database, response: Response) -> DeviceDetail:
    """The device with customer, site, contract, firmware, connectivity, and the latest reading of every sensor."""
    with pool.connection() as conn:
        device = find_device(conn, serial, caller)
        detail = describe_device(conn, device)
    response.headers["ETag"] = make_etag(device.row_version)
    return detail


@router.get("/{serial}/history", summary="What happened to a device", responses=declare(404))
def read_history(
    serial: str, caller: Reader, pool: Database, limit: Limit = 100, cursor: Cursor = None
) -> Page[HistoryShape]:
    """Changes of master data, firmware and status reports and the device's own alarms, newest first."""
    keys = read_cursor(cursor, [str, str])
    before = (read_instant(keys[0]), str(keys[1])) if keys else None
    with pool.connection() as conn:
        device = find_device(conn, serial, caller)
        found = load_history(conn, device.id, before=before, limit=limit + 1)
    page = found[:limit]
    next_cursor = make_cursor([page[-1].at.isoformat(), page[-1].key]) if len(found) > limit else None
    return Page(items=[_shape_history(entry, device, caller) for entry in page], next_cursor=next_cursor)


@router.post("", summary="Register a device", status_code=201, response_model=DeviceDetail, responses=declare(409))
def register_device(
    caller: Registrar, pool: Database, request: Request, body: NewDevice, idempotency_key: IdempotencyKey = None
) -> Response:
    """Makes the device and its series, and site and customer where they are new; readings are taken from now on."""
    if caller.customer_id is not None:
        raise ProblemError(FORBIDDEN, "A customer's account registers no devices.")
    verify_place(body)

    def work(conn: Connection) -> tuple[DeviceDetail, dict[str, str]]:
        refusal = record_registration(conn, caller.actor, _to_installed(body))
        if refusal is not None:
            raise _REFUSALS[refusal]()
        device = find_device(conn, body.serial, caller)
        headers = {"Location": f"/api/v1/devices/{body.serial}", "ETag": make_etag(device.row_version)}
        return describe_device(conn, device), headers

    return change_once(pool, caller, request, idempotency_key, body, work)


def find_device(conn: Connection, serial: str, caller: Caller) -> Device:
    """The device of that serial if the caller may see it, or a 404."""
    device = load_device(conn, serial, customer_id=caller.customer_id)
    if device is None:
        raise not_found("device", serial, "serial")
    return device


def describe_device(conn: Connection, device: Device) -> DeviceDetail:
    """The device with its contract, latest readings and attributes."""
    contracts = load_contracts(conn, device.customer_id) if device.customer_id is not None else []
    code = load_contract_of(conn, device.id, datetime.now(UTC).date())
    active = next((contract for contract in contracts if contract.code == code), None)
    profile = load_profile(conn, device.model)
    latest = [_shape_latest(value, profile) for value in load_latest(conn, device.id)]
    values = asdict(device) | {"health": asdict(find_device_health(device))}
    account = load_account(conn, device.serial)
    values |= {"account": None if account is None else AccountShape.model_validate(account)}
    values |= {"contract": None if active is None else ContractShape.model_validate(active), "latest": latest}
    values |= {"attributes": [AttributeShape.model_validate(found) for found in load_attributes(conn, device.id)]}
    known = {n for f, i in DeviceDetail.model_fields.items() for n in (f, i.validation_alias) if isinstance(n, str)}
    return DeviceDetail.model_validate({name: value for name, value in values.items() if name in known})


def _shape_history(entry: HistoryEntry, device: Device, caller: Caller) -> HistoryShape:
    before, source = mask_history(entry.field, entry.before, entry.source, caller.permissions)
    after = mask_owner(entry.field, entry.after, (device.customer_code, device.site_code), caller.permissions)
    return HistoryShape.model_validate(entry).model_copy(update={"before": before, "after": after, "source": source})


def _with_health(device: Device) -> dict[str, object]:
    values = asdict(device) | {"health": asdict(find_device_health(device))}
    known = {n for f, i in DeviceShape.model_fields.items() for n in (f, i.validation_alias) if isinstance(n, str)}
    return {name: value for name, value in values.items() if name in known}


_REFUSALS = {
    RegistrationRefusal.SERIAL_TAKEN: lambda: ProblemError(
        ALREADY_EXISTS, fields={"serial": "is registered already"}, guard="serial_taken"
    ),
    RegistrationRefusal.MODEL_UNKNOWN: lambda: ProblemError(
        INVALID, fields={"model": "is not known; apply its profile"}
    ),
    RegistrationRefusal.SITE_OF_ANOTHER: lambda: ProblemError(INVALID, fields={"site": "belongs to another customer"}),
}


def verify_place(body: NewDevice) -> None:
    """Returns when customer, site and time zone go together, and the UDI says the same serial and lot.

    Raises
    ------
    ProblemError
        422, naming the field.
    """
    if body.site and not body.customer:
        raise ProblemError(INVALID, fields={"customer": "a site needs the customer that it belongs to"})
    if body.customer in TAKEN_CUSTOMER_CODES:
        raise ProblemError(INVALID, fields={"customer": "is a word of the API's own"})
    if body.site_time_zone not in available_timezones():
        raise ProblemError(INVALID, fields={"site_time_zone": "is no IANA time zone"})
    udi = parse_udi(body.udi) if body.udi else None
    if isinstance(udi, str):
        raise ProblemError(INVALID, fields={"udi": udi})
    conflicts = {} if udi is None else find_udi_conflicts(udi, model_udi_di="", serial=body.serial, lot=body.lot)
    if conflicts:
        raise ProblemError(INVALID, fields=conflicts)


def _to_installed(body: NewDevice) -> InstalledDevice:
    return InstalledDevice(
        serial=body.serial,
        model=body.model,
        lot=body.lot,
        udi=body.udi,
        made_on=body.made_on,
        installed_on=body.installed_on,
        warranty_end=body.warranty_end,
        calibration_due=body.calibration_due,
        firmware=body.firmware,
        gateway=body.gateway,
        customer_ref=body.customer,
        customer_name=body.customer_name or body.customer,
        customer_type=body.customer_type,
        site_ref=body.site,
        site_name=body.site_name or body.site,
        site_time_zone=body.site_time_zone,
        region=body.region,
    )


def _shape_latest(value: LatestValue, profile: Profile | None) -> LatestShape:
    sensor = profile.find_sensor(value.sensor) if profile is not None else None
    return LatestShape(
        sensor=value.sensor,
        label=asdict(sensor.label) if sensor else None,
        unit=sensor.unit if sensor else None,
        decimals=sensor.decimals if sensor else None,
        diagnostic=sensor.diagnostic if sensor else False,
        observed_at=value.observed_at,
        value=value.value,
        flags=value.flags,
    )
