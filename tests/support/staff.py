"""People who work on the orders of a small world: a technician with a certificate, one without, a manager."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from domain.audit import Actor, Signature
from domain.roles import Permission
from domain.work_order import (
    CloseOut,
    Outcome,
    WorkOrder,
    WorkOrderState,
)
from domain.work_order_steps import (
    TransitionRequest,
    find_permissions_for,
)
from store.work_order_transitions import record_transition
from store.work_orders import load_work_order
from tests.support.service_world import World, actor, open_world

_S = WorkOrderState
RECORD = CloseOut("Pump", "SN-1", date(2026, 11, 22), "Tina Tech", "replaced motor", "12 runs within 2 %")


@dataclass(slots=True)
class Staff:
    """The world and its people: tina may work on the devices, otto has no certificate, mia manages."""

    world: World
    people: dict[str, int] = field(default_factory=dict)

    def act(self, who: str, permission: Permission) -> Actor:
        return actor(who, permission, self.people[who])

    def load(self, code: str) -> WorkOrder:
        order = load_work_order(self.world.conn, code)
        assert order is not None
        return order

    def move(self, who: str, code: str, to: WorkOrderState, **more: Any) -> WorkOrder:
        """One step; `by` another right than the one it takes, or from another `expected_row_version`."""
        order = self.load(code)
        (permission, *_) = find_permissions_for(order.state, to) or (Permission.WORK_ORDER_TRIAGE,)
        by, version = more.pop("by", permission), more.pop("expected_row_version", order.row_version)
        with self.world.conn.transaction():
            return record_transition(
                self.world.conn,
                self.act(who, by),
                code,
                TransitionRequest(to, **more),
                expected_row_version=version,
                now=self.world.now,
            )

    def start(self, code: str, who: str = "tina") -> WorkOrder:
        """From NEW to IN_PROGRESS."""
        self.move("mia", code, _S.TRIAGED)
        self.move("mia", code, _S.ASSIGNED, assignee_id=self.people[who])
        return self.move(who, code, _S.IN_PROGRESS)

    def finish(self, code: str, outcome: Outcome = Outcome.CONFIRMED, who: str = "tina", **more: Any) -> WorkOrder:
        """From IN_PROGRESS to CLOSED."""
        more.setdefault("failure_code", "motor_wear")
        self.move(who, code, _S.WORK_DONE, outcome=outcome, close_out=RECORD, **more)
        self.move("mia", code, _S.VERIFIED, test_evidence="bench report")
        return self.move("mia", code, _S.CLOSED, signature=self.sign("mia"))

    def work_through(self, code: str, outcome: Outcome = Outcome.CONFIRMED) -> WorkOrder:
        """From NEW to CLOSED, each by whom it is for."""
        self.start(code)
        return self.finish(code, outcome)

    def sign(self, who: str) -> Signature:
        return Signature(self.people[who], who.title(), "reviewed and done")


@contextmanager
def open_staff(url: str) -> Iterator[Staff]:
    """SN-1 ... SN-4, each at a customer of its own with a contract, and their people."""
    with open_world(url) as world:
        for n in range(1, 5):
            world.add_device(f"SN-{n}", world.add_site(f"S{n}", contract=True), firmware="2.4.1", lot="L1")
        people = {
            "tina": world.add_user("tina", "technician"),
            "mia": world.add_user("mia", "service_manager"),
            "otto": world.add_user("otto", "technician"),
        }
        world.certify("tina")
        yield Staff(world, people)
