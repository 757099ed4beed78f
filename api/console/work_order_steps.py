"""The steps that a person takes on a work order, and notes: what is refused comes back with what was typed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.conflict_words import say_conflict
from api.console.form_faults import Fault, say_fault
from api.console.forms import LongText, read_day
from api.console.order_records import load_own_order
from api.console.page import View, find_view
from api.console.signing_words import say_unsigned
from api.console.work_order_acts import WRITTEN, StepRefused, Typed, is_offered, rests_on_the_same
from api.console.work_order_page import render_order
from api.console.work_order_step_faults import find_step_marks, find_unreadable
from api.once import change
from api.sign_in import check_password
from api.state import Database
from domain.audit import Signature
from domain.audit_work_order import ENTITY
from domain.errors import GuardRefusedError, RowVersionConflictError
from domain.roles import Permission
from domain.work_order import (
    CloseOut,
    Guard,
    HoldReason,
    Outcome,
    WorkOrderState,
)
from domain.work_order_steps import (
    TransitionRequest,
    find_permissions_for,
)
from store.pool import Connection, Pool
from store.technicians import load_technicians
from store.work_order_notes import record_note
from store.work_order_transitions import record_transition

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class StepForm:
    """One step as it was sent: where to, from which version, and every field as it was typed."""

    to: WorkOrderState
    row_version: int
    values: Mapping[str, str]
    seen: str = ""  # marks of what the sender saw of the order
    step: str = ""  # the name of the step that the form is for

    def find_close_out(self) -> CloseOut:
        """What was done, as far as the form tells it."""
        values = self.values
        return CloseOut(
            values["device_name"], values["device_identification"], read_day(FormData(values), "serviced_on"),
            values["serviced_by"], values["work_performed"], values["test_data"],
        )  # fmt: skip

    def find_wish(self, assignee_id: int | None, signature: Signature | None) -> TransitionRequest:
        """The step that is asked for, for that technician and with that signature."""
        values = self.values
        return TransitionRequest(
            self.to,
            reason=values["reason"],
            assignee_id=assignee_id,
            hold_reason=HoldReason(values["hold_reason"]) if values["hold_reason"] in set(HoldReason) else None,
            outcome=Outcome(values["outcome"]) if values["outcome"] in set(Outcome) else None,
            failure_code=values["failure_code"],
            close_out=self.find_close_out() if self.to is WorkOrderState.WORK_DONE else None,
            test_evidence=values["test_evidence"],
            signature=signature,
        )


def read_step_form(
    to: Annotated[WorkOrderState, Form()],
    row_version: Annotated[int, Form(ge=0)],
    seen: Annotated[str, Form(max_length=2000)] = "",
    step: Annotated[str, Form(max_length=20)] = "",
    assignee: Annotated[str, Form(max_length=64)] = "",
    hold_reason: Annotated[str, Form(max_length=20)] = "",
    reason: LongText = "",
    test_evidence: LongText = "",
    meaning: Annotated[str, Form(max_length=500)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    device_name: Annotated[str, Form(max_length=500)] = "",
    device_identification: Annotated[str, Form(max_length=500)] = "",
    serviced_on: Annotated[str, Form(max_length=10)] = "",
    serviced_by: Annotated[str, Form(max_length=200)] = "",
    work_performed: LongText = "",
    test_data: LongText = "",
    outcome: Annotated[str, Form(max_length=20)] = "",
    failure_code: Annotated[str, Form(max_length=100)] = "",
) -> StepForm:
    """The step that a form asks for."""
    values = {
        "assignee": assignee, "hold_reason": hold_reason, "reason": reason, "test_evidence": test_evidence,
        "meaning": meaning, "password": password, "device_name": device_name,
        "device_identification": device_identification, "serviced_on": serviced_on, "serviced_by": serviced_by,
        "work_performed": work_performed, "test_data": test_data, "outcome": outcome, "failure_code": failure_code,
    }  # fmt: skip
    typed = {name: value.strip() for name, value in values.items()} | {"password": password}
    return StepForm(to, row_version, typed, seen, step)


Step = Annotated[StepForm, Depends(read_step_form)]


@router.post("/work-orders/{code}/transitions")
def take_transition(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.WORK_ORDER_READ)],
    code: str,
    form: Step,
) -> Response:
    """Takes one step; when a guard refuses or the record has moved, the form comes back with what was typed."""
    view = find_view(request, caller)
    refused = take_step(view, pool, code, form)
    if refused is not None:
        return render_order(view, pool, code, step=refused)
    is_accepted_for = form.to is WorkOrderState.TRIAGED and form.values["assignee"]  # one form, both steps
    done = "assigned" if form.to is WorkOrderState.ASSIGNED or is_accepted_for else "saved"
    return RedirectResponse(view.link(f"/work-orders/{code}", done=done), 303)


def take_step(view: View, pool: Pool, code: str, form: StepForm) -> StepRefused | None:
    """Nothing when the step was taken; else why not.

    Raises
    ------
    ProblemError
        404: no such order is this person's to see; 403: none of his roles takes this step.
    """
    caller, values = view.person, form.values
    order = load_own_order(pool, caller, code)
    typed = Typed(form.to.value, {name: value for name, value in values.items() if name != "password"}, form.step)
    unreadable = find_unreadable(view, form.to, values)
    if unreadable:
        return StepRefused(view.t("form.unusable"), replace(typed, wrong=unreadable), 422)
    signature = None
    if form.to is WorkOrderState.CLOSED and caller.user_id is not None:
        refused = check_password(pool, caller.name, values["password"], at=view.now, request_id=caller.request_id)
        if refused is not None:
            unsigned = say_unsigned(view, refused)
            return StepRefused(unsigned, replace(typed, wrong={"password": unsigned}), 422)
        signature = Signature(caller.user_id, caller.full_name, values["meaning"])

    def work(conn: Connection) -> None:
        technicians = load_technicians(conn, view.now.date())
        chosen = next((one for one in technicians if one.name == values["assignee"]), None)
        wish = form.find_wish(chosen.id if chosen else None, signature)
        needed = find_permissions_for(order.state, form.to)
        if not needed and order.row_version != form.row_version:
            raise RowVersionConflictError(code)  # somebody took it elsewhere
        if not needed:
            raise GuardRefusedError("no_such_transition", code)
        actor = find_actor(caller, needed)
        if values["assignee"] and chosen is None and form.to in (WorkOrderState.TRIAGED, WorkOrderState.ASSIGNED):
            raise GuardRefusedError(Guard.ASSIGNEE_UNKNOWN, code)
        after = record_transition(conn, actor, code, wish, expected_row_version=form.row_version, now=view.now)
        if order.state is WorkOrderState.NEW and form.to is WorkOrderState.TRIAGED and chosen is not None:
            # Accepted for somebody: both steps or neither.
            assigner = find_actor(caller, find_permissions_for(WorkOrderState.TRIAGED, WorkOrderState.ASSIGNED))
            given = TransitionRequest(WorkOrderState.ASSIGNED, assignee_id=chosen.id)
            record_transition(conn, assigner, code, given, expected_row_version=after.row_version, now=view.now)

    try:
        change(pool, work)
    except GuardRefusedError as refused_by:
        problem, lacking = view.name("guard", refused_by.guard), form.find_close_out().find_missing()
        if refused_by.guard == Guard.CLOSE_OUT_INCOMPLETE:
            problem = f"{problem} {view.t('list.comma').join(view.t(f'field.{name}') for name in lacking)}"
        wrong = find_step_marks(view, refused_by.guard, problem, values, lacking)
        return StepRefused(problem, replace(typed, wrong=wrong), 409)
    except RowVersionConflictError:
        fresh = load_own_order(pool, caller, code)
        if fresh.row_version != form.row_version and rests_on_the_same(form.seen, fresh, form.to):
            return take_step(view, pool, code, replace(form, row_version=fresh.row_version))
        said = say_conflict(view, pool, ENTITY, code)
        if is_offered(fresh.state, form.to, form.step):
            return StepRefused(f"{said} {view.t('conflict.look')}", typed, 412)
        note = "\n".join(f"{view.t(f'field.{name}')}: {values[name]}" for name in WRITTEN if values[name])
        return StepRefused(f"{said} {view.t('conflict.note')}" if note else said, typed, 412, note)
    return None


@router.post("/work-orders/{code}/notes")
def take_note(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.WORK_ORDER_NOTE)],
    code: str,
    body: LongText = "",
) -> Response:
    """Adds a note; it conflicts with nothing."""
    view = find_view(request, caller)
    load_own_order(pool, caller, code)
    if not body.strip():
        empty = StepRefused(view.t("form.unusable"), None, 422, note_wrong=say_fault(view, Fault.MISSING))
        return render_order(view, pool, code, step=empty)
    with pool.connection() as conn:
        record_note(conn, find_actor(caller, (Permission.WORK_ORDER_NOTE,)), code, body.strip(), now=view.now)
    return RedirectResponse(view.link(f"/work-orders/{code}", done="note"), 303)
