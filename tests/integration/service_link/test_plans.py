"""Plans at work: one order for one occurrence whatever dies or runs twice, and what is overdue, done and left out."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from domain.approval_request import ApprovalKind, ApprovalState, ApprovalWish
from domain.audit import Actor, Signature
from domain.errors import GuardRefusedError
from domain.maintenance_plan import PlanAnchor, PlanDraft, PlanKind, PlanUnit
from domain.roles import Permission
from service_link.batch_plan import MACHINE
from service_link.plans import keep_plans
from store.approval_handlers import HANDLERS
from store.approval_requests import ask_approval, decide_approval
from store.audit import verify_chain
from store.device_usage import follow_counters
from store.maintenance_plans import end_maintenance_plan, load_maintenance_plans, record_maintenance_plan
from store.plan_occurrence_lists import PlanOccurrence, load_plan_occurrences
from store.plan_occurrences import follow_occurrences, plan_occurrences
from store.pool import Connection, open_connection
from store.readings import ensure_partitions
from store.reminders import load_reminders
from tests.support.databases import Database
from tests.support.service_world import World, open_world

PLANNER = Actor("mona", "service_manager", Permission.PLAN_WRITE.value)
MONTHLY = PlanDraft("Monthly check", "PREVENTIVE", PlanKind.CALENDAR, PlanAnchor.FIXED, 1, PlanUnit.MONTH, lead_days=7)


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    with open_world(database.url) as opened:
        yield opened


def add_devices(world: World, count: int, zone: str = "UTC") -> None:
    site = world.add_site(f"S-{zone[-5:]}")
    world.conn.execute("UPDATE site SET time_zone = %s WHERE id = %s", (zone, site))
    for n in range(count):
        world.add_device(f"P-{n}", site_id=site)
    world.conn.execute("UPDATE device SET installed_on = '2026-01-31', lifecycle = 'IN_SERVICE'")


def make_plan(world: World, draft: PlanDraft = MONTHLY, starts_on: date = date(2026, 11, 1)) -> str:
    return record_maintenance_plan(
        world.conn, PLANNER, draft, model="PUMP", serial=None, starts_on=starts_on, external_refs=[], now=world.now
    )


def load(world: World, **wanted: Any) -> list[PlanOccurrence]:
    return load_plan_occurrences(world.conn, customer_id=None, limit=200, **wanted)


def close_orders(conn: Connection, at: datetime) -> None:
    conn.execute(
        "UPDATE work_order SET state = 'CLOSED', closed_at = %s, resolved_at = %s WHERE source = 'PLAN'"
        " AND state NOT IN ('CLOSED', 'CANCELLED')",
        (at, at),
    )


def test_an_occurrence_is_planned_opened_overdue_and_done(world: World) -> None:
    add_devices(world, 1, "Asia/Shanghai")
    code = make_plan(world)
    keep_plans(world.conn, world.now)
    (first,) = load(world)
    assert (first.state, first.due_on, first.work_order) == ("UPCOMING", date(2026, 11, 30), None)
    # Seven days before, and in Shanghai that day begins at 16:00 UTC of the day before.
    keep_plans(world.conn, datetime(2026, 11, 22, 15, 59, tzinfo=UTC))
    assert load(world)[0].work_order is None
    keep_plans(world.conn, datetime(2026, 11, 22, 16, 0, tzinfo=UTC))
    (due,) = load(world)
    assert (due.state, due.work_order is not None) == ("DUE", True)
    row = world.conn.execute("SELECT type, source, fault_group, title_code FROM work_order").fetchone()
    assert row == ("PREVENTIVE", "PLAN", "maintenance", "planned_work")
    keep_plans(world.conn, datetime(2026, 11, 30, 16, 0, tzinfo=UTC))
    assert [o.state for o in load(world)] == ["OVERDUE"]
    close_orders(world.conn, datetime(2026, 12, 2, 17, tzinfo=UTC))
    keep_plans(world.conn, datetime(2026, 12, 3, tzinfo=UTC))
    keep_plans(world.conn, datetime(2026, 12, 3, tzinfo=UTC))
    done, upcoming = load(world)
    assert (done.state, done.done_on) == ("DONE", date(2026, 12, 3))
    assert (upcoming.number, upcoming.due_on) == (2, date(2026, 12, 31))
    (plan,) = load_maintenance_plans(world.conn, customer_id=None, limit=5)
    assert (plan.open_occurrences, plan.overdue_occurrences) == (1, 0)
    end_maintenance_plan(world.conn, PLANNER, code, "replaced", expected_row_version=None, now=world.now)
    keep_plans(world.conn, datetime(2027, 6, 1, tzinfo=UTC))
    assert [o.state for o in load(world)] == ["DONE"]
    assert verify_chain(world.conn).problems == []


def take_random_step(conn: Connection, chance: random.Random, now: datetime) -> None:
    """A tick, orders that are closed, or a tick that is killed in the middle: what that had done is not there."""
    match chance.randrange(4):
        case 0:
            with conn.transaction():
                plan_occurrences(conn, MACHINE, now, chance.randint(1, 9))
                follow_occurrences(conn, MACHINE, now, chance.randint(1, 9))
                conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        case 1:
            with conn.transaction():
                close_orders(conn, now)
        case _:
            keep_plans(conn, now)


def test_one_order_for_one_occurrence_under_random_ticks_restarts_and_kills(world: World, database: Database) -> None:
    add_devices(world, 6)
    make_plan(world)
    make_plan(world, PlanDraft("Weekly", "CALIBRATION", PlanKind.CALENDAR, PlanAnchor.FLOATING, 1, PlanUnit.WEEK))

    def work(seed: int) -> None:
        chance = random.Random(seed)
        now = world.now
        for _ in range(14):
            now += timedelta(hours=chance.randint(1, 240))
            with open_connection(database.url, application="test", autocommit=True) as conn:
                try:
                    take_random_step(conn, chance, now)
                except psycopg.OperationalError:
                    continue  # killed, or chosen to break a deadlock: the next tick goes on

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(work, range(3)))
    keep_plans(world.conn, world.now + timedelta(days=200))
    keep_plans(world.conn, world.now + timedelta(days=200))
    row = world.conn.execute(
        "SELECT (SELECT count(*) FROM work_order WHERE source = 'PLAN'),"
        " (SELECT count(work_order_id) FROM plan_occurrence),"
        " (SELECT count(DISTINCT work_order_id) FROM plan_occurrence),"
        " (SELECT count(*) FROM (SELECT FROM plan_occurrence WHERE state IN ('UPCOMING', 'DUE', 'OVERDUE')"
        "  GROUP BY plan_id, device_id HAVING count(*) <> 1) x)"
    ).fetchone()
    assert row is not None
    assert row[0] == row[1] == row[2] > 12
    assert row[3] == 0
    assert verify_chain(world.conn).problems == []


def test_what_is_left_out_takes_two_people_and_its_order_cancelled(world: World) -> None:
    add_devices(world, 1)
    make_plan(world)
    keep_plans(world.conn, datetime(2026, 11, 24, tzinfo=UTC))
    keep_plans(world.conn, datetime(2026, 11, 24, tzinfo=UTC))
    (due,) = load(world)
    people = {}
    for name in ("dirk", "mona"):
        row = world.conn.execute(
            "INSERT INTO app_user (name, full_name, password_hash, roles) VALUES (%s, %s, 'x', '{dispatcher}')"
            " RETURNING id",
            (name, name),
        ).fetchone()
        assert row is not None
        people[name] = Actor(name, "dispatcher", Permission.PLAN_SKIP.value, row[0])

    def sign(name: str) -> Signature:
        signer_id = people[name].user_id
        assert signer_id is not None
        return Signature(signer_id, name, "checked")

    wish = ApprovalWish(ApprovalKind.PLAN_SKIP, due.code, {}, "the ward is closed")
    with pytest.raises(GuardRefusedError) as refused:
        ask_approval(world.conn, people["dirk"], wish, HANDLERS, sign("dirk"), world.now)
    assert refused.value.guard == "work_order_open"
    world.conn.execute(
        "UPDATE work_order SET state = 'CANCELLED', cancel_reason = 'closed', closed_at = %s", (world.now,)
    )
    # A cancelled order is not made again.
    keep_plans(world.conn, datetime(2026, 12, 2, tzinfo=UTC))
    assert [o.state for o in load(world)] == ["OVERDUE"]
    assert world.conn.execute("SELECT count(*) FROM work_order").fetchone() == (1,)
    asked = ask_approval(world.conn, people["dirk"], wish, HANDLERS, sign("dirk"), world.now)
    values: dict[str, Any] = {"reason": "", "expected_row_version": None, "now": world.now + timedelta(days=1)}
    with pytest.raises(GuardRefusedError) as refused:
        decide_approval(
            world.conn, people["dirk"], asked.code, ApprovalState.GRANTED, HANDLERS, signature=sign("dirk"), **values
        )
    assert refused.value.guard == "second_person"
    decide_approval(
        world.conn, people["mona"], asked.code, ApprovalState.GRANTED, HANDLERS, signature=sign("mona"), **values
    )
    keep_plans(world.conn, datetime(2026, 12, 2, tzinfo=UTC))
    skipped, following = load(world)
    assert (skipped.state, skipped.skip_request, skipped.skip_reason) == ("SKIPPED", asked.code, "the ward is closed")
    assert (following.number, following.due_on) == (2, date(2026, 12, 31))


def test_usage_forecasts_when_it_is_due_and_condition_waits_for_a_breach(world: World) -> None:
    add_devices(world, 1)
    make_plan(world, PlanDraft("1000 h", "PREVENTIVE", PlanKind.USAGE, PlanAnchor.FIXED, usage_sensor="current",
                               usage_every=1000.0, lead_days=5))  # fmt: skip
    make_plan(world, PlanDraft("On wear", "PREVENTIVE", PlanKind.CONDITION, PlanAnchor.FIXED,
                               fault_group="motor_wear", lead_days=3))  # fmt: skip
    keep_plans(world.conn, world.now)
    assert load(world) == []
    series = world.conn.execute(
        "INSERT INTO series (device_id, sensor) SELECT id, 'current' FROM device ON CONFLICT (device_id, sensor)"
        " DO UPDATE SET sensor = excluded.sensor RETURNING id"
    ).fetchone()
    assert series is not None

    def count(value: float, at: datetime) -> None:
        ensure_partitions(world.conn, [at.date()])
        world.conn.execute(
            "INSERT INTO reading (series_id, observed_at, value) VALUES (%s, %s, %s)", (series[0], at, value)
        )
        world.conn.execute("UPDATE series SET last_observed_at = %s WHERE id = %s", (at, series[0]))

    count(700.0, world.now)
    keep_plans(world.conn, world.now)
    (planned,) = load(world)
    assert (planned.usage_target, planned.due_on) == (1000.0, None)
    later = world.now + timedelta(days=10)
    count(800.0, later)
    assert follow_counters(world.conn, 10) == 1
    assert follow_counters(world.conn, 10) == 0
    keep_plans(world.conn, later)
    (forecast,) = load(world)
    assert (forecast.due_on, forecast.usage_total, forecast.work_order) == (
        later.date() + timedelta(days=20),
        800.0,
        None,
    )
    soon = later + timedelta(days=16)
    count(960.0, soon)
    keep_plans(world.conn, soon)
    assert [o.state for o in load(world)] == ["DUE"]
    world.raise_breach("P-0", at=soon)
    keep_plans(world.conn, soon)
    keep_plans(world.conn, soon)
    found = {o.kind: o for o in load(world)}
    assert found["CONDITION"].due_on == soon.date() + timedelta(days=3)
    assert found["CONDITION"].state == "DUE"


def test_calibration_follows_its_plan_and_each_end_is_reminded_of_once(world: World) -> None:
    add_devices(world, 1)
    world.add_site("K", contract=True)
    world.conn.execute("UPDATE service_contract SET ends_on = '2026-12-31'")
    world.conn.execute("UPDATE device SET warranty_end = '2026-12-01'")
    make_plan(world, PlanDraft("Yearly", "CALIBRATION", PlanKind.CALENDAR, PlanAnchor.FIXED, 11, PlanUnit.MONTH))
    keep_plans(world.conn, world.now)
    assert world.conn.execute("SELECT calibration_due FROM device").fetchone() == (date(2026, 12, 31),)
    given = load_reminders(world.conn, kinds=[], customer_id=None, limit=10)
    assert [(r.kind, r.ends_on) for r in given] == [
        ("WARRANTY", date(2026, 12, 1)),
        ("CONTRACT", date(2026, 12, 31)),
    ]
    in_december = datetime(2026, 12, 5, tzinfo=UTC)
    for _ in range(3):
        keep_plans(world.conn, in_december)
    given = load_reminders(world.conn, kinds=[], customer_id=None, limit=10)
    assert sorted(r.kind for r in given) == ["CALIBRATION", "CONTRACT", "WARRANTY"]
    assert all(r.is_current for r in given)
    events = world.conn.execute("SELECT count(*) FROM outbox WHERE type = 'calibration.due'").fetchone()
    assert events == (1,)
    world.conn.execute("UPDATE device SET warranty_end = '2027-01-15'")
    keep_plans(world.conn, in_december)
    given = load_reminders(world.conn, kinds=[], serial="P-0", customer_id=None, limit=10)
    assert [(r.kind, r.is_current) for r in given if r.kind == "WARRANTY"] == [("WARRANTY", False), ("WARRANTY", True)]
