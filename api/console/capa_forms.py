"""What people do to a CAPA on its page: propose, take a step, write the root cause, plan actions and the check. What is
refused comes back with what was typed."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.capa_answers import find_capa
from api.console.acting import find_actor
from api.console.capa_action_views import NAMES as ACTION_NAMES
from api.console.capa_acts import GUARDS, NAMES
from api.console.capa_cause_form import find_unknown_places, read_root_cause
from api.console.capa_cause_views import ACT as CAUSE
from api.console.capa_cause_views import flatten_root_cause
from api.console.capa_effect_views import ACT as EFFECT
from api.console.capa_pages import render_capa, render_capas
from api.console.cause_merge import CAUSES_SEEN, merge_investigation
from api.console.form_faults import Bound, Fault, Why, find_shape_faults
from api.console.forms import (
    Fields,
    RecordForms,
    Refused,
    Version,
    find_day_fault,
    find_guarded,
    find_typed,
    find_unsigned,
    find_unusable,
    read_day,
    read_list,
    read_sent_number,
    read_sent_whole,
    read_text,
    read_whole,
    sign,
)
from api.console.page import find_view
from api.once import change
from api.problems import not_found
from api.shapes.capas import EffectivenessFields
from api.state import Database
from domain.capa import CapaKind, CapaScope, CapaState, ScopeKind
from domain.capa_action import ACTION_TRANSITIONS, ActionKind, ActionRequest, ActionState
from domain.capa_cause import EvidenceKind, EvidenceRef
from domain.capa_effectiveness import LimitKind
from domain.capa_steps import TWICE_SIGNED, CapaRequest, find_capa_permissions
from domain.errors import GuardRefusedError, NotFoundError
from domain.roles import Permission
from store.capa_actions import ActionDraft, load_action, load_owner
from store.capa_causes import load_root_cause, load_unknown_evidence
from store.capa_manual import ManualCapa, is_device_of, load_model_id, propose_capa
from store.capa_transitions import record_capa_step
from store.capa_work import add_action, change_action, plan_effectiveness, record_action_step, write_root_cause
from store.capas import ENTITY, Capa, lock_capa
from store.pool import Connection

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.CAPA_READ)]
Worker = Annotated[Caller, require(Permission.CAPA_WORK)]
MOST_ORDERS = 500  # of one proposal, as the API has it
FORMS = RecordForms(ENTITY, "/capa/", render_capa)


@router.post("/capa/{code}/transitions")
def take_capa_step(
    request: Request, pool: Database, caller: Reader, code: str, row_version: Version, fields: Fields
) -> Response:
    """Takes one step of the life-cycle; plan and closure are signed with the password."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        state = CapaState(find_capa(conn, code).state)
    wanted = read_text(fields, "to")
    to = CapaState(wanted) if wanted in set(CapaState) else state
    name, _ = NAMES.get((state, to), ("", ""))
    needed = find_capa_permissions(state, to)
    if not name or not needed:
        # Somebody took it further meanwhile: which step is open now shows on the page.
        refused = find_guarded(view, GUARDS, "no_such_transition", find_typed("", fields))
        return render_capa(view, pool, code, refused)
    actor = find_actor(caller, needed)
    signature = sign(view, pool, fields) if to in TWICE_SIGNED else None
    if isinstance(signature, str):
        return render_capa(view, pool, code, find_unsigned(signature, name, fields))
    wish = CapaRequest(to, read_text(fields, "reason"), signature)

    def work(conn: Connection) -> Capa:
        return record_capa_step(conn, actor, code, wish, expected_row_version=row_version, now=view.now)

    return FORMS.take(view, pool, code, work, find_typed(name, fields), guards=GUARDS)


@router.post("/capa/{code}/root-cause")
def put_capa_root_cause(
    request: Request, pool: Database, caller: Worker, code: str, row_version: Version, fields: Fields
) -> Response:
    """Writes the investigation in place of what was written before."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        before = find_capa(conn, code)
        stands = flatten_root_cause(load_root_cause(conn, before.id, before.problem))
    merged = merge_investigation(fields, stands)
    fields, version = merged.fields, before.row_version if CAUSES_SEEN in merged.fields else row_version
    written, wrong = read_root_cause(fields)
    with pool.connection() as conn:
        unknown = load_unknown_evidence(conn, written.evidence) if written is not None else []
    if written is None or unknown:
        refused = find_unusable(view, CAUSE, fields, wrong | find_unknown_places(fields, unknown))
        named = view.t("list.comma").join(f"{view.name('evidence_kind', ref.kind)} {ref.ref}" for ref in unknown[:10])
        problem = view.t("form.unknown_evidence", refs=named) if unknown else refused.problem
        return render_capa(view, pool, code, Refused(problem, 422, refused.typed))
    actor = find_actor(caller, (Permission.CAPA_WORK,))

    def work(conn: Connection) -> Capa:
        return write_root_cause(conn, actor, lock_capa(conn, code, version), written, now=view.now)

    return FORMS.take(view, pool, code, work, find_typed(CAUSE, fields), guards=GUARDS, merged=merged)


@router.post("/capa/{code}/actions")
def put_capa_action(
    request: Request, pool: Database, caller: Worker, code: str, row_version: Version, fields: Fields
) -> Response:
    """Adds an action to the plan, or rewrites the one whose number is given."""
    view = find_view(request, caller)
    number = read_whole(fields, "number")
    act = "action_add" if number is None else f"action_change_{number}"
    kind, named, due = read_text(fields, "kind"), read_text(fields, "owner", 200), read_day(fields, "due_on")
    with pool.connection() as conn:
        capa = find_capa(conn, code)
        owner = load_owner(conn, named) if named else None
        if number is not None and load_action(conn, capa.id, number) is None:
            raise not_found("action", str(number), "number")
    wrong: dict[str, Why | None] = {
        "text": Fault.MISSING.where(not read_text(fields, "text")),
        "kind": Fault.NOT_A_CHOICE.where(kind not in set(ActionKind)),
        "owner": Fault.NOT_A_CHOICE.where(bool(named) and owner is None),
        "due_on": find_day_fault(fields, "due_on"),
    }
    if owner is not None and not owner.may_read:
        wrong["owner"] = view.t("capa.owner_cannot_read", who=view.who(named))
    if any(wrong.values()):
        return render_capa(view, pool, code, find_unusable(view, act, fields, wrong))
    draft = ActionDraft(ActionKind(kind), read_text(fields, "text"), None if owner is None else owner.id, due)
    actor = find_actor(caller, (Permission.CAPA_WORK,))

    def work(conn: Connection) -> Capa:
        before = lock_capa(conn, code, row_version)
        if number is None:
            return add_action(conn, actor, before, draft, now=view.now)[0]
        return change_action(conn, actor, before, number, draft, now=view.now)[0]

    return FORMS.take(view, pool, code, work, find_typed(act, fields), guards=GUARDS)


@router.post("/capa/{code}/action-steps")
def take_action_step(
    request: Request,
    pool: Database,
    caller: Reader,
    code: str,
    row_version: Version,
    number: Annotated[int, Form(ge=1, le=1_000_000)],
    to: Annotated[ActionState, Form()],
    fields: Fields,
) -> Response:
    """Says that an action is done, was seen to be done, goes back, or is left out."""
    view = find_view(request, caller)
    ref, kind = read_text(fields, "ref", 200), read_text(fields, "ref_kind")
    refs = (EvidenceRef(EvidenceKind(kind), ref),) if ref and kind in set(EvidenceKind) else ()
    with pool.connection() as conn:
        action = load_action(conn, find_capa(conn, code).id, number)
        unknown = load_unknown_evidence(conn, refs)
    if action is None:
        raise not_found("action", str(number), "number")
    act = f"{ACTION_NAMES.get((action.state, to), '')}_{number}"
    if unknown:
        problem = view.t("form.unknown_evidence", refs=f"{view.name('evidence_kind', kind)} {ref}")
        return render_capa(view, pool, code, Refused(problem, 422, find_typed(act, fields, {"ref": problem})))
    wish = ActionRequest(to, read_text(fields, "evidence"), read_text(fields, "reason"))
    needed = ACTION_TRANSITIONS.get((action.state, to))
    actor = find_actor(caller, needed) if needed else caller.actor

    def work(conn: Connection) -> Capa:
        before = lock_capa(conn, code, row_version)
        return record_action_step(conn, actor, before, number, wish, refs, now=view.now)[0]

    return FORMS.take(view, pool, code, work, find_typed(act, fields), guards=GUARDS)


@router.post("/capa/{code}/effectiveness")
def put_capa_effectiveness(
    request: Request, pool: Database, caller: Worker, code: str, row_version: Version, fields: Fields
) -> Response:
    """Says by which figure, against which limit and over which period the effect will be judged."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        find_capa(conn, code)
    sent: dict[str, object] = {name: read_text(fields, name) for name in ("metric", "limit_kind")}
    sent |= {name: read_sent_number(fields, name) for name in ("limit", "max_p")}
    sent |= {name: read_sent_whole(fields, name) for name in ("period_days", "before_days", "delay_days")}
    try:
        plan = EffectivenessFields.model_validate(sent)
    except ValidationError as error:
        return render_capa(view, pool, code, find_unusable(view, EFFECT, fields, find_shape_faults(error)))
    if plan.limit_kind is LimitKind.RATIO and plan.limit > 1.0:
        wrong = {"limit": view.t("form.ratio_at_most_one")}
        return render_capa(view, pool, code, find_unusable(view, EFFECT, fields, wrong))
    actor = find_actor(caller, (Permission.CAPA_WORK,))

    def work(conn: Connection) -> Capa:
        return plan_effectiveness(conn, actor, lock_capa(conn, code, row_version), plan.to_plan(), now=view.now)

    return FORMS.take(view, pool, code, work, find_typed(EFFECT, fields), guards=GUARDS)


@router.post("/capa/proposals")
def propose(request: Request, pool: Database, caller: Worker, fields: Fields) -> Response:
    """Proposes a CAPA for what no figure shows; somebody else decides whether it is opened."""
    view = find_view(request, caller)
    act, actor = "capa_propose", find_actor(caller, (Permission.CAPA_WORK,))
    model, _, fault = read_text(fields, "fault").partition("/")
    kind, scope_kind = read_text(fields, "kind"), read_text(fields, "scope_kind")
    value, reason = read_text(fields, "scope_value", 200), read_text(fields, "reason")
    orders = read_list(fields, "work_orders")
    with pool.connection() as conn:
        model_id = load_model_id(conn, model)
        is_known = model_id is not None and (scope_kind != ScopeKind.DEVICE or is_device_of(conn, value, model_id))
    scope_fault = Fault.MISSING if not value else Fault.NO_DEVICE_OF_MODEL.where(not is_known)
    if scope_kind == ScopeKind.MODEL:
        scope_fault = Fault.NOT_OF_WHOLE_MODEL.where(value != "")
    wrong = {
        "fault": Fault.NOT_A_CHOICE.where(model_id is None or not fault),
        "kind": Fault.NOT_A_CHOICE.where(kind not in set(CapaKind)),
        "scope_kind": Fault.NOT_A_CHOICE.where(scope_kind not in set(ScopeKind)),
        "scope_value": scope_fault if scope_kind in set(ScopeKind) and model_id is not None else None,
        "reason": Fault.MISSING.where(not reason),
        "work_orders": Bound(Fault.TOO_MANY, MOST_ORDERS) if len(orders) > MOST_ORDERS else None,
    }
    if model_id is None or any(wrong.values()):
        return render_capas(view, pool, refused=find_unusable(view, act, fields, wrong))
    scope = CapaScope(model_id, ScopeKind(scope_kind), value, fault)
    wanted = ManualCapa(CapaKind(kind), scope, reason, orders)
    try:
        made = change(pool, lambda conn: propose_capa(conn, actor, wanted, now=view.now))
    except GuardRefusedError as refused:
        typed = find_typed(act, fields)
        return render_capas(view, pool, refused=find_guarded(view, GUARDS, refused.guard, typed))
    except NotFoundError:
        return render_capas(view, pool, refused=find_unusable(view, act, fields, {"work_orders": Fault.NO_ORDER}))
    return RedirectResponse(view.link(f"/capa/{made.code}", done="saved"), 303)
