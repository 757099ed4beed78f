"""Approvals: everything that waits for a second person, and the page of one asked change."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.approval_views import (
    GUARDS,
    STEPS,
    WAITING,
    find_approval_acts,
    find_change_facts,
    find_line,
    find_permission,
    find_place,
    find_waiting_line,
)
from api.console.forms import (
    NOT_REFUSED,
    NOTHING,
    Fields,
    Refused,
    Version,
    find_typed,
    find_unsigned,
    read_text,
    say_guard,
    sign,
    take_step,
)
from api.console.page import View, find_view
from api.console.place_words import load_places_of
from api.console.signature_views import find_signature_lines
from api.console.timeline import find_audit_lines
from api.problems import not_found
from api.routes.approval_requests import may_read
from api.state import Database
from domain.approval_request import DECISIONS, ApprovalKind, ApprovalRequest, ApprovalState
from domain.audit_approval_request import ENTITY
from domain.roles import Permission
from store.approval_handlers import HANDLERS
from store.approval_requests import (
    decide_approval,
    load_approval_request,
    load_approval_requests,
    load_request_signatures,
)
from store.audit import AuditFilter, load_audit_events
from store.models import load_model
from store.pool import Connection, Pool
from store.profiles import load_profiles
from store.second_signatures import load_waiting_records

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.APPROVAL_REQUEST_READ)]
ROWS = 50


@router.get("/approvals")
def show_approvals(
    request: Request, pool: Database, caller: Reader, show: str = "", before: int | None = None
) -> Response:
    """What waits for a second person; or, with `show=decided`, what became of it."""
    view = find_view(request, caller)
    is_past = show == "decided"
    past = [state for state in ApprovalState if state is not ApprovalState.ASKED]
    kinds = [kind for kind in ApprovalKind if may_read(caller, kind)]
    wanted = tuple(name for name, (right, _, _) in WAITING.items() if view.may(right) and caller.customer_id is None)
    with pool.connection() as conn:
        states = past if is_past else [ApprovalState.ASKED]
        found = load_approval_requests(conn, kinds=kinds, states=states, before_id=before, limit=ROWS + 1)
        records = [] if is_past else load_waiting_records(conn, wanted)
        profiles = load_profiles(conn) if records else {}
        models = {one.code: load_model(conn, one.code) for one in records if one.wants == "model"}
        decided = load_approval_requests(conn, kinds=kinds, states=past, limit=1) if not found else []
        places = load_places_of(view, conn, [record for one in found for record in (one.payload, one.subject)])
    lines = [find_line(view, one, places) for one in found[:ROWS]]
    rows = {code: row for code, row in models.items() if row is not None}
    waiting = [find_waiting_line(view, record, profiles, rows) for record in records]
    last = view.when(decided[0].updated_at) if decided else None
    return view.render(
        "approvals.html",
        lines=lines,
        waiting=waiting,
        mine=sum(not refusal for refusal in [*(line.refusal for line in lines), *(line.refusal for line in waiting)]),
        is_past=is_past,
        older=view.link("/approvals", show=show, before=found[ROWS - 1].id) if len(found) > ROWS else None,
        proof=view.t("approvals.proof", ago=last.ago) if last else view.t("approvals.proof_none"),
    )


@router.get("/approvals/{code}")
def show_approval(request: Request, pool: Database, caller: Reader, code: str) -> Response:
    """One asked change."""
    return _render(find_view(request, caller), pool, code)


@router.post("/approvals/{code}/decision")
def decide(
    request: Request,
    pool: Database,
    caller: Reader,
    code: str,
    to: Annotated[ApprovalState, Form()],
    row_version: Version,
    fields: Fields,
) -> Response:
    """Grants (and carries out), refuses or withdraws; a decision is signed with the password."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        kind = ApprovalKind(_find_request(conn, view, code).kind)
    act = STEPS.get(to, "")
    if not act:
        return _render(view, pool, code, Refused(say_guard(view, GUARDS, "no_such_transition"), 409, NOTHING))
    actor = find_actor(caller, (find_permission(kind, to),))
    signature = sign(view, pool, fields) if to in DECISIONS else None
    if isinstance(signature, str):
        return _render(view, pool, code, find_unsigned(signature, act, fields))

    def work(conn: Connection) -> ApprovalRequest:
        return decide_approval(
            conn,
            actor,
            code,
            to,
            HANDLERS,
            reason=read_text(fields, "reason"),
            signature=signature,
            expected_row_version=row_version,
            now=view.now,
        )

    refused = take_step(view, pool, work, find_typed(act, fields), guards=GUARDS, entity=ENTITY, code=code)
    if refused is not None:
        return _render(view, pool, code, refused)
    return RedirectResponse(view.link(f"/approvals/{code}", done="saved"), 303)


def _find_request(conn: Connection, view: View, code: str) -> ApprovalRequest:
    found = load_approval_request(conn, code)
    if found is None or not may_read(view.person, ApprovalKind(found.kind)):
        raise not_found("approval request", code, "code")
    return found


def _render(view: View, pool: Pool, code: str, refused: Refused = NOT_REFUSED) -> Response:
    with pool.connection() as conn:
        found = _find_request(conn, view, code)
        signatures = load_request_signatures(conn, found)
        events = load_audit_events(conn, AuditFilter(entity=ENTITY, entity_id=code))
        places = load_places_of(view, conn, (found.payload, found.subject))
    payload, subject = find_change_facts(view, found, places)
    line = find_line(view, found, places)
    return view.render(
        "approval.html",
        refused.status,
        problem=refused.problem,
        line=line,
        row_version=found.row_version,
        place=find_place(found),
        changing=line.changes,
        payload=payload,
        subject=subject,
        decision=None
        if found.decided_by is None
        else {"by": view.who(found.decided_by), "at": view.when(found.decided_at), "reason": found.decision_reason},
        acts=find_approval_acts(view, found, refused.typed),
        signatures=find_signature_lines(view, signatures),
        timeline=find_audit_lines(view, events),
    )
