"""The life-cycle of a complaint: each guard by name, and no way around it by random commands of random roles."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.audit import Signature
from domain.complaint import (
    COMPLAINT_TRANSITIONS,
    ComplaintFacts,
    ComplaintRequest,
    ComplaintState,
    find_complaint_refusal,
)
from domain.roles import ROLE_PERMISSIONS, Permission, Role

_S = ComplaintState
ADA, BOB = 1, 2
FACTS = ComplaintFacts(_S.RECEIVED, ADA)


def refuse(to: ComplaintState, facts: ComplaintFacts, **more: Any) -> str | None:
    values: dict[str, Any] = {"reason": "why", "investigation": "a worn seal", "signature": Signature(ADA, "Ada", "ok")}
    by = COMPLAINT_TRANSITIONS.get((facts.state, to), Permission.COMPLAINT_WRITE)
    refusal = find_complaint_refusal(ComplaintRequest(to, **values | more), facts, by)
    return None if refusal is None else refusal.guard.value


@pytest.mark.parametrize(
    ("state", "to", "facts", "more", "guard"),
    [
        (_S.RECEIVED, _S.CLOSED, {}, {}, "no_such_transition"),
        (_S.RECEIVED, _S.INVESTIGATION, {"actor_id": None}, {}, "person_needed"),
        (_S.RECEIVED, _S.INVESTIGATION, {}, {"reason": ""}, None),
        (_S.RECEIVED, _S.RESOLVED, {}, {"reason": " "}, "reason_missing"),
        (_S.RECEIVED, _S.RESOLVED, {"is_reportable": True}, {}, "must_investigate"),
        (_S.RECEIVED, _S.RESOLVED, {}, {}, None),
        (_S.INVESTIGATION, _S.RESOLVED, {}, {"investigation": ""}, "investigation_missing"),
        (_S.INVESTIGATION, _S.RESOLVED, {}, {}, None),
        (_S.RESOLVED, _S.INVESTIGATION, {}, {"reason": ""}, "reason_missing"),
        (_S.RESOLVED, _S.CLOSED, {"missing": ("reply",)}, {}, "record_incomplete"),
        (_S.RESOLVED, _S.CLOSED, {"is_assessed": False}, {}, "vigilance_undecided"),
        (_S.RESOLVED, _S.CLOSED, {"is_decided": False}, {}, "vigilance_undecided"),
        (_S.RESOLVED, _S.CLOSED, {"is_reportable": True, "investigated": False}, {}, "must_investigate"),
        (_S.RESOLVED, _S.CLOSED, {"open_reports": ("EU",)}, {}, "report_open"),
        (_S.RESOLVED, _S.CLOSED, {"has_open_order": True}, {}, "work_order_open"),
        (_S.RESOLVED, _S.CLOSED, {}, {"signature": None}, "signature_missing"),
        (_S.RESOLVED, _S.CLOSED, {}, {"signature": Signature(BOB, "Bob", "ok")}, "signer_is_another"),
        (_S.RESOLVED, _S.CLOSED, {}, {"signature": Signature(ADA, "Ada", " ")}, "meaning_missing"),
        (_S.RESOLVED, _S.CLOSED, {}, {}, None),
        (_S.CLOSED, _S.INVESTIGATION, {}, {"reason": ""}, "reason_missing"),
        (_S.CLOSED, _S.INVESTIGATION, {}, {}, None),
    ],
)
def test_each_guard(
    state: ComplaintState, to: ComplaintState, facts: dict[str, Any], more: dict[str, Any], guard: str | None
) -> None:
    assert refuse(to, replace(FACTS, state=state, **facts), **more) == guard


STEPS = st.tuples(
    st.sampled_from(_S),
    st.sampled_from(Role),
    st.sampled_from(["", "why"]),
    st.sampled_from([None, ADA, BOB]),
    st.sampled_from([None, ADA, BOB]),
    st.fixed_dictionaries(
        {
            "missing": st.sampled_from([(), ("reply",)]),
            "is_decided": st.booleans(),
            "is_reportable": st.booleans(),
            "open_reports": st.sampled_from([(), ("US",)]),
            "has_open_order": st.booleans(),
        }
    ),
)


@given(st.lists(STEPS, max_size=12))
def test_no_forbidden_step_by_random_commands_of_random_roles(steps: list[Any]) -> None:
    state, investigated = _S.RECEIVED, None
    for to, role, text, actor, signer, known in steps:
        rights = ROLE_PERMISSIONS[role]
        needed = COMPLAINT_TRANSITIONS.get((state, to))
        by = needed if needed in rights else min(rights, default=Permission.ACCOUNT_USE)
        signature = None if signer is None else Signature(signer, "Name", "closed")
        facts = ComplaintFacts(state, actor, investigated=investigated, **known)
        refusal = find_complaint_refusal(ComplaintRequest(to, text, text, signature), facts, by)
        if refusal is not None:
            assert refusal.guard.value
            assert refusal.detail
            continue
        assert needed in rights
        assert actor is not None
        if to is _S.CLOSED:
            assert state is _S.RESOLVED
            assert signer == actor
            assert known["is_decided"]
            assert not known["missing"]
            assert not known["open_reports"]
            assert not known["has_open_order"]
            assert investigated or not known["is_reportable"]
            assert role is Role.QUALITY_ENGINEER
        if to is _S.RESOLVED and state is _S.RECEIVED:
            investigated = False
        if to is _S.INVESTIGATION:
            investigated = True
        state = to
