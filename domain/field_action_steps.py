"""The steps of a field action: which may follow which, by which right, and the guards that refuse one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.audit import Signature
from domain.counting import say_count
from domain.field_action import FieldActionGuard, FieldActionKind, FieldActionState
from domain.roles import Permission
from domain.two_signatures import NEEDED, find_signing_refusal

_S = FieldActionState
_P = Permission
# (from, to) -> the permissions of which one is needed. DRAFT -> APPROVED takes two signatures: the first leaves it a
# draft. CANCELLED is an addition to the design: what was never approved, or proved wrong, needs an end as well.
FIELD_ACTION_TRANSITIONS: dict[tuple[FieldActionState, FieldActionState], tuple[Permission, ...]] = {
    (_S.DRAFT, _S.APPROVED): (_P.FIELD_ACTION_APPROVE,),
    (_S.APPROVED, _S.NOTIFYING): (_P.FIELD_ACTION_WRITE,),
    (_S.NOTIFYING, _S.EXECUTING): (_P.FIELD_ACTION_WRITE,),
    (_S.EXECUTING, _S.EFFECTIVENESS): (_P.FIELD_ACTION_WRITE,),
    (_S.EFFECTIVENESS, _S.EXECUTING): (_P.FIELD_ACTION_WRITE, _P.FIELD_ACTION_APPROVE),
    (_S.EFFECTIVENESS, _S.CLOSED): (_P.FIELD_ACTION_APPROVE,),
    (_S.DRAFT, _S.CANCELLED): (_P.FIELD_ACTION_WRITE,),
    (_S.APPROVED, _S.CANCELLED): (_P.FIELD_ACTION_APPROVE,),
    (_S.NOTIFYING, _S.CANCELLED): (_P.FIELD_ACTION_APPROVE,),
    (_S.EXECUTING, _S.CANCELLED): (_P.FIELD_ACTION_APPROVE,),
}


@dataclass(frozen=True, slots=True)
class FieldActionRequest:
    """What somebody wants of an action."""

    to: FieldActionState
    reason: str = ""
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class FieldActionFacts:
    """What the guards must know, loaded in the same transaction."""

    state: FieldActionState
    kind: FieldActionKind
    actor_id: int | None
    author_ids: Sequence[int] = ()
    signed_by: Sequence[int] = ()  # whose signature on the content as it is now holds
    items: int = 0
    items_open: int = 0
    items_unverified: int = 0  # remediated and not verified
    items_unreachable: int = 0
    customers_waiting: int = 0  # with items, and no notice recorded
    overlapping: int = 0  # devices of a campaign that another live one has
    firmware_state: str | None = None
    is_halted: bool = False
    has_effectiveness: bool = False


@dataclass(frozen=True, slots=True)
class FieldActionRefusal:
    """Why a step may not be: the guard, and a sentence for people."""

    guard: FieldActionGuard
    detail: str


_G = FieldActionGuard


def find_field_action_next_states(state: FieldActionState) -> tuple[FieldActionState, ...]:
    """The states that can follow, whoever asks."""
    return tuple(to for source, to in FIELD_ACTION_TRANSITIONS if source is state)


def find_field_action_permissions(state: FieldActionState, to: FieldActionState) -> tuple[Permission, ...]:
    """The permissions of which one is needed for this step; none where there is no such step."""
    return FIELD_ACTION_TRANSITIONS.get((state, to), ())


def find_field_action_refusal(
    request: FieldActionRequest, facts: FieldActionFacts, by: str
) -> FieldActionRefusal | None:
    """The first guard that refuses the step, or None; `by` is the permission that the actor uses."""
    needed = FIELD_ACTION_TRANSITIONS.get((facts.state, request.to))
    if needed is None:
        allowed = ", ".join(find_field_action_next_states(facts.state)) or "nothing"
        return _refuse(_G.NO_SUCH_TRANSITION, f"from {facts.state} an action can become {allowed}; not {request.to}")
    if by not in needed:
        return _refuse(_G.PERMISSION_MISSING, f"this needs {' or '.join(needed)}")
    if facts.actor_id is None:
        return _refuse(_G.PERSON_NEEDED, "people decide on a field action; a token or a program does not")
    return _CHECKS[request.to](request, facts)


def is_field_action_step_signed(state: FieldActionState, to: FieldActionState) -> bool:
    """Whether the step takes a signature; one that comes along with any other is not recorded: nobody checked it."""
    return to in (_S.APPROVED, _S.CLOSED) or (to is _S.CANCELLED and state is not _S.DRAFT)


def find_field_action_next(request: FieldActionRequest, facts: FieldActionFacts) -> FieldActionState:
    """The state after a step that no guard refused: a draft is approved by its second signature."""
    if request.to is _S.APPROVED and len({*facts.signed_by}) + 1 < NEEDED:
        return _S.DRAFT
    return request.to


def _check_approved(request: FieldActionRequest, facts: FieldActionFacts) -> FieldActionRefusal | None:
    if facts.items == 0:
        return _refuse(_G.SCOPE_EMPTY, "no device is in its scope: freeze one first")
    return _check_overlapping(facts) or _check_released(facts) or _check_signature(request, facts, facts.signed_by)


def _check_notifying(request: FieldActionRequest, facts: FieldActionFacts) -> FieldActionRefusal | None:
    if len({*facts.signed_by}) < NEEDED:
        return _refuse(_G.CONTENT_CHANGED, "it is not what two people approved any more")
    return _check_released(facts)


def _check_executing(request: FieldActionRequest, facts: FieldActionFacts) -> FieldActionRefusal | None:
    if facts.state is _S.EFFECTIVENESS:
        if not request.reason.strip():
            return _refuse(_G.REASON_MISSING, "taking an action up again needs a reason")
        return _check_overlapping(facts)
    if facts.is_halted:
        return _refuse(_G.HALTED, "the action is halted: resume it, or cancel it")
    if facts.customers_waiting:
        return _refuse(
            _G.CUSTOMERS_NOT_NOTIFIED,
            f"{say_count(facts.customers_waiting, 'customer has', 'customers have')} had no notice yet",
        )
    return _check_released(facts)


def _check_effectiveness(request: FieldActionRequest, facts: FieldActionFacts) -> FieldActionRefusal | None:
    if facts.is_halted:
        return _refuse(_G.HALTED, "the action is halted: resume it, or cancel it")
    if facts.items_open:
        return _refuse(
            _G.ITEMS_OPEN, f"{say_count(facts.items_open, 'device is', 'devices are')} neither done nor given up"
        )
    return None


def _check_closed(request: FieldActionRequest, facts: FieldActionFacts) -> FieldActionRefusal | None:
    if facts.items_open or facts.items_unverified:
        count = facts.items_open + facts.items_unverified
        return _refuse(_G.ITEMS_NOT_VERIFIED, f"{say_count(count, 'device is', 'devices are')} not verified")
    if not facts.has_effectiveness:
        return _refuse(_G.EFFECTIVENESS_MISSING, "the figures of its effectiveness are not there yet")
    if facts.items_unreachable and not request.reason.strip():
        return _refuse(
            _G.REASON_MISSING,
            f"{say_count(facts.items_unreachable, 'device was', 'devices were')} never reached: say why it may end",
        )
    return _check_signature(request, facts)


def _check_cancelled(request: FieldActionRequest, facts: FieldActionFacts) -> FieldActionRefusal | None:
    if not request.reason.strip():
        return _refuse(_G.REASON_MISSING, "cancelling an action needs a reason")
    if not is_field_action_step_signed(facts.state, request.to):
        return None
    # Stopping approves nothing: whoever may approve may stop, also what he wrote himself.
    return _check_signature(request, replace(facts, author_ids=()))


def _check_overlapping(facts: FieldActionFacts) -> FieldActionRefusal | None:
    if facts.overlapping:
        return _refuse(
            _G.SCOPE_OVERLAPS,
            f"{say_count(facts.overlapping, 'device is', 'devices are')} in another campaign that is not over",
        )
    return None


def _check_released(facts: FieldActionFacts) -> FieldActionRefusal | None:
    if facts.kind is FieldActionKind.FIRMWARE and facts.firmware_state != "RELEASED":
        return _refuse(_G.FIRMWARE_NOT_RELEASED, "its firmware is not released")
    return None


def _check_signature(
    request: FieldActionRequest, facts: FieldActionFacts, signed_by: Sequence[int] = ()
) -> FieldActionRefusal | None:
    refusal = find_signing_refusal(
        request.signature, actor_id=facts.actor_id, author_ids=facts.author_ids, signed_by=signed_by
    )
    return None if refusal is None else _refuse(_G(refusal.guard.value), refusal.detail)


def _refuse(guard: FieldActionGuard, detail: str) -> FieldActionRefusal:
    return FieldActionRefusal(guard, detail)


_CHECKS = {
    _S.APPROVED: _check_approved,
    _S.NOTIFYING: _check_notifying,
    _S.EXECUTING: _check_executing,
    _S.EFFECTIVENESS: _check_effectiveness,
    _S.CLOSED: _check_closed,
    _S.CANCELLED: _check_cancelled,
}
