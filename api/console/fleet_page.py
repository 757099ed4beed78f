"""Which model and firmware is worsening, and how good the alarms are."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.console.actor_profiles import load_profiles_of
from api.console.filters import Filter, find_choice
from api.console.fleet_rates import find_rows
from api.console.fleet_views import find_alarm_cards, find_fleet_lines
from api.console.kpi_period_view import find_period_fields, find_record_filters, read_asked
from api.console.page import find_view
from api.routes.kpis import load_figures
from api.state import Database
from domain.exposure import say_device_days
from domain.kpi_catalogue import KPI_BY_KEY
from domain.roles import Permission
from store.fleet import FleetScope, load_fleet_capas, load_fleet_exposures, load_fleet_tickets
from store.profiles import load_profiles

router = APIRouter(include_in_schema=False)
ROWS = 50
BY_FIRMWARE = "firmware"
ALARM_KPIS = ("alarm_flood", "alarm_chattering", "alarm_stale", "alarm_top_ten")


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
    """Tickets per device-day of each model, firmware and fault group against the period before; then the alarms."""
    view = find_view(request, caller)
    by = find_choice(by, (BY_FIRMWARE,))
    with pool.connection() as conn:
        profiles = load_profiles(conn)
        asked = read_asked(view, sorted(profiles), days=days, since=since, until=to, records=records, model=model)
        scope = FleetScope(
            before=asked.since - (asked.until - asked.since),
            since=asked.since,
            until=asked.until,
            is_simulated=asked.is_simulated,
            customer_id=caller.customer_id,
            model=asked.chosen["model"] or None,
        )
        exposures = [] if asked.wrong else load_fleet_exposures(conn, scope)
        tickets = [] if asked.wrong else load_fleet_tickets(conn, scope)
        capas = load_fleet_capas(conn, scope) if view.may(Permission.CAPA_READ) else []
    rows = find_rows(exposures, tickets, capas, by_fault=not by)
    figures = []
    if not asked.wrong:
        figures = load_figures(pool, caller, [KPI_BY_KEY[key] for key in ALARM_KPIS], asked.make_query(view))
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
        proof=view.t("fleet.proof", days=say_device_days(sum(e.device_days for e in exposures))),
        shows_capas=view.may(Permission.CAPA_READ),
        simulated=None if asked.is_simulated else view.link("/fleet", **{**chosen, "records": "simulated"}),
        action="/fleet",
        period=find_period_fields(view, asked),
        texts=[],
        filters=[
            *find_record_filters(view, asked, sorted(profiles)),
            Filter("by", view.t("fleet.rows"), by, named, view.t("fleet.by_fault")),
        ],
        filtered=any(chosen.values()),
        **find_alarm_cards(view, figures, load_profiles_of(pool, figures)),
    )


def _count_chance(rows: int) -> int:
    """How many rows would be marked as worse if nothing had changed at all: one in forty at most."""
    return -(-rows // 40)
