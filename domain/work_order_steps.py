"""The steps of a work order: which may follow which, by which right, and the guards that refuse one. Pure."""

from dataclasses import dataclass

from domain.audit import Signature
from domain.counting import say_count
from domain.roles import Permission
from domain.work_order import CloseOut, Guard, HoldReason, Outcome, WorkOrderState


@dataclass(frozen=True, slots=True)
class TransitionRequest:
    """What somebody wants of an order. Only the fields that the wanted state needs are looked at."""

    to: WorkOrderState
    reason: str = ""
    assignee_id: int | None = None
    hold_reason: HoldReason | None = None
    outcome: Outcome | None = None
    failure_code: str = ""
    close_out: CloseOut | None = None
    test_evidence: str = ""  # VERIFIED without a quiet period: what was tested and what it showed
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class TransitionFacts:
    """What the guards must know of the order and of the people concerned, loaded in the same transaction."""

    state: WorkOrderState
    actor_id: int | None
    assignee_id: int | None
    safety_critical: bool
    assignee_known: bool = True  # the assignee asked for exists and is active
    assignee_certified: bool = True  # he has a valid certificate for the device's model; True where there is no model
    done_by_id: int | None = None
    is_quiet: bool = False  # every breach cleared, the quiet period over, and the device reports
    has_other_open_order: bool = False  # another open order takes care of the same key
    open_parts: int = 0  # parts that were asked for, and nobody said what became of them
    unanswered: tuple[str, ...] = ()  # required lines of the order's checklists without an answer
    is_visit_under_way: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a transition may not be: the guard, and a sentence for people."""

    guard: Guard
    detail: str


_S = WorkOrderState
_P = Permission
# (from, to) -> the permissions of which one is needed. What is not here does not exist.
TRANSITIONS: dict[tuple[WorkOrderState, WorkOrderState], tuple[Permission, ...]] = {
    (_S.NEW, _S.TRIAGED): (_P.WORK_ORDER_TRIAGE,),
    (_S.TRIAGED, _S.ASSIGNED): (_P.WORK_ORDER_ASSIGN,),
    (_S.ASSIGNED, _S.TRIAGED): (_P.WORK_ORDER_ASSIGN, _P.WORK_ORDER_WORK),
    (_S.ASSIGNED, _S.IN_PROGRESS): (_P.WORK_ORDER_WORK,),
    (_S.IN_PROGRESS, _S.ON_HOLD): (_P.WORK_ORDER_WORK,),
    (_S.ON_HOLD, _S.IN_PROGRESS): (_P.WORK_ORDER_WORK,),
    (_S.IN_PROGRESS, _S.WORK_DONE): (_P.WORK_ORDER_WORK,),
    (_S.WORK_DONE, _S.VERIFIED): (_P.WORK_ORDER_VERIFY,),
    (_S.WORK_DONE, _S.IN_PROGRESS): (_P.WORK_ORDER_VERIFY,),
    (_S.VERIFIED, _S.IN_PROGRESS): (_P.WORK_ORDER_VERIFY,),
    (_S.VERIFIED, _S.CLOSED): (_P.WORK_ORDER_CLOSE,),
    (_S.CLOSED, _S.TRIAGED): (_P.WORK_ORDER_REOPEN,),
    (_S.NEW, _S.CANCELLED): (_P.WORK_ORDER_CANCEL,),
    (_S.TRIAGED, _S.CANCELLED): (_P.WORK_ORDER_CANCEL,),
    (_S.ASSIGNED, _S.CANCELLED): (_P.WORK_ORDER_CANCEL,),
}


def find_next_states(state: WorkOrderState) -> tuple[WorkOrderState, ...]:
    """The states that can follow, whoever asks."""
    return tuple(to for source, to in TRANSITIONS if source is state)


def find_permissions_for(state: WorkOrderState, to: WorkOrderState) -> tuple[Permission, ...]:
    """The permissions of which one is needed for this step; none where there is no such step."""
    return TRANSITIONS.get((state, to), ())


def find_refusal(request: TransitionRequest, facts: TransitionFacts, by: str) -> Refusal | None:
    """The first guard that refuses the transition, or None.

    `by` is the permission that the actor uses; work done by right of WORK_ORDER_WORK is done on one's own orders.
    """
    if (facts.state, request.to) not in TRANSITIONS:
        allowed = ", ".join(find_next_states(facts.state)) or "nothing"
        return Refusal(Guard.NO_SUCH_TRANSITION, f"from {facts.state} an order can become {allowed}; not {request.to}")
    if by not in TRANSITIONS[facts.state, request.to]:
        return Refusal(Guard.PERMISSION_MISSING, f"this needs {' or '.join(TRANSITIONS[facts.state, request.to])}")
    if by == Permission.WORK_ORDER_WORK and facts.actor_id != facts.assignee_id:
        return Refusal(Guard.NOT_ASSIGNEE, "the order is assigned to somebody else")
    check = _CHECKS.get(request.to)
    return None if check is None else check(request, facts)


def _check_triaged(request: TransitionRequest, facts: TransitionFacts) -> Refusal | None:
    if facts.state is _S.NEW:
        return None
    if not request.reason.strip():
        what = "reopening" if facts.state is _S.CLOSED else "declining"
        return Refusal(Guard.REASON_MISSING, f"{what} an order needs a reason")
    if facts.state is _S.CLOSED and facts.has_other_open_order:
        return Refusal(
            Guard.OPEN_ORDER_OF_KEY, "another order for this device and fault group is open: work on that one"
        )
    return None


def _check_assigned(request: TransitionRequest, facts: TransitionFacts) -> Refusal | None:
    if request.assignee_id is None:
        return Refusal(Guard.ASSIGNEE_MISSING, "say who shall do the work")
    if not facts.assignee_known:
        return Refusal(Guard.ASSIGNEE_UNKNOWN, "there is no active account of a technician with that name")
    return _check_certificate(facts)


def _check_certificate(facts: TransitionFacts) -> Refusal | None:
    if facts.assignee_certified:
        return None
    return Refusal(Guard.CERTIFICATE_INVALID, "the technician has no valid certificate for this device model")


def _check_in_progress(request: TransitionRequest, facts: TransitionFacts) -> Refusal | None:
    if facts.state in (_S.WORK_DONE, _S.VERIFIED):
        if request.reason.strip():
            return None
        return Refusal(Guard.REASON_MISSING, "sending an order back to work needs a reason")
    return _check_certificate(facts)


def _check_on_hold(request: TransitionRequest, facts: TransitionFacts) -> Refusal | None:
    if request.hold_reason is None:
        return Refusal(Guard.HOLD_REASON_MISSING, "say what is waited for: PARTS, CUSTOMER, ACCESS or VENDOR")
    return None


def _check_work_done(request: TransitionRequest, facts: TransitionFacts) -> Refusal | None:
    missing = (request.close_out or CloseOut()).find_missing()
    if missing:
        return Refusal(Guard.CLOSE_OUT_INCOMPLETE, f"the service record lacks {', '.join(missing)}")
    if request.outcome is None:
        return Refusal(
            Guard.OUTCOME_MISSING, "say what was found: CONFIRMED, NO_FAULT_FOUND, SENSOR_FAULT or FALSE_ALARM"
        )
    if facts.open_parts:
        asked = say_count(facts.open_parts, "part was", "parts were")
        detail = f"{asked} asked for: say of each that it was used, or withdraw it"
        return Refusal(Guard.PART_UNDECIDED, detail)
    if facts.unanswered:
        return Refusal(Guard.CHECKLIST_INCOMPLETE, f"the checklist lacks {', '.join(facts.unanswered)}")
    return None


def _check_verified(request: TransitionRequest, facts: TransitionFacts) -> Refusal | None:
    if facts.actor_id is None or facts.actor_id == facts.done_by_id:
        return Refusal(Guard.OWN_WORK, "nobody verifies his own work")
    if facts.safety_critical and facts.actor_id == facts.assignee_id:
        return Refusal(Guard.SECOND_PERSON, "on a safety-critical model a second person verifies")
    if not facts.is_quiet and not request.test_evidence.strip():
        return Refusal(
            Guard.NOT_QUIET, "no quiet period of normal telemetry since: wait for it, or give the evidence of a test"
        )
    if facts.is_visit_under_way:
        return Refusal(Guard.VISIT_UNDER_WAY, "a visit is still under way: say first when it was over")
    return None


def _check_closed(request: TransitionRequest, facts: TransitionFacts) -> Refusal | None:
    if request.signature is None or not request.signature.meaning.strip():
        return Refusal(Guard.SIGNATURE_MISSING, "closing is signed: give the password again, and what it means")
    if request.signature.signer_id != facts.actor_id:
        return Refusal(Guard.SIGNER_IS_ANOTHER, "one signs for oneself alone")
    if facts.safety_critical and facts.actor_id == facts.done_by_id:
        return Refusal(Guard.SECOND_PERSON, "on a safety-critical model a second person closes")
    return None


def _check_cancelled(request: TransitionRequest, facts: TransitionFacts) -> Refusal | None:
    if not request.reason.strip():
        return Refusal(Guard.REASON_MISSING, "cancelling an order needs a reason")
    return None


_CHECKS = {
    _S.TRIAGED: _check_triaged,
    _S.ASSIGNED: _check_assigned,
    _S.IN_PROGRESS: _check_in_progress,
    _S.ON_HOLD: _check_on_hold,
    _S.WORK_DONE: _check_work_done,
    _S.VERIFIED: _check_verified,
    _S.CLOSED: _check_closed,
    _S.CANCELLED: _check_cancelled,
}
