"""The devices of a field action, what was said to whom, and how far it is."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, missing_permission, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.masking import mask_shape
from api.once import IdempotencyKey, change_once
from api.preconditions import IfMatch, make_etag
from api.problems import INVALID, ProblemError, declare, not_found
from api.routes.field_actions import find_action
from api.shapes.field_action_progress import (
    CommunicationMade,
    CommunicationShape,
    FieldActionProgress,
    NewCommunicationShape,
    ProgressShape,
)
from api.shapes.field_actions import (
    ItemShape,
    ItemTransition,
)
from api.shapes.pages import Page
from api.state import Database, now
from api.steps import take_step_once
from api.versioned_router import make_router
from domain.audit_field_action import ITEM
from domain.errors import NotFoundError
from domain.field_action import FieldAction
from domain.field_action_item import FieldActionItem, ItemRequest, ItemState, find_item_id, find_item_permissions
from domain.roles import Permission
from store.field_action_communications import NewCommunication, load_communications, record_communication
from store.field_action_items import ItemFilter, load_items, lock_item
from store.field_action_progress import load_progress
from store.field_action_transitions import record_item_step
from store.field_actions import lock_field_action
from store.pool import Connection

router = make_router("/field-actions/{code}", tag="field actions")
Reader = Annotated[Caller, require(Permission.FIELD_ACTION_READ)]
# Who plans the work and who wrote the action both say what came of a call.
SPEAKERS = (Permission.FIELD_ACTION_WORK, Permission.FIELD_ACTION_WRITE)


@router.get("/items", summary="List the devices of an action", responses=declare(404))
def list_items(
    code: str,
    caller: Reader,
    pool: Database,
    state: Annotated[list[ItemState], Query(description="One or several.")] = [],  # noqa: B006 - FastAPI copies it
    wave: int | None = None,
    region: str = "",
    customer: Annotated[str, Query(description="Code.")] = "",
    device: Annotated[str, Query(description="Serial.")] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ItemShape]:
    """The devices of the action, in the order in which they were frozen."""
    keys = read_cursor(cursor, [int])
    wanted = ItemFilter(
        states=tuple(s.value for s in state),
        wave=wave,
        region=region,
        customer=customer,
        customer_id=caller.customer_id,
        serial=device,
    )
    with pool.connection() as conn:
        action = find_action(conn, code, caller)
        found = load_items(conn, action.id, wanted, after_id=int(keys[0]) if keys else None, limit=limit + 1)
    page = found[:limit]
    return Page(
        items=[ItemShape.model_validate(item) for item in page],
        next_cursor=make_cursor([page[-1].id]) if len(found) > limit else None,
    )


@router.get("/items/{serial}", summary="One device of an action", responses=declare(404))
def read_item(code: str, serial: str, caller: Reader, pool: Database, response: Response) -> ItemShape:
    """Where the device stands in the action."""
    with pool.connection() as conn:
        item = _find_item(conn, find_action(conn, code, caller), serial, caller)
    response.headers["ETag"] = make_etag(item.row_version)
    return ItemShape.model_validate(item)


@router.post(
    "/items/{serial}/transitions",
    summary="Take a step with a device",
    response_model=ItemShape,
    responses=declare(404, 409, 412, 428),
)
def step_item(
    code: str,
    serial: str,
    caller: Reader,
    pool: Database,
    request: Request,
    body: ItemTransition,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Brings a device into another state; 409 names the guard that refused."""
    with pool.connection() as conn:
        item = _find_item(conn, find_action(conn, code, caller), serial, caller)
    needed = find_item_permissions(item.state, body.to)
    held = [permission for permission in needed if caller.may(permission)]
    if needed and not held:
        raise missing_permission(needed[0])
    acting = caller.acting_by(held[0]) if held else caller

    def work(conn: Connection) -> tuple[ItemShape, dict[str, str]]:
        action = lock_field_action(conn, code)
        before = lock_item(conn, action, serial, version)
        wanted = ItemRequest(body.to, body.reason, body.evidence, body.scheduled_for)
        after = record_item_step(conn, acting.actor, action, before, wanted, now=now())
        return ItemShape.model_validate(after), {"ETag": make_etag(after.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity=ITEM,
        code=find_item_id(code, serial),
        find_row_version=lambda conn: _find_item(conn, find_action(conn, code, caller), serial, caller).row_version,
    )


@router.get("/communications", summary="What was said to whom", responses=declare(404))
def list_communications(
    code: str,
    caller: Reader,
    pool: Database,
    customer: Annotated[str, Query(description="Code.")] = "",
    device: Annotated[str, Query(description="Serial: what was said about it, and about all of its owner's.")] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CommunicationShape]:
    """The trail, newest first; written once. Who was spoken to is shown with `customer.read_contacts` alone."""
    keys = read_cursor(cursor, [int])
    with pool.connection() as conn:
        action = find_action(conn, code, caller)
        found = load_communications(
            conn,
            action.id,
            customer=customer,
            serial=device,
            customer_id=caller.customer_id,
            before_id=int(keys[0]) if keys else None,
            limit=limit + 1,
        )
    page = found[:limit]
    shapes = [mask_shape("communication", CommunicationShape.model_validate(said), caller) for said in page]
    return Page(items=shapes, next_cursor=make_cursor([page[-1].id]) if len(found) > limit else None)


@router.post(
    "/communications",
    summary="Record what was said",
    status_code=201,
    response_model=CommunicationMade,
    responses=declare(404, 409),
)
def add_communication(
    code: str,
    caller: Reader,
    pool: Database,
    request: Request,
    body: NewCommunicationShape,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Records a notice, a call or an answer, with its consequences for the devices that it is about."""
    with pool.connection() as conn:
        find_action(conn, code, caller)
    held = [permission for permission in SPEAKERS if caller.may(permission)]
    if not held:
        raise missing_permission(SPEAKERS[0])
    if bool(body.customer) == bool(body.serial):
        raise ProblemError(INVALID, fields={"customer": "name a customer or a serial"})
    at = body.at or now()
    if at > now():
        raise ProblemError(INVALID, fields={"at": "lies in the future"})

    def work(conn: Connection) -> tuple[CommunicationMade, dict[str, str]]:
        action = lock_field_action(conn, code)
        values = body.model_dump(exclude={"at"})
        field = "serial" if body.serial else "customer"
        if caller.customer_id is not None:
            wanted = ItemFilter(customer=body.customer, serial=body.serial, customer_id=caller.customer_id)
            if not load_items(conn, action.id, wanted, limit=1):
                raise not_found("device or customer in this action", body.serial or body.customer, field)
        try:
            made = record_communication(
                conn, caller.acting_by(held[0]).actor, action, NewCommunication(at=at, **values), now=now()
            )
        except NotFoundError:
            raise not_found("device or customer in this action", body.serial or body.customer, field) from None
        return CommunicationMade(id=made), {}

    return change_once(pool, caller, request, idempotency_key, body, work)


@router.get("/progress", summary="How far an action is", responses=declare(404))
def read_progress(code: str, caller: Reader, pool: Database) -> FieldActionProgress:
    """Devices by state, in all, by region, by customer and by wave."""
    with pool.connection() as conn:
        action = find_action(conn, code, caller)
        found = {
            by: [
                ProgressShape.model_validate(p)
                for p in load_progress(conn, action.id, by, customer_id=caller.customer_id)
            ]
            for by in ("all", "region", "customer", "wave")
        }
    return FieldActionProgress(
        code=code,
        total=found["all"][0],
        regions=found["region"],
        customers=found["customer"],
        waves=found["wave"],
    )


def _find_item(conn: Connection, action: FieldAction, serial: str, caller: Caller) -> FieldActionItem:
    wanted = ItemFilter(serial=serial, customer_id=caller.customer_id)
    items = load_items(conn, action.id, wanted, limit=1) if serial else []
    if not items:
        raise not_found("device in this action", serial, "serial")
    return items[0]
