"""Where we are blind: the ledger, devices over a limit or silent, and what was refused, by cause and one by one."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.data_quality_views import (
    find_group_line,
    find_ledger_line,
    find_quality_line,
    find_rejection_line,
)
from api.console.filters import Filter, find_choice
from api.console.instants import name_age
from api.console.page import View, find_view
from api.once import change
from api.routes.data_quality import find_in_flight
from api.state import Database
from domain.reading import RejectionReason
from domain.roles import Permission
from store.data_quality_queries import QualityFilters, count_quality_days, load_quality_days, load_quality_summary
from store.devices import DeviceFilters, count_devices, load_devices
from store.heartbeats import load_heartbeats
from store.ledger_queries import LedgerDay, load_ledger_days
from store.pool import Connection
from store.rejection_groups import load_rejection_groups
from store.rejection_replays import count_waiting, request_replays
from store.rejections import RejectionFilters, load_rejections

router = APIRouter(include_in_schema=False)
ROWS = 50
SILENT_SHOWN = 12
GROUPS_SHOWN = 20
QUALITY_SHOWN = 20
LEDGER_DAYS = 7
GROUP_DAYS = 7


@router.get("/data-quality")
def show_data_quality(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.REJECTION_READ)],
    reason: str = "",
    serial: str = "",
    before: str = "",
) -> Response:
    """The page."""
    view = find_view(request, caller)
    reason = find_choice(reason, [r.value for r in RejectionReason])
    serial = serial.strip()[:64]
    with pool.connection() as conn:
        view.learn_names(conn)
        sections = _load_ledger(view, conn) | _load_quality(view, conn, serial)
        sections |= _load_refused(view, conn, reason, serial, before)
        silent, silent_total = _load_silent(view, conn)
    reasons = [(r.value, view.name("rejection", r.value)) for r in RejectionReason]
    return view.render(
        "data_quality.html",
        **sections,
        may_replay=view.may(Permission.REJECTION_REPLAY),
        replay_right=Permission.REJECTION_REPLAY.value,
        silent=silent,
        silent_total=silent_total,
        serial=serial,
        filters=[Filter("reason", view.t("column.refused"), reason, reasons)],
        filtered=bool(reason or serial),
    )


def _load_ledger(view: View, conn: Connection) -> dict[str, Any]:
    """What was received and what became of it: today, the days before, and what is still on its way."""
    today = view.now.date()
    ledger = load_ledger_days(conn, today - timedelta(days=LEDGER_DAYS - 1), today)
    in_flight = find_in_flight(load_heartbeats(conn))
    now_day = next((day for day in ledger if day.day == today), None) or LedgerDay(today, 0, 0, 0, 0, 0, 0, 0, 0)
    return {
        "today": find_ledger_line(view, now_day),
        "in_flight": f"{sum(writer.messages for writer in in_flight):,}",
        "writers": len(in_flight),
        "ledger": [find_ledger_line(view, day) for day in ledger],
        "proof": view.t("data_quality.proof", messages=f"{now_day.messages:,}"),
    }


def _load_quality(view: View, conn: Connection, serial: str) -> dict[str, Any]:
    """Devices that are over a limit of theirs since yesterday, and how many were judged today."""
    today, customer_id = view.now.date(), view.person.customer_id
    over = QualityFilters(
        today - timedelta(days=1), today, customer_id=customer_id, serial=serial or None, alerts_only=True
    )
    summary = load_quality_summary(conn, QualityFilters(today, today, customer_id=customer_id))
    return {
        "quality": [find_quality_line(view, day) for day in load_quality_days(conn, over, limit=QUALITY_SHOWN)],
        "quality_total": count_quality_days(conn, over),
        "judged": summary.devices,
        "incomplete": summary.incomplete,
        "not_known": summary.not_known,
    }


def _load_refused(view: View, conn: Connection, reason: str, serial: str, before: str) -> dict[str, Any]:
    """What was refused, by cause and one by one, newest first; `before` is where an earlier page ended."""
    since = view.now.date() - timedelta(days=GROUP_DAYS - 1)
    groups = load_rejection_groups(conn, since, reason=reason or None, serial=serial or None, limit=GROUPS_SHOWN)
    wanted = RejectionFilters(reason=reason or None, serial=serial or None)
    refused = load_rejections(conn, wanted, before=_read_cursor(before), limit=ROWS + 1)
    last = refused[ROWS - 1] if len(refused) > ROWS else None
    cursor = f"{last.received_at.isoformat()}~{last.id}" if last else None
    return {
        "groups": [find_group_line(view, group, place) for place, group in enumerate(groups)],
        "waiting": count_waiting(conn, 10_000),
        "rows": [find_rejection_line(view, one) for one in refused[:ROWS]],
        "older": view.link("/data-quality", reason=reason, serial=serial, before=cursor) if cursor else None,
    }


@router.post("/data-quality/replay")
def ask_for_replay(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.REJECTION_REPLAY)],
    reason: Annotated[str, Form(max_length=64)],
    field_pattern: Annotated[str, Form(max_length=300)] = "",
    serial: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Has everything of one cause decoded again; a script gets the sentence, a browser without one the page."""
    view = find_view(request, caller)
    since = view.now - timedelta(days=GROUP_DAYS)
    # As the cause is shown: of one serial, if the page is narrowed to one.
    wanted = RejectionFilters(find_choice(reason, RejectionReason) or None, serial or None, field_pattern, since)
    if wanted.reason is None:
        return RedirectResponse("/data-quality", 303)
    done = change(pool, lambda conn: request_replays(conn, caller.actor, wanted))
    if request.headers.get("hx-request") != "true":
        return RedirectResponse(f"/data-quality?done=replay&n={done.requested}", 303)
    left_out = sum(done.left_out.values())
    return view.render("parts/replay_result.html", requested=done.requested, left_out=left_out, has_more=done.has_more)


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
