"""Changes that take two people in words: what exactly is asked, of which record as it was, and what may be done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from api.console.acts import Act, Field, mark_fields, name_act, refuse_act
from api.console.approval_changes import Change, find_record_changes, find_request_changes
from api.console.facts import Fact
from api.console.field_names import name_columns, name_export_list, name_field
from api.console.forms import Typed, find_signature_fields, say_guard
from api.console.instants import Instant
from api.console.order_rows import Clock, find_clock
from api.console.page import View
from api.console.place_words import NO_PLACES, tell_field
from domain.approval_request import (
    DECISIONS,
    RULES,
    ApprovalFacts,
    ApprovalKind,
    ApprovalRequest,
    ApprovalState,
    find_approval_refusal,
    is_intact,
)
from domain.audit import Signature
from domain.masking import mask_json
from domain.model_record import MODEL_PERMISSION
from domain.profile import Profile
from domain.roles import Permission
from domain.two_signatures import SigningGuard, find_signing_refusal
from store.models import ModelRow
from store.place_names import PlaceNames
from store.second_signatures import WaitingRecord

GUARDS = "approval_guard record_guard"
COLUMNS = ("columns", "personal_columns")
PLACES = {"work_order": "/work-orders/", "device": "/devices/", "retention": "/admin/retention?kept="}
# What a record of its own waits for, the right that its second person needs, and where it is signed.
WAITING = {
    "capa_plan": (Permission.CAPA_READ, Permission.CAPA_APPROVE, "/capa/"),
    "capa_closure": (Permission.CAPA_READ, Permission.CAPA_APPROVE, "/capa/"),
    "field_action": (Permission.FIELD_ACTION_READ, Permission.FIELD_ACTION_APPROVE, "/field-actions/"),
    "firmware": (Permission.DEVICE_READ, Permission.FIRMWARE_APPROVE, "/firmware/"),
    "vigilance": (Permission.COMPLAINT_READ, Permission.VIGILANCE_DECIDE, "/complaints/"),
    "threshold": (Permission.CAPA_READ, Permission.PROFILE_WRITE, "/monitors/"),
    "model": (Permission.CAPA_READ, MODEL_PERMISSION, "/models/"),
}
STEPS = {
    ApprovalState.GRANTED: "approval_grant",
    ApprovalState.REFUSED: "approval_refuse",
    ApprovalState.WITHDRAWN: "approval_withdraw",
}


@dataclass(frozen=True, slots=True)
class ApprovalLine:
    """One asked change in the list."""

    code: str
    what: str
    record: str
    reason: str
    asked_by: str
    asked: Instant | None
    state: str
    clock: Clock | None
    changes: list[Change]
    refusal: str  # why this person does not decide on it; empty: may
    flags: list[str]


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """One record that is signed on its own page."""

    what: str
    code: str
    href: str
    subject: str
    asked_by: str
    since: Instant | None
    changes: list[Change]
    refusal: str
    flags: list[str]


def find_line(view: View, request: ApprovalRequest, places: PlaceNames) -> ApprovalLine:
    """The request as a line of the list."""
    is_open = request.state == ApprovalState.ASKED
    return ApprovalLine(
        code=request.code,
        what=view.name("approval_kind", request.kind),
        record=find_record(view, request),
        reason=request.reason,
        asked_by=view.who(request.asked_by),
        asked=view.when(request.asked_at),
        state=request.state,
        clock=find_clock(view, "approval", request.expires_at, started=request.asked_at) if is_open else None,
        changes=find_request_changes(view, request, places),
        refusal=_find_refusal(view, request, ApprovalState.GRANTED) if is_open else "",
        flags=["SIM"] if request.is_simulated else [],
    )


def find_waiting_line(
    view: View, record: WaitingRecord, profiles: Mapping[str, Profile], models: Mapping[str, ModelRow]
) -> WaitingLine:
    """The record as a line; its own page may still have other reasons why it is not signed now."""
    _, _, place = WAITING[record.wants]
    path = f"{record.details['model']}/{record.details['monitor']}" if record.wants == "threshold" else record.code
    subject = view.name("harm", record.subject) if record.wants == "vigilance" else record.subject
    return WaitingLine(
        what=view.name("waits_for", record.wants),
        code=record.code,
        href=f"{place}{quote(path)}",
        subject=subject,
        asked_by=view.who(record.asked_by),
        since=view.when(record.since),
        changes=find_record_changes(view, record, profiles, models),
        refusal=_find_signing_refusal(view, record),
        flags=["SIM"] if record.is_simulated else [],
    )


def _find_signing_refusal(view: View, record: WaitingRecord) -> str:
    """Why this person is not the second one: the right, or that it is his own."""
    needed, me = WAITING[record.wants][1], view.person.user_id
    if not view.may(needed):
        return view.say_missing(needed)
    signature = None if me is None else Signature(me, view.person.full_name, "-")
    refusal = find_signing_refusal(signature, actor_id=me, author_ids=record.author_ids, signed_by=record.signed_by)
    if refusal is None:
        return ""
    if refusal.guard is SigningGuard.OWN_WORK:
        return view.t("approvals.own_work")
    if refusal.guard is SigningGuard.SECOND_PERSON:
        return view.t("approvals.signed_already")
    return say_guard(view, GUARDS, refusal.guard)


def find_change_facts(view: View, request: ApprovalRequest, places: PlaceNames) -> tuple[list[Fact], list[Fact]]:
    """(what is asked, the record as it was when it was asked), with people masked whom the reader does not see."""
    allowed = view.person.permissions
    payload = say_json(view, mask_json(request.payload, allowed), places)
    return payload, say_json(view, mask_json(request.subject, allowed), places)


def say_json(view: View, value: Any, places: PlaceNames = NO_PLACES, prefix: str = "") -> list[Fact]:
    """Any JSON as label and value; a field without a name of its own is shown as it is written."""
    if not isinstance(value, Mapping):
        return []
    facts: list[Fact] = []
    for key, part in value.items():
        label = f"{prefix}{_name_field(view, str(key))}"
        if isinstance(part, Mapping):
            facts += say_json(view, part, places, f"{label} · ")
        elif isinstance(part, list) and key in COLUMNS:
            facts.append(Fact(label, name_columns(view, (str(one) for one in part)) or "–"))
        elif isinstance(part, list):
            said = [tell_field(view, str(key), str(one), places) for one in part]
            facts.append(Fact(label, view.t("list.comma").join(said) or "–"))
        else:
            facts.append(Fact(label, "–" if part in (None, "") else tell_field(view, str(key), str(part), places)))
    return facts


def _name_field(view: View, key: str) -> str:
    named = view.name("approval_field", key)
    return name_field(view, key) if named == key else named


def find_record(view: View, request: ApprovalRequest) -> str:
    """What the request is about, as people call it: a list or a class of data by name, another record by its code."""
    if request.kind == ApprovalKind.IDENTIFIABLE_EXPORT:
        return name_export_list(view, request.entity_id)
    return view.name("kept", request.entity_id) if request.entity == "retention" else request.entity_id


def find_approval_acts(view: View, request: ApprovalRequest, typed: Typed) -> list[Act]:
    """Grant, refuse or withdraw; what this person may not do says why."""
    if request.state != ApprovalState.ASKED:
        return []
    is_mine = view.person.user_id == request.asked_by_id
    # Who asked may withdraw and cannot decide; everybody else the other way round.
    steps = (ApprovalState.WITHDRAWN, *DECISIONS) if is_mine else DECISIONS
    return [_find_act(view, request, to, typed.of(STEPS[to])) for to in steps]


def find_permission(kind: ApprovalKind, to: ApprovalState) -> Permission:
    """The right that the step takes."""
    return RULES[kind].decide if to in DECISIONS else RULES[kind].ask


def _find_refusal(view: View, request: ApprovalRequest, to: ApprovalState) -> str:
    """Why this person may not take the step now; empty: may."""
    kind, me = ApprovalKind(request.kind), view.person.user_id
    needed = find_permission(kind, to)
    if not view.may(needed):
        return view.say_missing(needed)
    facts = ApprovalFacts(
        kind, ApprovalState(request.state), request.asked_by_id, request.expires_at, me, me, "-", is_intact(request)
    )
    refusal = find_approval_refusal(to, facts, permission=needed.value, reason="-", now=view.now)
    return "" if refusal is None else say_guard(view, GUARDS, refusal.guard)


def _find_act(view: View, request: ApprovalRequest, to: ApprovalState, typed: Typed) -> Act:
    name = STEPS[to]
    refusal = _find_refusal(view, request, to)
    if refusal:
        return refuse_act(view, name, refusal)
    is_signed = to in DECISIONS
    reason = Field(
        "reason",
        view.t("field.reason"),
        "textarea",
        typed.values.get("reason", ""),
        required=to is ApprovalState.REFUSED,
    )
    signing = find_signature_fields(view, typed, view.t(f"field.meaning_{name}")) if is_signed else ()
    return Act(
        *name_act(view, name),
        key={"approval_grant": "A", "approval_refuse": "R"}.get(name, ""),
        action=f"/approvals/{request.code}/decision",
        to=to.value,
        row_version=request.row_version,
        explain=view.t(f"act.explain_{name}"),
        fields=mark_fields((reason, *signing), typed.wrong),
        open=bool(typed.act),
    )


def find_place(request: ApprovalRequest) -> str:
    """The page of the record that is to be changed; empty where it has none."""
    if request.entity == "plan_occurrence":
        return f"/plans?occurrence={request.entity_id}"
    return f"{PLACES[request.entity]}{request.entity_id}" if request.entity in PLACES else ""
