"""The ticket rules as a table: one line per case, every named reason reached."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.breach import BreachKind, BreachState, Severity, TransitionKind
from domain.profile import TicketPolicy
from domain.tickets import DecisionKind, Priority, TicketReason, UndecidedTransition
from domain.triage import Context, Decision, decide, is_awaited
from domain.work_order import Outcome, WorkOrder, WorkOrderSource, WorkOrderState, WorkOrderType

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
POLICY = TicketPolicy()

TRANSITION = UndecidedTransition(
    id=1,
    breach_id=UUID(int=1),
    kind=TransitionKind.RAISED,
    severity=Severity.MAJOR,
    at=NOW,
    received_at=NOW,
    recorded_at=NOW,
    reason_code="limit_high",
    params={"serial": "SN-1"},
    breach_kind=BreachKind.LIMIT,
    breach_state=BreachState.ACTIVE,
    monitor="current_high",
    fault_group="motor_wear",
    firmware="2.4.1",
    device_id=11,
    serial="SN-1",
    device_model_id=1,
    safety_critical=True,
    lifecycle="IN_SERVICE",
    lifecycle_since=NOW - timedelta(days=100),
    gateway_id=5,
    gateway="GW-5",
    site_id=7,
    site_code="S-7",
    customer_id=3,
    contract_id=None,
    region="",
    is_simulated=False,
)
ORDER = WorkOrder(
    id=42,
    code="WO-2026-000042",
    type=WorkOrderType.CORRECTIVE,
    source=WorkOrderSource.AUTOMATIC,
    priority=Priority.P2,
    state=WorkOrderState.ASSIGNED,
    hold_reason=None,
    device_id=11,
    gateway_id=None,
    site_id=7,
    customer_id=3,
    contract_id=None,
    fault_group="motor_wear",
    title_code="limit_high",
    title_params={},
    description="",
    assignee_id=None,
    breach_count=1,
    last_breach_at=NOW,
    quiet_since=None,
    ready_to_verify_at=None,
    reopen_count=0,
    version=1,
    recurrence_of=None,
    parent_id=None,
    outcome=None,
    failure_code=None,
    close_out=None,
    response_due_at=NOW,
    resolution_due_at=NOW,
    responded_at=None,
    resolved_at=None,
    response_breached=False,
    resolution_breached=False,
    inbox_reason=None,
    closed_at=None,
    cancel_reason=None,
    region="",
    is_simulated=False,
    row_version=1,
    created_by="service_link",
    created_at=NOW,
    updated_at=NOW,
)
CLOSED = replace(ORDER, id=41, state=WorkOrderState.CLOSED, outcome=Outcome.CONFIRMED)
GATEWAY_ORDER = replace(ORDER, id=43, device_id=None, gateway_id=5, fault_group="gateway_offline")
LATE: dict[str, Any] = {"at": NOW - timedelta(minutes=16)}
OFFLINE = {"breach_kind": BreachKind.OFFLINE, "fault_group": "connectivity"}
SHELVED = {"shelved_until": NOW + timedelta(hours=1), "shelved_because": "part ordered"}
MAINTAINED = {"lifecycle": "UNDER_MAINTENANCE", "lifecycle_since": NOW - timedelta(hours=1)}
STORM = {"storm_devices": frozenset({1, 2, 3, 4})}
_K, _R = DecisionKind, TicketReason

# what differs from a MAJOR breach raised just now; what differs from an empty context; decision; reason
CASES: list[tuple[dict[str, Any], dict[str, Any], DecisionKind, TicketReason]] = [
    ({}, {}, _K.OPENED, _R.OPENED_MAJOR),
    ({"severity": Severity.CRITICAL}, {}, _K.OPENED, _R.OPENED_CRITICAL),
    ({"severity": Severity.INFO}, {"minor_episodes": 9}, _K.NOTHING, _R.BELOW_THRESHOLD),
    ({"severity": Severity.MINOR}, {"minor_episodes": 2}, _K.NOTHING, _R.BELOW_THRESHOLD),
    ({"severity": Severity.MINOR}, {"minor_episodes": 3}, _K.OPENED, _R.THIRD_MINOR),
    ({"kind": TransitionKind.ESCALATED}, {}, _K.OPENED, _R.OPENED_MAJOR),
    (
        {"severity": Severity.MINOR, "breach_kind": BreachKind.FORECAST,
         "params": {"hours_to_limit": 20.0, "lead_time_h": 48.0}},
        {}, _K.OPENED, _R.FORECAST_WITHIN_LEAD_TIME,
    ),
    (
        {"severity": Severity.MINOR, "breach_kind": BreachKind.FORECAST,
         "params": {"hours_to_limit": 50.0, "lead_time_h": 48.0}},
        {}, _K.NOTHING, _R.BELOW_THRESHOLD,
    ),
    ({"severity": Severity.MINOR, "breach_kind": BreachKind.FORECAST}, {}, _K.NOTHING, _R.BELOW_THRESHOLD),
    # Rule 1
    (LATE, {}, _K.OPENED, _R.OPENED_MAJOR),
    (LATE | {"breach_state": BreachState.CLEARED}, {}, _K.NOTHING, _R.LATE_NO_LONGER_TRUE),
    (LATE | {"breach_state": BreachState.CLEARED}, {"open_order": ORDER}, _K.NOTHING, _R.LATE_NO_LONGER_TRUE),
    ({"breach_state": BreachState.CLEARED}, {}, _K.OPENED, _R.OPENED_MAJOR),
    ({"lifecycle": "DECOMMISSIONED", "severity": Severity.CRITICAL}, {}, _K.NOTHING, _R.DECOMMISSIONED),
    # Rule 4
    ({}, {"open_order": ORDER}, _K.JOINED, _R.JOINED_OPEN_ORDER),
    ({"severity": Severity.INFO}, {"open_order": ORDER}, _K.JOINED, _R.JOINED_OPEN_ORDER),
    ({"severity": Severity.CRITICAL}, {"open_order": ORDER}, _K.JOINED, _R.JOINED_AND_RAISED_PRIORITY),
    ({}, {"open_order": replace(ORDER, state=WorkOrderState.WORK_DONE)}, _K.JOINED, _R.CAME_BACK_AFTER_WORK),
    ({}, {"open_order": replace(ORDER, state=WorkOrderState.VERIFIED)}, _K.JOINED, _R.CAME_BACK_AFTER_WORK),
    ({}, {"open_order": replace(ORDER, source=WorkOrderSource.MANUAL)}, _K.JOINED, _R.JOINED_OPEN_ORDER),
    ({"severity": Severity.CRITICAL}, {"linked_order": ORDER}, _K.ESCALATED, _R.PRIORITY_RAISED),
    ({}, {"linked_order": ORDER}, _K.NOTHING, _R.ALREADY_LINKED),
    # Rule 5
    ({}, SHELVED, _K.NOTHING, _R.SHELVED),
    ({}, SHELVED | {"open_order": ORDER}, _K.NOTHING, _R.SHELVED),
    ({}, {"shelved_until": NOW}, _K.OPENED, _R.OPENED_MAJOR),
    ({"severity": Severity.CRITICAL}, SHELVED, _K.OPENED, _R.CRITICAL_OVERRIDES_SHELVING),
    ({"severity": Severity.CRITICAL}, SHELVED | {"open_order": ORDER}, _K.JOINED, _R.JOINED_AND_RAISED_PRIORITY),
    (MAINTAINED, {}, _K.NOTHING, _R.UNDER_MAINTENANCE),
    (MAINTAINED | {"severity": Severity.CRITICAL}, {}, _K.OPENED, _R.CRITICAL_OVERRIDES_MAINTENANCE),
    (MAINTAINED | {"lifecycle_since": NOW - timedelta(hours=8)}, {}, _K.OPENED, _R.OPENED_MAJOR),
    ({"earlier_reason": _R.SHELVED}, {}, _K.OPENED, _R.SHELVING_EXPIRED),
    ({"earlier_reason": _R.SHELVED}, {"open_order": ORDER}, _K.JOINED, _R.JOINED_OPEN_ORDER),
    ({"earlier_reason": _R.UNDER_MAINTENANCE}, {}, _K.OPENED, _R.MAINTENANCE_TIMED_OUT),
    ({"earlier_reason": _R.TRIAGE_FAILED}, {}, _K.OPENED, _R.OPENED_MAJOR),
    # Rule 6
    ({"kind": TransitionKind.CLEARED}, {"linked_order": ORDER}, _K.QUIET, _R.ALL_CLEARED),
    ({"kind": TransitionKind.CLEARED}, {"linked_order": ORDER, "others_active": True}, _K.NOTHING,
     _R.OTHERS_STILL_ACTIVE),
    ({"kind": TransitionKind.CLEARED}, {}, _K.NOTHING, _R.CLEARED_WITHOUT_ORDER),
    ({"kind": TransitionKind.CLEARED}, SHELVED | {"linked_order": ORDER}, _K.QUIET, _R.ALL_CLEARED),
    # Rule 7
    ({}, {"closed_order": replace(CLOSED, closed_at=NOW - timedelta(days=14))}, _K.REOPENED, _R.REOPENED_WITHIN_DAYS),
    ({}, {"closed_order": replace(CLOSED, closed_at=NOW - timedelta(days=14, seconds=1))}, _K.OPENED, _R.RECURRENCE),
    (
        {}, {"closed_order": replace(CLOSED, closed_at=NOW, outcome=Outcome.FALSE_ALARM)},
        _K.OPENED, _R.CLOSED_AS_FALSE_ALARM,
    ),
    ({"severity": Severity.MINOR}, {"closed_order": replace(CLOSED, closed_at=NOW)}, _K.NOTHING, _R.BELOW_THRESHOLD),
    # Rule 8
    (OFFLINE, {"gateway_offline": frozenset({11, 12})}, _K.OPENED, _R.OPENED_MAJOR),
    (OFFLINE, {"gateway_offline": frozenset({11, 12, 13})}, _K.PARENT, _R.GATEWAY_OFFLINE),
    (OFFLINE, {"gateway_offline": frozenset({12, 13})}, _K.PARENT, _R.GATEWAY_OFFLINE),
    (OFFLINE, {"gateway_offline": frozenset({11}), "gateway_order": GATEWAY_ORDER}, _K.JOINED, _R.JOINED_GATEWAY_ORDER),
    (
        OFFLINE,
        {"gateway_offline": frozenset({11}), "gateway_order": replace(GATEWAY_ORDER, quiet_since=NOW)},
        _K.OPENED, _R.OPENED_MAJOR,
    ),
    (OFFLINE | {"gateway_id": None}, {"gateway_offline": frozenset({11, 12, 13})}, _K.OPENED, _R.OPENED_MAJOR),
    ({}, {"gateway_offline": frozenset({11, 12, 13})}, _K.OPENED, _R.OPENED_MAJOR),
    ({}, STORM, _K.PARENT, _R.SITE_STORM),
    ({}, STORM | {"storm_order": replace(ORDER, id=44)}, _K.OPENED, _R.OPENED_MAJOR),
    ({}, {"storm_devices": frozenset({11, 1, 2, 3})}, _K.OPENED, _R.OPENED_MAJOR),
    ({"site_id": None}, STORM, _K.OPENED, _R.OPENED_MAJOR),
]  # fmt: skip


def _decide(transition: dict[str, Any], context: dict[str, Any]) -> Decision:
    return decide(replace(TRANSITION, **transition), Context(**context), POLICY, NOW)


@pytest.mark.parametrize(("transition", "context", "kind", "reason"), CASES)
def test_a_case_of_the_table(
    transition: dict[str, Any], context: dict[str, Any], kind: DecisionKind, reason: TicketReason
) -> None:
    decision = _decide(transition, context)
    assert (decision.kind, decision.reason) == (kind, reason)


def test_the_table_reaches_every_named_reason() -> None:
    # triage_failed is not decided: it is what is recorded when deciding or carrying out raises.
    assert {reason for *_, reason in CASES} == set(TicketReason) - {TicketReason.TRIAGE_FAILED}


def test_priority_is_raised_and_never_lowered() -> None:
    raised = _decide({"severity": Severity.CRITICAL}, {"open_order": ORDER})
    assert raised.priority is Priority.P1
    kept = _decide({"severity": Severity.MINOR}, {"open_order": ORDER})
    assert kept.priority is Priority.P2
    reopened = _decide(
        {"severity": Severity.MAJOR, "safety_critical": False}, {"closed_order": replace(CLOSED, closed_at=NOW)}
    )
    assert (reopened.kind, reopened.priority) == (DecisionKind.REOPENED, Priority.P2)


def test_only_done_work_goes_back_to_work() -> None:
    for state in WorkOrderState:
        if state.is_open:
            decision = _decide({}, {"open_order": replace(ORDER, state=state)})
            assert decision.back_to_work is (state in (WorkOrderState.WORK_DONE, WorkOrderState.VERIFIED))


def test_a_recurrence_names_what_it_recurs_of() -> None:
    decision = _decide({}, {"closed_order": replace(CLOSED, closed_at=NOW - timedelta(days=20))})
    assert (decision.recurrence_of, decision.params["earlier"]) == (41, "WO-2026-000042")
    assert decision.params["days_since"] == 20.0


def test_what_a_model_found_is_predictive() -> None:
    assert _decide({"breach_kind": BreachKind.ANOMALY}, {}).order_type is WorkOrderType.PREDICTIVE
    assert _decide({"breach_kind": BreachKind.DEVICE_CODE}, {}).order_type is WorkOrderType.CORRECTIVE


def test_a_late_transition_waits_for_its_backlog_and_no_longer() -> None:
    late, grace = replace(TRANSITION, **LATE), timedelta(seconds=20)
    assert is_awaited(late, POLICY, NOW, grace)
    assert not is_awaited(late, POLICY, NOW + grace, grace)
    assert not is_awaited(replace(late, breach_state=BreachState.CLEARED), POLICY, NOW, grace)
    assert not is_awaited(replace(late, kind=TransitionKind.CLEARED), POLICY, NOW, grace)
    assert not is_awaited(TRANSITION, POLICY, NOW, grace)
