"""The audit's sentences about work orders."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.audit import AuditEntry
from domain.work_order import WorkOrderState

ENTITY = "work_order"
_S = WorkOrderState
STEP_ACTIONS = {
    _S.TRIAGED: "workorder.triaged",
    _S.ASSIGNED: "workorder.assigned",
    _S.IN_PROGRESS: "workorder.started",
    _S.ON_HOLD: "workorder.held",
    _S.WORK_DONE: "workorder.done",
    _S.VERIFIED: "workorder.verified",
    _S.CLOSED: "workorder.closed",
    _S.CANCELLED: "workorder.cancelled",
}
# Steps back, and on after a pause: into a state that is entered by another step too, which they are not.
STEPS_BACK = {
    (_S.ASSIGNED, _S.TRIAGED): "workorder.given_back",
    (_S.ON_HOLD, _S.IN_PROGRESS): "workorder.resumed",
    (_S.WORK_DONE, _S.IN_PROGRESS): "workorder.sent_back",
    (_S.VERIFIED, _S.IN_PROGRESS): "workorder.sent_back",
}


class OrderNews(StrEnum):
    """What a breach made of an order. Values are actions of the audit and types of events."""

    OPENED = "workorder.opened"
    JOINED = "workorder.joined"
    ESCALATED = "workorder.escalated"
    REOPENED = "workorder.reopened"


class ClockNews(StrEnum):
    """What became of a clock because time passed. Values are actions of the audit and types of events."""

    DUE_SOON = "sla.due_soon"
    BREACHED = "sla.breached"


def order_opened(code: str, after: Mapping[str, Any], description: str) -> AuditEntry:
    """A person opened an order."""
    return AuditEntry(OrderNews.OPENED, ENTITY, code, None, after, description)


def order_told_of_breach(
    news: OrderNews, code: str, before: Mapping[str, Any] | None, after: Mapping[str, Any], reason: str
) -> AuditEntry:
    """The machine opened an order for a breach, or a breach joined, raised or reopened one."""
    return AuditEntry(news, ENTITY, code, before, after, reason)


def order_stepped(
    code: str, was: WorkOrderState, to: WorkOrderState, before: Mapping[str, Any], after: Mapping[str, Any], reason: str
) -> AuditEntry:
    """A person took a step of the life-cycle; out of CLOSED it is a reopening, and a step back is called one."""
    action = OrderNews.REOPENED if was is _S.CLOSED else STEPS_BACK.get((was, to), STEP_ACTIONS[to])
    return AuditEntry(action, ENTITY, code, before, after, reason)


def order_acknowledged(code: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> AuditEntry:
    """A person has looked at an order that was raised or came back."""
    return AuditEntry("workorder.acknowledged", ENTITY, code, before, after)


def order_noted(code: str, note_id: int) -> AuditEntry:
    """A person added a note; its text stands with the order."""
    return AuditEntry("workorder.noted", ENTITY, code, None, {"note_id": note_id})


def order_adopted(code: str, parent: str, reason: str) -> AuditEntry:
    """An order became part of the one for its gateway or site."""
    return AuditEntry("workorder.adopted", ENTITY, code, None, {"parent": parent}, reason)


def order_ready_to_verify(code: str, quiet_since: datetime, ready_at: datetime) -> AuditEntry:
    """The quiet period of an order is over."""
    after = {"quiet_since": quiet_since, "ready_at": ready_at}
    return AuditEntry("workorder.ready_to_verify", ENTITY, code, None, after)


def order_quiet_mended(code: str, quiet_since: datetime | None) -> AuditEntry:
    """The mark of quiet disagreed with the breaches of the order and is right now."""
    return AuditEntry("workorder.quiet_mended", ENTITY, code, None, {"quiet_since": quiet_since})


def clock_told(news: ClockNews, code: str, clock: str, due_at: datetime | None) -> AuditEntry:
    """A clock of an order ran out, or comes near it."""
    return AuditEntry(news, ENTITY, code, None, {"clock": clock, "due_at": due_at})
