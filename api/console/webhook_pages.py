"""Webhooks, for administrators: the endpoints, and one of them with its deliveries and what was answered."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.filters import Filter, find_choice
from api.console.forms import (
    NOT_REFUSED,
    NOTHING,
    Fields,
    Refused,
    find_typed,
    find_unusable,
    read_many,
    read_moment,
    read_text,
    read_whole,
    take_step,
)
from api.console.page import View, find_view
from api.console.webhook_views import (
    CHANGE_ACT,
    MAKE_ACT,
    MOVES,
    REPLAY_ACT,
    SECRET_ACT,
    TEST_ACT,
    build_delivery,
    build_endpoint,
    build_picked,
    find_acts,
    find_again_act,
    find_make_act,
    say_dead,
)
from api.once import change
from api.problems import ProblemError
from api.shapes.webhooks import MAX_OVERLAP_H, NewWebhook, Replay, WebhookChange, WebhookTransition
from api.state import Database, State
from api.webhook_changes import (
    change_webhook,
    find_delivery,
    find_webhook,
    give_new_secret,
    make_secret,
    make_webhook,
    move_webhook,
    replay_webhook,
    send_test,
)
from domain.audit_webhook import ENTITY
from domain.masking import mask_json
from domain.roles import Permission
from domain.webhook import DeliveryState, EndpointState, ReplayScope
from domain.webhook_address import UrlProblem
from store.place_names import load_place_names
from store.pool import Connection, Pool
from store.webhook_lists import DeliveryFilter, count_missed, load_attempts, load_deliveries
from store.webhook_replays import replay_delivery
from store.webhooks import load_endpoints

router = APIRouter(prefix="/admin/webhooks", include_in_schema=False)
Reader = Annotated[Caller, require(Permission.WEBHOOK_READ)]
Replayer = Annotated[Caller, require(Permission.WEBHOOK_REPLAY)]
Admin = Annotated[Caller, require(Permission.WEBHOOK_MANAGE)]
ROWS = 50
MOST_ENDPOINTS = 200
GUARDS = "webhook_guard"


@router.get("")
def show_webhooks(request: Request, pool: Database, caller: Reader) -> Response:
    """All endpoints, those that tell nobody last."""
    return _render_list(find_view(request, caller), pool)


@router.post("/new")
def take_webhook(request: Request, state: State, caller: Admin, fields: Fields) -> Response:
    """Makes an endpoint, and shows its secret this once."""
    view = find_view(request, caller)
    try:
        body = NewWebhook.model_validate(_read_endpoint(fields))
    except ValidationError as error:
        wrong = {str(e["loc"][0]) for e in error.errors()}
        return _render_list(view, state.pool, find_unusable(view, MAKE_ACT, fields, wrong))
    secret = make_secret()
    try:
        made = change(state.pool, lambda conn: make_webhook(conn, caller, state.settings, body, secret, at=view.now))
    except ProblemError as problem:
        return _render_list(view, state.pool, _say_problem(view, MAKE_ACT, fields, problem))
    return _render_secret(view, made.code, body.name, secret)


@router.get("/{code}")
def show_webhook(
    request: Request, pool: Database, caller: Reader, code: str, state: str = "", delivery: int = 0, after: int = 0
) -> Response:
    """One endpoint: what waits, what was given up, and what was answered."""
    return _render_one(find_view(request, caller), pool, code, state=state, picked=delivery, after=after)


@router.post("/{code}/change")
def take_change(request: Request, state: State, caller: Admin, code: str, fields: Fields) -> Response:
    """Changes name, address, types, customer or delay."""
    view, expected = find_view(request, caller), read_whole(fields, "row_version") or 0
    try:
        body = WebhookChange.model_validate(_read_endpoint(fields) | {"reason": read_text(fields, "reason", 1000)})
    except ValidationError as error:
        wrong = {str(e["loc"][0]) for e in error.errors()}
        return _render_one(view, state.pool, code, refused=find_unusable(view, CHANGE_ACT, fields, wrong))

    def work(conn: Connection) -> object:
        return change_webhook(conn, caller, state.settings, code, body, expected=expected, at=view.now)

    try:
        return _take(view, state.pool, code, CHANGE_ACT, fields, work)
    except ProblemError as problem:
        if not problem.errors or problem.status == 404:
            raise
        return _render_one(view, state.pool, code, refused=_say_problem(view, CHANGE_ACT, fields, problem))


@router.post("/{code}/state")
def take_move(request: Request, pool: Database, caller: Admin, code: str, fields: Fields) -> Response:
    """Enables, disables or retires it."""
    view, expected = find_view(request, caller), read_whole(fields, "row_version") or 0
    to = EndpointState(find_choice(read_text(fields, "to", 20), list(EndpointState)) or EndpointState.ENABLED)
    body = WebhookTransition(to=to.value, reason=read_text(fields, "reason", 1000))

    def work(conn: Connection) -> object:
        return move_webhook(conn, caller, code, body, expected=expected, at=view.now)

    return _take(view, pool, code, MOVES[to], fields, work)


@router.post("/{code}/secret")
def take_rotation(request: Request, state: State, caller: Admin, code: str, fields: Fields) -> Response:
    """Gives it a new secret, and shows it this once."""
    view, expected = find_view(request, caller), read_whole(fields, "row_version") or 0
    overlap = timedelta(hours=min(read_whole(fields, "overlap_h") or 0, MAX_OVERLAP_H))
    secret, names = make_secret(), []

    def work(conn: Connection) -> None:
        made = give_new_secret(
            conn, caller, state.settings, code, secret, overlap=overlap, expected=expected, at=view.now
        )
        names.append(made.name)

    typed = find_typed(SECRET_ACT, fields)
    refused = take_step(view, state.pool, work, typed, guards=GUARDS, entity=ENTITY, code=code)
    if refused is not None:
        return _render_one(view, state.pool, code, refused=refused)
    return _render_secret(view, code, names[-1], secret)


@router.post("/{code}/test")
def take_test(request: Request, pool: Database, caller: Admin, code: str, fields: Fields) -> Response:
    """Sends an event to try it."""
    view = find_view(request, caller)
    return _take(view, pool, code, TEST_ACT, fields, lambda conn: send_test(conn, caller, code, at=view.now))


@router.post("/{code}/replay")
def take_replay(request: Request, pool: Database, caller: Replayer, code: str, fields: Fields) -> Response:
    """Delivers again what happened since an instant."""
    view = find_view(request, caller)
    since = read_moment(view, fields, "since")
    try:
        body = Replay.model_validate({"since": since, "scope": read_text(fields, "scope", 20) or ReplayScope.MISSING})
    except ValidationError as error:
        wrong = {str(e["loc"][0]) for e in error.errors()}
        return _render_one(view, pool, code, refused=find_unusable(view, REPLAY_ACT, fields, wrong))
    return _take(
        view, pool, code, REPLAY_ACT, fields, lambda conn: replay_webhook(conn, caller, code, body, at=view.now)
    )


@router.post("/{code}/deliveries/{delivery_id}/replay")
def take_again(
    request: Request,
    pool: Database,
    caller: Replayer,
    code: str,
    delivery_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
) -> Response:
    """Delivers one event again."""
    view = find_view(request, caller)

    def work(conn: Connection) -> None:
        find_delivery(conn, caller, delivery_id)
        replay_delivery(conn, caller.actor, delivery_id, customer_id=caller.customer_id, now=view.now)

    refused = take_step(view, pool, work, NOTHING, guards=GUARDS, entity=ENTITY, code=code)
    if refused is not None:
        return _render_one(view, pool, code, picked=delivery_id, refused=refused)
    return RedirectResponse(view.link(f"/admin/webhooks/{code}", delivery=delivery_id, done="again") + "#delivery", 303)


def _take(view: View, pool: Pool, code: str, act: str, fields: FormData, work: Any) -> Response:
    refused = take_step(view, pool, work, find_typed(act, fields), guards=GUARDS, entity=ENTITY, code=code)
    if refused is not None:
        return _render_one(view, pool, code, refused=refused)
    done = "again" if act in (TEST_ACT, REPLAY_ACT) else "saved"
    return RedirectResponse(view.link(f"/admin/webhooks/{code}", done=done), 303)


def _render_list(view: View, pool: Pool, refused: Refused = NOT_REFUSED) -> Response:
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


def _render_one(
    view: View,
    pool: Pool,
    code: str,
    *,
    state: str = "",
    picked: int = 0,
    after: int = 0,
    refused: Refused = NOT_REFUSED,
) -> Response:
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


def _render_secret(view: View, code: str, name: str, secret: str) -> Response:
    return view.render(
        "secret_once.html",
        title=view.t("webhooks.secret_of", name=name),
        label=view.t("webhooks.secret"),
        secret=secret,
        why=view.t("webhooks.secret_why"),
        back=f"/admin/webhooks/{code}",
    )


def _read_endpoint(fields: FormData) -> dict[str, Any]:
    return {
        "name": read_text(fields, "name", 201),
        "url": read_text(fields, "url", 2001),
        "event_types": read_many(fields, "event_types"),
        "customer": read_text(fields, "customer", 200) or None,
        "delay_s": read_whole(fields, "delay_s"),
    }


def _say_problem(view: View, act: str, fields: FormData, problem: ProblemError) -> Refused:
    """Which fields cannot be used, each with why."""
    url: UrlProblem | None = problem.extra.get("url_problem")
    said = {error.field: view.t("form.unusable_field") for error in problem.errors}
    if url is not None:
        said["url"] = view.name("webhook_url", url)
    if "customer" in said:
        said["customer"] = view.t("webhooks.no_customer")
    return Refused(view.t("form.unusable"), problem.status, find_typed(act, fields, said))
