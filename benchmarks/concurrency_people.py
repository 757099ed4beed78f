"""People who move orders at random while the workers of `benchmarks.concurrency` feed: one thread each, by a seed."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random
from threading import Event

from api.once import change
from benchmarks.concurrency_world import World
from domain.audit import Actor, Signature
from domain.errors import GuardRefusedError, RowVersionConflictError
from domain.roles import Permission
from domain.tickets import Priority
from domain.work_order import (
    CloseOut,
    HoldReason,
    Outcome,
    WorkOrderState,
    WorkOrderType,
)
from domain.work_order_steps import (
    TransitionRequest,
    find_next_states,
    find_permissions_for,
)
from store.manual_orders import report_fault
from store.pool import Connection, Pool
from store.work_order_merges import merge_work_orders
from store.work_order_notes import record_note
from store.work_order_transitions import record_transition
from store.work_orders import load_work_order

_S = WorkOrderState
# How often somebody does what. Steps of the life-cycle outweigh the rest, as they do in a day's work.
ACTS = {"step": 12, "report": 2, "merge": 2, "note": 1}
LEAST = 25  # so that a quick feed meets people as well
CANCELS = 0.2  # how often he would cancel where that is possible
OUTCOMES = (Outcome.CONFIRMED, Outcome.CONFIRMED, Outcome.NO_FAULT_FOUND, Outcome.SENSOR_FAULT, Outcome.FALSE_ALARM)
LOAD_SOME_ORDERS = "SELECT code FROM work_order WHERE {condition} ORDER BY md5(code || %s) LIMIT %s"
OPEN = "state NOT IN ('CLOSED', 'CANCELLED')"
LOAD_SIBLING = f"""
    SELECT o.code FROM work_order w JOIN work_order o ON o.device_id = w.device_id AND o.id <> w.id
    WHERE w.code = %(code)s AND o.{OPEN} ORDER BY md5(o.code || w.row_version::text) LIMIT 1
"""


@dataclass(slots=True)
class Person:
    """One person with a chance of its own; what succeeded is counted by name, and each act by its request id."""

    number: int
    seed: int
    world: World
    now: datetime
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    requests: set[str] = field(default_factory=set)

    def work(self, pool: Pool, is_over: Event) -> None:
        """Acts until it is over, and `LEAST` times; every error that is no refusal ends the run."""
        chance = Random(self.seed * 1_000 + self.number)
        acts = 0
        while not is_over.is_set() or acts < LEAST:
            acts += 1
            request_id = f"person-{self.number}-{acts}"
            kind = chance.choices(tuple(ACTS), tuple(ACTS.values()))[0]
            act = self._find_act(chance, kind, request_id, pool)
            if act is None:
                is_over.wait(0.005)  # there is no such order yet
                continue
            name, take = act
            try:
                result = change(pool, take)
            except GuardRefusedError as refused:
                self.refused[refused.guard] += 1
            except RowVersionConflictError:
                self.refused["row_version_conflict"] += 1
            else:
                self.done[f"{name}:{result}" if result else name] += 1
                if result != "nothing":
                    self.requests.add(request_id)

    def _find_act(
        self, chance: Random, kind: str, request_id: str, pool: Pool
    ) -> tuple[str, Callable[[Connection], str]] | None:
        """What he will do, and with what it is counted beside; None where there is no order to do it with."""
        if kind == "report":
            return kind, self._report(chance, request_id)
        # Half of the time something that is open: the closed ones would soon be most.
        condition = OPEN if kind != "step" or chance.random() < 0.7 else "true"
        with pool.connection() as conn:
            query = LOAD_SOME_ORDERS.format(condition=condition)
            codes = [code for (code,) in conn.execute(query.encode(), (str(chance.random()), 1))]
            if kind == "merge" and codes:
                codes += self._find_sibling(conn, codes[0])
        if len(codes) < (2 if kind == "merge" else 1):
            return None
        if kind == "merge":
            return kind, self._merge(codes[0], codes[1], request_id)
        if kind == "note":
            return kind, self._note(codes[0], request_id)
        return kind, self._step(chance, codes[0], request_id)

    def _find_sibling(self, conn: Connection, code: str) -> list[str]:
        return [c for (c,) in conn.execute(LOAD_SIBLING.encode(), {"code": code})]

    def _act(self, by: Permission, request_id: str, user_id: int | None = None) -> Actor:
        who = user_id or self._find_manager()
        name = self.world.technicians.get(who) or self.world.managers[who]
        return Actor(name, "person", by, who, request_id)

    def _find_manager(self) -> int:
        managers = sorted(self.world.managers)
        return managers[self.number % len(managers)]

    def _step(self, chance: Random, code: str, request_id: str) -> Callable[[Connection], str]:
        """A step that the state which he sees allows; by the time it is taken the order may have moved."""
        draw, cancels = chance.random(), chance.random() < CANCELS
        technician = chance.choice(sorted(self.world.technicians))
        outcome, hold = chance.choice(OUTCOMES), chance.choice(tuple(HoldReason))

        def take(conn: Connection) -> str:
            order = load_work_order(conn, code)
            assert order is not None
            # Else half of all orders would end before anybody has begun.
            nexts = [to for to in find_next_states(order.state) if to is not _S.CANCELLED or cancels]
            if not nexts:
                return "nothing"
            to = nexts[int(draw * len(nexts))]
            by = find_permissions_for(order.state, to)[0]
            who = order.assignee_id if by is Permission.WORK_ORDER_WORK else self._find_manager()
            request = TransitionRequest(
                to,
                reason="so it is",
                assignee_id=technician,
                hold_reason=hold,
                outcome=outcome,
                failure_code=order.fault_group,
                close_out=CloseOut("Pump", code, date(2026, 1, 2), "Technician", "mended it", "12 runs"),
                test_evidence="bench report",
                signature=Signature(self._find_manager(), "Manager", "reviewed"),
            )
            record_transition(
                conn,
                self._act(by, request_id, who),
                code,
                request,
                expected_row_version=order.row_version if draw < 0.5 else None,
                now=self.now,
            )
            return "REOPENED" if order.state is _S.CLOSED else to.value

        return take

    def _report(self, chance: Random, request_id: str) -> Callable[[Connection], str]:
        device_id, group = chance.choice(self.world.keys)

        def take(conn: Connection) -> str:
            return report_fault(
                conn,
                self._act(Permission.WORK_ORDER_CREATE, request_id),
                self.world.devices[device_id],
                type_=WorkOrderType.CORRECTIVE,
                priority=Priority.P3,
                fault_group=group,
                description="It hums.",
                now=self.now,
            )[1].value

        return take

    def _merge(self, code: str, merged: str, request_id: str) -> Callable[[Connection], str]:
        def take(conn: Connection) -> str:
            actor = self._act(Permission.WORK_ORDER_MERGE, request_id)
            merge_work_orders(conn, actor, code, merged, "one fault", expected_row_version=None, now=self.now)
            return ""

        return take

    def _note(self, code: str, request_id: str) -> Callable[[Connection], str]:
        def take(conn: Connection) -> str:
            record_note(conn, self._act(Permission.WORK_ORDER_NOTE, request_id), code, "Called them.", now=self.now)
            return ""

        return take
