"""The steps that a person takes on a work order, and notes: what is refused comes back with what was typed."""

from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.instants import name_age, name_duration
from api.console.page import View, find_view
from api.console.timeline import find_who
from api.console.work_order_acts import Typed
from api.console.work_order_page import load_own_order, render_order
from api.once import change
from api.sign_in import check_password
from api.state import Database
from domain.audit import Signature
from domain.errors import GuardRefusedError, RowVersionConflictError
from domain.roles import Permission
from domain.work_order import (
    CloseOut,
    HoldReason,
    Outcome,
    TransitionRequest,
    WorkOrderState,
    find_permissions_for,
)
from store.pool import Connection, Pool
from store.technicians import load_technicians
from store.work_order_pages import load_timeline
from store.work_order_transitions import record_note, record_transition

router = APIRouter(include_in_schema=False)


@router.post("/work-orders/{code}/transitions")
def take_transition(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.WORK_ORDER_READ)],
    code: str,
    to: Annotated[WorkOrderState, Form()],
    row_version: Annotated[int, Form(ge=0)],
    assignee: Annotated[str, Form(max_length=64)] = "",
    hold_reason: Annotated[str, Form(max_length=20)] = "",
    reason: Annotated[str, Form(max_length=10_000)] = "",
    test_evidence: Annotated[str, Form(max_length=10_000)] = "",
    meaning: Annotated[str, Form(max_length=500)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    device_name: Annotated[str, Form(max_length=500)] = "",
    device_identification: Annotated[str, Form(max_length=500)] = "",
    serviced_on: Annotated[str, Form(max_length=10)] = "",
    serviced_by: Annotated[str, Form(max_length=200)] = "",
    work_performed: Annotated[str, Form(max_length=10_000)] = "",
    test_data: Annotated[str, Form(max_length=10_000)] = "",
    outcome: Annotated[str, Form(max_length=20)] = "",
    failure_code: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Takes one step; when a guard refuses or the record has moved, the form comes back with what was typed."""
    view = find_view(request, caller)
    order = load_own_order(pool, caller, code)
    close_out = CloseOut(
        device_name.strip(), device_identification.strip(), _read_day(serviced_on), serviced_by.strip(),
        work_performed.strip(), test_data.strip(),
    )  # fmt: skip
    values = {
        "assignee": assignee, "hold_reason": hold_reason, "reason": reason, "test_evidence": test_evidence,
        "meaning": meaning, "serviced_on": serviced_on, "outcome": outcome, "failure_code": failure_code,
        **{name: str(value or "") for name, value in asdict(close_out).items() if name != "serviced_on"},
    }  # fmt: skip
    typed = Typed(to.value, values)
    signature = None
    if to is WorkOrderState.CLOSED and caller.user_id is not None:
        refused = check_password(pool, caller.name, password, at=view.now, request_id=caller.request_id)
        if refused is not None:
            span = name_duration(timedelta(seconds=max(refused.wait_s, 1)), view.language)
            is_locked = refused.reason == "locked"
            problem = view.t("work_order.locked", span=span) if is_locked else view.t("work_order.wrong_password")
            return render_order(view, pool, code, problem=problem, typed=typed, status=422)
        signature = Signature(caller.user_id, caller.full_name, meaning.strip())

    def work(conn: Connection) -> None:
        technicians = load_technicians(conn, view.now.date())
        chosen = next((one for one in technicians if one.name == assignee), None)
        wish = TransitionRequest(
            to,
            reason=reason.strip(),
            assignee_id=chosen.id if chosen else None,
            hold_reason=HoldReason(hold_reason) if hold_reason in set(HoldReason) else None,
            outcome=Outcome(outcome) if outcome in set(Outcome) else None,
            failure_code=failure_code,
            close_out=close_out if to is WorkOrderState.WORK_DONE else None,
            test_evidence=test_evidence.strip(),
            signature=signature,
        )
        needed = find_permissions_for(order.state, to)
        if not needed:
            raise GuardRefusedError("no_such_transition", code)
        actor = find_actor(caller, needed)
        after = record_transition(conn, actor, code, wish, expected_row_version=row_version, now=view.now)
        if order.state is WorkOrderState.NEW and to is WorkOrderState.TRIAGED and chosen is not None:
            # Accepted for somebody: both steps or neither.
            assigner = find_actor(caller, find_permissions_for(WorkOrderState.TRIAGED, WorkOrderState.ASSIGNED))
            given = TransitionRequest(WorkOrderState.ASSIGNED, assignee_id=chosen.id)
            record_transition(conn, assigner, code, given, expected_row_version=after.row_version, now=view.now)

    try:
        change(pool, work)
    except GuardRefusedError as refused_by:
        problem = view.name("guard", refused_by.guard)
        if refused_by.guard == "close_out_incomplete":
            missing = view.t("list.comma").join(view.t(f"field.{name}") for name in close_out.find_missing())
            problem = f"{problem} {missing}"
        return render_order(view, pool, code, problem=problem, typed=typed, status=409)
    except RowVersionConflictError:
        problem = find_conflict(view, pool, code)
        return render_order(view, pool, code, problem=problem, typed=typed, status=412)
    return RedirectResponse(view.link(f"/work-orders/{code}", done="saved"), 303)


def _read_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def find_conflict(view: View, pool: Pool, code: str) -> str:
    """Who changed the order meanwhile, and when."""
    order = load_own_order(pool, view.person, code)
    with pool.connection() as conn:
        entries = [e for e in load_timeline(conn, order.id, code) if e.kind == "audit"]
    who = find_who(view, entries[0].actor) if entries else view.t("work_order.changed_by")
    return view.t("work_order.conflict", who=who, ago=name_age(order.updated_at, view.now, view.language))


@router.post("/work-orders/{code}/notes")
def take_note(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.WORK_ORDER_NOTE)],
    code: str,
    body: Annotated[str, Form(max_length=10_000)] = "",
) -> Response:
    """Adds a note; it conflicts with nothing."""
    view = find_view(request, caller)
    load_own_order(pool, caller, code)
    if not body.strip():
        return render_order(view, pool, code, problem=view.t("guard.reason_missing"), status=422)
    with pool.connection() as conn:
        record_note(conn, find_actor(caller, (Permission.WORK_ORDER_NOTE,)), code, body.strip(), now=view.now)
    return RedirectResponse(view.link(f"/work-orders/{code}", done="note"), 303)
