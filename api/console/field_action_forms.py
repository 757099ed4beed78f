"""What people do to a field action on its page: write it, look at its scope and freeze it, take steps, halt, go on."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.field_action_acts import GUARDS, HALTERS, ITEM_GUARDS, find_name
from api.console.field_action_draft_form import CHANGE_ACT, DRAFT_ACT, find_standing, read_draft
from api.console.field_action_pages import render_field_action, render_field_actions
from api.console.field_action_scope_form import SCOPE_ACT, find_preview, read_scope
from api.console.field_merge import SEEN, merge_fields
from api.console.form_faults import Fault, Why
from api.console.forms import (
    NOTHING,
    Fields,
    RecordForms,
    Refused,
    Version,
    find_guarded,
    find_typed,
    find_unsigned,
    find_unusable,
    read_text,
    sign,
)
from api.console.page import find_view
from api.once import change
from api.problems import not_found
from api.routes.field_actions import find_action
from api.state import Database
from domain.errors import GuardRefusedError, NotFoundError
from domain.field_action import (
    FieldActionKind,
    FieldActionState,
)
from domain.field_action_halt import HaltReason
from domain.field_action_steps import (
    FieldActionRequest,
    find_field_action_permissions,
    is_field_action_step_signed,
)
from domain.roles import Permission
from store.field_action_drafts import (
    change_draft,
    record_draft,
)
from store.field_action_halts import record_halt, record_resumption
from store.field_action_scope import count_left_out, freeze_scope, load_scope_preview, load_unknown_serials
from store.field_action_transitions import open_next_wave, record_field_action_step
from store.field_actions import (
    ENTITY,
    lock_field_action,
)
from store.place_names import load_place_names
from store.pool import Connection

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.FIELD_ACTION_READ)]
Writer = Annotated[Caller, require(Permission.FIELD_ACTION_WRITE)]
Approver = Annotated[Caller, require(Permission.FIELD_ACTION_APPROVE)]
FORMS = RecordForms(ENTITY, "/field-actions/", render_field_action)


@router.post("/field-actions/drafts")
def draft_field_action(request: Request, pool: Database, caller: Writer, fields: Fields) -> Response:
    """Writes a draft; its scope is frozen on its page."""
    view = find_view(request, caller)
    draft, wrong = read_draft(view, fields)
    if draft is None:
        return render_field_actions(view, pool, refused=find_unusable(view, DRAFT_ACT, fields, wrong))
    actor = find_actor(caller, (Permission.FIELD_ACTION_WRITE,))
    try:
        made = change(pool, lambda conn: record_draft(conn, actor, draft, now=view.now))
    except NotFoundError as missing:
        return render_field_actions(view, pool, refused=find_unusable(view, DRAFT_ACT, fields, _find_missing(missing)))
    except GuardRefusedError as refused:
        typed = find_typed(DRAFT_ACT, fields)
        return render_field_actions(view, pool, refused=find_guarded(view, GUARDS, refused.guard, typed))
    return RedirectResponse(view.link(f"/field-actions/{made.code}", done="saved"), 303)


@router.post("/field-actions/{code}/draft")
def change_field_action(
    request: Request, pool: Database, caller: Writer, code: str, row_version: Version, fields: Fields
) -> Response:
    """Rewrites a draft; signatures on it as it was hold no more."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        action = find_action(conn, code, caller)
    merged = merge_fields(fields, find_standing(view, action))
    fields, version = merged.fields, action.row_version if SEEN in merged.fields else row_version
    draft, wrong = read_draft(view, fields)
    if draft is None:
        return render_field_action(view, pool, code, find_unusable(view, CHANGE_ACT, fields, wrong))
    actor = find_actor(caller, (Permission.FIELD_ACTION_WRITE,))

    def work(conn: Connection) -> object:
        return change_draft(conn, actor, lock_field_action(conn, code, version), draft, now=view.now)

    try:
        return FORMS.take(view, pool, code, work, find_typed(CHANGE_ACT, fields), guards=ITEM_GUARDS, merged=merged)
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
        if unknown:
            wrong["serials"] = view.t("field_action.unknown_serials", serials=view.t("list.comma").join(unknown[:10]))
        return render_field_action(view, pool, code, find_unusable(view, SCOPE_ACT, fields, wrong))
    actor = find_actor(caller, (Permission.FIELD_ACTION_WRITE,))

    def work(conn: Connection) -> object:
        return freeze_scope(conn, actor, lock_field_action(conn, code, row_version), query, now=view.now)

    return FORMS.take(view, pool, code, work, find_typed(SCOPE_ACT, fields), guards=ITEM_GUARDS)


@router.post("/field-actions/{code}/scope-preview")
def look_at_scope(request: Request, pool: Database, caller: Writer, code: str, fields: Fields) -> Response:
    """Shows what the scope finds now, and whom it leaves out; nothing is written."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        action = find_action(conn, code, caller)
        if caller.customer_id is not None or action.state is not FieldActionState.DRAFT:
            raise not_found("draft of a field action", code, "code")
    query, wrong = read_scope(fields, action)
    if wrong:
        return render_field_action(view, pool, code, find_unusable(view, SCOPE_ACT, fields, wrong))
    component, is_campaign = action.component or "main", action.kind is FieldActionKind.FIRMWARE
    with pool.connection() as conn:
        found = load_scope_preview(conn, query, component=component, code=code, is_campaign=is_campaign)
        left = count_left_out(conn, query, component=component)
        places = load_place_names(conn, customers=found.by_customer, customer_id=None)
    kept = Refused("", 200, find_typed(SCOPE_ACT, fields))
    return render_field_action(view, pool, code, kept, preview=find_preview(view, query, found, left, places))


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
        return render_field_action(view, pool, code, find_guarded(view, GUARDS, "no_such_transition", NOTHING))
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
        return render_field_action(view, pool, code, find_unusable(view, "fa_halt", fields, {"reason": Fault.MISSING}))

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


def _find_missing(error: NotFoundError) -> dict[str, Why | None]:
    """The field that names what is not there."""
    found = str(error.detail)
    if found.startswith("device model"):
        return {"model": Fault.NOT_A_CHOICE}
    return {"firmware": Fault.NO_FIRMWARE} if found.startswith("firmware") else {"capa": Fault.NO_CAPA}
