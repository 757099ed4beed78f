"""Work orders: lists, one with why it opened, and the steps that people take."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, missing_permission, require
from api.cursors import Cursor, Limit, WantsTotal
from api.masking import mask_shape, verify_filter
from api.once import IdempotencyKey, change_once
from api.preconditions import IfMatch, make_etag
from api.problems import INVALID, ProblemError, declare, not_found
from api.routes.breaches import shape_decisions
from api.routes.devices import find_device
from api.shapes.breaches import BreachShape
from api.shapes.pages import Page
from api.shapes.service import (
    NewNote,
    NewWorkOrder,
    NextStep,
    NoteMade,
    ReportedOrder,
    TimelineShape,
    Transition,
    WorkOrderDetail,
    WorkOrderShape,
)
from api.shapes.signatures import SignatureShape
from api.signing import make_signature
from api.state import Database, now
from api.steps import take_step_once
from api.versioned_router import make_router
from domain.masking import find_masked_fields
from domain.roles import Permission
from domain.sentences import LANGUAGES
from domain.ticket_sentence import render_ticket
from domain.tickets import Priority
from domain.work_order import (
    CloseOut,
    WorkOrderSource,
    WorkOrderState,
    WorkOrderType,
)
from domain.work_order_steps import (
    TransitionRequest,
    find_next_states,
    find_permissions_for,
)
from store.breach_queries import load_order_breaches
from store.manual_orders import ReportResult, report_fault
from store.pool import Connection
from store.profiles import load_profile
from store.users import load_user
from store.work_order_filters import WorkOrderFilter
from store.work_order_lists import WorkOrderRow, load_work_order_page
from store.work_order_merges import load_merged_codes, load_survivor_code
from store.work_order_notes import record_note
from store.work_order_pages import load_order_decisions, load_timeline
from store.work_order_transitions import (
    load_order_signatures,
    record_transition,
)
from store.work_orders import load_work_order

router = make_router("/work-orders", tag="service")
Reader = Annotated[Caller, require(Permission.WORK_ORDER_READ)]
Creator = Annotated[Caller, require(Permission.WORK_ORDER_CREATE)]
Noter = Annotated[Caller, require(Permission.WORK_ORDER_NOTE)]


@router.get("", summary="List work orders")
def list_work_orders(
    caller: Reader,
    pool: Database,
    state: Annotated[list[WorkOrderState], Query(description="One or several.")] = [],  # noqa: B006 - FastAPI copies it
    priority: Annotated[list[Priority], Query()] = [],  # noqa: B006
    type: Annotated[list[WorkOrderType], Query()] = [],  # noqa: A002, B006
    source: Annotated[list[WorkOrderSource], Query()] = [],  # noqa: B006
    model: Annotated[list[str], Query()] = [],  # noqa: B006
    firmware: Annotated[list[str], Query()] = [],  # noqa: B006
    fault_group: Annotated[list[str], Query()] = [],  # noqa: B006
    customer: Annotated[list[str], Query(description="Codes.")] = [],  # noqa: B006
    device: Annotated[str, Query(description="Serial.")] = "",
    assignee: Annotated[str, Query(description="Name of the account.")] = "",
    region: str = "",
    open_only: Annotated[bool, Query(alias="open")] = False,
    inbox: Annotated[bool, Query(description="Those that a person has yet to look at.")] = False,
    q: Annotated[str, Query(description="In code, serial, gateway, site and customer.")] = "",
    sort: Literal["due", "priority", "last_seen", "created", "updated"] = "due",
    limit: Limit = 50,
    cursor: Cursor = None,
    total: WantsTotal = False,
) -> Page[WorkOrderShape]:
    """Work orders, by default the one that is due first at the top. A filter given twice means either."""
    verify_filter("work_order", "assignee", assignee, caller)
    wanted = WorkOrderFilter(
        states=tuple(state),
        priorities=tuple(priority),
        types=tuple(type),
        sources=tuple(source),
        models=tuple(model),
        firmwares=tuple(firmware),
        fault_groups=tuple(fault_group),
        customer_codes=tuple(customer),
        customer_id=caller.customer_id,
        serial=device,
        assignee=assignee,
        region=region,
        open_only=open_only,
        inbox_only=inbox,
        q=q,
    )
    with pool.connection() as conn:
        try:
            page = load_work_order_page(conn, wanted, sort=sort, cursor=cursor, limit=limit, with_total=total)
        except ValueError as error:
            raise ProblemError(INVALID, fields={"cursor": str(error)}) from error
    return Page(items=[shape_row(row, caller) for row in page.rows], next_cursor=page.next_cursor, total=page.total)


@router.get("/{code}", summary="One work order", responses=declare(404))
def read_work_order(code: str, caller: Reader, pool: Database, response: Response) -> WorkOrderDetail:
    """The order with its breaches, the decisions on them, its timeline and the steps that are possible."""
    with pool.connection() as conn:
        detail = describe_order(conn, code, caller)
    response.headers["ETag"] = make_etag(detail.row_version)
    return detail


@router.post(
    "",
    summary="Report a fault, or open a work order",
    status_code=201,
    response_model=ReportedOrder,
    responses=declare(404, 409)
    | {200: {"model": ReportedOrder, "description": "It joined an order, or opened one again."}},
)
def open_work_order(
    caller: Creator, pool: Database, request: Request, body: NewWorkOrder, idempotency_key: IdempotencyKey = None
) -> Response:
    """Opens an order by hand; breaches of its fault group join it from now on. Where an order for the fault is open
    already the report joins it (200, `result` JOINED), and one that was closed lately is opened again (REOPENED), as
    for breaches. Planned work is always an order of its own.
    """

    def work(conn: Connection) -> tuple[ReportedOrder, dict[str, str]]:
        device = find_device(conn, body.serial, caller)
        profile = load_profile(conn, device.model)
        known = sorted(group.key for group in profile.fault_groups) if profile is not None else []
        if body.fault_group not in known:
            raise ProblemError(INVALID, fields={"fault_group": f"must be one of {', '.join(known)}"})
        order, result = report_fault(
            conn,
            caller.actor,
            body.serial,
            type_=body.type,
            priority=body.priority,
            fault_group=body.fault_group,
            description=body.description,
            now=now(),
        )
        detail = describe_order(conn, order.code, caller)
        headers = {"Location": f"/api/v1/work-orders/{order.code}", "ETag": make_etag(order.row_version)}
        values = detail.model_dump(by_alias=False) | {"result": result}
        return ReportedOrder.model_validate(values, by_name=True), headers

    def find_status(shape: ReportedOrder) -> int:
        return 201 if shape.result is ReportResult.OPENED else 200

    return change_once(pool, caller, request, idempotency_key, body, work, status=find_status)


@router.post(
    "/{code}/transitions",
    summary="Take a step",
    response_model=WorkOrderDetail,
    responses=declare(404, 409, 412, 428, 429),
)
def take_step(
    code: str,
    caller: Reader,
    pool: Database,
    request: Request,
    body: Transition,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Brings the order into another state, if the caller may and no guard refuses: 409 names the guard."""
    with pool.connection() as conn:
        row = find_row(conn, code, caller)
    needed = find_permissions_for(WorkOrderState(row.state), body.to)
    held = [permission for permission in needed if caller.may(permission)]
    if needed and not held:
        raise missing_permission(needed[0])
    # A step that does not exist is the life-cycle's to refuse, whoever asks.
    acting = caller.acting_by(held[0]) if held else caller
    signature = make_signature(pool, caller, body.password, body.meaning) if body.to is WorkOrderState.CLOSED else None

    def work(conn: Connection) -> tuple[WorkOrderDetail, dict[str, str]]:
        wanted = TransitionRequest(
            to=body.to,
            reason=body.reason,
            assignee_id=_find_assignee(conn, body.assignee),
            hold_reason=body.hold_reason,
            outcome=body.outcome,
            failure_code=body.failure_code,
            close_out=None if body.close_out is None else CloseOut(**body.close_out.model_dump()),
            test_evidence=body.test_evidence,
            signature=signature,
        )
        order = record_transition(conn, acting.actor, code, wanted, expected_row_version=version, now=now())
        return describe_order(conn, code, caller), {"ETag": make_etag(order.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity="work_order",
        code=code,
        find_row_version=lambda conn: find_row(conn, code, caller).row_version,
    )


@router.post("/{code}/notes", summary="Add a note", status_code=201, response_model=NoteMade, responses=declare(404))
def add_note(
    code: str, caller: Noter, pool: Database, request: Request, body: NewNote, idempotency_key: IdempotencyKey = None
) -> Response:
    """Adds a note, written once. It conflicts with nothing and needs no If-Match."""

    def work(conn: Connection) -> tuple[NoteMade, dict[str, str]]:
        find_row(conn, code, caller)
        return NoteMade(id=record_note(conn, caller.actor, code, body.body, now=now())), {}

    return change_once(pool, caller, request, idempotency_key, body, work)


def find_row(conn: Connection, code: str, caller: Caller) -> WorkOrderRow:
    """The order of that code if the caller may see it, or a 404."""
    rows = load_work_order_page(conn, WorkOrderFilter(code=code, customer_id=caller.customer_id), limit=1).rows
    if not rows or not code:
        raise not_found("work order", code, "code")
    return rows[0]


def shape_row(row: WorkOrderRow, caller: Caller) -> WorkOrderShape:
    """The row as the contract has it; a customer's account reads no names of ours and nothing of CAPAs."""
    summary = {language: render_ticket(row.title_code, row.title_params, language) for language in LANGUAGES}
    shape = WorkOrderShape.model_validate(row).model_copy(update={"summary": summary})
    shape = mask_shape("work_order", shape, caller)
    if not caller.may(Permission.CAPA_READ):
        shape = shape.model_copy(update={"capas": []})
    return shape


def describe_order(conn: Connection, code: str, caller: Caller) -> WorkOrderDetail:
    """The order with everything that its page shows."""
    row = find_row(conn, code, caller)
    order = load_work_order(conn, code)
    assert order is not None
    hidden = find_masked_fields("work_order", caller.permissions)
    timeline = [] if "timeline" in hidden else load_timeline(conn, order.id, code)
    breaches = load_order_breaches(conn, order.id, customer_id=caller.customer_id)
    close_out = None if order.close_out is None else {k: v for k, v in order.close_out.items() if k not in hidden}
    more = {
        "description": order.description,
        "merged": load_merged_codes(conn, order.id),
        "merged_into": load_survivor_code(conn, order.id),
        "cancel_reason": order.cancel_reason,
        "failure_code": order.failure_code,
        "close_out": close_out,
        "created_by": None if "created_by" in hidden else order.created_by,
        "breaches": [mask_shape("breach", BreachShape.model_validate(b), caller).model_dump() for b in breaches],
        "decisions": [] if "decisions" in hidden else shape_decisions([*load_order_decisions(conn, order.id)]),
        "signatures": [
            SignatureShape.model_validate(s)
            for s in ([] if "signatures" in hidden else load_order_signatures(conn, order))
        ],
        "timeline": [TimelineShape.model_validate(asdict(entry)) for entry in timeline],
        "next_steps": [
            NextStep(
                to=to,
                allowed=any(caller.may(p) for p in find_permissions_for(order.state, to)),
                permissions=[p.value for p in find_permissions_for(order.state, to)],
            )
            for to in find_next_states(order.state)
        ],
    }
    return WorkOrderDetail.model_validate(shape_row(row, caller).model_dump() | more, by_name=True)


def _find_assignee(conn: Connection, name: str | None) -> int | None:
    if not name:
        return None
    user = load_user(conn, name)
    # An unknown name is the guard's to refuse, as is an account that is no technician's.
    return -1 if user is None else user.id
