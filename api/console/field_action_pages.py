"""Field actions: the list, and the page of one with scope, approvals, waves, devices, trail and halts."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.console.acts import Act
from api.console.field_action_acts import find_communication_act, find_field_action_acts, find_item_acts
from api.console.field_action_devices import find_device_tables, load_devices
from api.console.field_action_draft_form import find_draft_act
from api.console.field_action_record import load_record
from api.console.field_action_scope_form import PreviewView, find_scope_act
from api.console.field_action_views import find_head, find_line, find_trail
from api.console.filters import Filter, find_choice
from api.console.forms import NOT_REFUSED, Refused, Typed
from api.console.page import View, find_view
from api.routes.field_actions import find_action
from api.state import Database
from domain.field_action import FieldAction, FieldActionState
from domain.roles import Permission
from store.field_action_communications import load_communications
from store.field_actions import FieldActionFilter, count_field_actions, load_field_actions
from store.firmware_records import load_firmware_records
from store.place_names import load_place_names
from store.pool import Connection, Pool
from store.profiles import load_profiles

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
    with pool.connection() as conn:
        action = find_action(conn, code, view.person)
        devices = load_devices(view, conn, action, chosen or {}, item=item, after=after)
        customer_id = view.person.customer_id
        trail = load_communications(conn, action.id, serial=devices.serial, customer_id=customer_id, limit=TRAIL)
        told = [one.customer_code for one in trail] + [*(action.scope.get("customers") or ())]
        places = load_place_names(conn, customers=told, customer_id=customer_id)
        record = load_record(view, conn, action, places)
        drafting = _load_drafting(view, conn, action, typed)
        acts = find_field_action_acts(view, conn, action, typed)
        item_acts = find_item_acts(view, conn, action, devices.picked, typed) if devices.picked else []
    return view.render(
        "field_action.html",
        refused.status,
        problem=refused.problem,
        action=find_head(view, action),
        acts=acts,
        drafting=drafting,
        preview=preview,
        **record,
        **find_device_tables(view, action, devices),
        item_acts=item_acts,
        say=find_communication_act(view, action, devices.named_customers, devices.serial, typed),
        trail=find_trail(view, trail, places),
    )


def _load_drafting(view: View, conn: Connection, action: FieldAction, typed: Typed) -> list[Act]:
    """The forms that write it, as long as it is a draft."""
    if action.state is not FieldActionState.DRAFT or view.person.customer_id is not None:
        return []
    firmware = load_firmware_records(conn, states=("DRAFT", "APPROVED", "RELEASED"), limit=200)
    models = sorted(load_profiles(conn))
    return [find_draft_act(view, models, firmware, action, typed), find_scope_act(view, action, typed)]
