"""The steps of a CAPA that rest on its effect: each guard by name."""

from typing import Any

import pytest

from domain.capa import CapaState, Verdict
from tests.support.capa_facts import ADA, BOB, refuse

_S = CapaState


@pytest.mark.parametrize(
    ("state", "to", "facts", "more", "guard"),
    [
        (_S.VERIFICATION, _S.EFFECTIVENESS, {"actions_unverified": 1}, {}, "actions_not_verified"),
        (_S.VERIFICATION, _S.EFFECTIVENESS, {"author_ids": (ADA,)}, {}, "own_work"),
        (_S.VERIFICATION, _S.EFFECTIVENESS, {"doer_ids": (ADA,)}, {}, "own_work"),
        (_S.VERIFICATION, _S.EFFECTIVENESS, {}, {"reason": ""}, "reason_missing"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"is_period_over": False}, {}, "period_not_over"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"verdict": None}, {}, "effectiveness_outdated"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"is_current": False}, {}, "effectiveness_outdated"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"verdict": Verdict.FAILED}, {}, "effectiveness_failed"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"verdict": Verdict.INCONCLUSIVE}, {}, "effectiveness_inconclusive"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"actions_unverified": 1}, {}, "actions_not_verified"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"closure_signed_by": (BOB,), "author_ids": (ADA,)}, {}, "own_work"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"closure_signed_by": (BOB,), "doer_ids": (ADA,)}, {}, "own_work"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"closure_signed_by": (ADA,)}, {}, "second_person"),
        (_S.EFFECTIVENESS, _S.CLOSED, {}, {"signature": None}, "signature_missing"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"author_ids": (ADA,)}, {}, None),
        (_S.EFFECTIVENESS, _S.ACTION_PLAN, {"verdict": Verdict.FAILED}, {}, "effectiveness_failed"),
        (_S.EFFECTIVENESS, _S.ACTION_PLAN, {"verdict": Verdict.INCONCLUSIVE}, {}, None),
        (_S.EFFECTIVENESS, _S.INVESTIGATION, {"verdict": Verdict.FAILED}, {"reason": ""}, "reason_missing"),
        (_S.EFFECTIVENESS, _S.INVESTIGATION, {"verdict": Verdict.FAILED}, {}, None),
    ],
)
def test_each_guard_of_the_effect(
    state: CapaState, to: CapaState, facts: dict[str, Any], more: dict[str, Any], guard: str | None
) -> None:
    assert refuse(state, to, facts, more) == guard
