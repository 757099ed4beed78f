"""How complete and how sound the data of each device are, day by day; and the ledger of what was received."""

from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated

from fastapi import Query

from api.auth import Caller, require
from api.cursors import Cursor, Limit, WantsTotal, make_cursor, not_ours, read_cursor
from api.problems import INVALID, ProblemError, declare
from api.routes.devices import find_device
from api.shapes.data_quality import (
    AlertKindName,
    DeviceLedgerShape,
    InFlightShape,
    LedgerDayShape,
    LedgerShape,
    QualityDayShape,
    QualitySummaryShape,
)
from api.shapes.pages import Day, Page
from api.state import Database, now
from api.versioned_router import make_router
from domain.data_quality import AlertKind
from domain.roles import Permission
from store.data_quality_queries import (
    QualityFilters,
    count_quality_days,
    load_quality_days,
    load_quality_summary,
)
from store.device_days import DeviceDay
from store.heartbeats import Heartbeat, load_heartbeats
from store.ledger_queries import is_balanced, load_device_ledger, load_ledger_days, load_ledger_of_devices

router = make_router("/data-quality", tag="data quality")
Reader = Annotated[Caller, require(Permission.READING_READ)]
LedgerReader = Annotated[Caller, require(Permission.REJECTION_READ)]
First = Annotated[Day | None, Query(alias="from", description="First day (UTC), included; a week ago by default.")]
Last = Annotated[Day | None, Query(alias="to", description="Last day (UTC), included; today by default.")]
WEEK = timedelta(days=6)
LONGEST = timedelta(days=400)
WRITERS = ("ingest", "sparkplug")


@router.get("", summary="Data quality by device and day")
def list_quality_days(
    caller: Reader,
    pool: Database,
    first: First = None,
    last: Last = None,
    device: Annotated[str | None, Query(description="Serial.")] = None,
    customer: str | None = None,
    alert: AlertKindName | None = None,
    alerts_only: Annotated[bool, Query(description="Only days over a limit.")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    total: WantsTotal = False,
) -> Page[QualityDayShape]:
    """Judged days, the newest first and of each the devices by serial."""
    begin, end = find_days(first, last)
    filters = QualityFilters(begin, end, caller.customer_id, device, customer, alert, alerts_only)
    keys = read_cursor(cursor, [str, str])
    with pool.connection() as conn:
        found = load_quality_days(conn, filters, after=_read_place(keys) if keys else None, limit=limit + 1)
        count = count_quality_days(conn, filters) if total else None
    items = [QualityDayShape.model_validate(day) for day in found[:limit]]
    next_cursor = make_cursor([items[-1].day.isoformat(), items[-1].serial]) if len(found) > limit else None
    return Page(items=items, next_cursor=next_cursor, total=count)


@router.get("/summary", summary="Data quality of some days together")
def read_summary(
    caller: Reader,
    pool: Database,
    first: First = None,
    last: Last = None,
    device: Annotated[str | None, Query(description="Serial.")] = None,
    customer: str | None = None,
) -> QualitySummaryShape:
    """Completeness of all that was expected, and how many device-days are over which limit."""
    begin, end = find_days(first, last)
    with pool.connection() as conn:
        found = load_quality_summary(conn, QualityFilters(begin, end, caller.customer_id, device, customer))
    return QualitySummaryShape(
        first=begin,
        last=end,
        device_days=found.device_days,
        devices=found.devices,
        expected=found.expected,
        present=found.present,
        completeness=found.present / found.expected if found.expected else None,
        incomplete=found.incomplete,
        not_known=found.not_known,
        alerts={kind.value: getattr(found, kind.value) for kind in AlertKind},
    )


@router.get("/ledger", summary="The ledger day by day")
def read_ledger(caller: LedgerReader, pool: Database, first: First = None, last: Last = None) -> LedgerShape:
    """What became of all that was received, and what is in flight. Counted in the transactions that stored it."""
    begin, end = find_days(first, last)
    with pool.connection() as conn:
        days = load_ledger_days(conn, begin, end)
        in_flight = find_in_flight(load_heartbeats(conn))
    return LedgerShape(
        days=[LedgerDayShape.model_validate(day) for day in days],
        balanced=all(is_balanced(day) for day in days),
        in_flight=in_flight,
        in_flight_messages=sum(writer.messages for writer in in_flight),
    )


@router.get("/ledger/devices", summary="The ledger of one day by device")
def list_ledger_of_devices(
    caller: LedgerReader,
    pool: Database,
    day: Annotated[Day | None, Query(description="Of receipt (UTC); today by default.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DeviceLedgerShape]:
    """Each device's part of the day; what names no known device comes first. Together they are the day's ledger."""
    keys = read_cursor(cursor, [int])
    with pool.connection() as conn:
        found, total = load_ledger_of_devices(
            conn, day or now().date(), after=int(keys[0]) if keys else -1, limit=limit + 1
        )
    items = [_to_shape(entry.serial, entry.counts) for entry in found[:limit]]
    next_cursor = make_cursor([found[limit - 1].counts.device_id]) if len(found) > limit else None
    return Page(items=items, next_cursor=next_cursor, total=total)


@router.get("/ledger/devices/{serial}", summary="The ledger of one device", responses=declare(404))
def read_ledger_of_device(
    serial: str, caller: LedgerReader, pool: Database, first: First = None, last: Last = None
) -> Page[DeviceLedgerShape]:
    """What became of all that this device sent, the newest day first."""
    begin, end = find_days(first, last)
    with pool.connection() as conn:
        device = find_device(conn, serial, caller)
        found = load_device_ledger(conn, device.id, begin, end)
    return Page(items=[_to_shape(serial, counts) for counts in found])


def find_days(first: date | None, last: date | None) -> tuple[date, date]:
    """The days asked for, both included; the last week by default.

    Raises
    ------
    ProblemError
        422: they run backwards or are more than 400.
    """
    try:
        end = last or now().date()
        begin = first or end - WEEK
    except OverflowError:
        raise ProblemError(INVALID, fields={"to": "is out of range"}) from None
    if begin > end:
        raise ProblemError(INVALID, fields={"from": "must not be after `to`"})
    if end - begin > LONGEST:
        raise ProblemError(INVALID, fields={"from": "at most 400 days before `to`"})
    return begin, end


def find_in_flight(heartbeats: list[Heartbeat]) -> list[InFlightShape]:
    """What each process of ingestion has received and not stored, by its last sign of life."""
    return [
        InFlightShape(
            instance=beat.instance,
            messages=int(beat.details.get("waiting_messages", 0)),
            bytes=int(beat.details.get("waiting_bytes", 0)),
            age_s=round(beat.age_s, 1),
        )
        for beat in heartbeats
        if beat.program in WRITERS
    ]


def _to_shape(serial: str | None, counts: DeviceDay) -> DeviceLedgerShape:
    values = {name: value for name, value in asdict(counts).items() if name != "device_id"}
    return DeviceLedgerShape(serial=serial, **values)


def _read_place(keys: list[str | int]) -> tuple[date, str]:
    try:
        return date.fromisoformat(str(keys[0])), str(keys[1])
    except ValueError:
        raise not_ours() from None
