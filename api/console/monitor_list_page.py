"""The list of monitors: which rule earns its tickets."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.console.filters import Filter, find_choice
from api.console.monitor_lines import MonitorLine, find_lines
from api.console.monitor_records import load_monitor_records
from api.console.page import find_view
from api.console.proofs import load_proof
from api.routes.monitors import list_monitors
from api.state import Database
from domain.roles import Permission
from store.profiles import load_profiles

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.CAPA_READ)]
LOOK = "look"


@router.get("/monitors")
def show_monitors(request: Request, pool: Database, caller: Reader, model: str = "", show: str = "") -> Response:
    """Every monitor of every current profile, those that need a look first."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        profiles = load_profiles(conn)
        model = find_choice(model, profiles)
        records = load_monitor_records(conn, model)
    found = list_monitors(caller, pool, model or None)
    lines = [
        line
        for item in found.items
        if item.model in profiles
        for line in find_lines(view, profiles[item.model], item, records)
    ]
    show = find_choice(show, [LOOK])
    shown = [line for line in lines if line.needs_a_look or show != LOOK]
    proof = ""
    if not shown:
        with pool.connection() as conn:
            proof = load_proof(view, conn)
    names = sorted(profiles)
    return view.render(
        "monitors.html",
        rows=sorted(shown, key=_find_rank),
        total=len(lines),
        looks=sum(line.needs_a_look for line in lines),
        filters=[
            Filter("model", view.t("column.model"), model, [(name, name) for name in names], view.t("list.all")),
            Filter("show", view.t("monitors.show"), show, [(LOOK, view.t("monitors.show_look"))], view.t("list.all")),
        ],
        filtered=bool(model or show),
        proof=proof,
    )


def _find_rank(line: MonitorLine) -> tuple[bool, bool, float, str, str]:
    rate = float(line.quality.rate.replace(",", "")) if line.quality and line.quality.rate != "–" else 0.0
    return (line.proposal is None, not line.needs_a_look, -rate, line.model, line.key)
