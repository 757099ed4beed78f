"""What people write into the records of a work order: visits, parts, answers, a wish to waive a clock, a merge.

Every form goes through the function that answers the API for the same step; what it refuses comes back with what was
typed, in the section where it was typed.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.checklist_answers import Line, find_answer_marks, read_answers
from api.console.guard_fields import find_guard_marks
from api.console.order_record_faults import Sent, attempt, read_time
from api.console.order_records import load_own_order
from api.console.order_sections import Refused
from api.console.page import View, find_view
from api.console.work_order_page import render_order
from api.form_reading import read_form
from api.problems import ProblemError
from api.routes.approval_requests import ask_for_approval
from api.routes.checklists import answer_lines, list_checklists
from api.routes.part_usages import add_part, take_part_step
from api.routes.visits import arrive, leave
from api.routes.work_order_merges import merge_orders
from api.shapes.approval_requests import NewApprovalRequest
from api.shapes.work_order_merges import NewMerge
from api.shapes.work_order_records import Arrival, Departure, NewAnswers, NewPart, PartStep
from api.state import Database
from domain.approval_request import ApprovalKind
from domain.errors import GuardRefusedError, RowVersionConflictError
from domain.part_usage import PartState
from domain.roles import Permission
from store.pool import Pool
from store.work_order_pages import load_order_cards

router = APIRouter(include_in_schema=False)
Worker = Annotated[Caller, require(Permission.WORK_ORDER_WORK)]
Reader = Annotated[Caller, require(Permission.WORK_ORDER_READ)]


async def read_fields(request: Request) -> dict[str, str]:
    """All text fields of the form that was sent, whatever they are called."""
    form = await read_form(request)
    return {name: value for name, value in form.items() if isinstance(value, str)}


Fields = Annotated[dict[str, str], Depends(read_fields)]


def answer(view: View, pool: Pool, code: str, section: str, refused: Refused | None) -> Response:
    """The page of the order with that section open: as it is now, or with what was refused."""
    if refused is None:
        return RedirectResponse(
            view.link(f"/work-orders/{code}", open=section, done="saved") + f"#section-{section}", 303
        )
    return render_order(view, pool, code, refused=refused)


def read_once(values: Mapping[str, str]) -> str | None:
    """The word that the form was given so that it is taken once."""
    word = values.get("once", "")
    return word if 8 <= len(word) <= 128 else None


def find_site_zone(pool: Pool, order_id: int) -> str | None:
    """The zone of the place of the order."""
    with pool.connection() as conn:
        cards = load_order_cards(conn, order_id)
    return cards.site_time_zone if cards is not None else None


@router.post("/work-orders/{code}/arrivals")
def take_arrival(request: Request, pool: Database, caller: Worker, code: str, values: Fields) -> Response:
    """Begins the person's visit, now or at the time that was typed."""
    view = find_view(request, caller)
    order = load_own_order(pool, caller, code)

    def work() -> None:
        at = read_time(view, values, "arrived_at", find_site_zone(pool, order.id))
        body = Arrival(arrived_at=at, note=values.get("note", ""))
        arrive(code, caller, pool, request, body, read_once(values))

    return answer(view, pool, code, "visits", attempt(view, Sent("visits", values), work))


@router.post("/work-orders/{code}/departures")
def take_departure(
    request: Request, pool: Database, caller: Worker, code: str, values: Fields, visit_id: Annotated[int, Form(ge=0)]
) -> Response:
    """Ends the person's visit with what came of it."""
    view = find_view(request, caller)
    order = load_own_order(pool, caller, code)

    def work() -> None:
        at = read_time(view, values, "left_at", find_site_zone(pool, order.id))
        sent: dict[str, Any] = {"left_at": at, "outcome": values.get("outcome", ""), "note": values.get("note", "")}
        leave(code, visit_id, caller, pool, request, Departure.model_validate(sent), read_once(values))

    return answer(view, pool, code, "visits", attempt(view, Sent("visits", values), work))


def change_part(view: View, pool: Pool, code: str, values: Mapping[str, str]) -> Refused | None:
    """Asks for a part, uses one or takes a request back, as the form says."""
    caller, request = view.person, view.request
    signed = {name: values.get(name, "") for name in ("lot", "serial_in", "serial_out", "meaning")}
    to, part_id = values.get("to", ""), values.get("part_id", "")
    if to == PartState.USED:
        signed["password"] = values.get("password", "")

    def work() -> None:
        quantity = values.get("quantity", "").replace(",", ".").strip()
        if part_id:
            sent = {
                "to": to,
                "reason": values.get("reason", ""),
                **signed,
                **({"quantity": quantity} if quantity else {}),
            }
            step = PartStep.model_validate(sent)
            take_part_step(code, int(part_id), caller, pool, request, step, read_once(values))
            return
        what = {
            "item": values.get("item", ""),
            "description": values.get("description", ""),
            "quantity": quantity or "1",
        }
        add_part(
            code, caller, pool, request, NewPart.model_validate({"state": to, **what, **signed}), read_once(values)
        )

    return attempt(view, Sent("parts", values), work)


@router.post("/work-orders/{code}/parts")
def take_part(request: Request, pool: Database, caller: Reader, code: str, values: Fields) -> Response:
    """Asks for a part, uses one (signed) or takes a request back."""
    view = find_view(request, caller)
    load_own_order(pool, caller, code)
    return answer(view, pool, code, "parts", change_part(view, pool, code, values))


@router.post("/work-orders/{code}/answers")
def take_answers(
    request: Request,
    pool: Database,
    caller: Worker,
    code: str,
    values: Fields,
    checklist_id: Annotated[int, Form(ge=0)],
) -> Response:
    """Keeps what was answered anew; lines that say what was known are left alone."""
    view = find_view(request, caller)
    load_own_order(pool, caller, code)

    sent, lines = Sent("checklists", values), list[Line]()

    def work() -> None:
        known = next((one for one in list_checklists(code, caller, pool).items if one.id == checklist_id), None)
        lines.extend([] if known is None else read_answers(known, values))
        given = [{"item": line.item.key, "value": line.value, "remark": line.remark} for line in lines]
        sent.places.update({f"answers[{n}].remark": f"remark.{line.item.key}" for n, line in enumerate(lines)})
        if given or known is None:
            body = NewAnswers.model_validate({"answers": given})
            answer_lines(code, checklist_id, caller, pool, request, body, read_once(values))

    refused = attempt(view, sent, work, find_answer_marks)
    return answer(view, pool, code, "checklists", refused)


@router.post("/work-orders/{code}/waivers")
def take_waiver(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.SLA_WAIVE)],
    code: str,
    values: Fields,
) -> Response:
    """Asks, signed, for a waiver of one clock; somebody else grants it."""
    view = find_view(request, caller)
    load_own_order(pool, caller, code)

    def work() -> None:
        payload = {"clock": values.get("clock", ""), "version": int(values.get("version", ""))}
        sent = {
            "kind": ApprovalKind.SLA_WAIVER,
            "entity_id": code,
            "payload": payload,
            **{name: values.get(name, "") for name in ("reason", "password", "meaning")},
        }
        ask_for_approval(caller, pool, request, NewApprovalRequest.model_validate(sent), read_once(values))

    return answer(view, pool, code, "clocks", attempt(view, Sent("clocks", values), work))


@router.post("/work-orders/{code}/merges")
def take_merge(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.WORK_ORDER_MERGE)],
    code: str,
    values: Fields,
    row_version: Annotated[int, Form(ge=0)],
) -> Response:
    """Takes another order up in this one."""
    view = find_view(request, caller)
    load_own_order(pool, caller, code)

    def work() -> None:
        other = values.get("order", "").strip()
        if other:
            load_own_order(pool, caller, other)
        body = NewMerge.model_validate({"order": other, "reason": values.get("reason", "")})
        merge_orders(code, caller, pool, request, body, row_version, read_once(values))

    def find_marks(refused: GuardRefusedError, said: str) -> dict[str, str]:
        # Both orders are judged alike: what is the matter with this one is not in the field of the other.
        return {} if refused.about == (code,) else find_guard_marks(refused.guard, said, values)

    sent = Sent("related", values)
    try:
        refused = attempt(view, sent, work, find_marks)
    except ProblemError as problem:
        if problem.status not in (404, 412):
            raise
        said = view.t("merge.no_such_order" if problem.status == 404 else "merge.moved")
        refused = sent.refuse(said, problem.status, {"order": said} if problem.status == 404 else {})
    except RowVersionConflictError:
        refused = sent.refuse(view.t("merge.moved"), 412)
    return answer(view, pool, code, "related", refused)
