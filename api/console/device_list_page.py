"""Devices: the list."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.device_views import find_line
from api.console.filters import Filter, find_choice
from api.console.page import find_view
from api.state import Database
from domain.roles import Permission
from store.devices import DeviceFilters, count_devices, load_device, load_devices
from store.profiles import load_profiles

router = APIRouter(include_in_schema=False)
ROWS = 100
CONNECTIVITY = ("ONLINE", "STALE", "OFFLINE", "UNKNOWN")
LIFECYCLE = ("REGISTERED", "INSTALLED", "IN_SERVICE", "UNDER_MAINTENANCE", "QUARANTINED", "DECOMMISSIONED")


@router.get("/devices")
def show_devices(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.DEVICE_READ)],
    q: str = "",
    model: str = "",
    connectivity: str = "",
    lifecycle: str = "",
    after: str = "",
) -> Response:
    """The list; an exact serial or work order code goes straight to its page."""
    view = find_view(request, caller)
    q = q.strip()[:100]
    if q.upper().startswith("WO-"):
        return RedirectResponse(f"/work-orders/{q.upper()}", 303)
    with pool.connection() as conn:
        profiles = load_profiles(conn)
        if q and load_device(conn, q, customer_id=caller.customer_id) is not None:
            return RedirectResponse(f"/devices/{q}", 303)
        model = find_choice(model, profiles)
        connectivity = find_choice(connectivity, CONNECTIVITY)
        lifecycle = find_choice(lifecycle, LIFECYCLE)
        wanted = DeviceFilters(
            customer_id=caller.customer_id,
            model=model or None,
            connectivity=connectivity or None,
            lifecycle=lifecycle or None,
            q=q or None,
        )
        devices = load_devices(conn, wanted, after=after, limit=ROWS + 1)
        total = count_devices(conn, wanted)
    chosen = {"q": q, "model": model, "connectivity": connectivity, "lifecycle": lifecycle}
    return view.render(
        "devices.html",
        q=q,
        rows=[find_line(view, device) for device in devices[:ROWS]],
        total=total,
        filters=[
            Filter("model", view.t("column.model"), model, [(key, key) for key in sorted(profiles)]),
            Filter(
                "connectivity",
                view.t("column.connectivity"),
                connectivity,
                [(code, view.name("connectivity", code)) for code in CONNECTIVITY],
            ),
            Filter(
                "lifecycle",
                view.t("column.lifecycle"),
                lifecycle,
                [(code, view.name("lifecycle", code)) for code in LIFECYCLE],
            ),
        ],
        filtered=any(chosen.values()),
        older=view.link("/devices", after=devices[ROWS - 1].serial, **chosen) if len(devices) > ROWS else None,
        proof=view.t("devices.proof"),
    )
