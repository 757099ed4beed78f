"""What is decided from the inbox: one order, one transaction, one sentence of what came of it; and what undoes it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from api.console.acting import find_actor
from api.console.instants import name_age, name_duration
from api.console.page import View
from api.once import change
from api.problems import ProblemError
from api.routes.work_orders import find_row
from domain.assignment import Suggestion, Work
from domain.audit_work_order import ENTITY
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from domain.roles import Permission
from domain.work_order import (
    WorkOrder,
    WorkOrderState,
)
from domain.work_order_steps import (
    TransitionRequest,
    find_permissions_for,
)
from store.assignments import load_assignment_book
from store.audit import AuditFilter, load_audit_events
from store.pool import Connection, Pool
from store.shelvings import end_shelving, load_shelvings, record_shelving
from store.technicians import load_technicians
from store.work_order_merges import merge_work_orders
from store.work_order_pages import load_order_cards
from store.work_order_transitions import record_acknowledgement, record_transition
from store.work_orders import load_work_order

_S = WorkOrderState
SHELVE_HOURS = (1, 4, 8, 24, 72, 168)


@dataclass(frozen=True, slots=True)
class Picked:
    """One ticked row: the order as the person saw it; without a version: as it is."""

    code: str
    row_version: int | None


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall be done to each ticked order, as the form has it."""

    action: str
    assignee: str = ""
    reason: str = ""
    hours: int = 8
    link: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What became of one order. `undo` is what `take_back` needs; empty where no step of the life-cycle leads back."""

    code: str
    is_done: bool
    text: str
    undo: str = ""
    is_conflict: bool = False


def find_problem(view: View, wish: Wish) -> str:
    """Why the form cannot be used; empty: it can."""
    if wish.action not in _STEPS:
        return view.t("guard.no_such_transition")
    if wish.action in ("shelve", "link") and not wish.reason:
        return view.t("guard.reason_missing")
    if wish.action == "link" and not wish.link:
        return view.t("inbox.link_missing")
    return ""


def decide(view: View, pool: Pool, one: Picked, wish: Wish) -> Said:
    """Does it, or says what refused it: no order is held up by another."""
    guards = "record_guard" if wish.action == "link" else "guard"
    return _say(view, pool, one.code, guards, lambda conn: _STEPS[wish.action](view, conn, one, wish))


def take_back(view: View, pool: Pool, token: str) -> Said:
    """Undoes one decision by the step that the life-cycle has for it, audited like every other."""
    action, _, rest = token.partition(":")
    code, _, number = rest.partition(":")
    if action not in _UNDO or not (number.isascii() and number.isdigit() and len(number) < 18):
        return Said(code, False, view.t("inbox.refused", code=code, why=view.t("inbox.no_undo")))
    return _say(view, pool, code, "guard", lambda conn: _UNDO[action](view, conn, code, int(number)))


def _say(view: View, pool: Pool, code: str, guards: str, step: Callable[[Connection], Said]) -> Said:
    def work(conn: Connection) -> Said:
        find_row(conn, code, view.person)
        return step(conn)

    is_conflict = False
    try:
        return change(pool, work)
    except GuardRefusedError as refused:
        why = view.name(guards, refused.guard)
    except RowVersionConflictError:
        why, is_conflict = _find_conflict(view, pool, code), True
    except NotFoundError:
        why = view.t("problem.not_found")
    except ProblemError as problem:
        if problem.status not in (403, 404):
            raise
        why = view.t("problem.not_found" if problem.status == 404 else "guard.permission_missing")
    return Said(code, False, view.t("inbox.refused", code=code, why=why), is_conflict=is_conflict)


def _find_conflict(view: View, pool: Pool, code: str) -> str:
    with pool.connection() as conn:
        events = load_audit_events(conn, AuditFilter(entity=ENTITY, entity_id=code), limit=1)
    if not events:
        return view.t("problem.conflict")
    who, ago = view.who(events[0].actor), name_age(events[0].at, view.now, view.language)
    return view.t("inbox.conflict", who=who, what=view.name("audit", events[0].action), ago=ago)


def _accept(view: View, conn: Connection, one: Picked, wish: Wish) -> Said:
    order = load_work_order(conn, one.code)
    if order is None:
        raise NotFoundError(one.code)
    if order.state not in (_S.NEW, _S.TRIAGED):
        # It was raised or came back while somebody works on it: he has seen it, and it leaves the inbox.
        actor = find_actor(view.person, (Permission.WORK_ORDER_TRIAGE,))
        record_acknowledgement(conn, actor, one.code, expected_row_version=one.row_version, now=view.now)
        return Said(one.code, True, view.t("inbox.accepted", code=one.code, name=view.name("state", order.state)))
    cards = load_order_cards(conn, order.id)
    work = Work(cards.model if cards else None, order.region, order.fault_group)
    fit = load_assignment_book(conn, [work], view.now).find(work)
    chosen = _choose(conn, view, fit, wish.assignee)
    if chosen is None:
        raise GuardRefusedError("assignee_missing", one.code)
    version = one.row_version
    if order.state is _S.NEW:
        # No step leads to NEW: nobody has decided on it meanwhile, and what a breach added does not stand against it.
        version = order.row_version
        actor = find_actor(view.person, find_permissions_for(_S.NEW, _S.TRIAGED))
        triaged = record_transition(
            conn, actor, one.code, TransitionRequest(_S.TRIAGED), expected_row_version=version, now=view.now
        )
        version = triaged.row_version
    actor = find_actor(view.person, find_permissions_for(_S.TRIAGED, _S.ASSIGNED))
    user_id, full_name = chosen
    step = TransitionRequest(_S.ASSIGNED, assignee_id=user_id)
    given = record_transition(conn, actor, one.code, step, expected_row_version=version, now=view.now)
    text = view.t("inbox.accepted", code=one.code, name=full_name)
    return Said(one.code, True, text, f"accept:{one.code}:{given.row_version}")


def _choose(conn: Connection, view: View, fit: list[Suggestion], assignee: str) -> tuple[int, str] | None:
    """(id, name) of the technician that was asked for, else of the best fit. Whether he may is the guard's to say."""
    if not assignee:
        return (fit[0].user_id, fit[0].full_name) if fit else None
    known = (t for t in load_technicians(conn, view.now.date()) if t.name == assignee)
    return next(((t.id, t.full_name) for t in known), None)


def _take_back_accepted(view: View, conn: Connection, code: str, row_version: int) -> Said:
    actor = find_actor(view.person, find_permissions_for(_S.ASSIGNED, _S.TRIAGED))
    step = TransitionRequest(_S.TRIAGED, reason=view.t("inbox.undo_reason"))
    record_transition(conn, actor, code, step, expected_row_version=row_version, now=view.now)
    return Said(code, True, view.t("inbox.undone_accept", code=code))


def _cancel(view: View, conn: Connection, one: Picked, wish: Wish) -> Said:
    actor = find_actor(view.person, (Permission.WORK_ORDER_CANCEL,))
    step = TransitionRequest(_S.CANCELLED, reason=view.t("inbox.false_alarm_reason"))
    record_transition(conn, actor, one.code, step, expected_row_version=one.row_version, now=view.now)
    return Said(one.code, True, view.t("inbox.cancelled", code=one.code))


def _load_seen(conn: Connection, one: Picked) -> WorkOrder:
    """The order, if it is as the person saw it."""
    order = load_work_order(conn, one.code)
    if order is None:
        raise NotFoundError(one.code)
    if one.row_version is not None and order.row_version != one.row_version:
        raise RowVersionConflictError(f"{one.code} is at version {order.row_version}, not {one.row_version}.")
    return order


def _link(view: View, conn: Connection, one: Picked, wish: Wish) -> Said:
    find_row(conn, wish.link, view.person)
    _load_seen(conn, one)
    actor = find_actor(view.person, (Permission.WORK_ORDER_MERGE,))
    merge_work_orders(conn, actor, wish.link, one.code, wish.reason, expected_row_version=None, now=view.now)
    return Said(one.code, True, view.t("inbox.linked", code=one.code, survivor=wish.link))


def _shelve(view: View, conn: Connection, one: Picked, wish: Wish) -> Said:
    order = _load_seen(conn, one)
    cards = load_order_cards(conn, order.id)
    assert cards is not None
    if cards.serial is None:
        raise GuardRefusedError("cannot_shelve", one.code)
    actor = find_actor(view.person, (Permission.DEVICE_SHELVE,))
    span = timedelta(hours=wish.hours)
    if order.state in (_S.NEW, _S.TRIAGED):
        # A shelved fault needs nobody now; the order would only stand in the way of those that do.
        cancel = find_actor(view.person, (Permission.WORK_ORDER_CANCEL,))
        step = TransitionRequest(_S.CANCELLED, reason=wish.reason)
        record_transition(conn, cancel, one.code, step, expected_row_version=one.row_version, now=view.now)
    shelving = record_shelving(
        conn,
        actor,
        cards.serial,
        fault_group=order.fault_group,
        reason=wish.reason,
        until=view.now + span,
        now=view.now,
    )
    text = view.t("inbox.shelved", code=one.code, serial=cards.serial, span=name_duration(span, view.language))
    return Said(one.code, True, text, f"shelve:{one.code}:{shelving}")


def _take_back_shelved(view: View, conn: Connection, code: str, shelving_id: int) -> Said:
    order = load_work_order(conn, code)
    cards = load_order_cards(conn, order.id) if order else None
    found = load_shelvings(conn, now=view.now, customer_id=None, serial=cards.serial) if cards and cards.serial else []
    own = next((s for s in found if s.id == shelving_id and s.shelved_by == view.person.name), None)
    if own is None:
        raise GuardRefusedError("shelving_over", code)
    end_shelving(conn, find_actor(view.person, (Permission.DEVICE_SHELVE,)), own.id, now=view.now)
    return Said(code, True, view.t("inbox.undone_shelve", code=code, serial=own.serial))


_Step = Callable[[View, Connection, Picked, Wish], Said]
_STEPS: dict[str, _Step] = {"accept": _accept, "link": _link, "false_alarm": _cancel, "shelve": _shelve}
_UNDO: dict[str, Callable[[View, Connection, str, int], Said]] = {
    "accept": _take_back_accepted,
    "shelve": _take_back_shelved,
}
