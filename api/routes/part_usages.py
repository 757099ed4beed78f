"""Parts of a work order: asked for, used and signed for, withdrawn."""

from decimal import Decimal
from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from api.auth import Caller, missing_permission, require
from api.masking import mask_shape
from api.once import IdempotencyKey, change_once
from api.problems import declare
from api.routes.work_orders import find_row
from api.shapes.signatures import SignatureShape
from api.shapes.work_order_records import NewPart, PartList, PartShape, PartStep
from api.signing import make_signature
from api.state import Database, now
from api.versioned_router import make_router
from domain.errors import NotFoundError
from domain.part_usage import PartLine, PartState, PartUsage
from domain.roles import Permission
from store.part_usages import (
    load_part_signatures,
    load_parts,
    record_part_request,
    record_part_use,
    record_part_withdrawal,
)
from store.pool import Connection

router = make_router("/work-orders", tag="service")
Reader = Annotated[Caller, require(Permission.WORK_ORDER_READ)]
# A technician asks for his own orders, who assigns orders for all of them.
ASKING = (Permission.WORK_ORDER_ASSIGN, Permission.WORK_ORDER_WORK)


@router.get("/{code}/parts", summary="Parts of a work order", responses=declare(404))
def list_parts(code: str, caller: Reader, pool: Database) -> PartList:
    """The oldest first; those of orders that went up in this one too."""
    with pool.connection() as conn:
        row = find_row(conn, code, caller)
        return PartList(items=[_shape(conn, part, caller) for part in load_parts(conn, row.id)])


@router.post(
    "/{code}/parts",
    summary="Ask for a part, or use one",
    status_code=201,
    response_model=PartShape,
    responses=declare(404, 409, 429),
)
def add_part(
    code: str,
    caller: Reader,
    pool: Database,
    request: Request,
    body: NewPart,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """REQUESTED asks for a part (`part.requested`); USED says that one at hand was used, and is signed."""
    with pool.connection() as conn:
        find_row(conn, code, caller)
    is_used = body.state is PartState.USED
    acting = _find_acting(caller, (Permission.WORK_ORDER_WORK,) if is_used else ASKING)
    signature = make_signature(pool, caller, body.password, body.meaning) if is_used else None
    line = PartLine(body.item, body.quantity, body.description, body.lot, body.serial_in, body.serial_out)

    def work(conn: Connection) -> tuple[PartShape, dict[str, str]]:
        if is_used:
            part = record_part_use(conn, acting.actor, code, None, line, signature, now=now())
        else:
            part = record_part_request(conn, acting.actor, code, line, now=now())
        return _shape(conn, part, caller), {}

    return change_once(pool, caller, request, idempotency_key, body, work)


@router.post(
    "/{code}/parts/{part_id}/outcome",
    summary="Say what became of a part",
    response_model=PartShape,
    responses=declare(404, 409, 429),
)
def take_part_step(
    code: str,
    part_id: int,
    caller: Reader,
    pool: Database,
    request: Request,
    body: PartStep,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A part that was asked for was used, which is signed, or is not needed, which has a reason."""
    with pool.connection() as conn:
        find_row(conn, code, caller)
    is_used = body.to is PartState.USED
    acting = _find_acting(caller, (Permission.WORK_ORDER_WORK,) if is_used else ASKING)
    signature = make_signature(pool, caller, body.password, body.meaning) if is_used else None

    def work(conn: Connection) -> tuple[PartShape, dict[str, str]]:
        row = find_row(conn, code, caller)
        known = next((part for part in load_parts(conn, row.id) if part.id == part_id), None)
        if known is None:
            raise NotFoundError(f"{code} has no part {part_id}.")
        if is_used:
            quantity: Decimal = known.quantity if body.quantity is None else body.quantity
            line = PartLine(known.item, quantity, known.description, body.lot, body.serial_in, body.serial_out)
            part = record_part_use(conn, acting.actor, code, part_id, line, signature, now=now())
        else:
            part = record_part_withdrawal(conn, acting.actor, code, part_id, body.reason, now=now())
        return _shape(conn, part, caller), {}

    return change_once(pool, caller, request, idempotency_key, body, work, status=200)


def _find_acting(caller: Caller, needed: tuple[Permission, ...]) -> Caller:
    for permission in needed:
        if caller.may(permission):
            return caller.acting_by(permission)
    raise missing_permission(needed[0])


def _shape(conn: Connection, part: PartUsage, caller: Caller) -> PartShape:
    values = {name: getattr(part, name) for name in PartShape.model_fields if name != "signatures"}
    used = part.state is PartState.USED
    signatures = [SignatureShape.model_validate(s) for s in (load_part_signatures(conn, part) if used else [])]
    return mask_shape("part_usage", PartShape.model_validate(values | {"signatures": signatures}), caller)
