"""Records of quality for the pages: a CAPA whose effect is being measured. Made through the product's own functions."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from api.passwords import hash_password
from domain.audit import Actor, Signature
from domain.capa import CapaKind, CapaScope, CapaState, ScopeKind
from domain.capa_action import ActionKind, ActionRequest, ActionState
from domain.capa_cause import Cause, CauseCategory, CauseVerdict, EvidenceKind, EvidenceRef, RootCause, Why
from domain.capa_effectiveness import EffectivenessMetric, EffectivenessPlan, LimitKind
from domain.capa_steps import CapaRequest
from domain.roles import Permission
from service_link.effectiveness import measure_effectiveness
from store.capa_actions import ActionDraft
from store.capa_manual import ManualCapa, load_model_id, propose_capa
from store.capa_transitions import record_capa_step
from store.capa_work import add_action, plan_effectiveness, record_action_step, write_root_cause
from store.capas import lock_capa
from store.pool import Connection
from store.users import record_user
from tests.e2e.seeding import PASSWORD

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


def seed_quality(url: str, now: datetime) -> str:
    """The code of a CAPA on batteries, 24 days into the measuring of its effect."""
    with psycopg.connect(url) as conn:
        desk = open_desk(conn)
        code = make_capa(desk, now)
        conn.commit()
    with psycopg.connect(url, autocommit=True) as conn:
        for day in range(24, -1, -2):
            measure_effectiveness(conn, now - timedelta(days=day, minutes=1))
    return code


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
