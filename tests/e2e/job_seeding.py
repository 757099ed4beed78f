"""What a technician finds at the place of a job: a checklist for it, an address, somebody to call, a dispatcher."""

import zlib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from struct import pack

import psycopg

from api.passwords import hash_password
from domain.attachment import AttachmentKind, MediaType, Visibility
from domain.audit import Actor, Signature
from domain.checklist import ChecklistItem, GivenAnswer, ItemKind, TemplateKind
from domain.part_usage import PartLine
from domain.visit import VisitOutcome
from domain.work_order import WorkOrderState
from domain.work_order_steps import TransitionRequest
from store.attachment_files import IncomingFile
from store.attachments import AttachmentDraft, record_attachment
from store.checklist_templates import TemplateDraft, create_template
from store.checklists import load_checklists, record_answers
from store.part_usages import record_part_request, record_part_use
from store.pool import Connection
from store.users import load_user, record_user
from store.visits import record_arrival, record_departure
from store.work_order_transitions import record_transition
from store.work_orders import load_work_order
from tests.e2e.seeding import PASSWORD

LINES = (
    ChecklistItem("power_off", ItemKind.CHECK, {"en": "Pump switched off and labelled", "zh": "泵已关机并挂牌"}),
    ChecklistItem(
        "current", ItemKind.NUMBER, {"en": "Motor current at 100 mL/h", "zh": "100 mL/h 时的电机电流"},
        low=0.2, high=0.5, unit="A",
    ),
    ChecklistItem("label", ItemKind.PHOTO, {"en": "Photo of the type plate", "zh": "铭牌照片"}),
    ChecklistItem("finding", ItemKind.TEXT, {"en": "What was seen inside", "zh": "内部所见"}, required=False),
)  # fmt: skip
CONTACTS = '[{"name": "Nora Wolff", "phone": "+49 30 555 0134", "role": "ward manager"}]'
MANAGER = "work_order.triage", "work_order.assign"


def seed_place(url: str) -> None:
    """The checklist of corrective work, an address and a contact for every customer, and the dispatcher dirk."""
    now = datetime.now(UTC)
    with psycopg.connect(url) as conn:
        title = {"en": "Repair of a pump", "zh": "泵的维修"}
        draft = TemplateDraft(title=title, items=LINES)
        create_template(
            conn,
            Actor("setup", "admin", "template.write"),
            "repair",
            TemplateKind.CORRECTIVE,
            None,
            draft,
            reason="first",
            now=now,
        )
        conn.execute("UPDATE site SET address = 'Mill Lane 5, 12345 Example Town'")
        conn.execute("UPDATE customer SET contacts = %s", (CONTACTS,))
        record_user(
            conn,
            name="dirk",
            full_name="Dirk Meyer",
            password_hash=hash_password(PASSWORD),
            roles=["dispatcher"],
            must_change_password=False,
        )


def seed_job(url: str, code: str, attachments: Path, *, technician: str = "tom") -> None:
    """That order in the hands of the technician, with a visit behind it and one under way, parts, answers and a photo
    whose bytes are kept below that folder."""
    now = datetime.now(UTC)
    with psycopg.connect(url) as conn:
        user = load_user(conn, technician)
        order = load_work_order(conn, code)
        assert user is not None
        assert order is not None
        manager = [Actor("mara", "service_manager", permission) for permission in MANAGER]
        own = Actor(technician, "technician", "work_order.work", user.id)
        move(conn, manager[0], code, TransitionRequest(WorkOrderState.TRIAGED), now)
        move(conn, manager[1], code, TransitionRequest(WorkOrderState.ASSIGNED, assignee_id=user.id), now)
        move(conn, own, code, TransitionRequest(WorkOrderState.IN_PROGRESS), now)
        visit = record_arrival(conn, own, code, arrived_at=now, note="Key at the gate", now=now)
        outcome = VisitOutcome.PARTS_NEEDED
        record_departure(conn, own, code, visit.id, left_at=now, outcome=outcome, note="Motor draws too much", now=now)
        record_arrival(conn, own, code, arrived_at=now, now=now)
        record_part_request(conn, own, code, PartLine("200-3110", Decimal(1), "Pump motor and gear"), now=now)
        used = PartLine("200-0007", Decimal(2), "Seal ring", lot="L-2611")
        record_part_use(conn, own, code, None, used, Signature(user.id, user.full_name, "Fitted by me."), now=now)
        content = make_picture(160)
        incoming = IncomingFile(attachments)
        incoming.write(content)
        picture = AttachmentDraft(
            sha256=incoming.keep(),
            size=len(content),
            kind=AttachmentKind.PHOTO,
            media_type=MediaType.PNG,
            visibility=Visibility.INTERNAL,
            file_name="type-plate.png",
            note="",
            captured_at=now,
            captured_by=technician,
        )
        file, _ = record_attachment(conn, own, code, picture, now=now)
        (checklist,) = load_checklists(conn, order.id)
        given = [
            GivenAnswer("power_off", True),
            GivenAnswer("current", 0.61, "Gear runs stiff; replaced"),
            GivenAnswer("label", file.id),
        ]
        record_answers(conn, own, code, checklist.id, given, now=now)


def move(conn: Connection, actor: Actor, code: str, wish: TransitionRequest, now: datetime) -> None:
    """One step of the order."""
    record_transition(conn, actor, code, wish, expected_row_version=None, now=now)


def make_picture(shade: int) -> bytes:
    """A real PNG of eight by eight grey pixels; another shade is another content."""
    rows = b"".join(b"\0" + bytes([shade] * 8) for _ in range(8))
    parts = ((b"IHDR", pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body)) for kind, body in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
