"""Where we are blind: what was refused and why, who is silent, what today's ledger says."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.console.facts import Fact
from api.console.filters import Filter, find_choice
from api.console.instants import name_age
from api.console.page import View, find_view
from api.state import Database
from domain.reading import RejectionReason
from domain.roles import Permission
from store.devices import DeviceFilters, count_devices, load_devices
from store.installation_health import LedgerDay, load_ledger_today
from store.pool import Connection
from store.rejections import RejectionFilters, StoredRejection, load_rejections

router = APIRouter(include_in_schema=False)
ROWS = 50
SILENT_SHOWN = 12
PAYLOAD_SHOWN = 2_000


@router.get("/data-quality")
def show_data_quality(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.REJECTION_READ)],
    reason: str = "",
    serial: str = "",
    before: str = "",
) -> Response:
    """Refused data, newest first."""
    view = find_view(request, caller)
    reason = find_choice(reason, [r.value for r in RejectionReason])
    serial = serial.strip()[:64]
    with pool.connection() as conn:
        ledger = load_ledger_today(conn)
        wanted = RejectionFilters(reason=reason or None, serial=serial or None)
        refused = load_rejections(conn, wanted, before=_read_cursor(before), limit=ROWS + 1)
        silent, silent_total = _load_silent(view, conn)
    last = refused[ROWS - 1] if len(refused) > ROWS else None
    cursor = f"{last.received_at.isoformat()}~{last.id}" if last else None
    return view.render(
        "data_quality.html",
        ledger=_find_ledger(view, ledger),
        silent=silent,
        silent_total=silent_total,
        serial=serial,
        filters=[
            Filter(
                "reason",
                view.t("column.refused"),
                reason,
                [(r.value, view.name("rejection", r.value)) for r in RejectionReason],
            )
        ],
        filtered=bool(reason or serial),
        rows=[_find_row(view, one) for one in refused[:ROWS]],
        older=view.link("/data-quality", reason=reason, serial=serial, before=cursor) if cursor else None,
        proof=view.t("data_quality.proof", messages=f"{ledger.messages:,}"),
    )


def _read_cursor(text: str) -> tuple[datetime, int] | None:
    at, _, row_id = text.partition("~")
    try:
        instant = datetime.fromisoformat(at)
        return (instant, int(row_id)) if instant.tzinfo is not None and 0 <= int(row_id) < 2**63 else None
    except ValueError:
        return None


def _load_silent(view: View, conn: Connection) -> tuple[list[dict[str, str]], int]:
    customer_id = view.person.customer_id
    silent: list[dict[str, str]] = []
    total = 0
    for connectivity in ("OFFLINE", "STALE"):
        wanted = DeviceFilters(customer_id=customer_id, connectivity=connectivity)
        total += count_devices(conn, wanted)
        for device in load_devices(conn, wanted, limit=SILENT_SHOWN):
            seen = device.last_seen_at
            ago = name_age(seen, view.now, view.language) if seen else view.t("time.never")
            silent.append({"serial": device.serial, "ago": ago})
    return silent[:SILENT_SHOWN], total


def _find_ledger(view: View, ledger: LedgerDay) -> list[Fact]:
    figures = {
        "messages": ledger.messages,
        "values": ledger.values_received,
        "stored": ledger.stored,
        "duplicates": ledger.duplicates,
        "conflicts": ledger.conflicts,
        "late": ledger.late,
        "rejected": ledger.rejected,
    }
    return [Fact(view.t(f"data_quality.{name}"), f"{figure:,}") for name, figure in figures.items()]


def _find_row(view: View, one: StoredRejection) -> dict[str, object]:
    text = one.payload[:PAYLOAD_SHOWN].decode("utf-8", "backslashreplace")
    return {
        "id": one.id,
        "at": view.when(one.received_at),
        "serial": one.serial or "–",
        "reason": one.reason,
        "field": one.field,
        "detail": one.detail,
        "topic": one.topic,
        "size": len(one.payload),
        "payload": text + ("…" if len(one.payload) > PAYLOAD_SHOWN else ""),
    }
