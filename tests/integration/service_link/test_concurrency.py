"""Several triagers, several writers, and processes that die: one order per key, one decision per transition."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from domain.breach import Severity
from domain.roles import Permission
from domain.work_order import WorkOrderState
from domain.work_order_steps import TransitionRequest
from service_link.batch_plan import MACHINE
from service_link.program import run
from service_link.queue import TriageQueue
from service_link.settings import ServiceLinkSettings
from store.audit import verify_chain
from store.pool import open_connection
from store.sla_mending import mend_clocks
from store.work_order_transitions import record_transition
from tests.support.databases import Database
from tests.support.service_world import World, actor, open_world

PROGRAM = """
import threading, signal
from service_link.program import run
from service_link.settings import ServiceLinkSettings
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
run(ServiceLinkSettings(database_url={url!r}, instance={name!r}, batch_size=7), stop)
"""


@pytest.fixture
def world(any_database: Database) -> Iterator[World]:
    with open_world(any_database.url) as made:
        made.now = datetime.now(UTC)
        for n in range(8):
            made.add_device(f"SN-{n}", made.add_site(f"S{n}"))
        yield made


def _wait_until(holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
    ends = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < ends, "it did not come true in time"
        time.sleep(0.05)


def _is_locked_out(url: str) -> bool:
    with open_connection(url, application="test look", autocommit=True) as conn:
        query = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return conn.execute(query).fetchone() is not None


def _count_undecided(world: World) -> int:
    return int(
        world.rows(
            "SELECT count(*) AS n FROM breach_transition t"
            " WHERE NOT EXISTS (SELECT FROM ticket_decision y WHERE y.transition_id = t.id)"
        )[0]["n"]
    )


def _assert_nothing_lost_nothing_doubled(world: World, transitions: int) -> None:
    assert world.rows("SELECT count(*) AS n FROM ticket_decision")[0]["n"] == transitions
    assert (
        world.rows(
            "SELECT device_id FROM work_order WHERE source = 'AUTOMATIC' AND device_id IS NOT NULL"
            " GROUP BY device_id, fault_group HAVING count(*) > 1"
        )
        == []
    )
    # Every order counts its links, and every decision has exactly its events.
    assert (
        world.rows(
            "SELECT w.code FROM work_order w WHERE w.breach_count <>"
            " (SELECT count(*) FROM work_order_breach wb WHERE wb.work_order_id = w.id)"
        )
        == []
    )
    assert world.rows("SELECT count(*) AS n FROM outbox WHERE type LIKE 'breach.%%'")[0]["n"] == transitions
    opened = world.rows("SELECT count(*) AS n FROM outbox WHERE type = 'workorder.opened'")[0]["n"]
    assert opened == len(world.orders())
    starts = world.rows("SELECT count(*) AS n FROM sla_event WHERE kind = 'STARTED' AND version = 1")[0]["n"]
    assert starts == 2 * len(world.orders())
    assert mend_clocks(world.conn, MACHINE, world.now) == [], "clocks are not what their events say"
    assert verify_chain(world.conn).holds


def test_sixteen_triagers_at_once_open_one_order(world: World, any_database: Database) -> None:
    for n in range(16):
        world.raise_breach("SN-0", Severity.MAJOR, monitor=f"m{n}", at=world.now + timedelta(milliseconds=n))
    barrier = threading.Barrier(16)

    def triage_alone(n: int) -> int:
        queue = TriageQueue(1 + n % 4, timedelta(seconds=20))
        with open_connection(any_database.url, application=f"test {n}", autocommit=True) as conn:
            barrier.wait()
            while _left(conn):
                queue.drain(conn, lambda: world.now, lambda: True)
        return queue.decided

    def _left(conn: object) -> bool:
        with open_connection(any_database.url, application="test count", autocommit=True) as other:
            row = other.execute("SELECT count(*) FROM ticket_decision").fetchone()
        return row is not None and row[0] < 16

    with ThreadPoolExecutor(16) as threads:
        decided = list(threads.map(triage_alone, range(16)))
    assert sum(decided) == 16
    (order,) = world.orders()
    assert order["breach_count"] == 16
    _assert_nothing_lost_nothing_doubled(world, 16)


def test_a_person_and_the_machine_at_one_order_lose_nothing(world: World, any_database: Database) -> None:
    world.decide("SN-0")
    code = world.orders()[0]["code"]
    locked, decided = threading.Event(), threading.Event()

    def accept() -> None:
        with open_connection(any_database.url, application="test person") as conn:
            manager = actor("manager", Permission.WORK_ORDER_TRIAGE, 1)
            request = TransitionRequest(WorkOrderState.TRIAGED)
            record_transition(conn, manager, code, request, expected_row_version=None, now=world.now)
            locked.set()
            _wait_until(lambda: _is_locked_out(any_database.url))  # the machine, by what was just written
            conn.commit()
        decided.set()

    person = threading.Thread(target=accept)
    person.start()
    assert locked.wait(60)
    world.decide("SN-0", Severity.CRITICAL, monitor="worse")
    person.join()
    (order,) = world.orders()
    assert decided.is_set()
    assert (order["state"], order["priority"], order["breach_count"]) == ("TRIAGED", "P1", 2)
    assert order["inbox_reason"] == "ESCALATED"


def test_a_transition_that_commits_late_with_a_lower_id_is_not_passed_over(
    world: World, any_database: Database
) -> None:
    with open_connection(any_database.url, application="test slow writer") as slow:
        slow.execute("SELECT 1")  # from here on one transaction
        World(slow, now=world.now, devices=world.devices).raise_breach("SN-0")
        # The higher id is committed and decided while the lower one is still under way.
        world.decide("SN-1")
        for _ in range(3):
            world.pass_time(minutes=2)
            assert world.triage() == []
        slow.commit()
    assert len(world.triage()) == 1


def test_one_triages_and_the_other_takes_over(world: World, any_database: Database) -> None:
    stops = [threading.Event(), threading.Event()]
    settings = [ServiceLinkSettings(database_url=any_database.url, instance=f"i{n}") for n in range(2)]
    threads = [threading.Thread(target=run, args=(s, stop)) for s, stop in zip(settings, stops, strict=True)]

    def roles() -> dict[str, str]:
        beats = world.rows("SELECT instance, details FROM heartbeat WHERE program = 'service-link'")
        return {b["instance"]: b["details"]["role"] for b in beats}

    try:
        threads[0].start()
        _wait_until(lambda: roles() == {"i0": "active"})
        threads[1].start()
        _wait_until(lambda: roles() == {"i0": "active", "i1": "standby"})
        world.raise_breach("SN-0")
        _wait_until(lambda: _count_undecided(world) == 0)
        stops[0].set()
        threads[0].join(60)
        _wait_until(lambda: roles() == {"i1": "active"})
        world.raise_breach("SN-1")
        _wait_until(lambda: _count_undecided(world) == 0)
    finally:
        for stop in stops:
            stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(60)
    assert roles() == {}
    _assert_nothing_lost_nothing_doubled(world, 2)


@pytest.mark.faults
def test_kill_9_at_any_moment_loses_and_doubles_nothing(world: World, any_database: Database) -> None:
    def start(n: int) -> subprocess.Popen[bytes]:
        code = PROGRAM.format(url=any_database.url, name=f"p{n}")
        return subprocess.Popen(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        )

    written = 0
    processes = [start(0), start(1)]
    try:
        for round_number in range(4):
            for n in range(60):
                severity = (Severity.MAJOR, Severity.MINOR, Severity.CRITICAL)[n % 3]
                at = world.now + timedelta(milliseconds=written)
                world.raise_breach(f"SN-{n % 8}", severity, monitor=f"m{written}", at=at, received_at=at)
                written += 1
            _wait_until(lambda: _count_undecided(world) < 60)
            victim = processes.pop(0)
            victim.send_signal(signal.SIGKILL)
            victim.wait(60)
            processes.append(start(round_number + 2))
        _wait_until(lambda: _count_undecided(world) == 0)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)
    _assert_nothing_lost_nothing_doubled(world, written)


def test_a_poisonous_transition_is_set_aside_and_the_others_go_on(world: World, any_database: Database) -> None:
    for n in range(6):
        world.raise_breach(f"SN-{n}")
    world.raise_breach("SN-6")
    poison = world.rows("SELECT max(id) AS id FROM breach_transition")[0]["id"]
    world.raise_breach("SN-7")
    # The database itself refuses an order for this one device, as a fault nobody thought of would.
    with open_connection(any_database.owner_url, application="test", autocommit=True) as owner:
        owner.execute(
            f"ALTER TABLE work_order ADD CONSTRAINT poison CHECK (device_id <> {world.devices['SN-6']})".encode()
        )
    world.triage()
    decisions = {r["transition_id"]: r for r in world.rows("SELECT * FROM ticket_decision")}
    assert len(decisions) == 8
    assert decisions[poison]["reason"] == "triage_failed"
    assert "CheckViolation" in decisions[poison]["params"]["error"]
    assert len(world.orders()) == 7
    assert world.queue.failed == 1
    with open_connection(any_database.owner_url, application="test", autocommit=True) as owner:
        owner.execute("ALTER TABLE work_order DROP CONSTRAINT poison")
    # The next start tries again.
    world.queue.start(world.conn, world.now)
    assert len(world.orders()) == 8
    assert world.rows("SELECT reason FROM ticket_decision WHERE transition_id = %s", poison) == [
        {"reason": "opened_major"}
    ]
