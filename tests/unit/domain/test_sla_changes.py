"""What steps of an order do to its clocks; lives of orders by random steps, and clocks that always agree with them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.profile import TicketPolicy
from domain.sla import find_profile_terms, start_clocks
from domain.sla_changes import ClockChange, find_clock_changes, find_dues_after, find_start, needs_terms
from domain.sla_clock import Clock, ClockEvent, ClockEventKind, ClockState, read_clock
from domain.sla_policy import (
    ClockKind,
    PriorityTerms,
    SlaPolicy,
    find_policy_problems,
    find_profile_policy,
    policy_from_json,
    policy_to_json,
)
from domain.sla_waiver import WaiverGuard, find_waiver_problems, find_waiver_refusal
from domain.tickets import Priority
from domain.work_order import (
    HoldReason,
    WorkOrder,
    WorkOrderSource,
    WorkOrderState,
    WorkOrderType,
)
from domain.work_order_steps import TRANSITIONS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TICKETS = TicketPolicy()
_S = WorkOrderState
_K = ClockEventKind
ORDER = WorkOrder(
    id=1,
    code="WO-2026-000001",
    type=WorkOrderType.CORRECTIVE,
    source=WorkOrderSource.AUTOMATIC,
    priority=Priority.P3,
    state=_S.NEW,
    hold_reason=None,
    device_id=1,
    gateway_id=None,
    site_id=1,
    customer_id=1,
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
    response_due_at=None,
    resolution_due_at=None,
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
    created_by="test",
    created_at=NOW,
    updated_at=NOW,
)


def take(order: WorkOrder, to: WorkOrderState, at: datetime, hold: HoldReason) -> WorkOrder:
    """The step as the store makes it, as far as clocks look at it."""
    after = replace(order, state=to, hold_reason=hold if to is _S.ON_HOLD else None)
    if order.state is _S.CLOSED:
        return replace(after, version=order.version + 1, responded_at=None, resolved_at=None)
    if to is _S.ASSIGNED:
        return replace(after, responded_at=order.responded_at or at)
    if to is _S.WORK_DONE:
        return replace(after, resolved_at=at)
    if to is _S.IN_PROGRESS and order.state in (_S.WORK_DONE, _S.VERIFIED):
        return replace(after, resolved_at=None)
    return after


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_clocks_agree_with_whatever_life_their_order_has(data: st.DataObject) -> None:
    order, at = ORDER, NOW
    changes = find_start(order, find_profile_terms(TICKETS, order.priority), at)
    for step in range(data.draw(st.integers(0, 20))):
        at += timedelta(minutes=data.draw(st.integers(0, 3000)))
        # Not every life ends before its work has begun.
        following = [to for source, to in TRANSITIONS if source is order.state and (to is not _S.CANCELLED or step > 9)]
        raised = [p for p in Priority if p.is_above(order.priority)]
        before = order
        if raised and order.state.is_open and data.draw(st.integers(0, 4)) == 4:
            order = replace(order, priority=data.draw(st.sampled_from(raised)))
        elif following:
            order = take(order, data.draw(st.sampled_from(following)), at, data.draw(st.sampled_from(HoldReason)))
        terms = find_profile_terms(TICKETS, order.priority) if needs_terms(before, order) else None
        changes += find_clock_changes(before, order, at, terms=terms, clocks=read(changes, before.version, at))
        for kind, clock in read(changes, order.version, at).items():
            assert_agrees(order, kind, clock)
    ended = [c for c in changes if c.version < order.version]
    assert all(
        c.state is not ClockState.RUNNING for v in {c.version for c in ended} for c in read(ended, v, at).values()
    )


def read(changes: list[ClockChange], version: int, at: datetime) -> dict[ClockKind, Clock]:
    clocks = {}
    for kind in ClockKind:
        clock = read_clock([c.event for c in changes if (c.version, c.kind) == (version, kind)], at)
        if clock is not None:
            clocks[kind] = clock
    return clocks


def assert_agrees(order: WorkOrder, kind: ClockKind, clock: Clock) -> None:
    met_at = order.responded_at if kind is ClockKind.RESPONSE else order.resolved_at
    assert clock.met_at == met_at
    is_held = order.state is _S.ON_HOLD and order.hold_reason is not HoldReason.VENDOR
    assert (clock.paused_since is not None) == (is_held and kind is ClockKind.RESOLUTION)
    assert (clock.counted_since is not None) == (order.state.is_open and met_at is None and clock.paused_since is None)
    if clock.counted_since is None and met_at is None and clock.breached_at is None:
        assert clock.due_at is None


def test_due_times_without_reading_all_events_are_those_with() -> None:
    """What triage does: a raised priority and work that came back, without the events of before."""
    terms = find_profile_terms(TICKETS, Priority.P3)
    clocks = start_clocks(terms, NOW)
    order = replace(
        ORDER,
        response_due_at=clocks.response_due_at,
        resolution_due_at=clocks.resolution_due_at,
        state=_S.WORK_DONE,
        responded_at=NOW,
        resolved_at=NOW + timedelta(hours=1),
    )
    met = [
        ClockChange(1, 1, ClockKind.RESPONSE, ClockEvent(_K.MET, NOW)),
        ClockChange(1, 1, ClockKind.RESOLUTION, ClockEvent(_K.MET, NOW + timedelta(hours=1))),
    ]
    for hours in (2, 100, 119):
        at = NOW + timedelta(hours=hours)
        after = replace(order, state=_S.IN_PROGRESS, resolved_at=None, priority=Priority.P2)
        changes = find_clock_changes(order, after, at, terms=find_profile_terms(TICKETS, Priority.P2))
        assert [c.event.kind for c in changes] == [_K.TAKEN_BACK, _K.ESCALATED]
        due = find_dues_after(after, changes)
        clock = read(find_start(order, terms, NOW) + met + changes, 1, at)
        assert (
            due.resolution_due_at
            == clock[ClockKind.RESOLUTION].due_at
            == min(NOW + timedelta(hours=120), at + timedelta(hours=24))
        )
        assert due.response_due_at == order.response_due_at


def test_a_lower_priority_gives_no_more_time() -> None:
    assert not needs_terms(ORDER, replace(ORDER, priority=Priority.P4))
    assert find_clock_changes(ORDER, replace(ORDER, priority=Priority.P4), NOW) == []


def test_a_policy_is_read_as_it_is_written_and_names_its_mistakes() -> None:
    policy = find_profile_policy(TICKETS)
    assert policy_from_json(policy_to_json(policy)) == policy
    assert list(find_policy_problems(policy)) == []
    bad = PriorityTerms(float("nan"), 0)
    found = find_policy_problems(SlaPolicy((bad, PriorityTerms(4, 2), *policy.terms[2:]), due_soon_share=-1))
    assert [field for field, _ in found] == [
        "terms.P1.response_h",
        "terms.P1.resolution_h",
        "terms.P2.resolution_h",
        "due_soon_share",
    ]


@pytest.mark.parametrize(
    ("entity_id", "payload", "fields"),
    [
        ("WO-1", {"clock": "RESPONSE", "version": 1}, set()),
        ("", {"clock": "RESPONSE", "version": 1}, {"entity_id"}),
        ("WO-1", {"clock": "LUNCH", "version": 0}, {"payload.clock", "payload.version"}),
        ("WO-1", {"clock": "RESPONSE", "version": True, "x": 1}, {"payload.version", "payload.x"}),
        ("WO-1", {}, {"payload.clock", "payload.version"}),
    ],
)
def test_a_wish_for_a_waiver_names_its_mistakes(entity_id: str, payload: dict[str, object], fields: set[str]) -> None:
    assert set(find_waiver_problems(entity_id, payload)) == fields


def test_guards_of_a_waiver() -> None:
    terms = find_profile_terms(TICKETS, Priority.P1)[ClockKind.RESPONSE]
    started = ClockEvent(_K.STARTED, NOW, terms=terms)
    later = NOW + timedelta(minutes=10)
    for more, at, guard in (
        ([], later, None),
        ([], NOW + timedelta(days=1), None),
        ([ClockEvent(_K.MET, later)], later, WaiverGuard.NOTHING_TO_WAIVE),
        ([ClockEvent(_K.MET, NOW + timedelta(days=1))], NOW + timedelta(days=1), None),
        ([ClockEvent(_K.STOPPED, later)], later, WaiverGuard.NOTHING_TO_WAIVE),
        ([ClockEvent(_K.WAIVED, later)], later, WaiverGuard.WAIVED_ALREADY),
    ):
        refusal = find_waiver_refusal(read_clock([started, *more], at))
        assert (None if refusal is None else refusal[0]) == guard
    assert (find_waiver_refusal(None) or ("",))[0] == WaiverGuard.NO_SUCH_CLOCK
