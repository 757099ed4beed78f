"""One work order with all that its page tells, as this reader may know it."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.auth import Caller
from api.console.monitor_titles import load_missing_names
from api.console.page import View
from api.console.work_order_acts import Assignees, asks_for_assignee
from api.problems import not_found
from api.shapes.signatures import SignatureShape
from domain.assignment import Work
from domain.masking import mask_row
from domain.profile import Profile, Text
from domain.roles import Permission
from domain.work_order import WorkOrder
from store.assignments import load_assignment_book
from store.pool import Connection, Pool
from store.profiles import load_profiles
from store.work_order_pages import (
    DecisionRow,
    LinkedBreach,
    OrderCards,
    SimilarOrder,
    TimelineEntry,
    load_linked_breaches,
    load_order_cards,
    load_order_decisions,
    load_similar_orders,
    load_timeline,
)
from store.work_order_records import RecordCounts, load_record_counts
from store.work_order_transitions import load_order_signatures
from store.work_orders import load_work_order


@dataclass(frozen=True, slots=True)
class OrderRecords:
    """The order and what stands beside it. Decisions, timeline, similar orders, assignees and signatures name people
    of ours or tell of other customers: they are empty for who may not read the staff."""

    order: WorkOrder
    cards: OrderCards
    profiles: dict[str, Profile]
    breaches: list[LinkedBreach]
    decisions: list[DecisionRow]
    timeline: list[TimelineEntry]
    monitor_names: Mapping[str, Text]  # by breach, for entries of the timeline that hold none
    similar: list[SimilarOrder]
    assignees: Assignees
    counts: RecordCounts
    signatures: list[SignatureShape]

    @property
    def profile(self) -> Profile | None:
        """Of the device's model, where it has one."""
        return self.profiles.get(self.cards.model or "")

    @property
    def zone(self) -> str | None:
        """Of the site."""
        return self.cards.site_time_zone


def find_own_order(conn: Connection, caller: Caller, code: str) -> WorkOrder:
    """The order of that code.

    Raises
    ------
    ProblemError
        404: there is none, or it is another customer's.
    """
    order = load_work_order(conn, code)
    if order is None or (caller.customer_id is not None and order.customer_id != caller.customer_id):
        raise not_found("work order", code, "code")
    return order


def load_own_order(pool: Pool, caller: Caller, code: str) -> WorkOrder:
    """The same on a connection of its own."""
    with pool.connection() as conn:
        return find_own_order(conn, caller, code)


def load_order_records(view: View, conn: Connection, code: str) -> OrderRecords:
    """All of them, masked for who looks.

    Raises
    ------
    ProblemError
        404: there is no such order, or it is another customer's.
    """
    is_staff = view.may(Permission.STAFF_READ)
    order = find_own_order(conn, view.person, code)
    cards = load_order_cards(conn, order.id)
    if cards is None:
        raise not_found("work order", code, "code")
    permissions = view.person.permissions
    timeline = load_timeline(conn, order.id, code) if is_staff else []
    return OrderRecords(
        order=mask_row("work_order", order, permissions),
        cards=mask_row("work_order", cards, permissions),
        profiles=load_profiles(conn),
        breaches=load_linked_breaches(conn, order.id),
        decisions=load_order_decisions(conn, order.id) if is_staff else [],
        timeline=timeline,
        monitor_names=load_missing_names(conn, timeline),
        similar=load_similar_orders(conn, order.id, now=view.now) if is_staff else [],
        assignees=_load_assignees(view, conn, order, cards.model) if is_staff else Assignees(),
        counts=load_record_counts(conn, order, internal=is_staff and view.person.customer_id is None),
        signatures=[SignatureShape.model_validate(s) for s in load_order_signatures(conn, order)] if is_staff else [],
    )


def _load_assignees(view: View, conn: Connection, order: WorkOrder, model: str | None) -> Assignees:
    """Who may be given the order; nobody where no step asks for it."""
    if not asks_for_assignee(order.state):
        return Assignees()
    work = Work(model, order.region, order.fault_group)
    book = load_assignment_book(conn, [work], view.now)
    return Assignees(tuple((one.name, one.full_name) for one in book.find_able(work)), book.find_best(work))
