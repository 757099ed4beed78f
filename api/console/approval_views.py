"""Changes that take two people in words: what exactly is asked, of which record as it was, and what may be done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from api.console.acts import Act, Field
from api.console.facts import Fact
from api.console.forms import Typed, find_signature_fields, say_guard
from api.console.instants import Instant
from api.console.order_rows import Clock, find_clock
from api.console.page import View
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
from domain.masking import mask_json
from domain.roles import Permission
from store.second_signatures import WaitingRecord

GUARDS = "approval_guard record_guard"
PLACES = {"work_order": "/work-orders/", "device": "/devices/"}
# What a record of its own waits for, the right that its second person needs, and where it is signed.
WAITING = {
    "capa_plan": (Permission.CAPA_READ, Permission.CAPA_APPROVE, "/capa/"),
    "capa_closure": (Permission.CAPA_READ, Permission.CAPA_APPROVE, "/capa/"),
    "field_action": (Permission.FIELD_ACTION_READ, Permission.FIELD_ACTION_APPROVE, "/field-actions/"),
    "firmware": (Permission.DEVICE_READ, Permission.FIRMWARE_APPROVE, "/firmware/"),
    "vigilance": (Permission.COMPLAINT_READ, Permission.VIGILANCE_DECIDE, "/complaints/"),
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
    is_mine: bool
    may_decide: bool
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
    may_decide: bool
    flags: list[str]


def find_line(view: View, request: ApprovalRequest) -> ApprovalLine:
    """The request as a line of the list."""
    rule = RULES[ApprovalKind(request.kind)]
    is_open = request.state == ApprovalState.ASKED
    is_mine = view.person.user_id == request.asked_by_id
    return ApprovalLine(
        code=request.code,
        what=view.name("approval_kind", request.kind),
        record=request.entity_id,
        reason=request.reason,
        asked_by=request.asked_by,
        asked=view.when(request.asked_at),
        state=request.state,
        clock=find_clock(view, "approval", request.expires_at, started=request.asked_at) if is_open else None,
        is_mine=is_mine,
        may_decide=is_open and not is_mine and view.may(rule.decide),
        flags=["SIM"] if request.is_simulated else [],
    )


def find_waiting_line(view: View, record: WaitingRecord) -> WaitingLine:
    """The record as a line; who it was that signed does not decide whether somebody else may: the page does."""
    _, needed, place = WAITING[record.wants]
    subject = view.name("harm", record.subject) if record.wants == "vigilance" else record.subject
    return WaitingLine(
        what=view.name("waits_for", record.wants),
        code=record.code,
        href=f"{place}{quote(record.code)}",
        subject=subject,
        asked_by=record.asked_by,
        since=view.when(record.since),
        may_decide=view.may(needed),
        flags=["SIM"] if record.is_simulated else [],
    )


def find_change_facts(view: View, request: ApprovalRequest) -> tuple[list[Fact], list[Fact]]:
    """(what is asked, the record as it was when it was asked), with people masked whom the reader does not see."""
    allowed = view.person.permissions
    payload = say_json(view, mask_json(request.payload, allowed))
    return payload, say_json(view, mask_json(request.subject, allowed))


def say_json(view: View, value: Any, prefix: str = "") -> list[Fact]:
    """Any JSON as label and value; a field without a name of its own is shown as it is written."""
    if not isinstance(value, Mapping):
        return []
    facts: list[Fact] = []
    for key, part in value.items():
        label = f"{prefix}{view.name('approval_field', str(key))}"
        if isinstance(part, Mapping):
            facts += say_json(view, part, f"{label} · ")
        elif isinstance(part, list):
            facts.append(Fact(label, view.t("list.comma").join(str(one) for one in part) or "–"))
        else:
            facts.append(Fact(label, "–" if part in (None, "") else str(part)))
    return facts


def find_approval_acts(view: View, request: ApprovalRequest, typed: Typed) -> list[Act]:
    """Grant, refuse or withdraw; what this person may not do says why."""
    if request.state != ApprovalState.ASKED:
        return []
    kind = ApprovalKind(request.kind)
    is_mine = view.person.user_id == request.asked_by_id
    # Who asked may withdraw and cannot decide; everybody else the other way round.
    steps = (ApprovalState.WITHDRAWN, *DECISIONS) if is_mine else DECISIONS
    return [_find_act(view, request, kind, to, typed.of(STEPS[to])) for to in steps]


def find_permission(kind: ApprovalKind, to: ApprovalState) -> Permission:
    """The right that the step takes."""
    return RULES[kind].decide if to in DECISIONS else RULES[kind].ask


def _find_act(view: View, request: ApprovalRequest, kind: ApprovalKind, to: ApprovalState, typed: Typed) -> Act:
    name = STEPS[to]
    label, needed = view.t(f"act.{name}"), find_permission(kind, to)
    if not view.may(needed):
        return Act(name, label, refusal=view.t("act.refused_permission", permission=needed.value))
    me = view.person.user_id
    facts = ApprovalFacts(
        kind, ApprovalState(request.state), request.asked_by_id, request.expires_at, me, me, "-", is_intact(request)
    )
    refusal = find_approval_refusal(to, facts, permission=needed.value, reason="-", now=view.now)
    if refusal is not None:
        return Act(name, label, refusal=say_guard(view, GUARDS, refusal.guard))
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
        name,
        label,
        submit=view.t(f"act.{name}_do"),
        key={"approval_grant": "A", "approval_refuse": "R"}.get(name, ""),
        action=f"/approvals/{request.code}/decision",
        to=to.value,
        row_version=request.row_version,
        explain=view.t(f"act.explain_{name}"),
        fields=(reason, *signing),
        open=bool(typed.act),
    )


def find_place(request: ApprovalRequest) -> str:
    """The page of the record that is to be changed; empty where it has none."""
    if request.entity == "plan_occurrence":
        return f"/plans?occurrence={request.entity_id}"
    return f"{PLACES[request.entity]}{request.entity_id}" if request.entity in PLACES else ""
