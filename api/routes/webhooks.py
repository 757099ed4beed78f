"""Outgoing webhooks: who is told of which events."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.once import IdempotencyKey, Present, change_once
from api.preconditions import IfMatch, make_etag
from api.problems import declare
from api.shapes.pages import Page
from api.shapes.webhooks import (
    DeliveryShape,
    NewWebhook,
    Nothing,
    Replay,
    ReplayBegun,
    SecretRotation,
    WebhookChange,
    WebhookMade,
    WebhookShape,
    WebhookTransition,
)
from api.state import Database, State, now
from api.steps import naming_conflict
from api.versioned_router import make_router
from api.webhook_changes import (
    change_webhook,
    describe_delivery,
    describe_webhook,
    find_webhook,
    give_new_secret,
    make_secret,
    make_webhook,
    move_webhook,
    replay_webhook,
    send_test,
)
from domain.audit_webhook import ENTITY
from domain.roles import Permission
from store.pool import Connection, Pool
from store.webhooks import Endpoint, load_endpoints

router = make_router("/webhooks", tag="webhooks")
Reader = Annotated[Caller, require(Permission.WEBHOOK_READ)]
Replayer = Annotated[Caller, require(Permission.WEBHOOK_REPLAY)]
Admin = Annotated[Caller, require(Permission.WEBHOOK_MANAGE)]


@router.get("", summary="List webhooks")
def list_webhooks(
    caller: Reader,
    pool: Database,
    state: Literal["ENABLED", "DISABLED", "RETIRED"] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[WebhookShape]:
    """Endpoints, the newest first, retired ones too, without their secrets."""
    keys = read_cursor(cursor, [int])
    before = int(keys[0]) if keys else None
    with pool.connection() as conn:
        found = load_endpoints(
            conn, customer_id=caller.customer_id, state=state or "", before_id=before, limit=limit + 1
        )
    page = found[:limit]
    more = make_cursor([page[-1].id]) if len(found) > limit else None
    return Page(items=[describe_webhook(endpoint, caller) for endpoint in page], next_cursor=more)


@router.get("/{code}", summary="One webhook", responses=declare(404))
def read_webhook(code: str, caller: Reader, pool: Database, response: Response) -> WebhookShape:
    """The endpoint, and how many deliveries wait for it or were given up."""
    with pool.connection() as conn:
        endpoint = find_webhook(conn, caller, code)
    response.headers["ETag"] = make_etag(endpoint.row_version)
    return describe_webhook(endpoint, caller)


@router.post("", summary="Make a webhook", status_code=201, response_model=WebhookMade)
def make_one(
    caller: Admin, state: State, request: Request, body: NewWebhook, idempotency_key: IdempotencyKey = None
) -> Response:
    """Makes an endpoint that is told of what happens from now on. Its secret is shown this once; a repeated request
    answers without it."""
    secret = make_secret()

    def work(conn: Connection) -> tuple[WebhookShape, dict[str, str]]:
        endpoint = make_webhook(conn, caller, state.settings, body, secret, at=now())
        headers = {"Location": f"/api/v1/webhooks/{endpoint.code}", "ETag": make_etag(endpoint.row_version)}
        return describe_webhook(endpoint, caller), headers

    return change_once(state.pool, caller, request, idempotency_key, body, work, present=_show_once(secret))


@router.put("/{code}", summary="Change a webhook", response_model=WebhookShape, responses=declare(404, 409, 412, 428))
def change_one(
    code: str, caller: Admin, state: State, request: Request, body: WebhookChange, version: IfMatch
) -> Response:
    """Changes name, address, types, customer or delay. What waits already is delivered to the new address; where the
    customer is another one it is withdrawn: nobody is told of another's devices."""

    def work(conn: Connection) -> Endpoint:
        return change_webhook(conn, caller, state.settings, code, body, expected=version, at=now())

    return _take_step(state.pool, caller, request, None, body, code, work)


@router.post(
    "/{code}/transitions",
    summary="Enable, disable or retire a webhook",
    response_model=WebhookShape,
    responses=declare(404, 409, 412, 428),
)
def move_one(
    code: str,
    caller: Admin,
    pool: Database,
    request: Request,
    body: WebhookTransition,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """While it is disabled, what waits goes on waiting, and what happens is not planned: `replays` brings it. Retired,
    it is told nothing any more, and its secret is gone. 409 names the guard."""

    def work(conn: Connection) -> Endpoint:
        return move_webhook(conn, caller, code, body, expected=version, at=now())

    return _take_step(pool, caller, request, idempotency_key, body, code, work)


@router.post(
    "/{code}/secret",
    summary="Give a webhook a new secret",
    status_code=201,
    response_model=WebhookMade,
    responses=declare(404, 409, 412, 428),
)
def rotate_one(
    code: str,
    caller: Admin,
    state: State,
    request: Request,
    body: SecretRotation,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """The new secret is shown this once. For `overlap_h` hours messages are signed by both."""
    secret = make_secret()
    overlap = timedelta(hours=body.overlap_h)

    def work(conn: Connection) -> Endpoint:
        return give_new_secret(conn, caller, state.settings, code, secret, overlap=overlap, expected=version, at=now())

    present = _show_once(secret)
    return _take_step(state.pool, caller, request, idempotency_key, body, code, work, present=present, status=201)


@router.post(
    "/{code}/test",
    summary="Send a test event",
    status_code=201,
    response_model=DeliveryShape,
    responses=declare(404, 409),
)
def send_one(
    code: str, caller: Admin, pool: Database, request: Request, idempotency_key: IdempotencyKey = None
) -> Response:
    """An event `webhook.test` for this endpoint alone, whatever types it wants; `/deliveries/{id}` says what came of
    it."""

    def work(conn: Connection) -> tuple[DeliveryShape, dict[str, str]]:
        delivery = send_test(conn, caller, code, at=now())
        return describe_delivery(delivery), {"Location": f"/api/v1/deliveries/{delivery.id}"}

    return change_once(pool, caller, request, idempotency_key, Nothing(), work)


@router.post(
    "/{code}/replays",
    summary="Deliver events again",
    status_code=202,
    response_model=ReplayBegun,
    responses=declare(404, 409),
)
def replay_one(
    code: str,
    caller: Replayer,
    pool: Database,
    request: Request,
    body: Replay,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Delivers to this endpoint again what happened since an instant, in order, each event under its own id: what it
    has not got (given up, or not planned while it was disabled), or all."""

    def work(conn: Connection) -> tuple[ReplayBegun, dict[str, str]]:
        return ReplayBegun(count=replay_webhook(conn, caller, code, body, at=now())), {}

    return change_once(pool, caller, request, idempotency_key, body, work, status=202)


def _take_step(
    pool: Pool,
    caller: Caller,
    request: Request,
    key: str | None,
    body: BaseModel,
    code: str,
    work: Callable[[Connection], Endpoint],
    *,
    present: Present | None = None,
    status: int = 200,
) -> Response:
    """The endpoint as `work` leaves it; 412 where it has moved since the caller saw it."""

    def step(conn: Connection) -> tuple[WebhookShape, dict[str, str]]:
        endpoint = work(conn)
        return describe_webhook(endpoint, caller), {"ETag": make_etag(endpoint.row_version)}

    def find_row_version(conn: Connection) -> int:
        return find_webhook(conn, caller, code).row_version

    with naming_conflict(pool, ENTITY, code, find_row_version):
        return change_once(pool, caller, request, key, body, step, present=present, status=status)


def _show_once(secret: str) -> Present:
    """The secret beside the endpoint, unless the answer is given again."""
    return lambda shape, replayed: {"webhook": shape, "secret": "" if replayed else secret}
