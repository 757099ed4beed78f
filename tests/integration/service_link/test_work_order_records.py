"""Visits, parts and checklists of an order: what they allow and refuse, what is signed, and what stays for good."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg.errors import InsufficientPrivilege

from domain.attachment import AttachmentKind, MediaType, Visibility
from domain.checklist import ChecklistItem, GivenAnswer, ItemKind, TemplateKind
from domain.errors import GuardRefusedError, NotFoundError
from domain.part_usage import PartLine, PartState
from domain.roles import Permission
from domain.visit import VisitOutcome
from domain.work_order import HoldReason, Outcome, WorkOrderState
from store.attachments import AttachmentDraft, load_attachments, record_attachment
from store.audit import AuditFilter, load_audit_events, verify_chain
from store.checklist_templates import TemplateDraft, change_template, create_template, load_template
from store.checklists import load_answer_history, load_checklists, record_answers
from store.part_usages import (
    load_part_signatures,
    load_parts,
    record_part_request,
    record_part_use,
    record_part_withdrawal,
)
from store.visits import load_visits, record_arrival, record_departure
from store.work_order_transitions import load_order_signatures
from tests.support.databases import Database
from tests.support.staff import RECORD, Staff, open_staff

_S = WorkOrderState
CODE = "WO-2026-000001"
WORK = Permission.WORK_ORDER_WORK
PART = PartLine("MOT-1", Decimal(1), "Motor", lot="L-7", serial_in="M-2", serial_out="M-1")
DONE: dict[str, Any] = {"outcome": Outcome.CONFIRMED, "close_out": RECORD}


@pytest.fixture
def staff(database: Database) -> Iterator[Staff]:
    with open_staff(database.url) as found:
        found.world.decide("SN-1")
        yield found


def refuse(step: Callable[[], object]) -> str:
    with pytest.raises(GuardRefusedError) as refused:
        step()
    return refused.value.guard


def attach(staff: Staff, sha256: str, visibility: Visibility = Visibility.INTERNAL) -> int:
    draft = AttachmentDraft(
        sha256=sha256 * 64,
        size=7,
        kind=AttachmentKind.PHOTO,
        media_type=MediaType.PNG,
        visibility=visibility,
        file_name="x.png",
        note="",
        captured_at=staff.world.now,
        captured_by="tina",
    )
    with staff.world.conn.transaction():
        file, _ = record_attachment(
            staff.world.conn, staff.act("tina", Permission.WORK_ORDER_ATTACH), CODE, draft, now=staff.world.now
        )
    return file.id


def test_visits_begin_and_end_once_by_the_one_who_came(staff: Staff) -> None:
    conn, world = staff.world.conn, staff.world

    def arrive(who: str = "tina", **delta: float) -> object:
        with conn.transaction():
            at = world.now + timedelta(**delta)
            return record_arrival(conn, staff.act(who, WORK), CODE, arrived_at=at, now=world.now)

    def leave(visit_id: int, who: str = "tina", **delta: float) -> object:
        with conn.transaction():
            return record_departure(
                conn,
                staff.act(who, WORK),
                CODE,
                visit_id,
                left_at=world.now + timedelta(**delta),
                outcome=VisitOutcome.PARTS_NEEDED,
                note="no motor",
                now=world.now,
            )

    assert refuse(arrive) == "order_not_at_work"
    staff.start(CODE)
    assert refuse(lambda: arrive("otto")) == "not_assignee"
    assert refuse(lambda: arrive(hours=1)) == "time_in_future"
    assert refuse(lambda: arrive(hours=-1)) == "before_order"
    arrive()
    assert refuse(arrive) == "visit_under_way"
    (visit,) = load_visits(conn, staff.load(CODE).id)
    world.pass_time(hours=2)
    assert refuse(lambda: leave(visit.id, "otto")) == "not_visitor"
    assert refuse(lambda: leave(visit.id, hours=-3)) == "left_before_arrival"
    with pytest.raises(NotFoundError):
        leave(visit.id + 1)
    leave(visit.id)
    assert refuse(lambda: leave(visit.id)) == "visit_over"
    assert refuse(lambda: arrive(hours=-1)) == "visits_overlap"
    with pytest.raises(InsufficientPrivilege, match="written once"):
        conn.execute("UPDATE work_order_visit SET note = 'x'")
    (over,) = load_visits(conn, staff.load(CODE).id)
    assert (over.outcome, over.note, over.technician) == (VisitOutcome.PARTS_NEEDED, "no motor", "tina")
    # Nobody verifies while somebody is still there.
    arrive()
    staff.move("tina", CODE, _S.WORK_DONE, **DONE)
    verify = {"test_evidence": "bench"}
    assert refuse(lambda: staff.move("mia", CODE, _S.VERIFIED, **verify)) == "visit_under_way"
    leave(visit.id + 1)
    assert staff.move("mia", CODE, _S.VERIFIED, **verify).state is _S.VERIFIED


def test_a_part_is_asked_for_used_and_signed_for(staff: Staff) -> None:
    conn, world = staff.world.conn, staff.world
    staff.start(CODE)
    staff.move("tina", CODE, _S.ON_HOLD, hold_reason=HoldReason.PARTS)

    def use(part_id: int | None, line: PartLine = PART, who: str = "tina", *, signed: bool = True) -> object:
        signature = staff.sign(who) if signed else None
        with conn.transaction():
            return record_part_use(conn, staff.act(who, WORK), CODE, part_id, line, signature, now=world.now)

    with conn.transaction():
        asked = record_part_request(
            conn, staff.act("tina", WORK), CODE, PartLine("MOT-1", Decimal(2), "Motor"), now=world.now
        )
    (event,) = world.rows("SELECT * FROM outbox WHERE type = 'part.requested'")
    assert (event["subject"], event["body"]["data"]["item"], event["body"]["data"]["quantity"]) == (
        "SN-1",
        "MOT-1",
        "2",
    )
    assert "tina" not in str(event["body"])
    assert refuse(lambda: use(asked.id)) == "order_not_at_work"
    staff.move("tina", CODE, _S.IN_PROGRESS)
    assert refuse(lambda: use(asked.id, signed=False)) == "signature_missing"
    assert refuse(lambda: use(asked.id, who="otto")) == "not_assignee"
    assert refuse(lambda: use(asked.id, PartLine("MOT-1", Decimal(3), lot="L-7"))) == "more_than_requested"
    assert refuse(lambda: use(asked.id, PartLine("MOT-1", Decimal(2), serial_in="M-2"))) == "serial_needs_one"
    assert refuse(lambda: use(None, PartLine("MOT-1", Decimal(1)))) == "unidentified_part"
    assert refuse(lambda: staff.move("tina", CODE, _S.WORK_DONE, **DONE)) == "part_undecided"
    use(asked.id)
    assert refuse(lambda: use(asked.id)) == "no_such_transition"
    use(None, PartLine("SEAL-9", Decimal("0.250"), "Seal", lot="B"))
    used, seal = load_parts(conn, staff.load(CODE).id)
    assert (used.state, used.quantity, used.serial_in, used.decided_by) == (PartState.USED, Decimal(1), "M-2", "tina")
    assert seal.requested_by is None
    assert [s.valid for s in load_part_signatures(conn, used)] == [True]
    with pytest.raises(InsufficientPrivilege, match="written once"):
        conn.execute("UPDATE part_usage SET lot = 'x' WHERE state = 'USED'")
    with conn.transaction():
        other = record_part_request(
            conn, staff.act("mia", Permission.WORK_ORDER_ASSIGN), CODE, PartLine("FAN-1", Decimal(1)), now=world.now
        )
    withdraw: Callable[[str], object] = lambda reason: record_part_withdrawal(  # noqa: E731
        conn, staff.act("tina", WORK), CODE, other.id, reason, now=world.now
    )
    assert refuse(lambda: withdraw(" ")) == "reason_missing"
    with conn.transaction():
        withdraw("not broken")
    assert staff.move("tina", CODE, _S.WORK_DONE, **DONE).state is _S.WORK_DONE
    assert verify_chain(conn).holds


ITEMS = (
    ChecklistItem("clean", ItemKind.CHECK, {"en": "Clean", "zh": "清洁"}),
    ChecklistItem("flow", ItemKind.NUMBER, {"en": "Flow", "zh": "流量"}, low=9.8, high=10.2, unit="mL/h"),
    ChecklistItem("photo", ItemKind.PHOTO, {"en": "Photo", "zh": "照片"}),
    ChecklistItem("remarks", ItemKind.TEXT, {"en": "Remarks", "zh": "备注"}, required=False),
)
DRAFT = TemplateDraft({"en": "Repair", "zh": "维修"}, ITEMS)


def make_template(staff: Staff, code: str, model: str | None = None, draft: TemplateDraft = DRAFT) -> bool:
    act = staff.act("mia", Permission.TEMPLATE_WRITE)
    with staff.world.conn.transaction():
        return create_template(
            staff.world.conn, act, code, TemplateKind.CORRECTIVE, model, draft, reason="", now=staff.world.now
        )


def test_a_checklist_is_frozen_when_the_order_is_assigned_and_keeps_it_from_being_done(staff: Staff) -> None:
    conn, world = staff.world.conn, staff.world
    assert make_template(staff, "general", draft=TemplateDraft(DRAFT.title, ITEMS[:1]))
    assert make_template(staff, "pump", "PUMP")
    assert not make_template(staff, "another", "PUMP")
    with pytest.raises(NotFoundError):
        make_template(staff, "third", "NO-SUCH-MODEL")
    staff.start(CODE)
    with conn.transaction():
        assert change_template(
            conn,
            staff.act("mia", Permission.TEMPLATE_WRITE),
            "pump",
            TemplateDraft(DRAFT.title, ITEMS[:2]),
            is_active=True,
            expected_row_version=1,
            reason="shorter",
            now=world.now,
        )
    newest = load_template(conn, "pump")
    assert newest is not None
    assert (newest.version, len(newest.items)) == (2, 2)
    (checklist,) = load_checklists(conn, staff.load(CODE).id)
    assert (checklist.template, checklist.template_version) == ("pump", 1)
    assert checklist.missing == ("clean", "flow", "photo")

    def answer(*given: GivenAnswer, who: str = "tina") -> object:
        with conn.transaction():
            return record_answers(conn, staff.act(who, WORK), CODE, checklist.id, [*given], now=world.now)

    assert refuse(lambda: staff.move("tina", CODE, _S.WORK_DONE, **DONE)) == "checklist_incomplete"
    assert refuse(lambda: answer(GivenAnswer("clean", value=True), who="otto")) == "not_assignee"
    assert refuse(lambda: answer(GivenAnswer("clean", value=1))) == "wrong_kind"
    assert refuse(lambda: answer(GivenAnswer("flow", value=True))) == "wrong_kind"
    assert refuse(lambda: answer(GivenAnswer("dirty", value=True))) == "no_such_item"
    assert refuse(lambda: answer(GivenAnswer("photo", value=4711))) == "no_such_photo"
    # One that fails needs to say why; none of a batch is taken when one is refused.
    assert refuse(lambda: answer(GivenAnswer("clean", value=True), GivenAnswer("flow", 10.3))) == "remark_missing"
    assert load_answer_history(conn, checklist.id) == []
    photo = attach(staff, "a")
    answer(GivenAnswer("clean", value=True), GivenAnswer("flow", 10.3, "drifts; see part"), GivenAnswer("photo", photo))
    answer(GivenAnswer("flow", 10))
    (done,) = load_checklists(conn, staff.load(CODE).id)
    assert done.missing == ()
    assert (done.answers["flow"].value, done.answers["flow"].is_ok) == (10, True)
    assert [(a.item, a.is_ok) for a in load_answer_history(conn, checklist.id)] == [
        ("clean", True),
        ("flow", False),
        ("photo", True),
        ("flow", True),
    ]
    staff.finish(CODE)
    # Reopened it gets a list of its own, by the template as it is now.
    staff.move("mia", CODE, _S.TRIAGED, reason="hums again")
    staff.move("mia", CODE, _S.ASSIGNED, assignee_id=staff.people["tina"])
    first, second = load_checklists(conn, staff.load(CODE).id)
    assert (second.order_version, second.template_version, second.missing) == (2, 2, ("clean", "flow"))
    assert refuse(lambda: answer(GivenAnswer("clean", value=True))) == "earlier_version"
    assert first.id == checklist.id


def test_the_closing_signature_stands_for_all_records_of_the_order(staff: Staff, database: Database) -> None:
    conn = staff.world.conn
    staff.start(CODE)
    attach(staff, "a")
    attach(staff, "b", Visibility.CUSTOMER)
    order_id = staff.load(CODE).id
    assert len(load_attachments(conn, order_id, internal=True)) == 2
    assert [f.sha256[0] for f in load_attachments(conn, order_id, internal=False)] == ["b"]
    assert attach(staff, "a") == load_attachments(conn, order_id, internal=True)[0].id
    staff.finish(CODE)
    (signature,) = load_order_signatures(conn, staff.load(CODE))
    assert signature.valid
    assert refuse(lambda: attach(staff, "c")) == "order_over"
    with pytest.raises(InsufficientPrivilege):
        conn.execute("DELETE FROM attachment")
    # Somebody who gets around the program is found out.
    staff.world.conn.execute(
        "INSERT INTO attachment (work_order_id, order_version, sha256, kind, media_type, visibility, size, file_name,"
        " captured_at, captured_by, uploaded_at, uploaded_by)"
        " VALUES (%s, 1, repeat('d', 64), 'PHOTO', 'image/png', 'INTERNAL', 1, 'x', now(), 'x', now(), 'x')",
        (order_id,),
    )
    (signature,) = load_order_signatures(conn, staff.load(CODE))
    assert (signature.valid, signature.changed_fields) == (False, ("attachments",))
    actions = {e.action for e in load_audit_events(conn, AuditFilter(entity="work_order", entity_id=CODE))}
    assert "file.attached" in actions
