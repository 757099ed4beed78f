"""Orders in memory: opened, joined, quiet, closed by the ticket rules, as in the store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain.breach import BreachKind, BreachState, Severity, TransitionKind
from domain.order_book import Booked, OrderBook
from domain.profile import TicketPolicy
from domain.tickets import DecisionKind, Priority, TicketReason, UndecidedTransition
from domain.work_order import Outcome, WorkOrderState

START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = TicketPolicy()


def make_step(
    hours: float, breach: int, kind: TransitionKind = TransitionKind.RAISED, **more: Any
) -> UndecidedTransition:
    at = START + timedelta(hours=hours)
    is_over = kind is TransitionKind.CLEARED
    step = UndecidedTransition(
        id=0,
        breach_id=UUID(int=breach),
        kind=kind,
        severity=Severity.MAJOR,
        at=at,
        received_at=at,
        recorded_at=at,
        reason_code="limit_high",
        params={},
        breach_kind=BreachKind.LIMIT,
        breach_state=BreachState.CLEARED if is_over else BreachState.ACTIVE,
        monitor="high",
        fault_group="motor",
        firmware="",
        device_id=1,
        serial="SN-1",
        device_model_id=1,
        safety_critical=True,
        lifecycle="IN_SERVICE",
        lifecycle_since=START,
        gateway_id=None,
        gateway=None,
        site_id=None,
        site_code=None,
        customer_id=None,
        contract_id=None,
        region="",
        is_simulated=False,
    )
    return replace(step, **more)


def take(book: OrderBook, step: UndecidedTransition) -> Booked:
    return book.take(step, POLICY, step.at)


def test_an_order_takes_in_and_is_quiet_when_the_last_breach_is_over() -> None:
    book = OrderBook()
    opened = take(book, make_step(0, 1))
    joined = take(book, make_step(1, 2, severity=Severity.CRITICAL))
    assert (opened.is_new, joined.is_new) == (True, False)
    assert joined.order is not None
    assert joined.order.priority is Priority.P1
    assert take(book, make_step(2, 1, TransitionKind.CLEARED)).decision.reason is TicketReason.OTHERS_STILL_ACTIVE
    assert book.orders[joined.order.id].quiet_since is None
    assert take(book, make_step(3, 2, TransitionKind.CLEARED)).decision.kind is DecisionKind.QUIET
    assert book.orders[joined.order.id].quiet_since == START + timedelta(hours=3)
    again = take(book, make_step(4, 3))
    assert again.order is not None
    assert again.order.quiet_since is None


def test_what_is_closed_is_opened_again_or_is_a_recurrence() -> None:
    book = OrderBook()
    first = take(book, make_step(0, 1)).order
    assert first is not None
    assert book.find_open((1, "motor")) == first
    book.close(first.id, Outcome.CONFIRMED, START + timedelta(hours=1))
    assert book.find_open((1, "motor")) is None
    assert book.orders == {}
    second = take(book, make_step(24, 2))
    assert (second.is_new, second.decision.kind) == (True, DecisionKind.REOPENED)
    assert second.order is not None
    assert second.order.state is WorkOrderState.NEW
    book.close(second.order.id, Outcome.CONFIRMED, START + timedelta(hours=25))
    third = take(book, make_step(24 * 30, 3))
    assert (third.decision.reason, third.decision.recurrence_of) == (TicketReason.RECURRENCE, second.order.id)


def test_a_breach_that_outlives_its_order_opens_a_new_one_when_it_escalates() -> None:
    book = OrderBook()
    first = take(book, make_step(0, 1)).order
    assert first is not None
    book.close(first.id, Outcome.FALSE_ALARM, START + timedelta(hours=1))
    worse = take(book, make_step(2, 1, TransitionKind.ESCALATED, severity=Severity.CRITICAL))
    assert (worse.is_new, worse.decision.reason) == (True, TicketReason.CLOSED_AS_FALSE_ALARM)


def test_a_gateway_has_one_order_and_a_device_that_is_back_counts_no_more() -> None:
    def go(hours: float, device: int, kind: TransitionKind = TransitionKind.RAISED) -> Booked:
        step = make_step(hours, 10 + device, kind, severity=Severity.MINOR, breach_kind=BreachKind.OFFLINE)
        return take(book, replace(step, device_id=device, fault_group="connectivity", gateway_id=9, gateway="G"))

    book = OrderBook()
    go(0.0, 1)
    go(0.1, 1, TransitionKind.CLEARED)
    assert [go(0.2, 2).is_new, go(0.3, 3).is_new] == [False, False], "two are offline"
    opened = go(0.4, 4)
    assert (opened.is_new, opened.decision.reason) == (True, TicketReason.GATEWAY_OFFLINE)
    assert opened.order is not None
    assert opened.order.device_id is None
    assert go(0.5, 5).decision.reason is TicketReason.JOINED_GATEWAY_ORDER
    book.close(opened.order.id, Outcome.CONFIRMED, START + timedelta(hours=1))
    assert book.orders == {}


def test_a_decision_that_is_taken_again_is_no_further_episode() -> None:
    book = OrderBook()
    minor = make_step(0, 1, severity=Severity.MINOR)
    for _ in range(3):
        take(book, replace(minor, earlier_reason=TicketReason.UNDER_MAINTENANCE))
    assert book.orders == {}
    assert [take(book, make_step(h, 2 + h, severity=Severity.MINOR)).is_new for h in range(3)] == [False, False, True]
    info = OrderBook()
    assert not any(take(info, make_step(h, 2 + h, severity=Severity.INFO)).is_new for h in range(5))
