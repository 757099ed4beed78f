"""A customer on one page: what we owe it, what is wrong there, and what is not known."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query

from api.auth import Caller, require
from api.overview_parts import (
    ORDER_FIELDS,
    find_hidden,
    shape_contract,
    shape_due,
    shape_orders,
    shape_part,
    shape_planned,
    shape_risk,
)
from api.problems import declare, not_found
from api.shapes.overview_lines import CapaLineShape, ClockLineShape, ComplaintLineShape, ItemLineShape, Part
from api.shapes.overviews import (
    CustomerOverview,
    DeviceCounts,
    DueLineShape,
    ExceptionDeviceShape,
    ExceptionShape,
    SlaShape,
    SlaShareShape,
)
from api.state import Database, now
from api.versioned_router import make_router
from domain.customer_risk import find_customer_risk
from domain.device_exception import NOT_IN_USE, DeviceException, find_device_exceptions, find_standing_health
from domain.due_date import DueState
from domain.health import HealthState
from domain.masking import mask_record
from domain.reminder import REMIND_DAYS, ReminderKind
from domain.risk import find_hidden_troubles, keep_shown
from domain.roles import Permission
from domain.sla_policy import ClockKind
from store.customer_standing import (
    DeviceLine,
    SlaCount,
    load_contract_line,
    load_device_standings,
    load_sla_counts,
)
from store.customers import Customer, load_customer
from store.overview_orders import ClockLine, load_clock_lines, load_open_orders, load_planned_lines
from store.overview_records import load_capa_lines, load_complaint_lines, load_item_lines
from store.overview_scope import OverviewScope
from store.pool import Connection
from store.troubles import load_troubles

router = make_router("/customers", tag="installed base")
Reader = Annotated[Caller, require(Permission.CUSTOMER_READ)]
SLA_WINDOW = timedelta(days=90)
MOST_DEVICES = 20  # named of each exception
MOST_CALIBRATIONS = 50


@router.get("/{code}/overview", summary="A customer on one page", responses=declare(404))
def read_customer_overview(
    code: str,
    caller: Reader,
    pool: Database,
    simulated: Annotated[
        bool | None, Query(description="By simulated records, or by real ones; default: as the customer is.")
    ] = None,
) -> CustomerOverview:
    """Contract, SLA, devices by exception, open work, CAPAs, field actions, complaints, what is due, contacts, risk."""
    at = now()
    with pool.connection() as conn:
        customer = load_customer(conn, code, customer_id=caller.customer_id)
        if customer is None:
            raise not_found("customer", code, "code")
        return describe_customer(conn, customer, caller, at, customer.is_simulated if simulated is None else simulated)


def describe_customer(
    conn: Connection, customer: Customer, caller: Caller, at: datetime, is_simulated: bool
) -> CustomerOverview:
    """The customer as the caller may see it; the console's page says the same."""
    scope = OverviewScope(is_simulated, customer_id=customer.id, own_customer_id=caller.customer_id)
    found = load_troubles(conn, now=at, is_simulated=is_simulated, customer_id=customer.id).get(customer.id, {})
    devices = load_device_standings(conn, customer.id, at, is_simulated=is_simulated)
    since = at - SLA_WINDOW
    counts = load_sla_counts(conn, customer.id, since, is_simulated=is_simulated)
    items = load_item_lines(conn, scope) if caller.may(Permission.FIELD_ACTION_READ) else None
    capas = load_capa_lines(conn, scope) if caller.may(Permission.CAPA_READ) else None
    complaints = load_complaint_lines(conn, scope) if caller.may(Permission.COMPLAINT_READ) else None
    return CustomerOverview(
        code=customer.code,
        name=customer.name,
        type=customer.type,
        channel=customer.channel,
        status=customer.status,
        region=customer.region,
        at=at,
        is_simulated=is_simulated,
        contacts=mask_record("customer", {"contacts": customer.contacts}, caller.permissions)["contacts"],
        hidden=find_hidden(caller, "customer.contacts", *(f"work_order.{name}" for name in ORDER_FIELDS)),
        risk=shape_risk(find_customer_risk(keep_shown(found, find_hidden_troubles(caller.permissions)))),
        contract=shape_contract(load_contract_line(conn, customer.id, at.astimezone(UTC).date()), at),
        sla=_shape_sla(counts, load_clock_lines(conn, scope, at), since),
        devices=_count_devices(devices),
        work_orders=shape_orders(load_open_orders(conn, scope), caller),
        capas=None if capas is None else shape_part(CapaLineShape, capas),
        field_actions=None if items is None else shape_part(ItemLineShape, items),
        complaints=None if complaints is None else shape_part(ComplaintLineShape, complaints),
        calibrations=_find_calibrations(devices),
        maintenance=shape_planned(load_planned_lines(conn, scope, at)),
    )


def _shape_sla(counts: list[SlaCount], clocks: list[ClockLine], since: datetime) -> SlaShape:
    known = {count.clock: count for count in counts}
    shares = {}
    for kind in ClockKind:
        count = known.get(kind, SlaCount(kind, 0, 0))
        ended = count.met + count.breached
        shares[str(kind)] = SlaShareShape(
            met=count.met, breached=count.breached, share=count.met / ended if ended else None
        )
    return SlaShape(since=since, shares=shares, clocks=shape_part(ClockLineShape, clocks))


def _count_devices(devices: list[DeviceLine]) -> DeviceCounts:
    by_exception: dict[DeviceException, list[ExceptionDeviceShape]] = {kind: [] for kind in DeviceException}
    for device in devices:
        for kind, reason in find_device_exceptions(device.standing).items():
            is_silence = kind in (DeviceException.OFFLINE, DeviceException.STALE)
            by_exception[kind].append(
                ExceptionDeviceShape(
                    serial=device.serial,
                    model=device.model,
                    site=device.site,
                    reason=reason,
                    since=device.since if is_silence else None,
                )
            )
    health = Counter({state.value: 0 for state in HealthState})
    health.update(find_standing_health(device.standing).state.value for device in devices)
    return DeviceCounts(
        total=len(devices),
        by_health=dict(health),
        by_lifecycle=dict(Counter(device.standing.lifecycle for device in devices)),
        by_connectivity=dict(Counter(device.standing.connectivity for device in devices)),
        exceptions=[
            ExceptionShape(exception=kind, total=len(found), items=found[:MOST_DEVICES])
            for kind, found in by_exception.items()
        ],
    )


def _find_calibrations(devices: list[DeviceLine]) -> Part[DueLineShape]:
    soon = REMIND_DAYS[ReminderKind.CALIBRATION]
    lines = [
        DueLineShape(
            serial=device.serial,
            model=device.model,
            site=device.site,
            due=shape_due(device.standing.calibration_due, device.standing.today, soon),
        )
        for device in devices
        if device.standing.lifecycle not in NOT_IN_USE
    ]
    due = [line for line in lines if line.due.state is not DueState.LATER]
    due.sort(key=lambda line: (line.due.on is None, line.due.on, line.serial))
    return Part(total=len(due), items=due[:MOST_CALIBRATIONS])
