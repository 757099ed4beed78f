"""Tickets from a sequence of breaches, by the ticket rules, worked out by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.breach import BreachKind, BreachTransition, Severity, TransitionKind, breach_id_of
from domain.clock import to_micros
from domain.profile import TicketPolicy
from domain.ticket_replay import ReplayedDevice, TicketReplay
from domain.tickets import Priority, TicketReason

START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = TicketPolicy(resolution_h=(8.0, 24.0, 48.0, 96.0), quiet_h=2.0, reopen_days=14.0)


def _at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def _step(
    kind: TransitionKind,
    began_h: float,
    at_h: float,
    severity: Severity = Severity.MAJOR,
    device: int = 1,
    group: str = "motor",
    **more: Any,
) -> BreachTransition:
    return BreachTransition(
        breach_id=breach_id_of(device, group, None, to_micros(_at(began_h))),
        kind=kind,
        device_id=device,
        series_id=None,
        monitor="current_high",
        profile_version=1,
        breach_kind=BreachKind.LIMIT,
        severity=severity,
        fault_group=group,
        first_seen=_at(began_h),
        at=_at(at_h),
        received_at=_at(at_h),
        count=1,
        peak=1.0,
        score=1.0,
        reason_code="limit_high",
        params=more,
    )


def _episode(
    began_h: float, ended_h: float, severity: Severity = Severity.MAJOR, **more: Any
) -> list[BreachTransition]:
    return [
        _step(TransitionKind.RAISED, began_h, began_h, severity, **more),
        _step(TransitionKind.CLEARED, began_h, ended_h, severity, **more),
    ]


def _replay(*transitions: BreachTransition, safety_critical: bool = False) -> TicketReplay:
    devices = [ReplayedDevice(d, f"SN-{d}", safety_critical) for d in (1, 2)]
    replay = TicketReplay(devices, dict.fromkeys((1, 2), POLICY))
    for transition in sorted(transitions, key=lambda t: t.at):
        replay.take(transition)
    return replay


def test_a_flapping_monitor_has_one_ticket_until_its_order_is_closed() -> None:
    # MAJOR without contract on a harmless model is P4: 96 hours.
    flapping = [step for k in range(10) for step in _episode(k, k + 0.5)]
    (ticket,) = _replay(*flapping).tickets
    assert (ticket.opened_at, ticket.reason, ticket.priority) == (_at(0), TicketReason.OPENED_MAJOR, Priority.P4)
    assert not ticket.is_reopened


def test_the_same_fault_after_closing_is_reopened_and_much_later_a_recurrence() -> None:
    replay = _replay(*_episode(0, 1), *_episode(97, 98), *_episode(97 + 15 * 24 + 97, 600))
    assert [t.reason for t in replay.tickets] == [
        TicketReason.OPENED_MAJOR,
        TicketReason.REOPENED_WITHIN_DAYS,
        TicketReason.RECURRENCE,
    ]
    assert [t.is_reopened for t in replay.tickets] == [False, True, False]


def test_an_order_is_not_closed_while_its_breach_is_open_nor_before_it_was_quiet() -> None:
    assert len(_replay(*_episode(0, 500), *_episode(501, 502)).tickets) == 1
    assert len(_replay(*_episode(0, 500), *_episode(503, 504)).tickets) == 2


def test_devices_and_fault_groups_have_tickets_of_their_own() -> None:
    replay = _replay(*_episode(0, 1), *_episode(0, 1, device=2), *_episode(0, 1, group="tank"))
    assert sorted((t.device_id, t.fault_group) for t in replay.tickets) == [(1, "motor"), (1, "tank"), (2, "motor")]


def test_the_third_minor_episode_in_a_day_opens_and_the_third_in_two_days_does_not() -> None:
    def opened(*begins: float) -> list[TicketReason]:
        steps = [step for b in begins for step in _episode(b, b + 0.5, Severity.MINOR)]
        return [t.reason for t in _replay(*steps).tickets]

    assert opened(0, 5, 10) == [TicketReason.THIRD_MINOR]
    assert opened(0, 20, 40) == []


def test_an_escalation_raises_the_priority_and_opens_nothing_more() -> None:
    escalated = _step(TransitionKind.ESCALATED, 0, 1, Severity.CRITICAL)
    replay = _replay(*_episode(0, 2), escalated, safety_critical=True)
    assert [t.priority for t in replay.tickets] == [Priority.P2]
    # P1 now: 8 hours. The next one comes when its order is closed.
    later = _replay(*_episode(0, 2), escalated, *_episode(9, 10), safety_critical=True)
    assert [t.reason for t in later.tickets] == [TicketReason.OPENED_MAJOR, TicketReason.REOPENED_WITHIN_DAYS]


@pytest.mark.parametrize(("hours", "tickets"), [(3.0, 1), (30.0, 0)])
def test_a_forecast_opens_within_its_lead_time(hours: float, tickets: int) -> None:
    step = _step(TransitionKind.RAISED, 0, 0, Severity.MINOR, hours_to_limit=hours, lead_time_h=24.0)
    object.__setattr__(step, "breach_kind", BreachKind.FORECAST)
    assert len(_replay(step).tickets) == tickets
