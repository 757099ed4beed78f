"""What is due at a device and what happened to it: the part of its page that is fetched when it is come to, and a page
of its own."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.console.device_life_views import find_life
from api.console.page import find_view
from api.console.place_words import load_places_of
from api.routes.approval_requests import may_read
from api.routes.device_overview import describe_device_overview
from api.routes.devices import find_device
from api.state import Database
from domain.approval_request import ApprovalKind, ApprovalState
from domain.roles import Permission
from store.approval_requests import load_approval_requests
from store.profiles import load_profiles

router = APIRouter(include_in_schema=False)


@router.get("/devices/{serial}/life")
def show_device_life(
    request: Request, pool: Database, caller: Annotated[Caller, require(Permission.DEVICE_READ)], serial: str
) -> Response:
    """As a part for a script that asks for it, else as a page."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        device = find_device(conn, serial, caller)
        overview = describe_device_overview(conn, device, caller, view.now)
        pending = None
        if may_read(caller, ApprovalKind.KEY_FIELD_CHANGE):
            pending = load_approval_requests(
                conn,
                kinds=[ApprovalKind.KEY_FIELD_CHANGE],
                states=[ApprovalState.ASKED],
                entity="device",
                entity_id=serial,
            )
        profiles = load_profiles(conn)
        told = [{entry.field: value} for entry in overview.history for value in (entry.before, entry.after)]
        told += [record for request in pending or () for record in (request.payload, request.subject)]
        places = load_places_of(view, conn, told)
    is_part = request.headers.get("hx-request") == "true"
    template = "parts/device_life.html" if is_part else "device_life.html"
    return view.render(template, **find_life(view, overview, pending, profiles, places))
