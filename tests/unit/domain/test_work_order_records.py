"""The records of an order under random commands by random people: no step that a rule forbids, every refusal named."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from domain.attachment import AttachmentGuard
from domain.audit import Signature
from domain.checklist import (
    AnswerFacts,
    Checklist,
    ChecklistGuard,
    ChecklistItem,
    GivenAnswer,
    ItemKind,
    TemplateKind,
    find_answer_refusal,
    find_item_problems,
    find_kinds_for,
    is_ok,
    items_from_json,
)
from domain.part_usage import (
    PartFacts,
    PartGuard,
    PartLine,
    PartState,
    PartUsage,
    find_request_refusal,
    find_use_refusal,
    find_withdrawal_refusal,
)
from domain.refusal import RecordRefusal
from domain.roles import ROLE_PERMISSIONS, Permission, Role
from domain.visit import (
    AT_WORK,
    ArrivalFacts,
    Visit,
    VisitGuard,
    VisitOutcome,
    find_arrival_refusal,
    find_departure_refusal,
)
from domain.work_order import WorkOrderSource, WorkOrderState, WorkOrderType
from domain.work_order_merge import MergeGuard

LISTS = Path(__file__).parents[3] / "docs" / "reference" / "service" / "checklists"
_S = WorkOrderState
START = datetime(2026, 11, 22, tzinfo=UTC)
WORKER = 1
# Who acts: the assignee, another technician, a dispatcher, a manager, a token.
PEOPLE: dict[int | None, Role] = {
    WORKER: Role.TECHNICIAN,
    2: Role.TECHNICIAN,
    3: Role.DISPATCHER,
    4: Role.SERVICE_MANAGER,
    None: Role.INTEGRATOR,
}
RIGHTS = (Permission.WORK_ORDER_WORK, Permission.WORK_ORDER_ASSIGN, Permission.WORK_ORDER_NOTE)
ITEMS = (
    ChecklistItem("clean", ItemKind.CHECK, {"en": "x", "zh": "x"}),
    ChecklistItem("flow", ItemKind.NUMBER, {"en": "x", "zh": "x"}, low=0, high=1),
    ChecklistItem("photo", ItemKind.PHOTO, {"en": "x", "zh": "x"}),
    ChecklistItem("text", ItemKind.TEXT, {"en": "x", "zh": "x"}, required=False),
)
LIST = Checklist(1, "WO-1", 1, "t", 1, TemplateKind.CORRECTIVE, {}, ITEMS, {}, START)


@dataclass
class Order:
    """One order as the rules have left it."""

    state: WorkOrderState = _S.ASSIGNED
    safety_critical: bool = False
    now: datetime = START
    visits: list[Visit] = field(default_factory=list)
    parts: list[PartUsage] = field(default_factory=list)
    answers: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """What somebody tries."""

    what: str
    who: int | None
    by: Permission
    place: int
    offset_min: int
    line: PartLine
    signer: int | None
    reason: str
    value: bool | float | str
    state: WorkOrderState


LINES = st.builds(
    PartLine,
    item=st.just("MOT-1"),
    quantity=st.sampled_from([Decimal(1), Decimal(2), Decimal("0.5")]),
    description=st.just(""),
    lot=st.sampled_from(["", "L"]),
    serial_in=st.sampled_from(["", "A", "B"]),
    serial_out=st.sampled_from(["", "A"]),
)
COMMANDS = st.builds(
    Command,
    what=st.sampled_from(["arrive", "leave", "ask", "use", "use_new", "withdraw", "answer", "become", "arrive", "use"]),
    who=st.sampled_from([WORKER, WORKER, WORKER, 2, 3, 4, None]),
    by=st.sampled_from([RIGHTS[0], *RIGHTS]),
    place=st.integers(0, 3),
    offset_min=st.sampled_from([0, 0, 0, -30, -600, 4, 60]),
    line=LINES,
    signer=st.sampled_from([WORKER, WORKER, 2, None]),
    reason=st.sampled_from(["", "because"]),
    value=st.sampled_from([True, False, 0.5, 2.0, 1, "x", "", 7]),
    state=st.sampled_from([_S.ASSIGNED, _S.IN_PROGRESS, _S.IN_PROGRESS, _S.ON_HOLD, _S.WORK_DONE, _S.CLOSED]),
)


def may(who: int | None, by: Permission) -> bool:
    return by in ROLE_PERMISSIONS[PEOPLE[who]]


def take(order: Order, command: Command) -> RecordRefusal | None:
    """Carries the command out where no guard refuses it, and says which does."""
    who, by = command.who, command.by.value
    at = order.now + timedelta(minutes=command.offset_min)
    facts = PartFacts(order.state, WORKER, order.safety_critical)
    signature = None if command.signer is None else Signature(command.signer, "X", command.reason)
    if command.what == "arrive":
        own = [v for v in order.visits if v.technician_id == who]
        arrival = ArrivalFacts(
            order.state,
            WORKER,
            START,
            any(v.left_at is None for v in own),
            max((v.left_at for v in own if v.left_at), default=None),
        )
        refusal = find_arrival_refusal(arrival, actor_id=who, by=by, arrived_at=at, now=order.now)
        if refusal is None:
            assert who is not None
            order.visits.append(Visit(len(order.visits), "WO-1", who, "x", "X", at, None, None, ""))
        return refusal
    if command.what == "leave" and order.visits:
        place = command.place % len(order.visits)
        visit = order.visits[place]
        refusal = find_departure_refusal(visit, actor_id=who, by=by, left_at=at, now=order.now)
        if refusal is None:
            order.visits[place] = replace(visit, left_at=at, outcome=VisitOutcome.COMPLETED)
        return refusal
    if command.what == "ask":
        refusal = find_request_refusal(facts, actor_id=who, by=by)
        if refusal is None:
            order.parts.append(make_part(order, PartState.REQUESTED, command.line))
        return refusal
    if command.what == "use_new":
        refusal = find_use_refusal(facts, command.line, None, signature, actor_id=who, by=by)
        if refusal is None:
            order.parts.append(make_part(order, PartState.USED, command.line))
        return refusal
    if command.what in ("use", "withdraw") and order.parts:
        place = command.place % len(order.parts)
        known = order.parts[place]
        if command.what == "use":
            refusal = find_use_refusal(facts, command.line, known, signature, actor_id=who, by=by)
            becomes = make_part(order, PartState.USED, command.line)
        else:
            refusal = find_withdrawal_refusal(facts, known, command.reason, actor_id=who, by=by)
            becomes = replace(known, state=PartState.WITHDRAWN)
        if refusal is None:
            order.parts[place] = becomes
        return refusal
    if command.what == "answer":
        item = ITEMS[command.place % len(ITEMS)]
        given_answer = GivenAnswer(item.key, command.value, command.reason)
        answer_facts = AnswerFacts(order.state, WORKER, 1, frozenset({7}))
        refusal = find_answer_refusal(LIST, given_answer, answer_facts, actor_id=who, by=by)
        if refusal is None:
            assert is_ok(item, command.value) or command.reason
            order.answers[item.key] = command.value
        return refusal
    order.state = command.state
    order.now += timedelta(hours=1)
    return None


def make_part(order: Order, state: PartState, line: PartLine) -> PartUsage:
    return PartUsage(
        len(order.parts), "WO-1", state, line.item, "", line.quantity, line.lot, line.serial_in, line.serial_out,
        None, None, None, None, "",
    )  # fmt: skip


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.booleans(), st.lists(COMMANDS, min_size=1, max_size=25))
def test_no_sequence_of_commands_gets_around_the_rules(safety_critical: bool, commands: list[Command]) -> None:
    order = Order(safety_critical=safety_critical)
    for command in commands:
        state = order.state
        before = (list(order.visits), list(order.parts), dict(order.answers))
        refusal = take(order, command)
        if refusal is not None:
            event(f"{command.what}: {refusal.guard}")
            assert isinstance(refusal.guard, VisitGuard | PartGuard | ChecklistGuard)
            assert isinstance(refusal.guard, StrEnum)
            assert refusal.detail
            assert (order.visits, order.parts, order.answers) == before
            continue
        if (order.visits, order.parts, order.answers) == before:
            continue
        event(f"{command.what}: done")
        # Nobody but the assignee by his own right, save for asking and withdrawing by who assigns.
        if command.what in ("ask", "withdraw"):
            assert command.by is Permission.WORK_ORDER_ASSIGN or command.who == WORKER
            assert command.by in (Permission.WORK_ORDER_WORK, Permission.WORK_ORDER_ASSIGN)
        else:
            assert command.who == WORKER
            assert may(command.who, command.by)
        if command.what in ("use", "use_new"):
            assert (state, command.signer, command.reason) == (_S.IN_PROGRESS, WORKER, "because")
        elif command.what not in ("leave", "withdraw"):
            assert state in AT_WORK
    assert sum(v.left_at is None for v in order.visits) <= 1
    ended = [v for v in order.visits if v.left_at is not None]
    assert all(v.left_at is not None and v.left_at >= v.arrived_at for v in ended)
    for part in order.parts:
        assert part.quantity == 1 or not (part.serial_in or part.serial_out) or part.state is not PartState.USED
        assert not (order.safety_critical and part.state is PartState.USED and not (part.lot or part.serial_in))
        assert part.state is not PartState.USED or not part.serial_in or part.serial_in != part.serial_out


def test_which_lists_an_order_gets() -> None:
    expected = {
        WorkOrderType.CORRECTIVE: TemplateKind.CORRECTIVE,
        WorkOrderType.PREDICTIVE: TemplateKind.CORRECTIVE,
        WorkOrderType.PREVENTIVE: TemplateKind.PREVENTIVE,
        WorkOrderType.CALIBRATION: TemplateKind.PREVENTIVE,
        WorkOrderType.INSTALL: TemplateKind.INSTALLATION,
        WorkOrderType.FIRMWARE: TemplateKind.RECALL,
        WorkOrderType.RECALL: TemplateKind.RECALL,
    }
    for type_ in WorkOrderType:
        own = (expected[type_],) if type_ in expected else ()
        assert find_kinds_for(type_, WorkOrderSource.AUTOMATIC) == own
        assert find_kinds_for(type_, WorkOrderSource.COMPLAINT) == (*own, TemplateKind.COMPLAINT_EVIDENCE)


@pytest.mark.parametrize("kind", TemplateKind)
def test_a_list_to_start_from_comes_with_the_documents(kind: TemplateKind) -> None:
    file = LISTS / f"{kind.value.lower().replace('_', '-')}.json"
    body = json.loads(file.read_text("utf-8"))
    items = [{"required": True, "low": None, "high": None, "unit": ""} | item for item in body["items"]]
    assert find_item_problems(items_from_json(items)) == {}
    assert (body["kind"], body["title"].keys()) == (kind, {"en", "zh"})


@pytest.mark.parametrize("guards", [VisitGuard, PartGuard, ChecklistGuard, AttachmentGuard, MergeGuard])
def test_the_page_names_every_guard(guards: type[StrEnum]) -> None:
    page = (LISTS.parent / "work-orders.md").read_text("utf-8")
    assert [guard.value for guard in guards if f"`{guard.value}`" not in page] == []
