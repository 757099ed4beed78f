"""A device on one page: what it is, where it stands, what happened to it, what is wrong, and what is not known."""

from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from api.auth import Caller, require
from api.masking import mask_shape
from api.overview_parts import (
    ORDER_FIELDS,
    find_hidden,
    shape_breaches,
    shape_contract,
    shape_due,
    shape_forecasts,
    shape_orders,
    shape_part,
    shape_planned,
    shape_risk,
)
from api.problems import declare
from api.routes.devices import find_device
from api.shapes.breaches import ShelvingShape
from api.shapes.firmware import FirmwareChangeShape, RunningShape
from api.shapes.installed_base import HealthShape, HistoryShape
from api.shapes.overview_lines import CapaLineShape, ClockLineShape, ComplaintLineShape, ItemLineShape
from api.shapes.overviews import DeviceFirmwareShape, DeviceOverview, PlaceShape, QualityLineShape, StateShape
from api.state import Database, now
from api.versioned_router import make_router
from domain.device_risk import find_device_risk
from domain.masking import mask_history, mask_owner
from domain.reminder import REMIND_DAYS, ReminderKind
from domain.risk import find_hidden_troubles, keep_shown
from domain.roles import Permission
from store.customer_standing import load_contract_line
from store.device_standing import load_quality_lines
from store.devices import Device, HistoryEntry, find_device_health, load_history
from store.firmware import load_firmware_at, load_firmware_changes
from store.overview_orders import (
    load_clock_lines,
    load_open_orders,
    load_past_orders_of_device,
    load_planned_lines,
)
from store.overview_records import load_breach_lines, load_capa_lines, load_complaint_lines, load_item_lines
from store.overview_scope import OverviewScope
from store.pool import Connection
from store.shelvings import load_shelvings
from store.troubles import load_troubles

router = make_router("/devices", tag="installed base")
Reader = Annotated[Caller, require(Permission.DEVICE_READ)]
EVER = datetime(1970, 1, 1, tzinfo=UTC)
MOST_HISTORY = 50
QUALITY_DAYS = 7


@router.get("/{serial}/overview", summary="A device on one page", responses=declare(404))
def read_device_overview(serial: str, caller: Reader, pool: Database) -> DeviceOverview:
    """Identity, place, lifecycle and connectivity, firmware, contract and warranty, calibration and plans, orders,
    breaches, forecasts, field actions, complaints, data quality, risk and dated history.
    """
    at = now()
    with pool.connection() as conn:
        return describe_device_overview(conn, find_device(conn, serial, caller), caller, at)


def describe_device_overview(conn: Connection, device: Device, caller: Caller, at: datetime) -> DeviceOverview:
    """The device as the caller may see it; the console's page says the same."""
    scope = OverviewScope(device.is_simulated, device_id=device.id, own_customer_id=caller.customer_id)
    mine = {"customer_id": caller.customer_id, "device_id": device.id}
    found = load_troubles(conn, now=at, is_simulated=device.is_simulated, **mine).get(0, {})
    today = _find_local_date(at, device.site_time_zone)
    whose = device.customer_id
    contract = None if whose is None else load_contract_line(conn, whose, today, device_id=device.id)
    breaches = load_breach_lines(conn, scope, at)
    items = load_item_lines(conn, scope) if caller.may(Permission.FIELD_ACTION_READ) else None
    capas = load_capa_lines(conn, scope) if caller.may(Permission.CAPA_READ) else None
    complaints = load_complaint_lines(conn, scope) if caller.may(Permission.COMPLAINT_READ) else None
    fields = (*(f"work_order.{name}" for name in ORDER_FIELDS), "shelving.shelved_by", "device_history.source")
    return DeviceOverview(
        serial=device.serial,
        model=device.model,
        model_name=device.model_name,
        manufacturer=device.manufacturer,
        safety_critical=device.safety_critical,
        lot=device.lot,
        udi=device.udi,
        udi_di=device.udi_di,
        made_on=device.made_on,
        purchased_on=device.purchased_on,
        installed_on=device.installed_on,
        at=at,
        is_simulated=device.is_simulated,
        hidden=find_hidden(caller, *fields),
        risk=shape_risk(find_device_risk(keep_shown(found, find_hidden_troubles(caller.permissions)))),
        health=HealthShape.model_validate(asdict(find_device_health(device))),
        lifecycle=StateShape(state=device.lifecycle, since=device.lifecycle_since),
        connectivity=StateShape(
            state=device.connectivity, since=device.connectivity_since, reason=device.connectivity_reason
        ),
        last_seen_at=device.last_seen_at,
        place=_find_place(device),
        firmware=_load_firmware(conn, device, at),
        contract=shape_contract(contract, at),
        warranty=shape_due(device.warranty_end, today, REMIND_DAYS[ReminderKind.WARRANTY]),
        calibration=shape_due(device.calibration_due, today, REMIND_DAYS[ReminderKind.CALIBRATION]),
        planned=shape_planned(load_planned_lines(conn, scope, at)),
        work_orders=shape_orders(load_open_orders(conn, scope), caller),
        past_work_orders=shape_orders(load_past_orders_of_device(conn, scope), caller),
        clocks=shape_part(ClockLineShape, load_clock_lines(conn, scope, at)),
        breaches=shape_breaches(breaches),
        forecasts=shape_forecasts(breaches, at),
        shelvings=[
            mask_shape("shelving", ShelvingShape.model_validate(shelving), caller)
            for shelving in load_shelvings(conn, now=at, customer_id=caller.customer_id, serial=device.serial)
        ],
        field_actions=None if items is None else shape_part(ItemLineShape, items),
        capas=None if capas is None else shape_part(CapaLineShape, capas),
        complaints=None if complaints is None else shape_part(ComplaintLineShape, complaints),
        data_quality=[
            QualityLineShape.model_validate(line) for line in load_quality_lines(conn, device.id, QUALITY_DAYS)
        ],
        history=[_shape_history(entry, device, caller) for entry in load_history(conn, device.id, limit=MOST_HISTORY)],
    )


def _load_firmware(conn: Connection, device: Device, at: datetime) -> DeviceFirmwareShape:
    changes = load_firmware_changes(conn, device.id, EVER, at)
    return DeviceFirmwareShape(
        running=[RunningShape.model_validate(running) for running in load_firmware_at(conn, device.serial, at)],
        changes=[FirmwareChangeShape.model_validate(change) for change in reversed(changes)],
    )


def _find_place(device: Device) -> PlaceShape:
    return PlaceShape(
        site=device.site_code,
        site_name=device.site_name,
        department=device.site_department,
        time_zone=device.site_time_zone,
        customer=device.customer_code,
        customer_name=device.customer_name,
        gateway=device.gateway,
        region=device.region,
    )


def _find_local_date(at: datetime, zone: str | None) -> date:
    return at.astimezone(ZoneInfo(zone or "UTC")).date()


def _shape_history(entry: HistoryEntry, device: Device, caller: Caller) -> HistoryShape:
    before, source = mask_history(entry.field, entry.before, entry.source, caller.permissions)
    after = mask_owner(entry.field, entry.after, (device.customer_code, device.site_code), caller.permissions)
    return HistoryShape.model_validate(entry).model_copy(update={"before": before, "after": after, "source": source})
