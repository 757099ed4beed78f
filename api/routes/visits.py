"""Visits for a work order: who came when, and what came of it."""

from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from api.auth import Caller, require
from api.masking import mask_shape
from api.once import IdempotencyKey, change_once
from api.problems import declare
from api.routes.work_orders import find_row
from api.shapes.work_order_records import Arrival, Departure, VisitList, VisitShape
from api.state import Database, now
from api.versioned_router import make_router
from domain.roles import Permission
from domain.visit import Visit
from store.pool import Connection
from store.visits import load_visits, record_arrival, record_departure

router = make_router("/work-orders", tag="service")
Reader = Annotated[Caller, require(Permission.WORK_ORDER_READ)]
Worker = Annotated[Caller, require(Permission.WORK_ORDER_WORK)]


@router.get("/{code}/visits", summary="Visits for a work order", responses=declare(404))
def list_visits(code: str, caller: Reader, pool: Database) -> VisitList:
    """The first visit first; those of orders that went up in this one too."""
    with pool.connection() as conn:
        row = find_row(conn, code, caller)
        visits = load_visits(conn, row.id)
    return VisitList(items=[_shape(visit, caller) for visit in visits])


@router.post(
    "/{code}/visits",
    summary="Arrive",
    status_code=201,
    response_model=VisitShape,
    responses=declare(404, 409),
)
def arrive(
    code: str,
    caller: Worker,
    pool: Database,
    request: Request,
    body: Arrival,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Begins the caller's visit for an order that is assigned to him."""

    def work(conn: Connection) -> tuple[VisitShape, dict[str, str]]:
        find_row(conn, code, caller)
        at = now()
        visit = record_arrival(conn, caller.actor, code, arrived_at=body.arrived_at or at, note=body.note, now=at)
        return _shape(visit, caller), {}

    return change_once(pool, caller, request, idempotency_key, body, work)


@router.post(
    "/{code}/visits/{visit_id}/departure",
    summary="Leave",
    response_model=VisitShape,
    responses=declare(404, 409),
)
def leave(
    code: str,
    visit_id: int,
    caller: Worker,
    pool: Database,
    request: Request,
    body: Departure,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Ends the caller's visit and says what came of it; from then on it stays as it is."""

    def work(conn: Connection) -> tuple[VisitShape, dict[str, str]]:
        find_row(conn, code, caller)
        at = now()
        visit = record_departure(
            conn,
            caller.actor,
            code,
            visit_id,
            left_at=body.left_at or at,
            outcome=body.outcome,
            note=body.note,
            now=at,
        )
        return _shape(visit, caller), {}

    return change_once(pool, caller, request, idempotency_key, body, work, status=200)


def _shape(visit: Visit, caller: Caller) -> VisitShape:
    shape = VisitShape.model_validate({name: getattr(visit, name) for name in VisitShape.model_fields})
    return mask_shape("visit", shape, caller)
