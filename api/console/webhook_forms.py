"""Forms of webhooks: a new endpoint, what is changed of one, its secret, and what is delivered again."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.filters import find_choice
from api.console.form_faults import Fault, Why, find_shape_faults
from api.console.forms import (
    NOTHING,
    Fields,
    Refused,
    find_moment_fault,
    find_typed,
    find_unusable,
    read_many,
    read_moment,
    read_sent_whole,
    read_text,
    read_whole,
    take_step,
)
from api.console.page import View, find_view
from api.console.secret_page import render_secret
from api.console.webhook_pages import render_webhook, render_webhooks
from api.console.webhook_views import (
    CHANGE_ACT,
    MAKE_ACT,
    MOVES,
    REPLAY_ACT,
    SECRET_ACT,
    TEST_ACT,
)
from api.once import change
from api.problems import ProblemError
from api.shapes.webhooks import MAX_OVERLAP_H, NewWebhook, Replay, WebhookChange, WebhookTransition
from api.state import Database, State
from api.webhook_changes import (
    change_webhook,
    find_delivery,
    give_new_secret,
    make_secret,
    make_webhook,
    move_webhook,
    replay_webhook,
    send_test,
)
from domain.audit_webhook import ENTITY
from domain.roles import Permission
from domain.webhook import EndpointState, ReplayScope
from domain.webhook_address import UrlProblem
from store.pool import Connection, Pool
from store.webhook_replays import replay_delivery

router = APIRouter(prefix="/admin/webhooks", include_in_schema=False)
Replayer = Annotated[Caller, require(Permission.WEBHOOK_REPLAY)]
Admin = Annotated[Caller, require(Permission.WEBHOOK_MANAGE)]
GUARDS = "webhook_guard"


@router.post("/new")
def take_webhook(request: Request, state: State, caller: Admin, fields: Fields) -> Response:
    """Makes an endpoint, and shows its secret this once."""
    view = find_view(request, caller)
    try:
        body = NewWebhook.model_validate(_read_endpoint(fields))
    except ValidationError as error:
        return render_webhooks(view, state.pool, find_unusable(view, MAKE_ACT, fields, find_shape_faults(error)))
    secret = make_secret()
    try:
        made = change(state.pool, lambda conn: make_webhook(conn, caller, state.settings, body, secret, at=view.now))
    except ProblemError as problem:
        return render_webhooks(view, state.pool, _say_problem(view, MAKE_ACT, fields, problem))
    return _render_secret(view, made.code, body.name, secret)


@router.post("/{code}/change")
def take_change(request: Request, state: State, caller: Admin, code: str, fields: Fields) -> Response:
    """Changes name, address, types, customer or delay."""
    view, expected = find_view(request, caller), read_whole(fields, "row_version") or 0
    try:
        body = WebhookChange.model_validate(_read_endpoint(fields) | {"reason": read_text(fields, "reason", 1000)})
    except ValidationError as error:
        refused = find_unusable(view, CHANGE_ACT, fields, find_shape_faults(error))
        return render_webhook(view, state.pool, code, refused=refused)

    def work(conn: Connection) -> object:
        return change_webhook(conn, caller, state.settings, code, body, expected=expected, at=view.now)

    try:
        return _take(view, state.pool, code, CHANGE_ACT, fields, work)
    except ProblemError as problem:
        if not problem.errors or problem.status == 404:
            raise
        return render_webhook(view, state.pool, code, refused=_say_problem(view, CHANGE_ACT, fields, problem))


@router.post("/{code}/state")
def take_move(request: Request, pool: Database, caller: Admin, code: str, fields: Fields) -> Response:
    """Enables, disables or retires it."""
    view, expected = find_view(request, caller), read_whole(fields, "row_version") or 0
    to = EndpointState(find_choice(read_text(fields, "to"), list(EndpointState)) or EndpointState.ENABLED)
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
        return render_webhook(view, state.pool, code, refused=refused)
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
        body = Replay.model_validate({"since": since, "scope": read_text(fields, "scope") or ReplayScope.MISSING})
    except ValidationError as error:
        since_fault = find_moment_fault(view, fields, "since")
        wrong = find_shape_faults(error) | ({} if since_fault is None else {"since": since_fault})
        return render_webhook(view, pool, code, refused=find_unusable(view, REPLAY_ACT, fields, wrong))
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
        return render_webhook(view, pool, code, picked=delivery_id, refused=refused)
    return RedirectResponse(view.link(f"/admin/webhooks/{code}", delivery=delivery_id, done="again") + "#delivery", 303)


def _take(view: View, pool: Pool, code: str, act: str, fields: FormData, work: Any) -> Response:
    refused = take_step(view, pool, work, find_typed(act, fields), guards=GUARDS, entity=ENTITY, code=code)
    if refused is not None:
        return render_webhook(view, pool, code, refused=refused)
    done = "again" if act in (TEST_ACT, REPLAY_ACT) else "saved"
    return RedirectResponse(view.link(f"/admin/webhooks/{code}", done=done), 303)


def _render_secret(view: View, code: str, name: str, secret: str) -> Response:
    return render_secret(
        view,
        title=view.t("webhooks.secret_of", name=name),
        label=view.t("webhooks.secret"),
        secret=secret,
        why=view.t("webhooks.secret_why"),
        back=f"/admin/webhooks/{code}",
    )


def _read_endpoint(fields: FormData) -> dict[str, Any]:
    return {
        "name": read_text(fields, "name"),
        "url": read_text(fields, "url"),
        "event_types": read_many(fields, "event_types"),
        "customer": read_text(fields, "customer", 200) or None,
        "delay_s": read_sent_whole(fields, "delay_s"),
    }


def _say_problem(view: View, act: str, fields: FormData, problem: ProblemError) -> Refused:
    """Which fields cannot be used, each with why."""
    url: UrlProblem | None = problem.extra.get("url_problem")
    said: dict[str, Why | None] = {error.field: Fault.NOT_A_CHOICE for error in problem.errors}
    if url is not None:
        said["url"] = view.name("webhook_url", url)
    if "customer" in said:
        said["customer"] = view.t("webhooks.no_customer")
    return replace(find_unusable(view, act, fields, said), status=problem.status)
