"""A hospital in Munich with office hours, a contract and one pump, for tests of SLA clocks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from domain.audit import Signature
from domain.roles import Permission
from domain.service_calendar import CalendarDraft
from domain.sla_policy import ClockKind, PriorityTerms, SlaPolicy
from domain.tickets import Priority
from domain.work_order import (
    CloseOut,
    Outcome,
    WorkOrder,
    WorkOrderState,
    WorkOrderType,
)
from domain.work_order_steps import (
    TransitionRequest,
    find_permissions_for,
)
from store.audit import verify_chain
from store.manual_orders import open_manual_order
from store.service_calendars import create_calendar
from store.sla_mending import mend_clocks
from store.sla_policies import assign_policy, create_policy
from store.work_order_transitions import record_transition
from store.work_orders import load_work_order
from tests.support.service_world import World, actor, open_world

_S = WorkOrderState
BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = CalendarDraft((((480, 720), (780, 1020)),) * 5 + ((), ()), "DE", "BY")
TERMS = PriorityTerms(4, 8)
POLICY = SlaPolicy((PriorityTerms(1, 4, around_the_clock=True), TERMS, PriorityTerms(8, 24), PriorityTerms(16, 80)))
RECORD = CloseOut("Pump", "SN-1", date(2026, 11, 27), "Tina Tech", "replaced motor", "12 runs within 2 %")
MANAGER = Permission.SLA_POLICY_WRITE
CODE = "WO-2026-000001"


@dataclass(slots=True)
class Desk:
    """A hospital in Munich with office hours, a contract and one pump; a Friday afternoon."""

    world: World
    people: dict[str, int] = field(default_factory=dict)

    def at(self, *when: int) -> None:
        """Goes on to that local time."""
        self.world.now = datetime(*when, tzinfo=BERLIN).astimezone(UTC)  # type: ignore[arg-type,misc]

    def open(self, priority: Priority = Priority.P2) -> WorkOrder:
        with self.world.conn.transaction():
            return open_manual_order(
                self.world.conn,
                actor("mia", Permission.WORK_ORDER_CREATE, self.people["mia"]),
                "SN-1",
                type_=WorkOrderType.CORRECTIVE,
                priority=priority,
                fault_group="motor_wear",
                description="it hums",
                now=self.world.now,
            )

    def move(self, who: str, to: WorkOrderState, **more: Any) -> WorkOrder:
        order = load_work_order(self.world.conn, CODE)
        assert order is not None
        (permission, *_) = find_permissions_for(order.state, to)
        with self.world.conn.transaction():
            return record_transition(
                self.world.conn,
                actor(who, permission, self.people[who]),
                CODE,
                TransitionRequest(to, **more),
                expected_row_version=order.row_version,
                now=self.world.now,
            )

    def start_work(self) -> WorkOrder:
        self.move("mia", _S.TRIAGED)
        self.move("mia", _S.ASSIGNED, assignee_id=self.people["tina"])
        return self.move("tina", _S.IN_PROGRESS)

    def finish(self) -> WorkOrder:
        return self.move("tina", _S.WORK_DONE, outcome=Outcome.CONFIRMED, close_out=RECORD)

    def close(self) -> WorkOrder:
        self.move("mia", _S.VERIFIED, test_evidence="bench report")
        return self.move("mia", _S.CLOSED, signature=Signature(self.people["mia"], "Mia Manager", "closed"))

    def clock(self, kind: ClockKind = ClockKind.RESOLUTION, version: int = 1) -> dict[str, Any]:
        (row,) = self.world.rows("SELECT * FROM sla_clock WHERE clock = %s AND version = %s", kind, version)
        return row

    def events(self, kind: ClockKind = ClockKind.RESOLUTION) -> list[str]:
        return [r["kind"] for r in self.world.rows("SELECT kind FROM sla_event WHERE clock = %s ORDER BY id", kind)]

    def verify(self) -> None:
        """What lists show is what the events say, whenever they are read again."""
        assert mend_clocks(self.world.conn, actor("x", MANAGER), self.world.now) == []
        assert verify_chain(self.world.conn).holds


@contextmanager
def open_desk(url: str) -> Iterator[Desk]:
    """The desk on that database, on a Friday afternoon."""
    with open_world(url) as world:
        site = world.add_site("MUC", contract=True)
        world.conn.execute("UPDATE site SET time_zone = 'Europe/Berlin'")
        world.add_device("SN-1", site)
        people = {
            "tina": world.add_user("tina", "technician"),
            "mia": world.add_user("mia", "service_manager"),
            "max": world.add_user("max", "service_manager"),
        }
        world.certify("tina")
        desk = Desk(world, people)
        desk.at(2026, 11, 27, 15, 0)
        by = actor("mia", MANAGER, people["mia"])
        with world.conn.transaction():
            assert create_calendar(world.conn, by, "office", "Office hours", OFFICE, reason="", now=world.now)
            assert create_policy(world.conn, by, "gold", "Gold", POLICY, "office", reason="", now=world.now)
            assign_policy(world.conn, by, "K-MUC", "gold", expected_row_version=1, reason="as agreed")
        yield desk
