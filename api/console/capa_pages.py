"""CAPA notices: the list, and the page where a person opens or rejects what the machine proposed."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.acts import Act, Field
from api.console.capa_views import STAGES, find_cohort, find_line, find_regression, find_scope, find_trigger
from api.console.instants import name_age
from api.console.page import View, find_view
from api.console.timeline import find_audit_lines
from api.problems import not_found
from api.state import Database
from domain.capa import CapaState, CapaTrigger
from domain.capa_steps import find_capa_permissions
from domain.errors import GuardRefusedError, RowVersionConflictError
from domain.roles import Permission
from store.audit import AuditFilter, load_audit_events
from store.capa_transitions import record_capa_decision
from store.capas import Capa, load_capa, load_capa_members, load_capas
from store.pool import Pool
from store.profiles import load_profiles
from store.work_order_filters import WorkOrderFilter
from store.work_order_lists import count_work_orders

router = APIRouter(include_in_schema=False)
ROWS = 50
ACTS = {CapaState.OPEN: ("capa_open", "A"), CapaState.REJECTED: ("capa_reject", "R")}


@router.get("/capa")
def show_capas(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.CAPA_READ)],
    before: int | None = None,
) -> Response:
    """All CAPAs, newest first."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        profiles = load_profiles(conn)
        capas = load_capas(conn, before_id=before, limit=ROWS + 1)
        open_orders = count_work_orders(conn, WorkOrderFilter(open_only=True)) if not capas else 0
    return view.render(
        "capas.html",
        rows=[find_line(view, capa, profiles) for capa in capas[:ROWS]],
        older=view.link("/capa", before=capas[ROWS - 1].id) if len(capas) > ROWS else None,
        proof=view.t("capas.proof", open=open_orders),
    )


@router.get("/capa/{code}")
def show_capa(
    request: Request, pool: Database, caller: Annotated[Caller, require(Permission.CAPA_READ)], code: str
) -> Response:
    """One CAPA."""
    return _render(find_view(request, caller), pool, code)


@router.post("/capa/{code}/decision")
def take_capa_decision(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.CAPA_DECIDE)],
    code: str,
    to: Annotated[str, Form(max_length=20)],
    row_version: Annotated[int, Form(ge=0)],
    reason: Annotated[str, Form(max_length=10_000)] = "",
) -> Response:
    """Opens or rejects the CAPA; what was typed is kept when it cannot be."""
    view = find_view(request, caller)
    if to not in (CapaState.OPEN, CapaState.REJECTED):
        return _render(view, pool, code, problem=view.t("guard.no_such_transition"), status=422)
    wanted = CapaState(to)
    try:
        with pool.connection() as conn:
            actor = find_actor(caller, (Permission.CAPA_DECIDE,))
            record_capa_decision(
                conn, actor, code, wanted, reason=reason, expected_row_version=row_version, now=view.now
            )
    except GuardRefusedError as refused:
        problem = view.name("guard", refused.guard)
        return _render(view, pool, code, problem=problem, typed=(wanted, reason), status=409)
    except RowVersionConflictError:
        return _render(view, pool, code, conflict=True, typed=(wanted, reason), status=412)
    return RedirectResponse(view.link(f"/capa/{code}", done="saved"), 303)


def _render(
    view: View,
    pool: Pool,
    code: str,
    *,
    problem: str | None = None,
    conflict: bool = False,
    typed: tuple[CapaState, str] | None = None,
    status: int = 200,
) -> Response:
    with pool.connection() as conn:
        capa = load_capa(conn, code)
        if capa is None:
            raise not_found("CAPA", code, "code")
        members = load_capa_members(conn, capa.id)
        profiles = load_profiles(conn)
        events = load_audit_events(conn, AuditFilter(entity="capa", entity_id=code))
    if conflict:
        who = events[0].actor if events else view.t("work_order.changed_by")
        ago = name_age(capa.updated_at, view.now, view.language)
        problem = view.t("work_order.conflict", who=who, ago=ago)
    return view.render(
        "capa.html",
        status,
        capa={
            "code": capa.code,
            "state": capa.state,
            "by_machine": capa.trigger != CapaTrigger.MANUAL,
            "row_version": capa.row_version,
            "flags": ["SIM"] if capa.is_simulated else [],
            "created": view.when(capa.created_at),
            "trigger_sentence": find_trigger(view, capa, profiles),
            "decision": _find_decision(view, capa),
            "stages": _find_stages(capa),
            "scope": find_scope(view, capa),
        },
        cohort=find_cohort(view, capa),
        regression=find_regression(view, capa, profiles),
        members=[
            {
                "code": m.code,
                "priority": m.priority,
                "serial": m.serial,
                "customer": " · ".join(part for part in (m.customer_name, m.lot, m.firmware) if part),
                "state": m.state,
                "outcome": view.name("outcome", m.outcome),
                "excluded": m.excluded_reason or "",
            }
            for m in members
        ],
        acts=_find_acts(view, capa, typed),
        problem=problem,
        timeline=find_audit_lines(view, events),
    )


def _find_decision(view: View, capa: Capa) -> str | None:
    if capa.decided_by is None:
        return view.t("capa.ineffective", code=capa.ineffective_of_code) if capa.ineffective_of_code else None
    key = "capa.rejected" if capa.state == CapaState.REJECTED else "capa.opened"
    return view.t(key, who=capa.decided_by, reason=capa.decision_reason or "")


def _find_stages(capa: Capa) -> list[dict[str, object]]:
    stages = (CapaState.PROPOSED, CapaState.REJECTED) if capa.state == CapaState.REJECTED else STAGES
    at = stages.index(CapaState(capa.state))
    return [{"code": stage.value, "current": place == at, "past": place < at} for place, stage in enumerate(stages)]


def _find_acts(view: View, capa: Capa, typed: tuple[CapaState, str] | None) -> list[Act]:
    acts: list[Act] = []
    for to, (name, key) in ACTS.items():
        permission = next(iter(find_capa_permissions(CapaState(capa.state), to)), None)
        if permission is None:
            continue
        if not view.may(permission):
            refusal = view.t("act.refused_permission", permission=permission.value)
            acts.append(Act(name, view.t(f"act.{name}"), refusal=refusal))
            continue
        is_typed = typed is not None and typed[0] is to
        text = typed[1] if typed is not None and is_typed else ""
        acts.append(
            Act(
                name,
                view.t(f"act.{name}"),
                submit=view.t(f"act.{name}_do"),
                key=key,
                action=f"/capa/{capa.code}/decision",
                to=to.value,
                row_version=capa.row_version,
                fields=(Field("reason", view.t("field.justification"), "textarea", text),),
                open=is_typed,
            )
        )
    return acts
