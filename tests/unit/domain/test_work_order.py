"""The life-cycle of a work order: each guard by name, and no way around it by any sequence of commands."""

from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from domain.audit import Signature
from domain.roles import Permission
from domain.work_order import (
    CloseOut,
    Guard,
    HoldReason,
    Outcome,
    WorkOrderState,
)
from domain.work_order_steps import (
    TRANSITIONS,
    TransitionFacts,
    TransitionRequest,
    find_next_states,
    find_permissions_for,
    find_refusal,
)

_S = WorkOrderState
WORKER, MANAGER = 1, 2
RECORD = CloseOut("Pump", "SN-1", date(2026, 11, 22), "W. Orker", "replaced motor", "12 runs, all within 2 %")
SIGNATURE = Signature(MANAGER, "M. Anager", "closed")


def _facts(state: WorkOrderState, **more: Any) -> TransitionFacts:
    facts = TransitionFacts(state, MANAGER, WORKER, safety_critical=True, done_by_id=WORKER, is_quiet=True)
    return replace(facts, **more)


def _request(to: WorkOrderState) -> TransitionRequest:
    """A request that no guard has reason to refuse."""
    return TransitionRequest(
        to=to,
        reason="because",
        assignee_id=WORKER,
        hold_reason=HoldReason.PARTS,
        outcome=Outcome.CONFIRMED,
        close_out=RECORD,
        signature=SIGNATURE,
    )


def _refuse(request: TransitionRequest, facts: TransitionFacts) -> Guard | None:
    by = (find_permissions_for(facts.state, request.to) or (Permission.WORK_ORDER_TRIAGE,))[0]
    refusal = find_refusal(request, facts, by)
    return None if refusal is None else refusal.guard


@pytest.mark.parametrize(("state", "to"), TRANSITIONS)
def test_a_complete_request_passes_every_guard(state: WorkOrderState, to: WorkOrderState) -> None:
    is_work = find_permissions_for(state, to)[0] is Permission.WORK_ORDER_WORK
    assert _refuse(_request(to), _facts(state, actor_id=WORKER if is_work else MANAGER)) is None


@pytest.mark.parametrize("state", _S)
@pytest.mark.parametrize("to", _S)
def test_what_is_not_in_the_table_does_not_exist(state: WorkOrderState, to: WorkOrderState) -> None:
    refused = _refuse(_request(to), _facts(state, actor_id=WORKER))
    assert (refused is Guard.NO_SUCH_TRANSITION) == (to not in find_next_states(state))


@pytest.mark.parametrize(
    ("state", "request_", "more", "guard"),
    [
        (_S.TRIAGED, replace(_request(_S.ASSIGNED), assignee_id=None), {}, Guard.ASSIGNEE_MISSING),
        (_S.TRIAGED, _request(_S.ASSIGNED), {"assignee_known": False}, Guard.ASSIGNEE_UNKNOWN),
        (_S.TRIAGED, _request(_S.ASSIGNED), {"assignee_certified": False}, Guard.CERTIFICATE_INVALID),
        (
            _S.ASSIGNED,
            _request(_S.IN_PROGRESS),
            {"assignee_certified": False, "actor_id": WORKER},
            Guard.CERTIFICATE_INVALID,
        ),
        (_S.ASSIGNED, _request(_S.IN_PROGRESS), {}, Guard.NOT_ASSIGNEE),
        (_S.ASSIGNED, replace(_request(_S.TRIAGED), reason=" "), {}, Guard.REASON_MISSING),
        (
            _S.IN_PROGRESS,
            replace(_request(_S.ON_HOLD), hold_reason=None),
            {"actor_id": WORKER},
            Guard.HOLD_REASON_MISSING,
        ),
        (
            _S.IN_PROGRESS,
            replace(_request(_S.WORK_DONE), close_out=replace(RECORD, test_data="")),
            {"actor_id": WORKER},
            Guard.CLOSE_OUT_INCOMPLETE,
        ),
        (
            _S.IN_PROGRESS,
            replace(_request(_S.WORK_DONE), close_out=None),
            {"actor_id": WORKER},
            Guard.CLOSE_OUT_INCOMPLETE,
        ),
        (_S.IN_PROGRESS, replace(_request(_S.WORK_DONE), outcome=None), {"actor_id": WORKER}, Guard.OUTCOME_MISSING),
        (_S.WORK_DONE, _request(_S.VERIFIED), {"is_quiet": False}, Guard.NOT_QUIET),
        (_S.WORK_DONE, _request(_S.VERIFIED), {"actor_id": WORKER}, Guard.OWN_WORK),
        (_S.WORK_DONE, _request(_S.VERIFIED), {"actor_id": WORKER, "safety_critical": False}, Guard.OWN_WORK),
        (_S.WORK_DONE, _request(_S.VERIFIED), {"actor_id": None}, Guard.OWN_WORK),
        (_S.WORK_DONE, _request(_S.VERIFIED), {"actor_id": WORKER, "done_by_id": 9}, Guard.SECOND_PERSON),
        (_S.WORK_DONE, replace(_request(_S.IN_PROGRESS), reason=""), {}, Guard.REASON_MISSING),
        (_S.VERIFIED, replace(_request(_S.CLOSED), signature=None), {}, Guard.SIGNATURE_MISSING),
        (
            _S.VERIFIED,
            replace(_request(_S.CLOSED), signature=replace(SIGNATURE, meaning=" ")),
            {},
            Guard.SIGNATURE_MISSING,
        ),
        (
            _S.VERIFIED,
            replace(_request(_S.CLOSED), signature=replace(SIGNATURE, signer_id=9)),
            {},
            Guard.SIGNER_IS_ANOTHER,
        ),
        (_S.VERIFIED, _request(_S.CLOSED), {"done_by_id": MANAGER}, Guard.SECOND_PERSON),
        (_S.CLOSED, replace(_request(_S.TRIAGED), reason=""), {}, Guard.REASON_MISSING),
        (_S.CLOSED, _request(_S.TRIAGED), {"has_other_open_order": True}, Guard.OPEN_ORDER_OF_KEY),
        (_S.NEW, replace(_request(_S.CANCELLED), reason=""), {}, Guard.REASON_MISSING),
    ],
)
def test_a_guard_refuses_by_name(
    state: WorkOrderState, request_: TransitionRequest, more: dict[str, Any], guard: Guard
) -> None:
    assert _refuse(request_, _facts(state, **more)) is guard


def test_test_evidence_stands_in_for_a_quiet_period() -> None:
    request = replace(_request(_S.VERIFIED), test_evidence="bench report 17")
    assert _refuse(request, _facts(_S.WORK_DONE, is_quiet=False)) is None


def test_a_permission_for_another_step_does_not_do() -> None:
    refusal = find_refusal(_request(_S.CLOSED), _facts(_S.VERIFIED), Permission.WORK_ORDER_VERIFY)
    assert refusal is not None
    assert refusal.guard is Guard.PERMISSION_MISSING


@settings(deadline=None)  # a busy machine is no failure
@given(data=st.data(), safety_critical=st.booleans())
def test_no_sequence_of_commands_gets_around_the_guards(data: st.DataObject, safety_critical: bool) -> None:
    state, assignee, done_by, trail = _S.NEW, None, None, [_S.NEW]
    for _ in range(40):
        # Mostly what could follow, or a walk would hardly ever leave the first states.
        to = data.draw(states_after(state))
        permission, actor, is_quiet = data.draw(circumstances(state, to))
        request = data.draw(requests(to))
        facts = TransitionFacts(state, actor, assignee, safety_critical, done_by_id=done_by, is_quiet=is_quiet)
        if find_refusal(request, facts, str(permission)) is not None:
            continue
        assert permission in TRANSITIONS[state, to]
        if to is _S.ASSIGNED:
            assignee = request.assignee_id
            assert assignee is not None
        if to is _S.WORK_DONE:
            assert actor == assignee
            assert request.outcome is not None
            assert request.close_out == RECORD
            done_by = actor
        if to is _S.VERIFIED:
            assert actor != done_by
            assert is_quiet or request.test_evidence
        if to is _S.CLOSED:
            assert request.signature is not None
            assert request.signature.signer_id == actor
            assert trail[-2:] == [_S.WORK_DONE, _S.VERIFIED]
        if to is _S.TRIAGED:
            assignee = None
        assert state is not _S.CANCELLED
        state = to
        trail.append(state)
    event(f"ends {state}")


# Strategies are made once: to make one takes longer than to draw from it.
@cache
def states_after(state: WorkOrderState) -> st.SearchStrategy[WorkOrderState]:
    """Any state, but mostly one that could follow."""
    return st.sampled_from(_S) | st.sampled_from(find_next_states(state) or (_S.TRIAGED,))


@cache
def circumstances(state: WorkOrderState, to: WorkOrderState) -> st.SearchStrategy[tuple[Permission | None, int, bool]]:
    """By which permission, by whom, and whether it is quiet; mostly a permission that the step asks for."""
    permissions = st.sampled_from(Permission) | st.sampled_from(find_permissions_for(state, to) or (None,))
    return st.tuples(permissions, st.sampled_from([WORKER, MANAGER, 3]), st.booleans())


@cache
def requests(to: WorkOrderState) -> st.SearchStrategy[TransitionRequest]:
    """Requests for that state, complete or not."""
    return st.just(_request(to)) | st.builds(
        TransitionRequest,
        to=st.just(to),
        reason=st.sampled_from(["", "because"]),
        assignee_id=st.sampled_from([None, WORKER, 3]),
        hold_reason=st.none() | st.sampled_from(HoldReason),
        outcome=st.none() | st.sampled_from(Outcome),
        close_out=st.sampled_from([None, CloseOut(), RECORD]),
        test_evidence=st.sampled_from(["", "bench"]),
        signature=st.sampled_from([None, SIGNATURE, replace(SIGNATURE, signer_id=WORKER)]),
    )
