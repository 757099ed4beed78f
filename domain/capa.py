"""CAPA notices: the machine proposes, a person opens or rejects; which step may follow which, and the guards."""

from dataclasses import dataclass
from enum import StrEnum

from domain.roles import Permission


class CapaState(StrEnum):
    PROPOSED = "PROPOSED"
    OPEN = "OPEN"
    REJECTED = "REJECTED"
    INVESTIGATION = "INVESTIGATION"
    ACTION_PLAN = "ACTION_PLAN"
    IMPLEMENTATION = "IMPLEMENTATION"
    VERIFICATION = "VERIFICATION"
    EFFECTIVENESS = "EFFECTIVENESS"
    CLOSED = "CLOSED"

    @property
    def is_live(self) -> bool:
        """Neither rejected nor closed: further cases of the same scope join it."""
        return self not in (CapaState.REJECTED, CapaState.CLOSED)


class ScopeKind(StrEnum):
    """What the cases have in common, beside the device model and the fault group."""

    MODEL = "MODEL"
    LOT = "LOT"
    FIRMWARE = "FIRMWARE"
    DEVICE = "DEVICE"


class CapaTrigger(StrEnum):
    """Why the machine proposed it (rule 9)."""

    COHORT = "COHORT"
    COHORT_NO_BASELINE = "COHORT_NO_BASELINE"
    CONFIRMED_CRITICAL = "CONFIRMED_CRITICAL"
    SECOND_REOPENING = "SECOND_REOPENING"
    FIRMWARE_REGRESSION = "FIRMWARE_REGRESSION"


class CapaGuard(StrEnum):
    """The rule that refused a step; a 409 names it."""

    NO_SUCH_TRANSITION = "no_such_transition"
    REASON_MISSING = "reason_missing"
    PERSON_NEEDED = "person_needed"


@dataclass(frozen=True, slots=True)
class CapaScope:
    """What a CAPA is about. `value` is the lot, the firmware version or the serial; empty for a whole model."""

    device_model_id: int
    kind: ScopeKind
    value: str
    fault_group: str


@dataclass(frozen=True, slots=True)
class CapaRefusal:
    """Why a step may not be: the guard, and a sentence for people."""

    guard: CapaGuard
    detail: str


# The steps that this version offers; the way from OPEN to CLOSED is refused by name until it is there.
CAPA_TRANSITIONS: dict[tuple[CapaState, CapaState], Permission] = {
    (CapaState.PROPOSED, CapaState.OPEN): Permission.CAPA_DECIDE,
    (CapaState.PROPOSED, CapaState.REJECTED): Permission.CAPA_DECIDE,
}


def find_capa_next_states(state: CapaState) -> tuple[CapaState, ...]:
    """The states that can follow, whoever asks."""
    return tuple(to for source, to in CAPA_TRANSITIONS if source is state)


def find_capa_refusal(state: CapaState, to: CapaState, *, reason: str, by_person: bool) -> CapaRefusal | None:
    """The first guard that refuses the step, or None."""
    if (state, to) not in CAPA_TRANSITIONS:
        allowed = ", ".join(find_capa_next_states(state)) or "nothing"
        return CapaRefusal(CapaGuard.NO_SUCH_TRANSITION, f"from {state} a CAPA can become {allowed}; not {to}")
    if not by_person:
        return CapaRefusal(CapaGuard.PERSON_NEEDED, "whether a CAPA is opened is a person's decision")
    if not reason.strip():
        return CapaRefusal(CapaGuard.REASON_MISSING, "the decision on a CAPA needs its justification")
    return None
