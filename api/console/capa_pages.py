"""CAPAs: the list with the form that proposes one, and the page of one with everything of its life."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.console.acts import Act, Field, mark_fields, name_act, refuse_act
from api.console.capa_action_views import find_action_lines, find_new_action
from api.console.capa_acts import find_capa_acts
from api.console.capa_cause_views import find_investigation
from api.console.capa_cohort_views import find_cohort
from api.console.capa_effect_views import find_effect
from api.console.capa_head import find_head
from api.console.capa_member_views import find_complaints, find_devices, find_members
from api.console.capa_regression_views import find_regression
from api.console.capa_views import find_line
from api.console.filters import Filter, find_choice
from api.console.forms import NOT_REFUSED, Refused, Typed
from api.console.page import View, find_view
from api.console.signature_views import find_signature_lines
from api.console.timeline import find_audit_lines
from api.problems import not_found
from api.state import Database
from domain.capa import CapaKind, CapaState, CapaTrigger, ScopeKind
from domain.profile import Profile
from domain.roles import Permission
from store.audit import AuditFilter, load_audit_events
from store.capa_actions import load_possible_owners
from store.capa_complaints import load_capa_complaints
from store.capa_effectiveness import load_effectiveness_results, load_scope_devices
from store.capa_transitions import CLOSURE, load_counts_before, load_standing
from store.capas import ENTITY, load_capa, load_capa_members, load_capas
from store.pool import Pool
from store.profiles import load_profiles
from store.signatures import load_signatures
from store.work_order_filters import WorkOrderFilter
from store.work_order_lists import count_work_orders

router = APIRouter(include_in_schema=False)
ROWS = 50
DEVICES = 50


@router.get("/capa")
def show_capas(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.CAPA_READ)],
    state: str = "",
    before: int | None = None,
) -> Response:
    """CAPAs, newest first: all, or those in one state."""
    return render_capas(find_view(request, caller), pool, state=find_choice(state, set(CapaState)), before=before)


def render_capas(
    view: View, pool: Pool, *, state: str = "", before: int | None = None, refused: Refused = NOT_REFUSED
) -> Response:
    """The list; with a proposal that was refused, what was typed stands where it was typed."""
    with pool.connection() as conn:
        profiles = load_profiles(conn)
        capas = load_capas(conn, states=(state,) if state else (), before_id=before, limit=ROWS + 1)
        open_orders = count_work_orders(conn, WorkOrderFilter(open_only=True)) if not capas else 0
    return view.render(
        "capas.html",
        refused.status,
        rows=[find_line(view, capa, profiles) for capa in capas[:ROWS]],
        older=view.link("/capa", state=state, before=capas[ROWS - 1].id) if len(capas) > ROWS else None,
        filters=[
            Filter(
                "state",
                view.t("column.state"),
                state,
                [(one.value, view.name("state", one.value)) for one in CapaState],
                view.t("list.all"),
            )
        ],
        filtered=bool(state),
        proof=view.t("capas.proof", open=open_orders),
        problem=refused.problem,
        propose=_find_proposal_form(view, profiles, refused.typed),
    )


def _find_proposal_form(view: View, profiles: dict[str, Profile], typed: Typed) -> Act:
    name = "capa_propose"
    if not view.may(Permission.CAPA_WORK):
        return refuse_act(view, name, view.say_missing(Permission.CAPA_WORK))
    values, t = typed.values, view.t
    faults = [
        (f"{model}/{group.key}", f"{model} · {getattr(group.label, view.language, group.label.en)}")
        for model, profile in sorted(profiles.items())
        for group in profile.fault_groups
    ]
    kinds = tuple((kind.value, view.name("capa_kind", kind)) for kind in CapaKind)
    scopes = tuple((kind.value, view.name("capa_scope_kind", kind)) for kind in ScopeKind)
    return Act(
        *name_act(view, name),
        action="/capa/proposals",
        explain=t("act.explain_capa_propose"),
        fields=mark_fields((
            Field("reason", t("field.calls_for"), "textarea", values.get("reason", "")),
            Field("fault", t("field.model_and_fault"), "select", values.get("fault", ""), tuple(faults)),
            Field("kind", t("field.capa_kind"), "select", values.get("kind", ""), kinds),
            Field("scope_kind", t("field.scope_kind"), "select", values.get("scope_kind", ""), scopes),
            Field(
                "scope_value", t("field.scope_value"), "text", values.get("scope_value", ""), required=False,
                why=t("field.scope_value_why"), limit=200,
            ),
            Field(
                "work_orders", t("field.work_orders"), "text", values.get("work_orders", ""), required=False,
                why=t("field.work_orders_why"),
            ),
        ), typed.wrong),
        open=bool(typed.act),
    )  # fmt: skip


@router.get("/capa/{code}")
def show_capa(
    request: Request, pool: Database, caller: Annotated[Caller, require(Permission.CAPA_READ)], code: str
) -> Response:
    """One CAPA."""
    return render_capa(find_view(request, caller), pool, code)


def render_capa(view: View, pool: Pool, code: str, refused: Refused = NOT_REFUSED) -> Response:
    """The page; with a step that was refused, why, and what was typed where it was typed."""
    typed = refused.typed
    with pool.connection() as conn:
        capa = load_capa(conn, code)
        if capa is None:
            raise not_found("CAPA", code, "code")
        standing = load_standing(conn, capa)
        people = load_possible_owners(conn)
        plan_signed = load_signatures(conn, ENTITY, capa.id, standing.plan.find_content())
        closure_signed = load_signatures(conn, CLOSURE, capa.id, standing.closure)
        before = load_counts_before(conn, standing, view.now)
        results = load_effectiveness_results(conn, capa.id)
        members = load_capa_members(conn, capa.id)
        complaints = load_capa_complaints(conn, capa.id) if view.may(Permission.COMPLAINT_READ) else []
        devices = load_scope_devices(conn, capa.id, limit=DEVICES)
        profiles = load_profiles(conn)
        events = load_audit_events(conn, AuditFilter(entity=ENTITY, entity_id=code))
        acts = find_capa_acts(view, conn, standing, typed)
    return view.render(
        "capa.html",
        refused.status,
        problem=refused.problem,
        capa=find_head(view, capa, profiles),
        # A person's proposal rests on no figures; an empty table would look as if it did.
        cohort=None if capa.trigger == CapaTrigger.MANUAL else find_cohort(view, capa),
        regression=find_regression(view, capa, profiles),
        cause=find_investigation(view, capa, standing.plan.root_cause, typed),
        actions=find_action_lines(view, standing, people, typed),
        new_action=find_new_action(view, standing, people, typed),
        effect=find_effect(view, standing, before, results, typed),
        signatures=[
            {"title": view.t("capa.signed_plan"), "lines": find_signature_lines(view, plan_signed)},
            {"title": view.t("capa.signed_closure"), "lines": find_signature_lines(view, closure_signed)},
        ],
        devices=find_devices(devices),
        device_count=standing.plan.devices,
        complaints=find_complaints(view, complaints),
        members=find_members(view, members),
        acts=acts,
        timeline=find_audit_lines(view, events),
    )
