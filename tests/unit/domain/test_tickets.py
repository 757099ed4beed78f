"""Priorities, clocks and the CAPA's first step as tables."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.breach import Severity
from domain.capa import CapaGuard, CapaState, find_capa_refusal
from domain.profile import TicketPolicy
from domain.sla import Clocks, restart_clocks, start_clocks
from domain.tickets import Priority, find_priority

NOW = datetime(2026, 11, 22, tzinfo=UTC)
POLICY = TicketPolicy()


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


def test_clocks_are_the_policys_hours_from_the_start() -> None:
    assert start_clocks(POLICY, Priority.P1, NOW) == Clocks(NOW + timedelta(hours=1), NOW + timedelta(hours=8))
    assert start_clocks(POLICY, Priority.P4, NOW) == Clocks(NOW + timedelta(hours=72), NOW + timedelta(hours=336))


def test_an_escalation_gives_a_new_clock_and_never_more_time() -> None:
    running = start_clocks(POLICY, Priority.P3, NOW)
    soon, late = NOW + timedelta(hours=1), NOW + timedelta(hours=119)
    assert restart_clocks(POLICY, Priority.P1, soon, running) == start_clocks(POLICY, Priority.P1, soon)
    assert restart_clocks(POLICY, Priority.P2, late, running) == running


@pytest.mark.parametrize(
    ("state", "to", "reason", "by_person", "guard"),
    [
        (CapaState.PROPOSED, CapaState.OPEN, "systemic", True, None),
        (CapaState.PROPOSED, CapaState.REJECTED, "one site", True, None),
        (CapaState.PROPOSED, CapaState.REJECTED, "", True, CapaGuard.REASON_MISSING),
        (CapaState.PROPOSED, CapaState.OPEN, " ", True, CapaGuard.REASON_MISSING),
        (CapaState.PROPOSED, CapaState.OPEN, "systemic", False, CapaGuard.PERSON_NEEDED),
        (CapaState.PROPOSED, CapaState.CLOSED, "x", True, CapaGuard.NO_SUCH_TRANSITION),
        (CapaState.OPEN, CapaState.INVESTIGATION, "x", True, CapaGuard.NO_SUCH_TRANSITION),
        (CapaState.REJECTED, CapaState.OPEN, "x", True, CapaGuard.NO_SUCH_TRANSITION),
    ],
)
def test_a_capa_is_decided_by_a_person_with_a_reason(
    state: CapaState, to: CapaState, reason: str, by_person: bool, guard: CapaGuard | None
) -> None:
    refusal = find_capa_refusal(state, to, reason=reason, by_person=by_person)
    assert (refusal.guard if refusal else None) is guard
