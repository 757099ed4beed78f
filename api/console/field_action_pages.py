"""Field actions: the list, and the page of one with scope, approvals, waves, devices, trail and halts."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.console.acts import Act
from api.console.field_action_acts import find_communication_act, find_field_action_acts, find_item_acts
from api.console.field_action_draft_form import find_draft_act
from api.console.field_action_figures import find_effect_facts, find_halt, tell_halts
from api.console.field_action_scope_form import PreviewView, find_scope_act
from api.console.field_action_views import (
    PROGRESS,
    find_facts,
    find_item_line,
    find_line,
    find_progress,
    find_scope_facts,
    find_stages,
    find_trail,
    find_waves,
)
from api.console.filters import Filter, find_choice
from api.console.forms import NOT_REFUSED, Refused
from api.console.page import View, find_view
from api.console.signature_views import find_signature_lines
from api.console.timeline import find_audit_lines
from api.routes.field_actions import find_action
from api.state import Database
from domain.field_action import FieldActionState, find_field_action_content
from domain.field_action_item import FieldActionItem, ItemState
from domain.roles import Permission
from store.audit import AuditFilter, load_audit_events
from store.field_action_communications import load_communications
from store.field_action_items import ItemFilter, load_items
from store.field_action_progress import load_progress
from store.field_action_scope import load_scope_drift
from store.field_action_transitions import load_wave_figures
from store.field_actions import ENTITY, FieldActionFilter, count_field_actions, load_field_actions
from store.firmware_records import load_firmware_records
from store.place_names import load_place_names
from store.pool import Connection, Pool
from store.profiles import load_profiles
from store.signatures import load_signatures

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.FIELD_ACTION_READ)]
ROWS = 50
TRAIL = 30


@router.get("/field-actions")
def show_field_actions(
    request: Request, pool: Database, caller: Reader, state: str = "", before: int | None = None
) -> Response:
    """Recalls, corrections and firmware campaigns, newest first."""
    return render_field_actions(find_view(request, caller), pool, state=state, before=before)


def render_field_actions(
    view: View, pool: Pool, *, state: str = "", before: int | None = None, refused: Refused = NOT_REFUSED
) -> Response:
    """The list; with a draft that was refused, what was typed stands where it was typed."""
    names = [(s.value, view.name("state", s.value)) for s in FieldActionState]
    chosen = find_choice(state, [value for value, _ in names])
    wanted = FieldActionFilter(states=(chosen,) if chosen else (), customer_id=view.person.customer_id)
    with pool.connection() as conn:
        found = load_field_actions(conn, wanted, before_id=before, limit=ROWS + 1)
        count = 0 if found else count_field_actions(conn, FieldActionFilter(customer_id=view.person.customer_id))
        models = sorted(load_profiles(conn))
        firmware = load_firmware_records(conn, states=("DRAFT", "APPROVED", "RELEASED"), limit=200)
    act = find_draft_act(view, models, firmware, None, refused.typed)
    return view.render(
        "field_actions.html",
        refused.status,
        rows=[find_line(view, action) for action in found[:ROWS]],
        filters=[Filter("state", view.t("column.state"), chosen, names)],
        older=view.link("/field-actions", state=chosen, before=found[ROWS - 1].id) if len(found) > ROWS else None,
        proof=view.t("field_actions.proof", count=count),
        filtered=bool(chosen),
        problem=refused.problem,
        new=act,
    )


@router.get("/field-actions/{code}")
def show_field_action(
    request: Request,
    pool: Database,
    caller: Reader,
    code: str,
    item: str = "",
    state: str = "",
    region: str = "",
    customer: str = "",
    after: int | None = None,
) -> Response:
    """One field action."""
    chosen = {"state": state, "region": region, "customer": customer}
    return render_field_action(find_view(request, caller), pool, code, item=item, chosen=chosen, after=after)


def render_field_action(
    view: View,
    pool: Pool,
    code: str,
    refused: Refused = NOT_REFUSED,
    *,
    item: str = "",
    chosen: dict[str, str] | None = None,
    after: int | None = None,
    preview: PreviewView | None = None,
) -> Response:
    """The page; with a step that was refused, why, and what was typed where it was typed. What stands of other
    customers' devices is not for an account of one customer."""
    typed = refused.typed
    customer_id = view.person.customer_id
    is_ours = customer_id is None
    with pool.connection() as conn:
        action = find_action(conn, code, view.person)
        filters, wanted = _find_filters(view, conn, action.id, chosen or {})
        items = load_items(conn, action.id, wanted, after_id=after, limit=ROWS + 1)
        picked = _load_item(conn, action.id, item, customer_id)
        by_customer = load_progress(conn, action.id, "customer", customer_id=customer_id)
        by_region = load_progress(conn, action.id, "region", customer_id=customer_id)
        content = find_field_action_content(action)
        signatures = load_signatures(conn, ENTITY, action.id, content) if is_ours else []
        figures = load_wave_figures(conn, action.id) if is_ours else []
        drift = load_scope_drift(conn, action) if is_ours and action.scope_frozen_at else None
        serial = picked.serial if picked else ""
        trail = load_communications(conn, action.id, serial=serial, customer_id=customer_id, limit=TRAIL)
        told = [one.customer_code for one in trail] + [*(action.scope.get("customers") or ())]
        places = load_place_names(conn, customers=told, customer_id=customer_id)
        events = load_audit_events(conn, AuditFilter(entity=ENTITY, entity_id=code)) if is_ours else []
        profiles = load_profiles(conn) if is_ours and action.is_halted else {}
        drafting: list[Act] = []
        if action.state is FieldActionState.DRAFT and is_ours:
            firmware = load_firmware_records(conn, states=("DRAFT", "APPROVED", "RELEASED"), limit=200)
            drafting = [
                find_draft_act(view, sorted(load_profiles(conn)), firmware, action, typed),
                find_scope_act(view, action, typed),
            ]
        acts = find_field_action_acts(view, conn, action, typed)
        item_acts = find_item_acts(view, conn, action, picked, typed) if picked else []
    customers = [(f"customer:{g.key}", g.name or g.key) for g in by_customer if g.key]
    kept = {name: value for name, value in (chosen or {}).items() if value}
    return view.render(
        "field_action.html",
        refused.status,
        problem=refused.problem,
        action={
            "code": action.code,
            "row_version": action.row_version,
            "title": action.title,
            "kind": view.name("field_action_kind", action.kind),
            "state": action.state.value,
            "flags": ["SIM"] if action.is_simulated else [],
            "created": view.when(action.created_at),
            "created_by": view.who(action.created_by) if is_ours else "",
            "description": action.description,
            "instructions": action.instructions,
            "stage_list": find_stages(action),
            "cancel_reason": action.cancel_reason,
            "capa": action.capa_code,
            "facts": find_facts(view, action),
        },
        acts=acts,
        drafting=drafting,
        preview=preview,
        halt=find_halt(view, action, profiles) if is_ours else None,
        scope=find_scope_facts(view, action, drift, places) if is_ours else [],
        waves=find_waves(view, action, figures) if is_ours else [],
        regions=find_progress(view, by_region, view.t("field_action.nowhere")),
        customers=find_progress(view, by_customer, view.t("field_action.nobody")),
        progress_heads=[view.name("state", name.upper()) for name in PROGRESS],
        effect=find_effect_facts(view, action) if is_ours else [],
        signatures=find_signature_lines(view, signatures),
        items=[find_item_line(view, one) for one in items[:ROWS]],
        filters=filters,
        filtered=bool(kept),
        item_href=view.link(f"/field-actions/{code}", **kept),
        older=view.link(f"/field-actions/{code}", **kept, after=items[ROWS - 1].id) if len(items) > ROWS else None,
        picked=find_item_line(view, picked) if picked else None,
        item_acts=item_acts,
        say=find_communication_act(view, action, customers, serial, typed),
        trail=find_trail(view, trail, places),
        timeline=find_audit_lines(view, tell_halts(view, events)),
    )


def _load_item(conn: Connection, action_id: int, serial: str, customer_id: int | None) -> FieldActionItem | None:
    if not serial:
        return None
    found = load_items(conn, action_id, ItemFilter(serial=serial, customer_id=customer_id), limit=1)
    return found[0] if found else None


def _find_filters(
    view: View, conn: Connection, action_id: int, chosen: dict[str, str]
) -> tuple[list[Filter], ItemFilter]:
    customer_id = view.person.customer_id
    regions = [g.key for g in load_progress(conn, action_id, "region", customer_id=customer_id) if g.key]
    customers = [
        (g.key, g.name or g.key) for g in load_progress(conn, action_id, "customer", customer_id=customer_id) if g.key
    ]
    offered: list[tuple[str, str, list[tuple[str, str]]]] = [
        ("state", view.t("column.state"), [(s.value, view.name("state", s.value)) for s in ItemState]),
        ("region", view.t("fact.region"), [(region, region) for region in regions]),
        ("customer", view.t("column.customer"), customers),
    ]
    filters = [
        Filter(name, label, find_choice(chosen.get(name, ""), [value for value, _ in options]), options)
        for name, label, options in offered
    ]
    values: dict[str, Any] = {f.name: f.value for f in filters}
    wanted = ItemFilter(
        states=(values["state"],) if values["state"] else (),
        region=values["region"],
        customer=values["customer"],
        customer_id=customer_id,
    )
    return filters, wanted
