"""Two sides of a backtest compared: tickets, what is gained and lost by confirmed outcome, lead times, top devices.

Pure; the same arguments give the same result, in the same order.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from domain.breach import BreachTransition, TransitionKind
from domain.profile import Profile
from domain.ticket_replay import ReplayedDevice, ReplayedTicket, TicketReplay
from store.history import PastOrder

BEFORE = timedelta(days=30)  # a ticket this long before an order of its device and fault group is about the same fault
MOST_LISTED = 50
NO_ORDER = "NO_ORDER"  # of a ticket: nobody ever had an order for it
UNDECIDED = "UNDECIDED"  # of an order: it is not closed, or says nothing of its outcome


@dataclass(frozen=True, slots=True)
class SideResult:
    """What one side would have done."""

    breaches: int
    tickets: tuple[ReplayedTicket, ...]
    found: Mapping[str, ReplayedTicket]  # by order code: the first ticket about the same fault
    outcomes: Mapping[str, int]  # tickets by the outcome of the order that they are about
    raised_by_monitor: Mapping[str, int]
    unscored: Mapping[str, str] = field(default_factory=dict)


def judge_side(
    transitions: Sequence[BreachTransition],
    devices: Sequence[ReplayedDevice],
    profile: Profile,
    orders: Sequence[PastOrder],
    counted_from: datetime,
    unscored: Mapping[str, str],
) -> SideResult:
    """The tickets of these transitions by the ticket rules; what is before `counted_from` is replayed, not counted."""
    replay = TicketReplay(devices, {device.id: profile.tickets for device in devices})
    ordered = sorted(transitions, key=lambda t: (t.at, t.device_id, t.monitor, t.series_id or 0, t.kind.value))
    for transition in ordered:
        replay.take(transition)
    tickets = tuple(t for t in replay.tickets if t.opened_at >= counted_from)
    raised = [t for t in ordered if t.kind is TransitionKind.RAISED and t.at >= counted_from]
    found: dict[str, ReplayedTicket] = {}
    outcomes: Counter[str] = Counter()
    by_key: dict[tuple[int, str], list[PastOrder]] = {}
    for order in orders:
        by_key.setdefault((order.device_id, order.fault_group), []).append(order)
    for ticket in tickets:
        about = _find_order(ticket, by_key.get((ticket.device_id, ticket.fault_group), ()))
        outcomes[NO_ORDER if about is None else about.outcome or UNDECIDED] += 1
        if about is not None:
            found.setdefault(about.code, ticket)
    by_monitor = Counter(t.monitor for t in raised)
    return SideResult(len(raised), tickets, found, dict(outcomes), dict(sorted(by_monitor.items())), dict(unscored))


def _find_order(ticket: ReplayedTicket, orders: Sequence[PastOrder]) -> PastOrder | None:
    """The first order of the device and fault group that is about the same fault."""
    for order in orders:
        begins = min(order.created_at, order.first_seen or order.created_at) - BEFORE
        if begins <= ticket.opened_at and (order.closed_at is None or ticket.opened_at <= order.closed_at):
            return order
    return None


def compare_sides(
    now: SideResult, proposed: SideResult, orders: Sequence[PastOrder], device_days: int, serials: Mapping[int, str]
) -> dict[str, Any]:
    """The comparison as JSON: both sides, what the proposal gains and loses, and the devices with most tickets."""
    by_code = {order.code: order for order in orders}
    gained = [by_code[code] for code in proposed.found if code not in now.found]
    lost = [by_code[code] for code in now.found if code not in proposed.found]
    return {
        "device_days": device_days,
        "now": _describe_side(now, by_code, device_days),
        "proposed": _describe_side(proposed, by_code, device_days),
        "gained": _describe_orders(gained),
        "lost": _describe_orders(lost),
        "top_devices": _find_top(now, proposed, serials),
    }


def _describe_side(side: SideResult, orders: Mapping[str, PastOrder], device_days: int) -> dict[str, Any]:
    tickets = len(side.tickets)
    leads = sorted(
        (order.created_at - ticket.opened_at).total_seconds() / 3_600.0
        for code, ticket in side.found.items()
        if (order := orders[code]).outcome == "CONFIRMED"
    )
    by_monitor = Counter(ticket.monitor for ticket in side.tickets)
    return {
        "breaches": side.breaches,
        "tickets": tickets,
        "reopened": sum(ticket.is_reopened for ticket in side.tickets),
        "per_1000_device_days": _per_thousand(tickets, device_days),
        "by_priority": dict(sorted(Counter(t.priority.value for t in side.tickets).items())),
        "by_outcome": dict(sorted(side.outcomes.items())),
        "by_monitor": {
            key: {"breaches": count, "tickets": by_monitor.get(key, 0)} for key, count in side.raised_by_monitor.items()
        },
        "lead_time_h": _describe_leads(leads),
        "unscored": dict(sorted(side.unscored.items())),
    }


def _describe_leads(leads: Sequence[float]) -> dict[str, Any]:
    """Hours from the ticket to the order of history, confirmed ones: positive is earlier than it was."""
    if not leads:
        return {"orders": 0, "median": None, "low": None, "high": None}
    low, median, high = np.quantile(np.array(leads), [0.1, 0.5, 0.9]).tolist()
    return {"orders": len(leads), "median": round(median, 3), "low": round(low, 3), "high": round(high, 3)}


def _describe_orders(orders: Sequence[PastOrder]) -> dict[str, Any]:
    ordered = sorted(orders, key=lambda o: (o.created_at, o.code))
    return {
        "orders": len(ordered),
        "by_outcome": dict(sorted(Counter(o.outcome or UNDECIDED for o in ordered).items())),
        "listed": [
            {
                "code": o.code,
                "serial": o.serial,
                "fault_group": o.fault_group,
                "outcome": o.outcome or UNDECIDED,
                "created_at": o.created_at.isoformat(),
            }
            for o in ordered[:MOST_LISTED]
        ],
    }


def _find_top(now: SideResult, proposed: SideResult, serials: Mapping[int, str]) -> list[dict[str, Any]]:
    before, after = (Counter(t.device_id for t in side.tickets) for side in (now, proposed))
    order = sorted(before | after, key=lambda d: (-after[d], -before[d], serials[d]))
    return [{"serial": serials[d], "now": before[d], "proposed": after[d]} for d in order[:10]]


def _per_thousand(tickets: int, device_days: int) -> float | None:
    return None if device_days == 0 else round(1_000.0 * tickets / device_days, 4)
