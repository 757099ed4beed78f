"""Records of quality for the pages, one of each kind, made through the product's own functions."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from api.passwords import hash_password
from domain.approval_request import ApprovalKind, ApprovalWish
from domain.audit import Actor, Signature
from domain.capa import CapaKind, CapaScope, CapaState, ScopeKind
from domain.capa_action import ActionKind, ActionRequest, ActionState
from domain.capa_cause import Cause, CauseCategory, CauseVerdict, EvidenceKind, EvidenceRef, RootCause, Why
from domain.capa_effectiveness import EffectivenessMetric, EffectivenessPlan, LimitKind
from domain.capa_steps import CapaRequest
from domain.complaint import ComplaintSeverity
from domain.field_action import (
    FieldActionKind,
    FieldActionState,
)
from domain.field_action_scope import ScopeQuery, Wave
from domain.field_action_steps import FieldActionRequest
from domain.firmware_record import FirmwareRecordState, FirmwareRequest
from domain.firmware_version import VersionRange
from domain.maintenance_plan import PlanAnchor, PlanDraft, PlanKind, PlanUnit
from domain.roles import Permission
from domain.vigilance import AssessmentRequest
from domain.vigilance_terms import Harm, Jurisdiction
from service_link.effectiveness import measure_effectiveness
from service_link.plans import keep_plans
from store.approval_handlers import HANDLERS
from store.approval_requests import ask_approval
from store.capa_actions import ActionDraft
from store.capa_manual import ManualCapa, load_model_id, propose_capa
from store.capa_transitions import record_capa_step
from store.capa_work import add_action, plan_effectiveness, record_action_step, write_root_cause
from store.capas import lock_capa
from store.complaints import ComplaintDraft, record_complaint
from store.field_action_communications import Channel, ContactResult, NewCommunication, record_communication
from store.field_action_drafts import (
    FieldActionDraft,
    record_draft,
)
from store.field_action_scope import freeze_scope
from store.field_action_transitions import record_field_action_step
from store.field_actions import lock_field_action
from store.firmware_records import lock_firmware, record_firmware_step, register_firmware
from store.maintenance_plans import record_maintenance_plan
from store.pool import Connection
from store.users import record_user
from store.vigilance import record_assessment
from tests.e2e.seeding import CUSTOMERS, PASSWORD, SERIALS

PEOPLE = (
    ("quinn", "Quinn Harper", ["quality_engineer"]),
    ("rosa", "Rosa Almeida", ["quality_engineer"]),
    ("vera", "Vera Novak", ["quality_approver"]),
    ("bob", "Bob Tanaka", ["quality_approver"]),
)
_S = CapaState


@dataclass(slots=True)
class Desk:
    """People of quality at a seeded service, on days that lie behind."""

    conn: Connection
    people: dict[str, int]
    names: dict[str, str]

    def act(self, who: str, permission: Permission) -> Actor:
        return Actor(who, "quality_engineer", permission.value, self.people[who], "seed")

    def sign(self, who: str, meaning: str) -> Signature:
        return Signature(self.people[who], self.names[who], meaning)

    def step(
        self,
        who: str,
        code: str,
        to: CapaState,
        right: Permission,
        at: datetime,
        *,
        reason: str = "",
        meaning: str = "",
    ) -> None:
        """One step of a CAPA."""
        request = CapaRequest(to, reason, self.sign(who, meaning) if meaning else None)
        record_capa_step(self.conn, self.act(who, right), code, request, expected_row_version=None, now=at)


def open_desk(conn: Connection) -> Desk:
    """The desk with its people."""
    password_hash = hash_password(PASSWORD)
    people = {}
    for name, full_name, roles in PEOPLE:
        made = record_user(
            conn, name=name, full_name=full_name, password_hash=password_hash, roles=roles, must_change_password=False
        )
        assert made is not None
        people[name] = made
    return Desk(conn, people, {name: full_name for name, full_name, _ in PEOPLE})


def seed_quality(url: str, now: datetime) -> dict[str, str]:
    """The addresses of one record of each kind: a CAPA on batteries, 24 days into the measuring of its effect, a
    campaign that tells its first wave, a complaint whose clocks run, a plan, and a question for a second person."""
    with psycopg.connect(url) as conn:
        desk = open_desk(conn)
        addresses = {"capa": f"/capa/{make_capa(desk, now)}", "firmware": make_firmware(desk, now)}
        addresses |= {"field-action": make_campaign(desk, now), "complaint": make_complaint(desk, now)}
        addresses |= {"approval": make_request(desk, now), "plan": make_plan(desk, now)}
        conn.commit()
    with psycopg.connect(url, autocommit=True) as conn:
        keep_plans(conn, now)
        for day in range(24, -1, -2):
            measure_effectiveness(conn, now - timedelta(days=day, minutes=1))
    return addresses


def make_firmware(desk: Desk, now: datetime) -> str:
    """A version of the pump that two people approved and one released."""
    conn, at = desk.conn, now - timedelta(days=9)
    writer = desk.act("quinn", Permission.FIRMWARE_WRITE)
    notes = "The charger stops at 85 % while the pump stands"
    made = register_firmware(
        conn, writer, model="INF-200", component="main", version="2.6.0", sha256="5e" * 32, notes=notes, now=at
    )
    assert made is not None
    for who, to in (("vera", "APPROVED"), ("bob", "APPROVED"), ("bob", "RELEASED")):
        before = lock_firmware(conn, "INF-200", "main", "2.6.0", None)
        request = FirmwareRequest(FirmwareRecordState(to), "", desk.sign(who, "Reviewed and approved"))
        record_firmware_step(conn, desk.act(who, Permission.FIRMWARE_APPROVE), before, request, now=at)
    return "/firmware/INF-200/main/2.6.0"


def make_campaign(desk: Desk, now: datetime) -> str:
    """A campaign to that version: approved, every customer told, its first wave open."""
    conn, at = desk.conn, now - timedelta(days=2)
    write, approve = Permission.FIELD_ACTION_WRITE, Permission.FIELD_ACTION_APPROVE
    waves = (Wave(0.3, (), 24.0, 0.9), Wave(1.0, (), 24.0, 0.9))
    draft = FieldActionDraft(
        FieldActionKind.FIRMWARE, "Charge to 85 %", "INF-200", "Batteries of lot L2402 age too fast",
        "Leave the pump on the mains for ten minutes", firmware_version="2.6.0", waves=waves,
    )  # fmt: skip
    made = record_draft(conn, desk.act("quinn", write), draft, now=at)
    query = ScopeQuery("INF-200", firmware=VersionRange(before="2.6.0"))
    freeze_scope(conn, desk.act("quinn", write), made, query, now=at)
    steps = (("vera", "APPROVED"), ("bob", "APPROVED"), ("quinn", "NOTIFYING"))
    for who, to in steps:
        signature = desk.sign(who, "Reviewed and approved") if to == "APPROVED" else None
        request = FieldActionRequest(FieldActionState(to), "", signature)
        by = desk.act(who, approve if signature else write)
        record_field_action_step(conn, by, lock_field_action(conn, made.code), request, now=at)
    for customer, *_ in CUSTOMERS:
        said = NewCommunication(Channel.EMAIL, ContactResult.SENT, at, customer=customer, text="Update in two waves")
        record_communication(conn, desk.act("quinn", write), lock_field_action(conn, made.code), said, now=at)
    request = FieldActionRequest(FieldActionState.EXECUTING)
    record_field_action_step(conn, desk.act("quinn", write), lock_field_action(conn, made.code), request, now=at)
    return f"/field-actions/{made.code}"


def make_complaint(desk: Desk, now: datetime) -> str:
    """Received yesterday and assessed; nobody has decided whether it is reported."""
    at = now - timedelta(days=1)
    draft = ComplaintDraft(
        at, ComplaintSeverity.MAJOR, "The pump stopped without an alarm and went on after a restart",
        reporter_name="Anna Weber", reporter_phone="+49 30 555 0100", reporter_address="Ward 12A",
        serial=SERIALS[7], fault_group="battery",
    )  # fmt: skip
    complaint, _ = record_complaint(desk.conn, desk.act("quinn", Permission.COMPLAINT_WRITE), draft, at)
    places = (Jurisdiction.EU, Jurisdiction.US)
    known = AssessmentRequest(at, Harm.MALFUNCTION_COULD_RECUR, places, "A pump that stops leaves the patient without")
    by = desk.act("rosa", Permission.VIGILANCE_ASSESS)
    record_assessment(desk.conn, by, complaint.code, known, expected_row_version=None, now=at)
    return f"/complaints/{complaint.code}"


def make_request(desk: Desk, now: datetime) -> str:
    """A file that names people, asked for an hour ago."""
    payload = {"format": "csv", "filter": {"region": "EU"}, "columns": ["code", "name", "contacts"]}
    wish = ApprovalWish(
        ApprovalKind.IDENTIFIABLE_EXPORT, "customers", payload, "Letters to everybody with a pump of L2402"
    )
    by, signature = desk.act("quinn", Permission.EXPORT_TAKE), desk.sign("quinn", "I ask for this")
    return f"/approvals/{ask_approval(desk.conn, by, wish, HANDLERS, signature, now - timedelta(hours=1)).code}"


def make_plan(desk: Desk, now: datetime) -> str:
    """A yearly check of every pump, late at all of them."""
    draft = PlanDraft(
        "Yearly safety check", "PREVENTIVE", PlanKind.CALENDAR, PlanAnchor.FLOATING, 1, PlanUnit.YEAR, lead_days=30
    )
    by, start = desk.act("quinn", Permission.PLAN_WRITE), (now - timedelta(days=200)).date()
    code = record_maintenance_plan(
        desk.conn, by, draft, model="INF-200", serial=None, starts_on=start, external_refs=[], now=now
    )
    return f"/plans?plan={code}"


def make_capa(desk: Desk, now: datetime) -> str:
    """Proposed 70 days ago by a person, and taken to EFFECTIVENESS 26 days ago."""
    conn, work, decide, approve = desk.conn, Permission.CAPA_WORK, Permission.CAPA_DECIDE, Permission.CAPA_APPROVE

    def day(days: int) -> datetime:
        return now - timedelta(days=days)

    model_id = load_model_id(conn, "INF-200")
    assert model_id is not None
    scope = CapaScope(model_id, ScopeKind.LOT, "L2402", "battery")
    wanted = ManualCapa(CapaKind.CORRECTIVE, scope, "Returned batteries of lot L2402 hold less than 70 % after a year.")
    code = propose_capa(conn, desk.act("quinn", work), wanted, now=day(70)).code
    desk.step("vera", code, _S.OPEN, decide, day(69), reason="Three returns in a month, all of this lot")
    desk.step("quinn", code, _S.INVESTIGATION, work, day(68))
    proof = EvidenceRef(EvidenceKind.DOCUMENT, "LAB-2026-117", "cells opened, 4 of 4")
    device = EvidenceRef(EvidenceKind.DEVICE, "INF-74828")
    causes = (
        Cause(
            CauseCategory.MATERIAL,
            CauseVerdict.ROOT,
            "Cells of the second supplier lose capacity above 30 °C",
            (
                Why("The battery lasts less than half of its time", (device,)),
                Why("Its cells have lost a third of their capacity"),
                Why("They stood above 30 °C for most of their life"),
                Why("The second supplier's electrolyte does not bear it", (proof,)),
                Why("The change of supplier was released without a test of ageing in heat"),
            ),
            (proof,),
        ),
        Cause(CauseCategory.MACHINE, CauseVerdict.CONTRIBUTING, "The charger keeps cells at 100 % for days"),
        Cause(CauseCategory.PEOPLE, CauseVerdict.RULED_OUT, "Pumps left on the charger in the sun"),
        Cause(CauseCategory.METHOD, CauseVerdict.CONTRIBUTING, "Incoming inspection measures fresh cells alone"),
    )
    problem = "Batteries of lot L2402 fall below 70 % of their capacity within a year."
    cause = RootCause(problem, causes)
    write_root_cause(conn, desk.act("quinn", work), lock_capa(conn, code), cause, now=day(60))
    desk.step("quinn", code, _S.ACTION_PLAN, work, day(58))
    plans = (
        (ActionKind.CORRECTION, "Replace the batteries of lot L2402 at all customers", "rosa", day(35)),
        (ActionKind.CORRECTIVE, "Cells of the first supplier; ageing in heat is tested", "quinn", day(32)),
        (ActionKind.PREVENTIVE, "Charge to 85 % while a pump stands on the charger", "rosa", day(30)),
    )  # fmt: skip
    for kind, text, owner, due in plans:
        draft = ActionDraft(kind, text, desk.people[owner], due.date())
        add_action(conn, desk.act("quinn", work), lock_capa(conn, code), draft, now=day(57))
    plan = EffectivenessPlan(EffectivenessMetric.BREACH_RATE, LimitKind.RATE, 12.0, 60, before_days=90)
    plan_effectiveness(conn, desk.act("quinn", work), lock_capa(conn, code), plan, now=day(57))
    for who, days in (("vera", 55), ("bob", 54)):
        desk.step(who, code, _S.IMPLEMENTATION, approve, day(days), meaning="Reviewed and approved")
    told = ("Replaced at all three customers, protocols in LAB-2026-140", "Supplier locked in the ERP", "Charger 4.1")
    for number, text in enumerate(told, 1):
        done = ActionRequest(ActionState.DONE, text)
        who = "rosa" if number != 2 else "quinn"
        record_action_step(
            conn, desk.act(who, work), lock_capa(conn, code), number, done, (proof,), now=day(33 - number)
        )
    desk.step("quinn", code, _S.VERIFICATION, work, day(29))
    for number in (1, 2, 3):
        seen = ActionRequest(ActionState.VERIFIED, "Looked at three pumps and at the records")
        who = "quinn" if number != 2 else "rosa"
        record_action_step(conn, desk.act(who, work), lock_capa(conn, code), number, seen, now=day(28))
    reason = "Charging times and temperatures were measured on five pumps: nothing got worse"
    desk.step("vera", code, _S.EFFECTIVENESS, approve, day(26), reason=reason)
    return code
