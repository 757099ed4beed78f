"""Priorities and the CAPA's first step as tables."""

import pytest

from domain.breach import Severity
from domain.capa import CapaGuard, CapaState
from domain.capa_steps import CapaFacts, CapaRequest, find_capa_refusal
from domain.roles import Permission
from domain.tickets import Priority, find_priority


@pytest.mark.parametrize(
    ("severity", "safety_critical", "contract", "priority"),
    [
        (Severity.CRITICAL, True, False, Priority.P1),
        (Severity.CRITICAL, False, True, Priority.P2),
        (Severity.CRITICAL, False, False, Priority.P3),
        (Severity.MAJOR, True, False, Priority.P2),
        (Severity.MAJOR, False, True, Priority.P3),
        (Severity.MAJOR, False, False, Priority.P4),
        (Severity.MINOR, True, True, Priority.P3),
        (Severity.INFO, True, True, Priority.P4),
        (Severity.INFO, False, False, Priority.P4),
    ],
)
def test_priority_by_severity_safety_and_contract(
    severity: Severity, safety_critical: bool, contract: bool, priority: Priority
) -> None:
    assert find_priority(severity, safety_critical=safety_critical, under_contract=contract) is priority


@pytest.mark.parametrize(
    ("state", "to", "reason", "by_person", "guard"),
    [
        (CapaState.PROPOSED, CapaState.OPEN, "systemic", True, None),
        (CapaState.PROPOSED, CapaState.REJECTED, "one site", True, None),
        (CapaState.PROPOSED, CapaState.REJECTED, "", True, CapaGuard.REASON_MISSING),
        (CapaState.PROPOSED, CapaState.OPEN, " ", True, CapaGuard.REASON_MISSING),
        (CapaState.PROPOSED, CapaState.OPEN, "systemic", False, CapaGuard.PERSON_NEEDED),
        (CapaState.PROPOSED, CapaState.CLOSED, "x", True, CapaGuard.NO_SUCH_TRANSITION),
        (CapaState.REJECTED, CapaState.OPEN, "x", True, CapaGuard.NO_SUCH_TRANSITION),
    ],
)
def test_a_capa_is_decided_by_a_person_with_a_reason(
    state: CapaState, to: CapaState, reason: str, by_person: bool, guard: CapaGuard | None
) -> None:
    facts = CapaFacts(state, 7 if by_person else None)
    refusal = find_capa_refusal(CapaRequest(to, reason), facts, Permission.CAPA_DECIDE)
    assert (refusal.guard if refusal else None) is guard
