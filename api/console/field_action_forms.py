"""What people do to a field action on its page: write, freeze, take steps, halt and go on, devices, what was said."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.field_action_acts import GUARDS, HALTERS, ITEM_GUARDS, SPEAKERS, find_name
from api.console.field_action_draft_form import CHANGE_ACT, DRAFT_ACT, SCOPE_ACT, read_draft, read_scope
from api.console.field_action_pages import render_field_action, render_field_actions
from api.console.forms import (
    NOTHING,
    Fields,
    RecordForms,
    Refused,
    find_typed,
    find_unsigned,
    find_unusable,
    read_moment,
    read_text,
    say_guard,
    sign,
    take_step,
)
from api.console.page import find_view
from api.once import change
from api.problems import FORBIDDEN, ProblemError, not_found
from api.routes.field_actions import find_action
from api.state import Database
from domain.audit_field_action import ITEM
from domain.errors import GuardRefusedError, NotFoundError
from domain.field_action import (
    FieldActionRequest,
    FieldActionState,
    find_field_action_permissions,
    is_field_action_step_signed,
)
from domain.field_action_halt import HaltReason
from domain.field_action_item import ItemRequest, ItemState, find_item_id, find_item_permissions
from domain.roles import Permission
from store.field_action_communications import Channel, ContactResult, NewCommunication, record_communication
from store.field_action_halts import record_halt, record_resumption
from store.field_action_items import ItemFilter, load_items, lock_item
from store.field_action_scope import freeze_scope, load_unknown_serials
from store.field_action_transitions import open_next_wave, record_field_action_step, record_item_step
from store.field_actions import ENTITY, change_draft, lock_field_action, record_draft
from store.pool import Connection

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.FIELD_ACTION_READ)]
Writer = Annotated[Caller, require(Permission.FIELD_ACTION_WRITE)]
Approver = Annotated[Caller, require(Permission.FIELD_ACTION_APPROVE)]
Version = Annotated[int, Form(ge=0)]
FORMS = RecordForms(ENTITY, "/field-actions/", render_field_action)


@router.post("/field-actions/drafts")
def draft_field_action(request: Request, pool: Database, caller: Writer, fields: Fields) -> Response:
    """Writes a draft; its scope is frozen on its page."""
    view = find_view(request, caller)
    draft, wrong = read_draft(fields)
    if draft is None:
        return render_field_actions(view, pool, refused=find_unusable(view, DRAFT_ACT, fields, wrong))
    actor = find_actor(caller, (Permission.FIELD_ACTION_WRITE,))
    try:
        made = change(pool, lambda conn: record_draft(conn, actor, draft, now=view.now))
    except NotFoundError as missing:
        return render_field_actions(view, pool, refused=find_unusable(view, DRAFT_ACT, fields, _find_missing(missing)))
    except GuardRefusedError as refused:
        sentence = say_guard(view, GUARDS, refused.guard)
        return render_field_actions(view, pool, refused=Refused(sentence, 409, find_typed(DRAFT_ACT, fields)))
    return RedirectResponse(view.link(f"/field-actions/{made.code}", done="saved"), 303)


@router.post("/field-actions/{code}/draft")
def change_field_action(
    request: Request, pool: Database, caller: Writer, code: str, row_version: Version, fields: Fields
) -> Response:
    """Rewrites a draft; signatures on it as it was hold no more."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        draft, wrong = read_draft(fields, find_action(conn, code, caller))
    if draft is None:
        return render_field_action(view, pool, code, find_unusable(view, CHANGE_ACT, fields, wrong))
    actor = find_actor(caller, (Permission.FIELD_ACTION_WRITE,))

    def work(conn: Connection) -> object:
        return change_draft(conn, actor, lock_field_action(conn, code, row_version), draft, now=view.now)

    try:
        return FORMS.take(view, pool, code, work, find_typed(CHANGE_ACT, fields), guards=ITEM_GUARDS)
    except NotFoundError as missing:
        return render_field_action(view, pool, code, find_unusable(view, CHANGE_ACT, fields, _find_missing(missing)))


@router.post("/field-actions/{code}/scope")
def freeze(
    request: Request, pool: Database, caller: Writer, code: str, row_version: Version, fields: Fields
) -> Response:
    """Looks the devices up now and makes them those of the draft."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        query, wrong = read_scope(fields, find_action(conn, code, caller))
        unknown = [] if wrong else load_unknown_serials(conn, query)
    if wrong or unknown:
        refused = find_unusable(view, SCOPE_ACT, fields, wrong or {"serials"})
        if unknown:
            named = view.t("list.comma").join(unknown[:10])
            refused = Refused(view.t("field_action.unknown_serials", serials=named), 422, refused.typed)
        return render_field_action(view, pool, code, refused)
    actor = find_actor(caller, (Permission.FIELD_ACTION_WRITE,))

    def work(conn: Connection) -> object:
        return freeze_scope(conn, actor, lock_field_action(conn, code, row_version), query, now=view.now)

    return FORMS.take(view, pool, code, work, find_typed(SCOPE_ACT, fields), guards=ITEM_GUARDS)


@router.post("/field-actions/{code}/transitions")
def take_field_action_step(
    request: Request,
    pool: Database,
    caller: Reader,
    code: str,
    to: Annotated[FieldActionState, Form()],
    row_version: Version,
    fields: Fields,
) -> Response:
    """Takes one step; approvals, closing and most of cancelling are signed with the password."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        state = find_action(conn, code, caller).state
    act, needed = find_name(state, to), find_field_action_permissions(state, to)
    if not needed:
        sentence = say_guard(view, GUARDS, "no_such_transition")
        return render_field_action(view, pool, code, Refused(sentence, 409, NOTHING))
    actor = find_actor(caller, needed)
    signature = sign(view, pool, fields) if is_field_action_step_signed(state, to) else None
    if isinstance(signature, str):
        return render_field_action(view, pool, code, find_unsigned(signature, act, fields))
    wish = FieldActionRequest(to, read_text(fields, "reason"), signature)

    def work(conn: Connection) -> object:
        return record_field_action_step(conn, actor, lock_field_action(conn, code, row_version), wish, now=view.now)

    return FORMS.take(view, pool, code, work, find_typed(act, fields), guards=ITEM_GUARDS)


@router.post("/field-actions/{code}/waves")
def open_wave(
    request: Request, pool: Database, caller: Writer, code: str, row_version: Version, fields: Fields
) -> Response:
    """Opens the next wave once the one before is done and has stood."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        find_action(conn, code, caller)
    actor = find_actor(caller, (Permission.FIELD_ACTION_WRITE,))

    def work(conn: Connection) -> object:
        return open_next_wave(conn, actor, lock_field_action(conn, code, row_version), now=view.now)

    return FORMS.take(view, pool, code, work, find_typed("fa_wave", fields), guards=ITEM_GUARDS)


@router.post("/field-actions/{code}/halt")
def halt(request: Request, pool: Database, caller: Reader, code: str, fields: Fields) -> Response:
    """Stops the action where it stands, whatever changed meanwhile: stopping is urgent."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        find_action(conn, code, caller)
    actor, reason = find_actor(caller, HALTERS), read_text(fields, "reason")
    if not reason:
        return render_field_action(view, pool, code, find_unusable(view, "fa_halt", fields, {"reason"}))

    def work(conn: Connection) -> object:
        return record_halt(conn, actor, lock_field_action(conn, code), HaltReason.PERSON, reason, None, now=view.now)

    return FORMS.take(view, pool, code, work, find_typed("fa_halt", fields), guards=ITEM_GUARDS)


@router.post("/field-actions/{code}/resumption")
def resume(
    request: Request, pool: Database, caller: Approver, code: str, row_version: Version, fields: Fields
) -> Response:
    """Lets a halted action go on, signed."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        find_action(conn, code, caller)
    actor, signature = find_actor(caller, (Permission.FIELD_ACTION_APPROVE,)), sign(view, pool, fields)
    if isinstance(signature, str):
        return render_field_action(view, pool, code, find_unsigned(signature, "fa_resume", fields))
    reason = read_text(fields, "reason")

    def work(conn: Connection) -> object:
        return record_resumption(
            conn, actor, lock_field_action(conn, code, row_version), reason, signature, now=view.now
        )

    return FORMS.take(view, pool, code, work, find_typed("fa_resume", fields), guards=ITEM_GUARDS)


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
    channel, result = read_text(fields, "channel", 20), read_text(fields, "result", 20)
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
    wrong = {"about": not is_there, "channel": channel not in set(Channel), "result": result not in set(ContactResult)}
    if any(wrong.values()):
        named = {name for name, is_wrong in wrong.items() if is_wrong}
        return render_field_action(view, pool, code, find_unusable(view, "fa_say", fields, named))
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


def _find_missing(error: NotFoundError) -> set[str]:
    """The field that names what is not there."""
    found = str(error.detail)
    return {"model"} if found.startswith("device model") else {"firmware"} if found.startswith("firmware") else {"capa"}
