"""What is delivered to webhooks: lists, attempts, and one event again."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path, Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, WantsTotal, make_cursor, read_cursor
from api.once import IdempotencyKey, change_once
from api.problems import declare
from api.shapes.pages import Page
from api.shapes.webhooks import AttemptShape, DeliveryDetail, DeliveryShape, Nothing
from api.state import Database, now
from api.versioned_router import make_router
from api.webhook_changes import describe_delivery, find_delivery, may_read_event
from domain.masking import mask_json
from domain.roles import Permission
from store.pool import Connection
from store.webhook_lists import DeliveryFilter, count_deliveries, load_attempts, load_deliveries
from store.webhook_replays import replay_delivery

router = make_router("/deliveries", tag="webhooks")
Reader = Annotated[Caller, require(Permission.WEBHOOK_READ)]
Replayer = Annotated[Caller, require(Permission.WEBHOOK_REPLAY)]
DeliveryId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("", summary="List deliveries")
def list_deliveries(
    caller: Reader,
    pool: Database,
    webhook: Annotated[str, Query(description="Code.")] = "",
    state: Literal["WAITING", "DELIVERED", "DEAD", "CANCELLED"] | None = None,
    event_type: Annotated[str, Query(alias="type", description="Of the event.")] = "",
    event_id: UUID | None = None,
    subject: Annotated[str, Query(description="Serial, or the code of a record without a device.")] = "",
    total: WantsTotal = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DeliveryShape]:
    """Deliveries, the newest first. `state=DEAD` are those that were given up."""
    keys = read_cursor(cursor, [int])
    wanted = DeliveryFilter(caller.customer_id, webhook, state or "", event_type, event_id, subject)
    with pool.connection() as conn:
        found = load_deliveries(conn, wanted, before_id=int(keys[0]) if keys else None, limit=limit + 1)
        count = count_deliveries(conn, wanted) if total else None
    page = found[:limit]
    more = make_cursor([page[-1].id]) if len(found) > limit else None
    return Page(items=[describe_delivery(delivery) for delivery in page], next_cursor=more, total=count)


@router.get("/{delivery_id}", summary="One delivery", responses=declare(404))
def read_delivery(delivery_id: DeliveryId, caller: Reader, pool: Database) -> DeliveryDetail:
    """The delivery with its attempts, and what is sent where the caller may read what it is about."""
    with pool.connection() as conn:
        delivery = find_delivery(conn, caller, delivery_id)
        attempts = load_attempts(conn, delivery_id)
    event = mask_json(delivery.event, caller.permissions) if may_read_event(delivery, caller) else None
    shape = describe_delivery(delivery)
    log = [AttemptShape.model_validate(attempt) for attempt in attempts]
    return DeliveryDetail(**shape.model_dump(), event=event, log=log)


@router.post(
    "/{delivery_id}/replays",
    summary="Deliver one event again",
    status_code=202,
    response_model=DeliveryShape,
    responses=declare(404, 409),
)
def replay_one(
    delivery_id: DeliveryId,
    caller: Replayer,
    pool: Database,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Delivers the event again, under its own id, whether it was delivered before or not. 409 names the guard."""

    def work(conn: Connection) -> tuple[DeliveryShape, dict[str, str]]:
        find_delivery(conn, caller, delivery_id)
        replay_delivery(conn, caller.actor, delivery_id, customer_id=caller.customer_id, now=now())
        return describe_delivery(find_delivery(conn, caller, delivery_id)), {}

    return change_once(pool, caller, request, idempotency_key, Nothing(), work, status=202)
