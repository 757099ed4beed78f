"""Which model and firmware is worsening, and how good the alarms are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.console.actor_profiles import load_profiles_of
from api.console.filters import Filter, find_choice
from api.console.fleet_rates import find_rows
from api.console.fleet_views import find_alarm_cards, find_fleet_lines
from api.console.kpi_look import find_look
from api.console.kpi_period_view import Asked, find_period_fields, find_record_filters, read_asked
from api.console.page import View, find_view
from api.routes.kpis import load_figures
from api.state import Database
from domain.exposure import say_device_days
from domain.kpi import Kpi, KpiFigure
from domain.kpi_catalogue import KPI_BY_KEY
from domain.roles import Permission
from store.fleet import (
    FleetExposure,
    FleetScope,
    FleetTickets,
    load_fleet_capas,
    load_fleet_exposures,
    load_fleet_tickets,
)
from store.pool import Pool
from store.profiles import load_profiles

router = APIRouter(include_in_schema=False)
ROWS = 50
BY_FIRMWARE = "firmware"
ALARM_KPIS = ("alarm_flood", "alarm_chattering", "alarm_stale", "alarm_top_ten")


@dataclass(frozen=True, slots=True)
class FleetCount:
    """What was counted of a period, as the page keeps it for a minute."""

    exposures: Sequence[FleetExposure] = ()
    tickets: Sequence[FleetTickets] = ()
    figures: Sequence[tuple[Kpi, list[KpiFigure]]] = ()


@router.get("/fleet")
def show_fleet(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.KPI_READ)],
    days: str = "",
    since: Annotated[str, Query(alias="from", max_length=20)] = "",
    to: Annotated[str, Query(max_length=20)] = "",
    model: str = "",
    records: str = "",
    by: str = "",
    page: Annotated[int, Query(ge=1, le=1000)] = 1,
) -> Response:
    """Tickets per device-day of each model, firmware and fault group against the period before; then the alarms.

    What is counted of a whole period is counted once for all looks of a minute, as on the pages of key figures.
    """
    view = find_view(request, caller)
    by = find_choice(by, (BY_FIRMWARE,))
    with pool.connection() as conn:
        profiles = load_profiles(conn)
    asked = read_asked(view, sorted(profiles), days=days, since=since, until=to, records=records, model=model)
    look = None if asked.wrong else find_look(view, asked, "/fleet", lambda: _count(pool, caller, view, asked))
    counted = FleetCount() if look is None else look.figures
    asked = asked if look is None else look.asked
    with pool.connection() as conn:
        capas = load_fleet_capas(conn, _find_scope(caller, asked)) if view.may(Permission.CAPA_READ) else []
    rows = find_rows(counted.exposures, counted.tickets, capas, by_fault=not by)
    chosen = {**asked.chosen, "by": by}
    shown = rows[(page - 1) * ROWS : page * ROWS]
    named = [(BY_FIRMWARE, view.t("fleet.by_firmware"))]
    return view.render(
        "fleet.html",
        422 if asked.wrong else 200,
        rows=find_fleet_lines(view, shown, profiles),
        by_fault=not by,
        older=view.link("/fleet", page=page + 1, **chosen) if page * ROWS < len(rows) else None,
        chance=_count_chance(len(rows)),
        worse=sum(row.is_worse for row in rows),
        total=len(rows),
        proof=view.t("fleet.proof", days=say_device_days(sum(e.device_days for e in counted.exposures))),
        shows_capas=view.may(Permission.CAPA_READ),
        simulated=None if asked.is_simulated else view.link("/fleet", **{**chosen, "records": "simulated"}),
        action="/fleet",
        period=find_period_fields(view, asked),
        counted=None
        if look is None
        else {"said": look.describe(view).said, "anew": view.link("/fleet", **chosen, anew="1")},
        texts=[],
        filters=[
            *find_record_filters(view, asked, sorted(profiles)),
            Filter("by", view.t("fleet.rows"), by, named, view.t("fleet.by_fault")),
        ],
        filtered=any(chosen.values()),
        **find_alarm_cards(view, counted.figures, load_profiles_of(pool, counted.figures)),
    )


def _count(pool: Pool, caller: Caller, view: View, asked: Asked) -> FleetCount:
    scope = _find_scope(caller, asked)
    with pool.connection() as conn:
        exposures = load_fleet_exposures(conn, scope)
        tickets = load_fleet_tickets(conn, scope)
    kpis = [KPI_BY_KEY[key] for key in ALARM_KPIS]
    return FleetCount(exposures, tickets, load_figures(pool, caller, kpis, asked.make_query(view)))


def _find_scope(caller: Caller, asked: Asked) -> FleetScope:
    return FleetScope(
        before=asked.since - (asked.until - asked.since),
        since=asked.since,
        until=asked.until,
        is_simulated=asked.is_simulated,
        customer_id=caller.customer_id,
        model=asked.chosen["model"] or None,
    )


def _count_chance(rows: int) -> int:
    """How many rows would be marked as worse if nothing had changed at all: one in forty at most."""
    return -(-rows // 40)
