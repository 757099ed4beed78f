"""What people do to one device of a field action, and what they note was said to whom."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.field_action_acts import ITEM_GUARDS, SPEAKERS
from api.console.field_action_forms import FORMS
from api.console.field_action_pages import render_field_action
from api.console.form_faults import Fault
from api.console.forms import (
    NOTHING,
    Fields,
    Refused,
    Version,
    find_moment_fault,
    find_typed,
    find_unusable,
    read_moment,
    read_text,
    say_guard,
    take_step,
)
from api.console.page import find_view
from api.problems import FORBIDDEN, ProblemError, not_found
from api.routes.field_actions import find_action
from api.state import Database
from domain.audit_field_action import ITEM
from domain.field_action_item import ItemRequest, ItemState, find_item_id, find_item_permissions
from domain.roles import Permission
from store.field_action_communications import Channel, ContactResult, NewCommunication, record_communication
from store.field_action_items import ItemFilter, load_items, lock_item
from store.field_action_transitions import record_item_step
from store.field_actions import lock_field_action
from store.pool import Connection

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.FIELD_ACTION_READ)]


@router.post("/field-actions/{code}/items")
def take_item_step(
    request: Request,
    pool: Database,
    caller: Reader,
    code: str,
    serial: Annotated[str, Form(max_length=64)],
    to: Annotated[ItemState, Form()],
    row_version: Version,
    fields: Fields,
) -> Response:
    """Takes a step with one device."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        action = find_action(conn, code, caller)
        wanted = ItemFilter(serial=serial, customer_id=caller.customer_id)
        found = load_items(conn, action.id, wanted, limit=1) if serial else []
    if not found:
        raise not_found("device in this action", serial, "serial")
    needed = tuple(find_item_permissions(found[0].state, to))
    act = f"item_{to.lower()}"
    if not needed:
        sentence = say_guard(view, ITEM_GUARDS, "no_such_transition")
        return render_field_action(view, pool, code, Refused(sentence, 409, NOTHING), item=serial)
    actor = find_actor(caller, needed)
    unreadable = find_moment_fault(view, fields, "scheduled_for")
    if unreadable is not None:
        unusable = find_unusable(view, act, fields, {"scheduled_for": unreadable})
        return render_field_action(view, pool, code, unusable, item=serial)
    wish = ItemRequest(
        to, read_text(fields, "reason"), read_text(fields, "evidence"), read_moment(view, fields, "scheduled_for")
    )

    def work(conn: Connection) -> object:
        locked = lock_field_action(conn, code)
        before = lock_item(conn, locked, serial, row_version)
        return record_item_step(conn, actor, locked, before, wish, now=view.now)

    entity_id = find_item_id(code, serial)
    refused = take_step(view, pool, work, find_typed(act, fields), guards=ITEM_GUARDS, entity=ITEM, code=entity_id)
    if refused is not None:
        return render_field_action(view, pool, code, refused, item=serial)
    return RedirectResponse(view.link(f"/field-actions/{code}", item=serial, done="saved") + "#item", 303)


@router.post("/field-actions/{code}/communications")
def say(request: Request, pool: Database, caller: Reader, code: str, fields: Fields) -> Response:
    """Notes what was said to a customer, or about one device."""
    view = find_view(request, caller)
    kind, _, about = read_text(fields, "about", 200).partition(":")
    channel, result = read_text(fields, "channel"), read_text(fields, "result")
    with pool.connection() as conn:
        action = find_action(conn, code, caller)
        wanted = ItemFilter(
            customer=about if kind == "customer" else "",
            serial=about if kind == "serial" else "",
            customer_id=caller.customer_id,
        )
        is_there = bool(about) and kind in ("customer", "serial") and bool(load_items(conn, action.id, wanted, limit=1))
    held = [permission for permission in SPEAKERS if caller.may(permission)]
    if not held:
        raise ProblemError(FORBIDDEN, permission=SPEAKERS[0].value)
    wrong = {
        "about": Fault.NOT_A_CHOICE.where(not is_there),
        "channel": Fault.NOT_A_CHOICE.where(channel not in set(Channel)),
        "result": Fault.NOT_A_CHOICE.where(result not in set(ContactResult)),
    }
    if any(wrong.values()):
        return render_field_action(view, pool, code, find_unusable(view, "fa_say", fields, wrong))
    actor = find_actor(caller, SPEAKERS)
    said = NewCommunication(
        Channel(channel),
        ContactResult(result),
        view.now,
        wanted.customer,
        wanted.serial,
        read_text(fields, "contact", 200),
        read_text(fields, "text"),
    )

    def work(conn: Connection) -> object:
        return record_communication(conn, actor, lock_field_action(conn, code), said, now=view.now)

    return FORMS.take(view, pool, code, work, find_typed("fa_say", fields), guards=ITEM_GUARDS)
