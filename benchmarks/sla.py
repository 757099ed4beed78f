"""What SLA clocks cost: due times by themselves, and their share of triage.

    python -m benchmarks.sla [--orders 10000] [--json]

Due times: both clocks of that many orders, by 20 calendars in 5 time zones, first with nothing worked out yet, then
again; beside it the same around the clock, and one due time by looking at the wall clock minute by minute.
Triage: that many breaches of as many devices at 200 sites, each with a calendar and a contract with a policy, on an
embedded PostgreSQL; of the time of triage the share that is spent on terms, due times and rows of clocks.
"""

import argparse
import json
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from benchmarks.databases import bench_database
from domain.audit import Actor
from domain.breach import BreachKind, BreachTransition, Severity, TransitionKind, breach_id_of
from domain.clock import to_micros
from domain.profile import TicketPolicy
from domain.service_calendar import CalendarDraft, ServiceCalendar, Spans, make_calendar
from domain.sla import OrderTerms, find_order_terms, start_clocks
from domain.sla_policy import find_profile_policy
from domain.tickets import Priority
from domain.working_time import WorkingSchedule, find_continuous_schedule, find_schedule
from forewarn.commands.profiles import load_bundled_profiles
from service_link.queue import TriageQueue
from store.breaches import record_transitions
from store.pool import Connection, open_connection
from store.profiles import record_profile
from store.service_calendars import create_calendar
from store.sla_policies import create_policy
from store.sla_terms import SlaBook

NOW = datetime(2026, 3, 25, 12, tzinfo=UTC)
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai", "Asia/Kolkata")
SITES = 200
SLOW_ORDERS = 20
BY = Actor("benchmark", "service_manager", "sla_policy.write")


def main() -> None:
    """Prints the figures as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    arguments = parser.parse_args()
    figures = measure_due_times(arguments.orders) | measure_triage(arguments.orders)
    if not arguments.json:
        for name, value in figures.items():
            print(f"{name:<28} {value}")
    print(json.dumps(figures))


def make_draft(shift: int) -> CalendarDraft:
    """Office hours from Monday to Friday, a different quarter of an hour for each calendar."""
    begin = 7 * 60 + 15 * shift
    hours: Spans = ((begin, begin + 240), (begin + 285, begin + 525))
    return CalendarDraft((hours,) * 5 + ((), ()))


def measure_due_times(orders: int) -> dict[str, Any]:
    """Microseconds an order: both due times, cold and warm, around the clock, and by the wall clock."""
    calendars = [make_calendar(make_draft(n), ()) for n in range(20)]
    rng = random.Random(7)
    starts = [NOW + timedelta(seconds=rng.randrange(30 * 86_400)) for _ in range(orders)]
    policy = find_profile_policy(TicketPolicy())

    def find_all(schedules: list[WorkingSchedule]) -> list[OrderTerms]:
        return [
            find_order_terms(policy, list(Priority)[n % 4], schedules[n % len(schedules)])
            for n in range(len(schedules) * 4)
        ]

    def run(terms: list[OrderTerms]) -> float:
        began = time.perf_counter()
        for n, start in enumerate(starts):
            start_clocks(terms[n % len(terms)], start)
        return (time.perf_counter() - began) / orders * 1e6

    working = find_all([find_schedule(calendars[n], ZONES[n % 5]) for n in range(20)])
    cold = run(working)
    warm = min(run(working) for _ in range(3))
    continuous = min(run(find_all([find_continuous_schedule(zone) for zone in ZONES])) for _ in range(3))
    began = time.perf_counter()
    for n in range(SLOW_ORDERS):
        _look_at_the_wall(calendars[n], ZoneInfo(ZONES[n % 5]), starts[n], timedelta(hours=24))
    slow = (time.perf_counter() - began) / SLOW_ORDERS * 1e6
    return {
        "orders": orders,
        "due_us_cold": round(cold, 1),
        "due_us_warm": round(warm, 1),
        "due_us_around_the_clock": round(continuous, 1),
        "due_us_minute_by_minute": round(slow),
    }


def _look_at_the_wall(calendar: ServiceCalendar, zone: ZoneInfo, start: datetime, wanted: timedelta) -> datetime:
    """One due time of 24 hours by looking at every minute: what the arithmetic is checked against in the tests."""
    worked, at, minute = timedelta(), start.replace(second=0), timedelta(minutes=1)
    while worked < wanted:
        local = at.astimezone(zone)
        now = local.hour * 60 + local.minute
        worked += minute if any(a <= now < b for a, b in calendar.weekly[local.weekday()]) else timedelta()
        at += minute
    return at


class Stopwatch:
    """The time spent in what it wraps; what is called from within counts once."""

    def __init__(self) -> None:
        self.spent = 0.0
        self._depth = 0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            self._depth += 1
            began = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.spent += time.perf_counter() - began

        return timed


def measure_triage(orders: int) -> dict[str, Any]:
    """Orders a second from breach to order, and the share of it that is the clocks'."""
    profile = next(p for p in load_bundled_profiles())
    watch = Stopwatch()
    names = ("batch.start_clocks", "batch.find_start", "batch.find_clock_changes", "batch.find_dues_after")
    with bench_database(None) as urls, open_connection(urls.app, application="bench", autocommit=True) as conn:
        with conn.transaction():
            record_profile(conn, profile, "benchmark")
        devices = _prepare(conn, profile.model, orders)
        _raise_breaches(conn, devices, profile.fault_groups[0].key)
        queue = TriageQueue(250, timedelta(seconds=20))
        with ExitStack() as stack:
            for name in (*names, "batch_plan.record_clock_changes", "batch_plan.apply_clocks"):
                module, function = name.split(".")
                original = getattr(__import__(f"service_link.{module}", fromlist=[function]), function)
                stack.enter_context(patch(f"service_link.{name}", watch.wrap(original)))
            for method in ("read", "find_terms"):
                stack.enter_context(patch.object(SlaBook, method, watch.wrap(getattr(SlaBook, method))))
            began = time.perf_counter()
            taken = queue.drain(conn, lambda: NOW, lambda: True)
            spent = time.perf_counter() - began
        row = conn.execute("SELECT count(*) FROM sla_clock WHERE calendar_version_id IS NOT NULL").fetchone()
        assert row is not None
        assert (len(taken), row[0]) == (orders, 2 * orders), (len(taken), row[0])
    return {
        "triage_orders_per_s": round(orders / spent),
        "triage_us": round(spent / orders * 1e6),
        "sla_us": round(watch.spent / orders * 1e6),
        "sla_share": round(watch.spent / spent, 3),
    }


ADD_SITES = """
    WITH c AS (INSERT INTO customer (code, name, type) SELECT 'C-' || n, 'Hospital', 'HOSPITAL'
        FROM generate_series(1, %(sites)s) n RETURNING id, code),
    k AS (INSERT INTO service_contract (code, customer_id, starts_on, ends_on, sla_policy_id)
        SELECT 'K' || code, id, '2020-01-01', '2099-01-01', (SELECT id FROM sla_policy) FROM c)
    INSERT INTO site (customer_id, code, name, time_zone, service_calendar_id)
    SELECT id, 'S' || code, 'Ward', (%(zones)s::text[])[1 + id %% 5],
        (SELECT s.id FROM service_calendar s WHERE s.code = 'office-' || c.id %% 20) FROM c
"""
ADD_DEVICES = """
    INSERT INTO device (device_model_id, serial, site_id, shard, created_at)
    SELECT m.id, 'D-' || n, s.ids[1 + n %% %(sites)s], 0, %(now)s - interval '1 year'
    FROM generate_series(1, %(orders)s) n, device_model m, (SELECT array_agg(id ORDER BY id) AS ids FROM site) s
    WHERE m.key = %(model)s RETURNING id, serial
"""


def _prepare(conn: Connection, model: str, orders: int) -> list[tuple[int, str]]:
    with conn.transaction():
        for n in range(20):
            create_calendar(conn, BY, f"office-{n}", "Office", make_draft(n), reason="", now=NOW)
        create_policy(conn, BY, "gold", "Gold", find_profile_policy(TicketPolicy()), None, reason="", now=NOW)
        conn.execute(ADD_SITES, {"sites": SITES, "zones": list(ZONES)})
        values = {"sites": SITES, "orders": orders, "model": model, "now": NOW}
        return conn.execute(ADD_DEVICES, values).fetchall()


def _raise_breaches(conn: Connection, devices: list[tuple[int, str]], fault_group: str) -> None:
    """One breach a device, those of a site an hour apart: no storms."""
    for first in range(0, len(devices), 1000):
        with conn.transaction():
            record_transitions(
                conn,
                [
                    _make_transition(device_id, serial, fault_group, NOW - timedelta(hours=1 + n // SITES))
                    for n, (device_id, serial) in enumerate(devices[first : first + 1000], start=first)
                ],
            )


def _make_transition(device_id: int, serial: str, fault_group: str, at: datetime) -> BreachTransition:
    return BreachTransition(
        breach_id=breach_id_of(device_id, fault_group, None, to_micros(at)),
        kind=TransitionKind.RAISED,
        device_id=device_id,
        series_id=None,
        monitor=fault_group,
        profile_version=1,
        breach_kind=BreachKind.LIMIT,
        severity=Severity.MAJOR,
        fault_group=fault_group,
        first_seen=at,
        at=at,
        received_at=at,
        count=1,
        peak=1.0,
        score=1.0,
        reason_code="limit_high",
        params={"serial": serial},
    )


if __name__ == "__main__":
    main()
