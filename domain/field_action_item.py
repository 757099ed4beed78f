"""One device of a field action: its states, who may move it, and the guards that refuse. Pure.

REMEDIATED of a firmware campaign is INSTALLED: it follows from what the device reports and from nothing else, and a
roll-back that the device reports undoes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.counting import say_count
from domain.field_action import FieldActionKind, FieldActionState
from domain.roles import Permission


class ItemState(StrEnum):
    """Values stand in the database and never change."""

    IDENTIFIED = "IDENTIFIED"
    NOTIFIED = "NOTIFIED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    SCHEDULED = "SCHEDULED"
    REMEDIATED = "REMEDIATED"
    VERIFIED = "VERIFIED"
    UNREACHABLE = "UNREACHABLE"
    SCRAPPED = "SCRAPPED"

    @property
    def is_open(self) -> bool:
        """Something is still to be done for the device."""
        return self in OPEN_ITEM_STATES


OPEN_ITEM_STATES = (ItemState.IDENTIFIED, ItemState.NOTIFIED, ItemState.ACKNOWLEDGED, ItemState.SCHEDULED)


class ItemGuard(StrEnum):
    """The rule that refused a step of an item; a 409 names it. Values never change."""

    NO_SUCH_TRANSITION = "no_such_transition"
    PERMISSION_MISSING = "permission_missing"
    ACTION_NOT_RUNNING = "action_not_running"
    ACTION_HALTED = "action_halted"
    WAVE_NOT_OPEN = "wave_not_open"
    REASON_MISSING = "reason_missing"
    DATE_MISSING = "date_missing"
    EVIDENCE_MISSING = "evidence_missing"
    ATTEMPTS_MISSING = "attempts_missing"
    DEVICE_HAS_NOT_REPORTED = "device_has_not_reported"
    ONLY_THE_DEVICE = "only_the_device"
    VISIT_NOT_DONE = "visit_not_done"
    OWN_WORK = "own_work"
    PERSON_NEEDED = "person_needed"


_S = ItemState
_WORK = (Permission.FIELD_ACTION_WORK, Permission.FIELD_ACTION_WRITE)
_MACHINE: tuple[Permission, ...] = ()
# (from, to) -> the permissions of which one is needed; none: only the machine takes the step, from what devices and
# work orders say.
ITEM_TRANSITIONS: dict[tuple[ItemState, ItemState], tuple[Permission, ...]] = {
    (_S.IDENTIFIED, _S.NOTIFIED): _WORK,
    (_S.NOTIFIED, _S.ACKNOWLEDGED): _WORK,
    (_S.IDENTIFIED, _S.ACKNOWLEDGED): _WORK,
    (_S.IDENTIFIED, _S.SCHEDULED): _WORK,
    (_S.NOTIFIED, _S.SCHEDULED): _WORK,
    (_S.ACKNOWLEDGED, _S.SCHEDULED): _WORK,
    (_S.SCHEDULED, _S.ACKNOWLEDGED): _WORK,  # the appointment fell through
    (_S.IDENTIFIED, _S.REMEDIATED): _WORK,
    (_S.NOTIFIED, _S.REMEDIATED): _WORK,
    (_S.ACKNOWLEDGED, _S.REMEDIATED): _WORK,
    (_S.SCHEDULED, _S.REMEDIATED): _WORK,
    (_S.UNREACHABLE, _S.REMEDIATED): _WORK,
    (_S.REMEDIATED, _S.VERIFIED): _WORK,
    (_S.REMEDIATED, _S.NOTIFIED): _MACHINE,  # the device rolled back
    (_S.VERIFIED, _S.NOTIFIED): _MACHINE,
    (_S.REMEDIATED, _S.SCHEDULED): _MACHINE,  # the work order was sent back to work
    (_S.VERIFIED, _S.SCHEDULED): _MACHINE,
    (_S.UNREACHABLE, _S.NOTIFIED): _WORK,
    (_S.IDENTIFIED, _S.UNREACHABLE): _WORK,
    (_S.NOTIFIED, _S.UNREACHABLE): _WORK,
    (_S.ACKNOWLEDGED, _S.UNREACHABLE): _WORK,
    (_S.SCHEDULED, _S.UNREACHABLE): _WORK,
    (_S.UNREACHABLE, _S.ACKNOWLEDGED): _WORK,  # found after all
    (_S.UNREACHABLE, _S.SCHEDULED): _WORK,
    (_S.IDENTIFIED, _S.SCRAPPED): _WORK,
    (_S.NOTIFIED, _S.SCRAPPED): _WORK,
    (_S.ACKNOWLEDGED, _S.SCRAPPED): _WORK,
    (_S.SCHEDULED, _S.SCRAPPED): _WORK,
    (_S.UNREACHABLE, _S.SCRAPPED): _WORK,
}
# These bring a device nearer to what the action does to it: not while it is halted, nor before its wave.
_FORWARD = (_S.SCHEDULED,)


@dataclass(frozen=True, slots=True)
class FieldActionItem:
    """One device of an action as stored."""

    id: int
    field_action_id: int
    device_id: int
    serial: str
    wave: int
    state: ItemState
    state_since: datetime
    attempts: int  # failed ones to reach who has the device, since somebody was last reached
    install_failures: int  # FAILED reports of the wanted version since the device was notified
    notified_at: datetime | None
    acknowledged_at: datetime | None
    scheduled_for: datetime | None
    remediated_at: datetime | None  # of a campaign: the device's own time of its UPDATED
    remediated_by_id: int | None  # None: the device itself
    verified_at: datetime | None
    evidence: str
    reason: str
    work_order_id: int | None
    work_order_code: str | None
    work_order_state: str | None
    customer_id: int | None
    region: str
    is_simulated: bool
    row_version: int


@dataclass(frozen=True, slots=True)
class ItemRequest:
    """What somebody wants of an item."""

    to: ItemState
    reason: str = ""
    evidence: str = ""  # what was done and how it is known
    scheduled_for: datetime | None = None


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What the guards must know, loaded in the same transaction."""

    state: ItemState
    kind: FieldActionKind
    action_state: FieldActionState
    actor_id: int | None
    is_machine: bool = False
    is_halted: bool = False
    wave: int = 1
    current_wave: int = 1
    attempts: int = 0
    max_attempts: int = 3
    runs_wanted_version: bool = False  # by its own newest report
    has_open_visit: bool = False  # its work order is not done
    remediated_by_id: int | None = None


@dataclass(frozen=True, slots=True)
class ItemRefusal:
    """Why a step may not be: the guard, and a sentence for people."""

    guard: ItemGuard
    detail: str


_G = ItemGuard


def find_item_id(code: str, serial: str) -> str:
    """How the audit and events name an item: the action's code and the device's serial."""
    return f"{code}/{serial}"


def find_item_next_states(state: ItemState) -> tuple[ItemState, ...]:
    """The states that people can bring it to from here."""
    return tuple(to for (source, to), needed in ITEM_TRANSITIONS.items() if source is state and needed)


def find_item_permissions(state: ItemState, to: ItemState) -> Sequence[Permission]:
    """The permissions of which one is needed for this step; none where people cannot take it."""
    return ITEM_TRANSITIONS.get((state, to), ())


def find_item_refusal(request: ItemRequest, facts: ItemFacts, by: str) -> ItemRefusal | None:
    """The first guard that refuses the step, or None; `by` is the permission that the actor uses."""
    needed = ITEM_TRANSITIONS.get((facts.state, request.to))
    if needed is None:
        allowed = ", ".join(find_item_next_states(facts.state)) or "nothing"
        return _refuse(_G.NO_SUCH_TRANSITION, f"from {facts.state} an item can become {allowed}; not {request.to}")
    if not needed and not facts.is_machine:
        return _refuse(_G.ONLY_THE_DEVICE, "this follows from what the device or its work order says")
    if needed and not facts.is_machine and by not in needed:
        return _refuse(_G.PERMISSION_MISSING, f"this needs {' or '.join(needed)}")
    late = facts.action_state is FieldActionState.EFFECTIVENESS and (request.to is _S.VERIFIED or facts.is_machine)
    if not facts.action_state.is_running and not late:
        return _refuse(_G.ACTION_NOT_RUNNING, f"the action is {facts.action_state}")
    if facts.is_machine:
        return _find_own_refusal(request, facts)
    if request.to in _FORWARD and facts.is_halted:
        return _refuse(_G.ACTION_HALTED, "the action is halted")
    if request.to in _FORWARD and facts.wave > facts.current_wave:
        return _refuse(_G.WAVE_NOT_OPEN, f"the device is in wave {facts.wave}, and wave {facts.current_wave} is open")
    return _find_own_refusal(request, facts)


def _find_own_refusal(request: ItemRequest, facts: ItemFacts) -> ItemRefusal | None:
    match request.to:
        case _S.SCHEDULED if request.scheduled_for is None and not facts.is_machine:
            return _refuse(_G.DATE_MISSING, "say for when it is planned")
        case _S.ACKNOWLEDGED if facts.state is _S.SCHEDULED and not request.reason.strip():
            return _refuse(_G.REASON_MISSING, "say why the appointment fell through")
        case _S.REMEDIATED:
            return _check_remediated(request, facts)
        case _S.VERIFIED:
            return _check_verified(request, facts)
        case _S.UNREACHABLE if facts.attempts < facts.max_attempts:
            left = facts.max_attempts - facts.attempts
            return _refuse(
                _G.ATTEMPTS_MISSING, f"{say_count(left, 'more attempt')} to reach who has it must fail first"
            )
        case _S.SCRAPPED if not request.reason.strip():
            return _refuse(_G.REASON_MISSING, "say what became of the device, and how that is known")
    return None


def _check_remediated(request: ItemRequest, facts: ItemFacts) -> ItemRefusal | None:
    if facts.kind is FieldActionKind.FIRMWARE:
        if not facts.runs_wanted_version:
            return _refuse(_G.DEVICE_HAS_NOT_REPORTED, "the device has not reported that it runs the version")
        return None if facts.is_machine else _refuse(_G.ONLY_THE_DEVICE, "what is installed is what devices report")
    if facts.has_open_visit:
        return _refuse(_G.VISIT_NOT_DONE, "its work order is not done")
    if not facts.is_machine and not request.evidence.strip():
        return _refuse(_G.EVIDENCE_MISSING, "say what was done and how it is known")
    return None


def _check_verified(request: ItemRequest, facts: ItemFacts) -> ItemRefusal | None:
    if facts.kind is FieldActionKind.FIRMWARE and not facts.runs_wanted_version:
        return _refuse(_G.DEVICE_HAS_NOT_REPORTED, "the device does not run the version by its own report")
    if facts.is_machine:
        return None
    if facts.actor_id is None:
        return _refuse(_G.PERSON_NEEDED, "a person verifies")
    if facts.actor_id == facts.remediated_by_id:
        return _refuse(_G.OWN_WORK, "nobody verifies his own work")
    if not request.evidence.strip():
        return _refuse(_G.EVIDENCE_MISSING, "say what was looked at and what it showed")
    return None


def _refuse(guard: ItemGuard, detail: str) -> ItemRefusal:
    return ItemRefusal(guard, detail)
