"""Which two orders may become one, for random pairs of orders, and what becomes of both."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from domain.roles import ROLE_PERMISSIONS, Permission, Role
from domain.tickets import Priority
from domain.work_order import HoldReason, WorkOrder, WorkOrderSource, WorkOrderState, WorkOrderType
from domain.work_order_merge import (
    FAULT_TYPES,
    REPORTED,
    MergeFacts,
    MergeGuard,
    find_merge_refusal,
    find_merged,
    find_survivor,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
MERGE = Permission.WORK_ORDER_MERGE
_S = WorkOrderState


def make_order(order_id: int, **more: Any) -> WorkOrder:
    values: dict[str, Any] = dict.fromkeys(WorkOrder.__dataclass_fields__)
    values |= {
        "id": order_id,
        "code": f"WO-{order_id}",
        "type": WorkOrderType.CORRECTIVE,
        "source": WorkOrderSource.AUTOMATIC,
        "priority": Priority.P3,
        "state": _S.TRIAGED,
        "device_id": 1,
        "fault_group": "motor_wear",
        "breach_count": 1,
        "row_version": 1,
        "version": 1,
    }
    return WorkOrder(**(values | more))


def find_orders(order_id: int) -> st.SearchStrategy[WorkOrder]:
    return st.builds(
        make_order,
        st.just(order_id),
        state=st.one_of(st.sampled_from([_S.TRIAGED, _S.IN_PROGRESS]), st.sampled_from(_S)),
        type=st.one_of(st.sampled_from(sorted(FAULT_TYPES)), st.sampled_from(WorkOrderType)),
        source=st.sampled_from([WorkOrderSource.AUTOMATIC, WorkOrderSource.MANUAL, WorkOrderSource.PLAN]),
        priority=st.sampled_from(Priority),
        device_id=st.sampled_from([1, 1, 2, None]),
        gateway_id=st.sampled_from([None, 7, 8]),
        site_id=st.sampled_from([5, 6]),
        parent_id=st.sampled_from([None, 10, 20, 99]),
        quiet_since=st.sampled_from([None, NOW - timedelta(hours=1), NOW - timedelta(hours=2)]),
        last_breach_at=st.sampled_from([None, NOW - timedelta(hours=1), NOW - timedelta(hours=2)]),
    )


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    find_orders(10),
    st.one_of(find_orders(20), find_orders(20), find_orders(10)),
    st.sampled_from([MERGE, MERGE, MERGE, Permission.WORK_ORDER_CANCEL]),
    st.sampled_from(["", "one fault", "one fault"]),
    st.integers(0, 2),
    st.booleans(),
)
def test_only_open_orders_of_one_fault_become_one(
    survivor: WorkOrder, merged: WorkOrder, by: Permission, reason: str, children: int, is_active: bool
) -> None:
    refusal = find_merge_refusal(survivor, merged, MergeFacts(children), reason, by)
    if refusal is not None:
        event(str(refusal.guard))
        assert isinstance(refusal.guard, MergeGuard)
        assert refusal.detail
        return
    event("merged")
    assert by is MERGE
    assert reason
    assert survivor.id != merged.id
    for order in (survivor, merged):
        assert order.state.is_open
        assert order.state not in REPORTED
        assert order.type in FAULT_TYPES
        assert order.source is not WorkOrderSource.PLAN
    is_family = merged.id == survivor.parent_id or survivor.id == merged.parent_id
    same = survivor.device_id == merged.device_id and (survivor.device_id or survivor.gateway_id == merged.gateway_id)
    assert same or is_family
    after = find_survivor(survivor, merged, breaches=3, is_active=is_active, now=NOW)
    gone = find_merged(survivor, merged, NOW)
    assert (gone.state, gone.merged_into_id, gone.closed_at) == (_S.CANCELLED, survivor.id, NOW)
    assert (after.state, after.id, after.version, after.breach_count) == (survivor.state, survivor.id, 1, 3)
    assert not survivor.priority.is_above(after.priority)
    assert not merged.priority.is_above(after.priority)
    assert after.parent_id != merged.id or merged.parent_id == merged.id
    assert after.quiet_since is None or not is_active
    times = [at for at in (survivor.last_breach_at, merged.last_breach_at) if at is not None]
    assert after.last_breach_at == max(times, default=None)


def test_a_held_order_that_goes_waits_for_nothing_any_more() -> None:
    held = make_order(20, state=_S.ON_HOLD, hold_reason=HoldReason.PARTS)
    assert find_merged(make_order(10), held, NOW).hold_reason is None


def test_who_may_merge() -> None:
    assert {role for role in Role if MERGE in ROLE_PERMISSIONS[role]} == {Role.DISPATCHER, Role.SERVICE_MANAGER}
