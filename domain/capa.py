"""CAPAs: the machine proposes, people decide, investigate, plan, act and close. The words for it; pure.

The steps are in domain/capa_steps.py, the root cause in domain/capa_cause.py, the actions in domain/capa_action.py, the
check of their effect in domain/capa_effectiveness.py.
"""

from dataclasses import dataclass
from enum import StrEnum


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


class CapaKind(StrEnum):
    """Against what has gone wrong, or against what could."""

    CORRECTIVE = "CORRECTIVE"
    PREVENTIVE = "PREVENTIVE"


class ScopeKind(StrEnum):
    """What the cases have in common, beside the device model and the fault group."""

    MODEL = "MODEL"
    LOT = "LOT"
    FIRMWARE = "FIRMWARE"
    DEVICE = "DEVICE"


class CapaTrigger(StrEnum):
    """Why the machine proposed it (rule 9), or MANUAL: a person did."""

    COHORT = "COHORT"
    COHORT_NO_BASELINE = "COHORT_NO_BASELINE"
    CONFIRMED_CRITICAL = "CONFIRMED_CRITICAL"
    SECOND_REOPENING = "SECOND_REOPENING"
    FIRMWARE_REGRESSION = "FIRMWARE_REGRESSION"
    MANUAL = "MANUAL"


class Verdict(StrEnum):
    """What the check of effectiveness says once its period is over."""

    MET = "MET"
    FAILED = "FAILED"
    INCONCLUSIVE = "INCONCLUSIVE"


class CapaGuard(StrEnum):
    """The rule that refused a step; a 409 names it. Values never change."""

    NO_SUCH_TRANSITION = "no_such_transition"
    PERMISSION_MISSING = "permission_missing"
    REASON_MISSING = "reason_missing"
    PERSON_NEEDED = "person_needed"
    SIGNATURE_MISSING = "signature_missing"
    MEANING_MISSING = "meaning_missing"
    SIGNER_IS_ANOTHER = "signer_is_another"
    OWN_WORK = "own_work"
    SECOND_PERSON = "second_person"
    CONTENT_CHANGED = "content_changed"
    SCOPE_TAKEN = "scope_taken"
    NOT_IN_INVESTIGATION = "not_in_investigation"
    PROBLEM_MISSING = "problem_missing"
    ROOT_CAUSE_MISSING = "root_cause_missing"
    WHYS_MISSING = "whys_missing"
    EVIDENCE_MISSING = "evidence_missing"
    ROOT_CAUSE_NOT_REVIEWED = "root_cause_not_reviewed"
    PLAN_NOT_OPEN = "plan_not_open"
    PLAN_NOT_APPROVED = "plan_not_approved"
    ACTION_MISSING = "action_missing"
    OWNER_MISSING = "owner_missing"
    DUE_DATE_MISSING = "due_date_missing"
    EFFECTIVENESS_PLAN_MISSING = "effectiveness_plan_missing"
    SCOPE_EMPTY = "scope_empty"
    NO_RATE_BEFORE = "no_rate_before"
    PERIOD_TOO_SHORT = "period_too_short"
    ACTIONS_OPEN = "actions_open"
    NOT_IN_VERIFICATION = "not_in_verification"
    ACTIONS_NOT_VERIFIED = "actions_not_verified"
    PERIOD_NOT_OVER = "period_not_over"
    EFFECTIVENESS_OUTDATED = "effectiveness_outdated"
    EFFECTIVENESS_INCONCLUSIVE = "effectiveness_inconclusive"
    EFFECTIVENESS_FAILED = "effectiveness_failed"


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
