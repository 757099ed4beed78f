"""Waiving an SLA clock: what two people decided by an approval request."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from domain.approval_request import ApprovalRequest, ApprovalSubject, ApprovalWish
from domain.audit import Actor
from domain.audit_sla import clock_waived
from domain.errors import GuardRefusedError
from domain.sla_changes import ClockChange
from domain.sla_clock import Clock, ClockEvent, ClockEventKind
from domain.sla_policy import ClockKind
from domain.sla_waiver import find_waiver_problems, find_waiver_refusal
from domain.work_order import WorkOrder
from store.approval_requests import ApprovalHandler
from store.audit import record_audit
from store.pool import Connection
from store.sla_clocks import apply_clocks, load_clock_events, read_events, record_clock_changes
from store.work_orders import lock_work_order, update_work_orders


def load_waiver_subject(conn: Connection, wish: ApprovalWish) -> ApprovalSubject:
    """The clock that shall be waived, its order locked. That it runs out while people decide changes nothing.

    Raises
    ------
    NotFoundError, GuardRefusedError
        There is no such order; `guard` is a value of `domain.sla_waiver.WaiverGuard`.
    """
    order, clock = _load_clock(conn, wish.entity_id, wish.payload)
    values = {"clock": wish.payload["clock"], "version": wish.payload["version"], "started_at": clock.started_at}
    return ApprovalSubject(values, order.region, order.is_simulated)


def record_waiver(conn: Connection, actor: Actor, request: ApprovalRequest, now: datetime) -> Mapping[str, Any]:
    """The clock is out of the figures from now on, and stops if it still ran. Its breach, if any, stays visible.

    Raises
    ------
    NotFoundError, GuardRefusedError
        As of `load_waiver_subject`.
    """
    before, _ = _load_clock(conn, request.entity_id, request.payload)
    kind, version = ClockKind(request.payload["clock"]), int(request.payload["version"])
    event = ClockEvent(ClockEventKind.WAIVED, now, request.reason)
    clocks = record_clock_changes(conn, [ClockChange(before.id, version, kind, event)])
    after = replace(apply_clocks(before, clocks), updated_at=now)
    update_work_orders(conn, [after])
    state = clocks[before.id, version, kind].state
    record_audit(conn, actor, clock_waived(before.code, kind, version, state, request.code, request.reason))
    return {"clock": kind, "version": version, "state": state, "waived_at": now}


def _load_clock(conn: Connection, code: str, payload: Mapping[str, Any]) -> tuple[WorkOrder, Clock]:
    order = lock_work_order(conn, code, None)
    key = (order.id, int(payload["version"]), ClockKind(payload["clock"]))
    clock = read_events(load_clock_events(conn, [order.id]).get(key, []))
    refusal = find_waiver_refusal(clock)
    if refusal is not None:
        raise GuardRefusedError(*refusal)
    assert clock is not None
    return order, clock


SLA_WAIVER = ApprovalHandler(find_waiver_problems, load_waiver_subject, record_waiver)
