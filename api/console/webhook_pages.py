"""Webhooks, for administrators: the endpoints, and one of them with its deliveries and what was answered."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.console.filters import Filter, find_choice
from api.console.forms import NOT_REFUSED, Refused
from api.console.page import View, find_view
from api.console.webhook_views import (
    build_delivery,
    build_endpoint,
    build_picked,
    find_acts,
    find_again_act,
    find_make_act,
    say_dead,
)
from api.state import Database
from api.webhook_changes import find_delivery, find_webhook
from domain.masking import mask_json
from domain.roles import Permission
from domain.webhook import DeliveryState, EndpointState
from store.place_names import load_place_names
from store.pool import Pool
from store.webhook_lists import DeliveryFilter, count_missed, load_attempts, load_deliveries
from store.webhooks import load_endpoints

router = APIRouter(prefix="/admin/webhooks", include_in_schema=False)
Reader = Annotated[Caller, require(Permission.WEBHOOK_READ)]
ROWS = 50
MOST_ENDPOINTS = 200


@router.get("")
def show_webhooks(request: Request, pool: Database, caller: Reader) -> Response:
    """All endpoints, those that tell nobody last."""
    return render_webhooks(find_view(request, caller), pool)


@router.get("/{code}")
def show_webhook(
    request: Request, pool: Database, caller: Reader, code: str, state: str = "", delivery: int = 0, after: int = 0
) -> Response:
    """One endpoint: what waits, what was given up, and what was answered."""
    return render_webhook(find_view(request, caller), pool, code, state=state, picked=delivery, after=after)


def render_webhooks(view: View, pool: Pool, refused: Refused = NOT_REFUSED) -> Response:
    """The list; with a form that was refused, why, and what was typed where it was typed."""
    with pool.connection() as conn:
        found = load_endpoints(conn, customer_id=view.person.customer_id, limit=MOST_ENDPOINTS)
        codes = [endpoint.customer for endpoint in found]
        places = load_place_names(conn, customers=codes, customer_id=view.person.customer_id)
    order = list(EndpointState)
    rows = sorted(found, key=lambda endpoint: order.index(endpoint.state))
    return view.render(
        "admin_webhooks.html",
        refused.status,
        problem=refused.problem,
        rows=[build_endpoint(view, endpoint, places) for endpoint in rows],
        dead=say_dead(view, found),
        make=find_make_act(view, refused.typed),
    )


def render_webhook(
    view: View,
    pool: Pool,
    code: str,
    *,
    state: str = "",
    picked: int = 0,
    after: int = 0,
    refused: Refused = NOT_REFUSED,
) -> Response:
    """The endpoint's page; with a step that was refused, why, and what was typed where it was typed."""
    person = view.person
    states = [(s.value, view.name("delivery_state", s)) for s in DeliveryState]
    state = find_choice(state, [value for value, _ in states])
    with pool.connection() as conn:
        endpoint = find_webhook(conn, person, code)
        wanted = DeliveryFilter(person.customer_id, webhook=code, state=state)
        before = after if 0 < after < 2**63 else None
        found = load_deliveries(conn, wanted, before_id=before, limit=ROWS + 1)
        missed = count_missed(conn, endpoint.id)
        places = load_place_names(conn, customers=[endpoint.customer], customer_id=person.customer_id)
        one = find_delivery(conn, person, picked) if 0 < picked < 2**63 else None
        attempts = [] if one is None else load_attempts(conn, one.id)
    if one is not None and one.webhook != code:
        one = None
    typed = refused.typed
    place = f"/admin/webhooks/{code}"
    return view.render(
        "admin_webhook.html",
        refused.status,
        problem=refused.problem,
        webhook=build_endpoint(view, endpoint, places),
        missed=missed,
        acts=find_acts(view, endpoint, missed, typed),
        picked=None if one is None else build_picked(view, person, one, attempts),
        event=None if one is None else mask_json(one.event, person.permissions),
        again=None if one is None else find_again_act(view, endpoint, one),
        rows=[build_delivery(view, delivery) for delivery in found[:ROWS]],
        place=place,
        kept=view.link(place, state=state, after=after or None),
        filters=[Filter("state", view.t("column.state"), state, states)],
        filtered=bool(state),
        older=view.link(place, state=state, after=found[ROWS - 1].id) if len(found) > ROWS else None,
    )
