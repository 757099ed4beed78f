"""Pumps that fail together, and the people of quality who deal with the CAPA, for tests."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from domain.audit import Signature
from domain.capa import CapaState
from domain.capa_action import ActionKind, ActionRequest, ActionState
from domain.capa_cause import Cause, CauseCategory, CauseVerdict, EvidenceKind, EvidenceRef, RootCause, Why
from domain.capa_effectiveness import EffectivenessMetric, EffectivenessPlan, LimitKind
from domain.capa_steps import TWICE_SIGNED, CapaRequest, find_capa_permissions
from domain.roles import ROLE_PERMISSIONS, Permission, Role
from service_link.quality import QualityWatch, propose_capas
from store.capa_actions import ActionDraft
from store.capa_transitions import record_capa_step
from store.capa_work import add_action, plan_effectiveness, record_action_step, write_root_cause
from store.capas import Capa, load_capa, lock_capa
from store.ticket_policies import load_ticket_policies
from tests.support.service_world import World, actor

_S = CapaState
ROLES = {
    "quinn": Role.QUALITY_ENGINEER,
    "rosa": Role.QUALITY_ENGINEER,
    "ada": Role.QUALITY_APPROVER,
    "bob": Role.QUALITY_APPROVER,
}
BOTH_VERSIONS = ("P-0-0", "P-1-1", "P-2-2", "P-3-3", "P-0-4", "P-1-0")
ONE_VERSION = ("P-0-0", "P-1-0", "P-2-0", "P-3-0", "P-0-1", "P-1-1")
OTHERS = ("P-2-1", "P-3-1", "P-0-2", "P-1-2", "P-3-2", "P-0-3", "P-1-3", "P-2-3")
PROVED = EvidenceRef(EvidenceKind.DOCUMENT, "LAB-17", "section of the bearing")
CAUSE = Cause(
    CauseCategory.MATERIAL,
    CauseVerdict.ROOT,
    "The grease of the bearing dries out",
    tuple(Why(text) for text in ("the motor wears", "the bearing runs dry", "the grease was changed")),
    (PROVED,),
)


@dataclass(slots=True)
class Quality:
    """A world of pumps with the people who deal with its CAPAs."""

    world: World
    people: dict[str, int] = field(default_factory=dict)

    def load(self, code: str) -> Capa:
        capa = load_capa(self.world.conn, code)
        assert capa is not None
        return capa

    def propose(self, firmware: str = "") -> str:
        """Six pumps at four hospitals fail: those of one firmware version, or of both alike."""
        serials = ONE_VERSION if firmware else BOTH_VERSIONS
        for serial in serials:
            self.world.decide(serial)
        conn = self.world.conn
        (code,) = propose_capas(conn, QualityWatch(), load_ticket_policies(conn), self.world.now)
        return code

    def fail_again(self) -> None:
        """Eight pumps that had not failed do so, one a day."""
        for serial in OTHERS:
            self.world.pass_time(days=1)
            self.world.decide(serial)

    def move(self, who: str, code: str, to: CapaState, *, reason: str = "as discussed") -> Capa:
        needed = find_capa_permissions(CapaState(self.load(code).state), to)
        held = [permission for permission in needed if permission in ROLE_PERMISSIONS[ROLES[who]]]
        by = actor(who, held[0] if held else Permission.CAPA_READ, self.people[who])
        signature = Signature(self.people[who], who.title(), "I approve") if to in TWICE_SIGNED else None
        with self.world.conn.transaction():
            request = CapaRequest(to, reason, signature)
            return record_capa_step(self.world.conn, by, code, request, expected_row_version=None, now=self.world.now)

    def write_cause(self, code: str, who: str = "quinn") -> Capa:
        with self.world.conn.transaction():
            capa = lock_capa(self.world.conn, code)
            cause = RootCause("Motors wear out within a year", (CAUSE,))
            return write_root_cause(self.world.conn, self._worker(who), capa, cause, now=self.world.now)

    def add_action(self, code: str, who: str = "quinn", **more: Any) -> int:
        with self.world.conn.transaction():
            values: dict[str, Any] = {"owner_id": self.people["quinn"], "due_on": date(2027, 6, 1)} | more
            draft = ActionDraft(ActionKind.CORRECTIVE, "Other grease, and new motors", **values)
            capa = lock_capa(self.world.conn, code)
            return add_action(self.world.conn, self._worker(who), capa, draft, now=self.world.now)[1].number

    def plan_check(self, code: str, who: str = "quinn", **more: Any) -> Capa:
        values: dict[str, Any] = {"metric": "WORK_ORDER_RATE", "limit_kind": "RATIO", "limit": 0.5, "period_days": 60}
        values |= more
        values |= {
            "metric": EffectivenessMetric(values["metric"]),
            "limit_kind": LimitKind(values["limit_kind"]),
            "before_days": values.get("before_days", 30),
        }
        with self.world.conn.transaction():
            capa = lock_capa(self.world.conn, code)
            plan = EffectivenessPlan(**values)
            return plan_effectiveness(self.world.conn, self._worker(who), capa, plan, now=self.world.now)

    def plan(self, code: str, **check: Any) -> None:
        """From the proposal to a plan that can be approved, a day later."""
        self.move("ada", code, _S.OPEN)
        self.move("quinn", code, _S.INVESTIGATION)
        self.write_cause(code)
        self.world.pass_time(days=2)
        self.move("quinn", code, _S.ACTION_PLAN)
        self.add_action(code)
        self.plan_check(code, **check)

    def approve(self, code: str) -> Capa:
        self.move("ada", code, _S.IMPLEMENTATION)
        return self.move("bob", code, _S.IMPLEMENTATION)

    def act(self, who: str, code: str, number: int, request: ActionRequest) -> Capa:
        with self.world.conn.transaction():
            capa = lock_capa(self.world.conn, code)
            by = self._worker(who)
            return record_action_step(self.world.conn, by, capa, number, request, now=self.world.now)[0]

    def bring_to_effectiveness(self, code: str) -> Capa:
        """Planned, approved, done and verified; the effect is measured from now on, for 60 days."""
        self.plan(code)
        self.approve(code)
        self.act("quinn", code, 1, ActionRequest(ActionState.DONE, "done"))
        self.move("quinn", code, _S.VERIFICATION)
        self.act("rosa", code, 1, ActionRequest(ActionState.VERIFIED, "seen"))
        return self.move("bob", code, _S.EFFECTIVENESS, reason="no harm elsewhere")

    def _worker(self, who: str) -> Any:
        return actor(who, Permission.CAPA_WORK, self.people[who])


def make_quality(world: World) -> Quality:
    """Four hospitals with five pumps each, two of which run firmware 2.4.1; and the people."""
    for hospital in range(4):
        site = world.add_site(f"S{hospital}")
        for n in range(5):
            firmware = "2.4.1" if n < 2 else "2.4.0"
            world.add_device(f"P-{hospital}-{n}", site, firmware=firmware, known_for=timedelta(days=100))
    people = {name: world.add_user(name, role.value) for name, role in ROLES.items()}
    return Quality(world, people)
