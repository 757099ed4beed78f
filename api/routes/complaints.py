"""Complaints: a person enters one or another system brings it; it is put right, investigated and closed."""

from typing import Annotated, Literal

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.complaint_steps import act_on_complaint_once
from api.complaint_views import describe_complaint, find_complaint_row, shape_complaint
from api.cursors import Cursor, Limit, make_cursor, read_cursor, read_instant
from api.once import IdempotencyKey, change_once
from api.preconditions import IfMatch, make_etag
from api.problems import ALREADY_EXISTS, INVALID, ProblemError, declare
from api.routes.devices import find_device
from api.shapes.complaints import (
    ComplaintChange,
    ComplaintDetail,
    ComplaintShape,
    ComplaintTransition,
    NewComplaint,
)
from api.shapes.pages import Page
from api.signing import make_signature
from api.state import Database, now
from api.versioned_router import make_router
from domain.complaint import COMPLAINT_TRANSITIONS, Complaint, ComplaintRequest, ComplaintSeverity, ComplaintState
from domain.roles import Permission
from store.complaint_lists import ComplaintFilter, load_complaints
from store.complaint_transitions import record_complaint_step
from store.complaints import ComplaintDraft, change_complaint, load_complaint_by_references, record_complaint
from store.customers import load_customer
from store.pool import Connection
from store.profiles import load_profile

router = make_router("/complaints", tag="complaints")
Reader = Annotated[Caller, require(Permission.COMPLAINT_READ)]
Writer = Annotated[Caller, require(Permission.COMPLAINT_WRITE)]


@router.get("", summary="List complaints")
def list_complaints(
    caller: Reader,
    pool: Database,
    state: Annotated[list[ComplaintState], Query(description="One or several.")] = [],  # noqa: B006 - FastAPI copies it
    severity: Annotated[list[ComplaintSeverity], Query(description="One or several.")] = [],  # noqa: B006
    device: Annotated[str, Query(description="Serial.")] = "",
    customer: Annotated[str, Query(description="Code.")] = "",
    fault_group: str = "",
    decision: Literal["", "REPORTABLE", "NOT_REPORTABLE", "UNDECIDED"] = "",
    open_only: Annotated[bool, Query(alias="open")] = False,
    unlinked: Annotated[bool, Query(description="Those that no work order takes care of.")] = False,
    report_due: Annotated[bool, Query(description="Those of which a clock runs.")] = False,
    reference: Annotated[str, Query(description="What another system calls it.")] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ComplaintShape]:
    """Complaints, the one received last first."""
    keys = read_cursor(cursor, [str, int])
    wanted = ComplaintFilter(
        states=state,
        severities=severity,
        serial=device,
        customer_code=customer,
        fault_group=fault_group,
        decision=decision,
        open_only=open_only,
        unlinked_only=unlinked,
        report_due_only=report_due,
        reference=reference,
        customer_id=caller.customer_id,
    )
    before = (read_instant(keys[0]), int(keys[1])) if keys else None
    with pool.connection() as conn:
        found = load_complaints(conn, wanted, limit=limit + 1, before=before)
    page = found[:limit]
    more = make_cursor([page[-1].received_at.isoformat(), page[-1].id]) if len(found) > limit else None
    return Page(items=[shape_complaint(row, caller) for row in page], next_cursor=more)


@router.get("/{code}", summary="One complaint", responses=declare(404))
def read_complaint(code: str, caller: Reader, pool: Database, response: Response) -> ComplaintDetail:
    """The complaint with what was assessed and decided on it, the clocks, and the steps that are possible."""
    with pool.connection() as conn:
        detail = describe_complaint(conn, code, caller)
    response.headers["ETag"] = make_etag(detail.row_version)
    return detail


@router.post(
    "",
    summary="Enter a complaint",
    status_code=201,
    response_model=ComplaintDetail,
    responses=declare(
        404, 409, ok={"model": ComplaintDetail, "description": "Known by its reference; it stays as it is."}
    ),
)
def enter_complaint(
    caller: Writer, pool: Database, request: Request, body: NewComplaint, idempotency_key: IdempotencyKey = None
) -> Response:
    """Records it; where device and fault group are known it joins, reopens or opens their work order.

    One of which a reference is known is the same complaint: 200, and it stays as it is.
    """
    at = now()
    if body.received_at is not None and body.received_at > at:
        raise ProblemError(INVALID, fields={"received_at": "is in the future"})
    refs = tuple(ref.model_dump() for ref in body.external_refs)
    with pool.connection() as conn:
        is_known = bool(refs) and load_complaint_by_references(conn, refs) is not None

    def work(conn: Connection) -> tuple[ComplaintDetail, dict[str, str]]:
        _verify_place(conn, body.serial, body.fault_group, caller)
        if body.customer is not None and body.serial is None:
            _verify_customer(conn, body.customer, caller)
        if caller.customer_id is not None and body.serial is None and body.customer is None:
            raise ProblemError(INVALID, fields={"serial": "must be one of yours"})
        values = body.model_dump(exclude={"customer", "external_refs", "received_at"})
        draft = ComplaintDraft(
            **values, received_at=body.received_at or at, customer_code=body.customer, external_refs=refs
        )
        complaint, is_new = record_complaint(conn, caller.actor, draft, at)
        if not is_new and caller.customer_id is not None and complaint.customer_id != caller.customer_id:
            raise ProblemError(ALREADY_EXISTS, fields={"external_refs": "is used already"})
        headers = {"Location": f"/api/v1/complaints/{complaint.code}", "ETag": make_etag(complaint.row_version)}
        return describe_complaint(conn, complaint.code, caller), headers

    return change_once(pool, caller, request, idempotency_key, body, work, status=200 if is_known else 201)


@router.patch(
    "/{code}",
    summary="Put a complaint right",
    response_model=ComplaintDetail,
    responses=declare(404, 409, 412, 428),
)
def put_right(
    code: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: ComplaintChange,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Changes what is given; before and after are kept. As soon as device and fault group are known, it gets its work
    order, and both stay as they are."""

    def act(conn: Connection) -> Complaint:
        row = find_complaint_row(conn, code, caller)
        _verify_place(conn, body.serial or row.serial, body.fault_group, caller)
        changes = body.model_dump(exclude={"reason", "serial"}, exclude_none=True)
        return change_complaint(
            conn,
            caller.actor,
            code,
            changes,
            serial=body.serial,
            reason=body.reason,
            expected_row_version=version,
            now=now(),
        )

    return act_on_complaint_once(pool, caller, request, idempotency_key, body, code, act)


@router.post(
    "/{code}/transitions",
    summary="Take a step",
    response_model=ComplaintDetail,
    responses=declare(404, 409, 412, 428, 429),
)
def take_complaint_step(
    code: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: ComplaintTransition,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Investigates, resolves, closes or reopens; 409 names the guard that refused."""
    with pool.connection() as conn:
        row = find_complaint_row(conn, code, caller)
    needed = COMPLAINT_TRANSITIONS.get((ComplaintState(row.state), body.to))
    acting = caller if needed is None else caller.acting_by(needed)
    signature = make_signature(pool, caller, body.password, body.meaning) if body.to is ComplaintState.CLOSED else None

    def act(conn: Connection) -> Complaint:
        wanted = ComplaintRequest(body.to, body.reason, body.investigation, signature)
        return record_complaint_step(conn, acting.actor, code, wanted, expected_row_version=version, now=now())

    return act_on_complaint_once(pool, caller, request, idempotency_key, body, code, act)


def _verify_place(conn: Connection, serial: str | None, fault_group: str | None, caller: Caller) -> None:
    if serial is None:
        return
    device = find_device(conn, serial, caller)
    if fault_group is None:
        return
    profile = load_profile(conn, device.model)
    known = sorted(group.key for group in profile.fault_groups) if profile is not None else []
    if fault_group not in known:
        raise ProblemError(INVALID, fields={"fault_group": f"must be one of {', '.join(known)}"})


def _verify_customer(conn: Connection, code: str, caller: Caller) -> None:
    if load_customer(conn, code, customer_id=caller.customer_id) is None:
        raise ProblemError(INVALID, fields={"customer": "is not known, or is not yours to see"})
