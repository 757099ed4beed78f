"""Changes that take two people: every step by every kind of person, and no two steps by one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.approval_request import (
    DECISIONS,
    RULES,
    ApprovalFacts,
    ApprovalGuard,
    ApprovalKind,
    ApprovalRequest,
    ApprovalState,
    ApprovalWish,
    find_approval_content,
    find_approval_refusal,
    find_ask_refusal,
    find_request_content,
    is_intact,
)
from domain.audit import find_content_sha256

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
KIND = ApprovalKind.KEY_FIELD_CHANGE
ASK, DECIDE = RULES[KIND].ask.value, RULES[KIND].decide.value
FACTS = ApprovalFacts(
    kind=KIND,
    state=ApprovalState.ASKED,
    asked_by_id=1,
    expires_at=NOW + timedelta(days=1),
    actor_id=2,
    signer_id=2,
    meaning="Reviewed",
)


def find_guard(to: ApprovalState, facts: ApprovalFacts, permission: str = DECIDE, reason: str = "r") -> str | None:
    refusal = find_approval_refusal(to, facts, permission=permission, reason=reason, now=NOW)
    return None if refusal is None else refusal.guard.value


def test_another_person_grants_and_refuses() -> None:
    assert find_guard(ApprovalState.GRANTED, FACTS) is None
    assert find_guard(ApprovalState.GRANTED, FACTS, reason="") is None
    assert find_guard(ApprovalState.REFUSED, FACTS) is None


@pytest.mark.parametrize("to", DECISIONS)
@pytest.mark.parametrize(
    ("facts", "guard"),
    [
        (replace(FACTS, actor_id=1, signer_id=1), ApprovalGuard.SECOND_PERSON),
        (replace(FACTS, actor_id=None), ApprovalGuard.PERSON_NEEDED),
        (replace(FACTS, signer_id=None), ApprovalGuard.SIGNATURE_MISSING),
        (replace(FACTS, signer_id=3), ApprovalGuard.SIGNER_IS_ANOTHER),
        (replace(FACTS, meaning=" "), ApprovalGuard.MEANING_MISSING),
        (replace(FACTS, expires_at=NOW), ApprovalGuard.EXPIRED),
        (replace(FACTS, state=ApprovalState.GRANTED), ApprovalGuard.NO_SUCH_TRANSITION),
        (replace(FACTS, state=ApprovalState.EXPIRED), ApprovalGuard.NO_SUCH_TRANSITION),
    ],
)
def test_a_decision_is_refused_with_its_guard(to: ApprovalState, facts: ApprovalFacts, guard: ApprovalGuard) -> None:
    assert find_guard(to, facts) == guard


def test_what_only_a_grant_needs() -> None:
    changed = replace(FACTS, subject_is_same=False)
    assert find_guard(ApprovalState.GRANTED, changed) == ApprovalGuard.SUBJECT_CHANGED
    assert find_guard(ApprovalState.REFUSED, changed) is None
    forged = replace(FACTS, is_intact=False)
    assert find_guard(ApprovalState.GRANTED, forged) == ApprovalGuard.NOT_AS_ASKED
    assert find_guard(ApprovalState.REFUSED, FACTS, reason=" ") == ApprovalGuard.REASON_MISSING
    assert find_guard(ApprovalState.GRANTED, FACTS, permission=ASK) == ApprovalGuard.PERMISSION_MISSING


def test_only_who_asked_withdraws() -> None:
    assert find_guard(ApprovalState.WITHDRAWN, replace(FACTS, actor_id=1), permission=ASK) is None
    assert find_guard(ApprovalState.WITHDRAWN, FACTS, permission=ASK) == ApprovalGuard.NOT_ASKER
    assert find_guard(ApprovalState.EXPIRED, FACTS) == ApprovalGuard.NO_SUCH_TRANSITION


def test_a_question_needs_a_person_a_reason_and_a_signature() -> None:
    wish = ApprovalWish(KIND, "SN-1", {"serial": "SN-2"}, "misread at intake")

    def find(wish: ApprovalWish = wish, actor_id: int | None = 1, signer_id: int | None = 1, meaning: str = "I ask",
             permission: str = ASK) -> str | None:  # fmt: skip
        found = find_ask_refusal(wish, actor_id=actor_id, signer_id=signer_id, meaning=meaning, permission=permission)
        return None if found is None else found.guard.value

    assert find() is None
    assert find(permission=DECIDE) == ApprovalGuard.PERMISSION_MISSING
    assert find(actor_id=None) == ApprovalGuard.PERSON_NEEDED
    assert find(replace(wish, reason=" ")) == ApprovalGuard.REASON_MISSING
    assert find(signer_id=None) == ApprovalGuard.SIGNATURE_MISSING
    assert find(signer_id=2) == ApprovalGuard.SIGNER_IS_ANOTHER
    assert find(meaning="") == ApprovalGuard.MEANING_MISSING


@given(
    kind=st.sampled_from(ApprovalKind),
    state=st.sampled_from(ApprovalState),
    to=st.sampled_from(ApprovalState),
    actor_id=st.sampled_from([None, 1, 2]),
    signer_id=st.sampled_from([None, 1, 2]),
    permission=st.sampled_from(sorted({p.value for rule in RULES.values() for p in (rule.ask, rule.decide)})),
    reason=st.sampled_from(["", "because"]),
    left=st.integers(-2, 2),
    is_intact=st.booleans(),
    subject_is_same=st.booleans(),
)
def test_nothing_is_granted_but_by_a_second_person_in_time_signed_as_asked(
    kind: ApprovalKind, state: ApprovalState, to: ApprovalState, actor_id: int | None, signer_id: int | None,
    permission: str, reason: str, left: int, is_intact: bool, subject_is_same: bool,
) -> None:  # fmt: skip
    facts = ApprovalFacts(kind, state, 1, NOW + timedelta(hours=left), actor_id, signer_id, "m", is_intact,
                          subject_is_same)  # fmt: skip
    refusal = find_approval_refusal(to, facts, permission=permission, reason=reason, now=NOW)
    if refusal is not None:
        assert refusal.guard in ApprovalGuard
        assert refusal.detail
        return
    assert state is ApprovalState.ASKED
    if to is ApprovalState.WITHDRAWN:
        assert (actor_id, permission) == (1, RULES[kind].ask)
        return
    assert to in DECISIONS
    assert (actor_id, signer_id, permission) == (2, 2, RULES[kind].decide)
    assert left > 0
    assert to is ApprovalState.REFUSED or (is_intact and subject_is_same)


def test_the_hash_covers_the_change_the_record_and_the_asker() -> None:
    content = find_approval_content(KIND, "device", "SN-1", {"serial": "SN-2"}, {"serial": "SN-1"}, 1)
    request = ApprovalRequest(
        id=1, code="AR-2026-000001", kind=KIND, entity="device", entity_id="SN-1", payload={"serial": "SN-2"},
        subject={"serial": "SN-1"}, content_sha256=find_content_sha256(content), reason="r", state="ASKED",
        asked_by_id=1, asked_by="anna", asked_at=NOW, expires_at=NOW, decided_by_id=None, decided_by=None,
        decided_at=None, decision_reason="", outcome=None, region="", is_simulated=False, row_version=1, created_at=NOW,
        updated_at=NOW,
    )  # fmt: skip
    assert find_request_content(request) == content
    assert is_intact(request)
    for other in (
        replace(request, payload={"serial": "SN-3"}),
        replace(request, subject={"serial": "SN-9"}),
        replace(request, asked_by_id=2),
        replace(request, entity_id="SN-7"),
        replace(request, kind=ApprovalKind.PLAN_SKIP.value),
    ):
        assert not is_intact(other)
