"""What a change of a work order does to its clocks: their events, from the order before and after."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.sla import Clocks, ClockTerms, OrderTerms
from domain.sla_clock import Clock, ClockEvent, ClockEventKind
from domain.sla_policy import ClockKind
from domain.work_order import HoldReason, WorkOrder, WorkOrderState

_K = ClockEventKind


@dataclass(frozen=True, slots=True)
class ClockChange:
    """One event of one clock of one order. Each version of an order has clocks of its own."""

    work_order_id: int
    version: int
    kind: ClockKind
    event: ClockEvent

    @property
    def clock(self) -> tuple[int, int, ClockKind]:
        """Which clock it is of."""
        return self.work_order_id, self.version, self.kind


def find_start(order: WorkOrder, terms: OrderTerms, at: datetime) -> list[ClockChange]:
    """Both clocks of an order that has just been opened or opened again."""
    return [_change(order, kind, _K.STARTED, at, terms=terms[kind]) for kind in ClockKind]


def needs_terms(before: WorkOrder, after: WorkOrder) -> bool:
    """Whether a clock begins with this change, so that `find_changes` must be given its terms."""
    return after.version > before.version or after.priority.is_above(before.priority)


def find_clock_changes(
    before: WorkOrder,
    after: WorkOrder,
    at: datetime,
    *,
    terms: OrderTerms | None = None,
    clocks: Mapping[ClockKind, Clock] | None = None,
) -> list[ClockChange]:
    """The events of this change in the order in which they happen; none where it concerns no clock.

    Parameters
    ----------
    terms
        At the priority after it, where `needs_terms` says so.
    clocks
        As they stood before it: they say what pauses them, and whether they are paused. Without them a change of hold
        gives no events.
    """
    if after.version > before.version:
        assert terms is not None
        return find_start(after, terms, at)
    return [
        *_find_work_taken_back(before, after, at),
        *_find_escalation(before, after, at, terms),
        *_find_hold(before, after, at, clocks or {}),
        *_find_met(before, after, at),
        *_find_end(before, after, at),
    ]


def is_met(order: WorkOrder, kind: ClockKind) -> bool:
    """Whether what the clock waits for has happened."""
    return (order.responded_at if kind is ClockKind.RESPONSE else order.resolved_at) is not None


def _find_work_taken_back(before: WorkOrder, after: WorkOrder, at: datetime) -> Iterator[ClockChange]:
    for kind in ClockKind:
        if is_met(before, kind) and not is_met(after, kind):
            yield _change(after, kind, _K.TAKEN_BACK, at)


def _find_escalation(
    before: WorkOrder, after: WorkOrder, at: datetime, terms: OrderTerms | None
) -> Iterator[ClockChange]:
    if not after.priority.is_above(before.priority):
        return
    assert terms is not None
    for kind in ClockKind:
        if not is_met(after, kind):
            yield _change(after, kind, _K.ESCALATED, at, f"{before.priority} -> {after.priority}", terms[kind])


def _find_hold(
    before: WorkOrder, after: WorkOrder, at: datetime, clocks: Mapping[ClockKind, Clock]
) -> Iterator[ClockChange]:
    was, becomes = _find_hold_reason(before), _find_hold_reason(after)
    if was is becomes:
        return
    for kind, clock in clocks.items():
        if clock.paused_since is not None:
            yield _change(after, kind, _K.RESUMED, at)
        if becomes is not None and becomes in clock.limits[-1].terms.pauses and not is_met(before, kind):
            yield _change(after, kind, _K.PAUSED, at, becomes)


def _find_hold_reason(order: WorkOrder) -> HoldReason | None:
    return order.hold_reason if order.state is WorkOrderState.ON_HOLD else None


def _find_met(before: WorkOrder, after: WorkOrder, at: datetime) -> Iterator[ClockChange]:
    for kind in ClockKind:
        if is_met(after, kind) and not is_met(before, kind):
            yield _change(after, kind, _K.MET, at)


def _find_end(before: WorkOrder, after: WorkOrder, at: datetime) -> Iterator[ClockChange]:
    if not before.state.is_open or after.state.is_open:
        return
    for kind in ClockKind:
        if not is_met(after, kind):
            yield _change(after, kind, _K.STOPPED, at, after.state)


def _change(
    order: WorkOrder,
    kind: ClockKind,
    what: ClockEventKind,
    at: datetime,
    reason: str = "",
    terms: ClockTerms | None = None,
) -> ClockChange:
    return ClockChange(order.id, order.version, kind, ClockEvent(what, at, reason, terms))


def find_dues_after(order: WorkOrder, changes: list[ClockChange]) -> Clocks:
    """When the clocks of `order` are due after events that start or escalate them or take them back.

    `order` still has the due times from before. After any other event the clock must be read from all its events.
    """
    due: dict[ClockKind, datetime | None] = {
        ClockKind.RESPONSE: order.response_due_at,
        ClockKind.RESOLUTION: order.resolution_due_at,
    }
    for change in changes:
        terms = change.event.terms
        if terms is None:
            continue
        fresh, running = terms.find_due(change.event.at), due[change.kind]
        if change.event.kind is ClockEventKind.STARTED:
            due[change.kind] = fresh
        else:
            due[change.kind] = None if running is None else min(fresh, running)
    return Clocks(due[ClockKind.RESPONSE], due[ClockKind.RESOLUTION])
