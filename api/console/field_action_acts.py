"""What can be done with a field action and its devices, as forms; where a guard would refuse it now, its sentence."""

from collections.abc import Mapping, Sequence

from api.console.acts import Act, Field, mark_fields, name_act, refuse_act
from api.console.forms import Typed, find_signature_fields, say_guard
from api.console.page import View
from domain.audit import Signature
from domain.field_action import (
    FieldAction,
    FieldActionGuard,
    FieldActionState,
)
from domain.field_action_item import (
    FieldActionItem,
    ItemRequest,
    ItemState,
    find_item_next_states,
    find_item_permissions,
    find_item_refusal,
)
from domain.field_action_steps import (
    FieldActionRequest,
    find_field_action_next,
    find_field_action_next_states,
    find_field_action_permissions,
    find_field_action_refusal,
    is_field_action_step_signed,
)
from domain.roles import Permission
from domain.two_signatures import find_signing_refusal
from store.field_action_communications import Channel, ContactResult
from store.field_action_items import find_item_facts
from store.field_action_transitions import find_field_action_facts, find_wave_refusal, load_open_wave
from store.pool import Connection

GUARDS = "field_action_guard capa_guard"
ITEM_GUARDS = "item_guard field_action_guard capa_guard"
HALTERS = (Permission.FIELD_ACTION_WRITE, Permission.FIELD_ACTION_APPROVE)
SPEAKERS = (Permission.FIELD_ACTION_WORK, Permission.FIELD_ACTION_WRITE)
_S = FieldActionState
NAMES = {
    _S.APPROVED: "fa_approve",
    _S.NOTIFYING: "fa_notify",
    _S.EXECUTING: "fa_execute",
    _S.EFFECTIVENESS: "fa_measure",
    _S.CLOSED: "fa_close",
    _S.CANCELLED: "fa_cancel",
}


def find_name(state: FieldActionState, to: FieldActionState) -> str:
    """The act that takes this step."""
    return "fa_again" if (state, to) == (_S.EFFECTIVENESS, _S.EXECUTING) else NAMES.get(to, "")


def find_field_action_acts(view: View, conn: Connection, action: FieldAction, typed: Typed) -> list[Act]:
    """The steps in the order of the work, then waves, halting and going on; cancelling comes last."""
    steps = [_find_step(view, conn, action, to, typed) for to in find_field_action_next_states(action.state)]
    acts = [act for act in steps if act.name != "fa_cancel"]
    if action.state is _S.EXECUTING and action.current_wave < len(action.waves):
        acts.insert(0, _find_wave(view, conn, action))
    if action.state.is_running:
        acts.append(_find_resumption(view, action, typed) if action.is_halted else _find_halt(view, action, typed))
    return [*acts, *(act for act in steps if act.name == "fa_cancel")]


def _find_missing(view: View, needed: Sequence[Permission]) -> str:
    """Why this person may not, where he has none of these rights."""
    if any(view.may(permission) for permission in needed):
        return ""
    return view.say_missing(needed[0])


def _find_step(view: View, conn: Connection, action: FieldAction, to: FieldActionState, typed: Typed) -> Act:
    name = find_name(action.state, to)
    needed = find_field_action_permissions(action.state, to)
    missing = _find_missing(view, needed)
    if missing:
        return refuse_act(view, name, missing)
    held = next(permission for permission in needed if view.may(permission))
    me = view.person.user_id
    is_signed = is_field_action_step_signed(action.state, to)
    signature = Signature(me, view.person.full_name, "-") if me is not None and is_signed else None
    wish = FieldActionRequest(to, "-", signature)
    facts = find_field_action_facts(conn, action, me)
    refusal = find_field_action_refusal(wish, facts, held)
    if refusal is not None:
        return refuse_act(view, name, say_guard(view, GUARDS, refusal.guard))
    said = typed.of(name)
    submit, explain = view.t(f"act.{name}_do"), ""
    if name == "fa_approve":
        moves = find_field_action_next(wish, facts) is to
        submit = view.t("act.fa_approve_do" if moves else "act.fa_approve_first_do")
        explain = view.t("act.explain_fa_approve_last" if moves else "act.explain_fa_approve_first")
    elif name in ("fa_execute", "fa_notify"):
        explain = view.t(f"act.explain_{name}")
    reason: tuple[Field, ...] = ()
    if name in ("fa_again", "fa_cancel", "fa_close"):
        is_needed = name != "fa_close" or facts.items_unreachable > 0
        value = said.values.get("reason", "")
        reason = (Field("reason", view.t("field.reason"), "textarea", value, required=is_needed),)
    signing = find_signature_fields(view, said, view.t(f"field.meaning_{name}")) if is_signed else ()
    return _make(view, action, name, "transitions", to.value, (*reason, *signing), said, submit, explain)


def _make(
    view: View,
    action: FieldAction,
    name: str,
    place: str,
    to: str,
    fields: tuple[Field, ...],
    typed: Typed,
    submit: str = "",
    explain: str = "",
) -> Act:
    return Act(
        name,
        view.t(f"act.{name}"),
        submit=submit or view.t(f"act.{name}_do"),
        action=f"/field-actions/{action.code}/{place}",
        to=to,
        row_version=action.row_version,
        explain=explain,
        fields=mark_fields(fields, typed.wrong),
        open=bool(typed.act),
    )


def _find_wave(view: View, conn: Connection, action: FieldAction) -> Act:
    name = "fa_wave"
    missing = _find_missing(view, (Permission.FIELD_ACTION_WRITE,))
    if missing or action.is_halted:
        return refuse_act(view, name, missing or say_guard(view, GUARDS, FieldActionGuard.HALTED))
    refusal = find_wave_refusal(action, *load_open_wave(conn, action), view.now)
    if refusal is not None:
        return refuse_act(view, name, say_guard(view, GUARDS, refusal[0]))
    explain = view.t("act.explain_fa_wave", n=action.current_wave + 1)
    return _make(view, action, name, "waves", "", (), Typed(), explain=explain)


def _find_halt(view: View, action: FieldAction, typed: Typed) -> Act:
    name, missing = "fa_halt", _find_missing(view, HALTERS)
    if missing:
        return refuse_act(view, name, missing)
    said = typed.of(name)
    fields = (Field("reason", view.t("field.reason"), "textarea", said.values.get("reason", "")),)
    return _make(view, action, name, "halt", "", fields, said, explain=view.t("act.explain_fa_halt"))


def _find_resumption(view: View, action: FieldAction, typed: Typed) -> Act:
    name, missing = "fa_resume", _find_missing(view, (Permission.FIELD_ACTION_APPROVE,))
    if missing:
        return refuse_act(view, name, missing)
    me = view.person.user_id
    signature = Signature(me, view.person.full_name, "-") if me is not None else None
    refusal = find_signing_refusal(signature, actor_id=me, author_ids=action.author_ids)
    if action.firmware_id is not None and action.firmware_state != "RELEASED":
        return refuse_act(view, name, say_guard(view, GUARDS, FieldActionGuard.FIRMWARE_NOT_RELEASED))
    if refusal is not None:
        return refuse_act(view, name, say_guard(view, GUARDS, refusal.guard))
    said = typed.of(name)
    reason = Field("reason", view.t("field.reason"), "textarea", said.values.get("reason", ""))
    fields = (reason, *find_signature_fields(view, said, view.t("field.meaning_fa_resume")))
    return _make(view, action, name, "resumption", "", fields, said, explain=view.t("act.explain_fa_resume"))


def find_item_acts(view: View, conn: Connection, action: FieldAction, item: FieldActionItem, typed: Typed) -> list[Act]:
    """What people can make of one device; what its reports alone say is not offered."""
    facts = find_item_facts(conn, action, item, view.person.user_id)
    acts = []
    for to in find_item_next_states(item.state):
        name = f"item_{to.lower()}"
        needed = tuple(find_item_permissions(item.state, to))
        missing = _find_missing(view, needed)
        if missing:
            acts.append(refuse_act(view, name, missing))
            continue
        held = next(permission for permission in needed if view.may(permission))
        refusal = find_item_refusal(ItemRequest(to, "-", "-", view.now), facts, held)
        if refusal is not None:
            acts.append(refuse_act(view, name, say_guard(view, ITEM_GUARDS, refusal.guard)))
            continue
        said = typed.of(name)
        acts.append(
            Act(
                *name_act(view, name),
                action=f"/field-actions/{action.code}/items",
                to=to.value,
                row_version=item.row_version,
                fields=mark_fields(_find_item_fields(view, item, to, said.values), said.wrong),
                hidden=(("serial", item.serial),),
                open=bool(said.act),
            )
        )
    return acts


def _find_item_fields(view: View, item: FieldActionItem, to: ItemState, values: Mapping[str, str]) -> tuple[Field, ...]:
    t = view.t
    if to is ItemState.SCHEDULED:
        at = values.get("scheduled_for", "")
        return (Field("scheduled_for", t("field.scheduled_for"), "datetime-local", at),)
    if to in (ItemState.REMEDIATED, ItemState.VERIFIED):
        return (Field("evidence", t("field.item_evidence"), "textarea", values.get("evidence", "")),)
    is_needed = to is ItemState.SCRAPPED or item.state is ItemState.SCHEDULED
    if is_needed:
        return (Field("reason", t("field.reason"), "textarea", values.get("reason", "")),)
    return ()


def find_communication_act(
    view: View, action: FieldAction, customers: list[tuple[str, str]], serial: str, typed: Typed
) -> Act | None:
    """The form that notes what was said; None where the action tells nobody anything now."""
    if not action.state.is_running and action.state is not _S.EFFECTIVENESS:
        return None
    name, missing = "fa_say", _find_missing(view, SPEAKERS)
    if missing:
        return refuse_act(view, name, missing)
    said = typed.of(name)
    values, t = said.values, view.t
    whom = [*customers, *([(f"serial:{serial}", t("field_action.device_only", serial=serial))] if serial else [])]
    channels = tuple((c.value, view.name("channel", c)) for c in Channel if c is not Channel.DEVICE)
    results = tuple((r.value, view.name("contact_result", r)) for r in ContactResult if r is not ContactResult.FAILED)
    first = f"serial:{serial}" if serial else ""
    return Act(
        *name_act(view, name),
        action=f"/field-actions/{action.code}/communications",
        fields=mark_fields(
            (
                Field("about", t("field.said_to"), "select", values.get("about", first), tuple(whom)),
                Field("channel", t("field.channel"), "select", values.get("channel", "PHONE"), channels),
                Field("result", t("field.contact_result"), "select", values.get("result", "REACHED"), results),
                Field("contact", t("field.contact"), "text", values.get("contact", ""), required=False, limit=200),
                Field("text", t("field.said"), "textarea", values.get("text", ""), required=False),
            ),
            said.wrong,
        ),
        open=bool(said.act),
    )
