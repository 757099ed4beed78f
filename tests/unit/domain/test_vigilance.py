"""Vigilance: who may say and decide what, and no decision by the machine."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.audit import Signature
from domain.roles import ROLE_PERMISSIONS, Permission, Role
from domain.vigilance import (
    Assessment,
    AssessmentRequest,
    DecisionRequest,
    ReportClock,
    ReportState,
    SubmissionRequest,
    VigilanceDecision,
    find_assessment_refusal,
    find_decision_content,
    find_decision_refusal,
    find_dues,
    find_later_faults,
    find_submission_refusal,
)
from domain.vigilance_terms import Harm, Jurisdiction

ADA, BOB = 1, 2
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
EU, US, CN = Jurisdiction
SIGNED = Signature(BOB, "Bob", "decided")
ASSESSED = Assessment(
    1, 1, 1, NOW - timedelta(days=1), Harm.DEATH, False, False, (EU, US), "report", ADA, "ada", NOW, None, (), "", None,
    None, None,
)  # fmt: skip
CLOCK = ReportClock(1, EU, ReportState.RUNNING, "", "", NOW, NOW, "", None, None, None, None, "")


def assess(**more: Any) -> str | None:
    request = AssessmentRequest(NOW, Harm.DEATH, (EU,), "the hospital called")
    values: dict[str, Any] = {"actor_id": ADA, "by": "vigilance.assess", "is_closed": False, "now": NOW}
    changes = {k: v for k, v in more.items() if k not in values}
    found = find_assessment_refusal(replace(request, **changes), **values | {k: more[k] for k in values if k in more})
    return None if found is None else found.guard.value


@pytest.mark.parametrize(
    ("more", "guard"),
    [
        ({}, None),
        ({"by": "complaint.write"}, "permission_missing"),
        ({"actor_id": None}, "person_needed"),
        ({"is_closed": True}, "complaint_closed"),
        ({"aware_at": NOW + timedelta(seconds=1)}, "aware_in_future"),
        ({"threat_known_at": NOW + timedelta(seconds=1)}, "aware_in_future"),
        ({"threat_known_at": NOW - timedelta(seconds=1)}, "known_before_aware"),
        ({"threat_known_at": NOW}, None),
        ({"threat_known_at": NOW, "harm": Harm.NONE}, "nothing_known_later"),
        ({"remedial_need_known_at": NOW}, "nothing_known_later"),
        ({"remedial_need_known_at": NOW, "needs_remedial_action": True}, None),
        ({"jurisdictions": ()}, "jurisdiction_missing"),
        ({"reason": " "}, "reason_missing"),
    ],
)
def test_each_guard_of_an_assessment(more: dict[str, Any], guard: str | None) -> None:
    assert assess(**more) == guard


def test_of_two_moments_that_one_is_at_fault_which_is() -> None:
    request = AssessmentRequest(NOW, Harm.DEATH, (EU,), "the hospital called", needs_remedial_action=True)
    known = replace(request, threat_known_at=NOW, remedial_need_known_at=NOW)
    early = NOW - timedelta(seconds=1)

    def find(**changes: Any) -> dict[str, str]:
        return {name: one.guard.value for name, one in find_later_faults(replace(known, **changes)).items()}

    assert find() == {}
    assert find(remedial_need_known_at=early) == {"remedial_need_known_at": "known_before_aware"}
    assert find(needs_remedial_action=False) == {"remedial_need_known_at": "nothing_known_later"}
    assert find(harm=Harm.NONE) == {"threat_known_at": "nothing_known_later"}
    # What is wrong twice is said as what a moment cannot be at all.
    assert find(harm=Harm.NONE, threat_known_at=early) == {"threat_known_at": "known_before_aware"}
    assert assess(remedial_need_known_at=NOW, threat_known_at=early) == "known_before_aware"


@pytest.mark.parametrize(
    ("newest", "request_", "more", "guard"),
    [
        ({}, {}, {}, None),
        ({}, {}, {"by": "vigilance.assess"}, "permission_missing"),
        ({}, {}, {"actor_id": None}, "person_needed"),
        ({}, {}, {"is_closed": True}, "complaint_closed"),
        (None, {}, {}, "not_assessed"),
        ({"decision": VigilanceDecision.NOT_REPORTABLE}, {}, {}, "decided_already"),
        ({"assessed_by_id": BOB}, {}, {}, "second_person"),
        ({}, {"justification": " "}, {}, "justification_missing"),
        ({"harm": Harm.NONE}, {}, {}, "no_harm_assessed"),
        ({}, {"reportable_in": ()}, {}, "jurisdiction_missing"),
        ({}, {"reportable_in": (CN,)}, {}, "not_assessed_there"),
        ({}, {"signature": None}, {}, "signature_missing"),
        ({}, {"signature": Signature(ADA, "Ada", "x")}, {}, "signer_is_another"),
        ({}, {"signature": Signature(BOB, "Bob", "")}, {}, "meaning_missing"),
        ({"harm": Harm.NONE}, {"decision": VigilanceDecision.NOT_REPORTABLE, "reportable_in": ()}, {}, None),
    ],
)
def test_each_guard_of_a_decision(
    newest: dict[str, Any] | None, request_: dict[str, Any], more: dict[str, Any], guard: str | None
) -> None:
    request = replace(DecisionRequest(VigilanceDecision.REPORTABLE, "a death", (EU,), SIGNED), **request_)
    values: dict[str, Any] = {"actor_id": BOB, "by": "vigilance.decide", "is_closed": False}
    subject = None if newest is None else replace(ASSESSED, **newest)
    found = find_decision_refusal(request, subject, **values | more)
    assert (None if found is None else found.guard.value) == guard


DECIDED = replace(ASSESSED, decision=VigilanceDecision.REPORTABLE, reportable_in=(EU,))


@pytest.mark.parametrize(
    ("newest", "clock", "request_", "more", "guard"),
    [
        (DECIDED, CLOCK, {}, {}, None),
        (DECIDED, CLOCK, {}, {"by": "complaint.write"}, "permission_missing"),
        (DECIDED, CLOCK, {}, {"actor_id": None}, "person_needed"),
        (None, None, {}, {}, "not_assessed"),
        (DECIDED, replace(CLOCK, state=ReportState.SUBMITTED), {}, {}, "submitted_already"),
        (ASSESSED, CLOCK, {}, {}, "not_reportable"),
        (DECIDED, None, {"jurisdiction": US}, {}, "not_reportable"),
        (DECIDED, CLOCK, {"reference": " "}, {}, "reference_missing"),
        (DECIDED, CLOCK, {"submitted_at": NOW + timedelta(hours=1)}, {}, "submitted_in_future"),
        (DECIDED, CLOCK, {"submitted_at": NOW - timedelta(days=2)}, {}, "submitted_before_aware"),
    ],
)
def test_each_guard_of_a_submission(
    newest: Assessment | None,
    clock: ReportClock | None,
    request_: dict[str, Any],
    more: dict[str, Any],
    guard: str | None,
) -> None:
    request = replace(SubmissionRequest(EU, NOW, "MIR-1"), **request_)
    values: dict[str, Any] = {"actor_id": BOB, "by": "vigilance.decide", "now": NOW}
    found = find_submission_refusal(request, newest, clock, **values | more)
    assert (None if found is None else found.guard.value) == guard


def test_no_clock_runs_where_no_harm_is_assessed() -> None:
    assert find_dues(AssessmentRequest(NOW, Harm.NONE, (EU, US, CN), "a scratch")) == []


COMMANDS = st.tuples(
    st.sampled_from(["assess", "decide", "submit"]), st.sampled_from(Role), st.sampled_from([None, 1, 2])
)


@given(st.lists(COMMANDS, max_size=15))
def test_no_decision_but_by_another_person_with_the_right(commands: list[Any]) -> None:
    newest: Assessment | None = None
    clock: ReportClock | None = None
    for command, role, actor in commands:
        rights = ROLE_PERMISSIONS[role]
        wanted = {
            "assess": (Permission.VIGILANCE_ASSESS,),
            "decide": (Permission.VIGILANCE_DECIDE,),
            "submit": (Permission.VIGILANCE_DECIDE, Permission.VIGILANCE_ASSESS),
        }[command]
        by = next((right for right in wanted if right in rights), min(rights))
        signature = None if actor is None else Signature(actor, "Name", "decided")
        if command == "assess":
            asked = AssessmentRequest(NOW, Harm.SERIOUS_INJURY, (EU,), "told")
            refusal = find_assessment_refusal(asked, actor_id=actor, by=by, is_closed=False, now=NOW)
        elif command == "decide":
            decision = DecisionRequest(VigilanceDecision.REPORTABLE, "serious", (EU,), signature)
            refusal = find_decision_refusal(decision, newest, actor_id=actor, by=by, is_closed=False)
        else:
            sent = SubmissionRequest(EU, NOW, "MIR-1")
            refusal = find_submission_refusal(sent, newest, clock, actor_id=actor, by=by, now=NOW)
        if refusal is not None:
            assert refusal.guard.value
            assert refusal.detail
            continue
        assert actor is not None
        assert set(wanted) & rights
        if command == "assess":
            newest, clock = replace(ASSESSED, aware_at=NOW, assessed_by_id=actor), CLOCK
        elif command == "decide":
            assert newest is not None
            assert newest.assessed_by_id != actor
            assert newest.decision is None
            newest = replace(newest, decision=VigilanceDecision.REPORTABLE, reportable_in=(EU,), decided_by_id=actor)
        else:
            assert newest is not None
            assert clock is not None
            assert newest.decision is VigilanceDecision.REPORTABLE
            assert clock.state is ReportState.RUNNING
            clock = replace(clock, state=ReportState.SUBMITTED)


def test_a_signature_from_before_one_could_say_what_became_known_later_still_holds() -> None:
    signed = find_decision_content("CMP-1", ASSESSED)
    assert not {"threat_known_at", "remedial_need_known_at"} & signed.keys()
    assert find_decision_content("CMP-1", replace(ASSESSED, threat_known_at=NOW)) != signed
