"""What is wrong at customers, in SQL, against what was counted by hand; and against the pure rule of health."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from domain.breach import BreachKind, Severity
from domain.customer_risk import CUSTOMER_RULES, find_customer_risk
from domain.device_risk import find_device_risk
from domain.health import HealthState, find_health
from domain.risk import Found, Trouble, find_points
from store.troubles import load_customer_points, load_troubles
from tests.support.databases import Database
from tests.support.ranks import rank_customers
from tests.support.service_world import NOW, World, make_profile, open_world

T = Trouble
TODAY = NOW.date()


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    with open_world(database.url, make_profile(), make_profile("CART", safety_critical=False)) as world:
        yield world


def add_order(world: World, code: str, customer: str, **values: Any) -> None:
    """An order of that customer with these columns, and its clocks: {"RESPONSE": {...}}."""
    clocks: dict[str, dict[str, Any]] = values.pop("clocks", {})
    serial = values.pop("serial", None)
    columns = {
        "type": "CORRECTIVE",
        "source": "MANUAL",
        "priority": "P3",
        "state": "NEW",
        "fault_group": code,
        "title_code": "manual_order",
        "title_params": "{}",
        "created_by": "test",
        "created_at": NOW,
    } | values
    names = ", ".join(columns)
    world.conn.execute(
        f"INSERT INTO work_order (code, customer_id, site_id, device_id, {names})"
        " SELECT %s, c.id, (SELECT min(id) FROM site s WHERE s.customer_id = c.id),"
        f" (SELECT id FROM device WHERE serial = %s), {', '.join(['%s'] * len(columns))} FROM customer c"
        " WHERE c.code = %s".encode(),
        (code, serial, *columns.values(), customer),
    )
    for clock, of_clock in clocks.items():
        row = {"state": "RUNNING", "started_at": NOW, "allowed_s": 3600.0, "used_s": 0.0, "version": 1} | of_clock
        world.conn.execute(
            f"INSERT INTO sla_clock (work_order_id, clock, {', '.join(row)})"
            f" SELECT id, %s, {', '.join(['%s'] * len(row))} FROM work_order WHERE code = %s".encode(),
            (clock, *row.values(), code),
        )


def hours(count: float) -> datetime:
    return NOW + timedelta(hours=count)


def breached(at: datetime, **more: Any) -> dict[str, Any]:
    return {"state": "BREACHED", "due_at": at, "breached_at": at, "breach_said": True, **more}


def look(world: World, **scope: Any) -> dict[str, dict[Trouble, Found]]:
    """What is wrong by the code of the customer, real records unless told otherwise."""
    found = load_troubles(world.conn, now=NOW, **{"is_simulated": False, **scope})
    codes: dict[int, str] = dict(world.conn.execute("SELECT id, code FROM customer").fetchall())
    if "device_id" not in scope:
        judge(world, found, **scope)
    return {codes.get(whose, ""): troubles for whose, troubles in found.items()}


def judge(world: World, found: dict[int, dict[Trouble, Found]], **scope: Any) -> None:
    """The database gives the points of the rules, of all kinds and of some."""
    some = {code: rule for place, (code, rule) in enumerate(CUSTOMER_RULES.items()) if place % 2}
    for rules in (CUSTOMER_RULES, some):
        points = load_customer_points(world.conn, rules, now=NOW, **{"is_simulated": False, **scope})
        shown = {whose: {code: n for code, n in there.items() if code in rules} for whose, there in found.items()}
        assert {whose: one.find() for whose, one in points.items()} == {w: there for w, there in shown.items() if there}
        for whose, one in points.items():
            assert (one.score, one.worst) == find_points(rules, shown[whose])


def set_device(world: World, serial: str, **values: Any) -> None:
    world.conn.execute(
        f"UPDATE device SET {', '.join(f'{name} = %s' for name in values)} WHERE serial = %s".encode(),
        (*values.values(), serial),
    )


def report_well(world: World, *serials: str) -> None:
    """All of the last day's data of these devices came."""
    for serial in serials:
        set_device(world, serial, connectivity="ONLINE", last_seen_at=NOW, calibration_due=TODAY + timedelta(days=100))
        world.conn.execute(
            "INSERT INTO data_quality_day (day, device_id, expected, present, completeness, received,"
            " least_completeness, judged_until, is_over, judged_at)"
            " VALUES (%s, %s, 10, 10, 1.0, 10, 0.8, %s, false, %s)",
            (TODAY, world.devices[serial], NOW, NOW),
        )


def test_every_kind_of_trouble_is_counted_as_by_hand(world: World) -> None:
    site = world.add_site("S-A", "C-A")
    serials = [f"A-{n}" for n in range(1, 6)]
    for serial in serials:
        world.add_device(serial, site, model="CART" if serial == "A-3" else "PUMP", firmware="1.0")
    report_well(world, *serials)
    world.raise_breach("A-1", Severity.CRITICAL)
    world.raise_breach("A-1", Severity.MINOR, "occlusion")
    world.raise_breach("A-2", Severity.MINOR, kind=BreachKind.FORECAST)
    world.raise_breach("A-3", Severity.MAJOR)
    cleared = world.raise_breach("A-4", Severity.CRITICAL)
    world.clear(cleared, NOW + timedelta(minutes=1))
    set_device(world, "A-2", connectivity="OFFLINE", calibration_due=TODAY - timedelta(days=1))
    set_device(world, "A-4", lifecycle="QUARANTINED", connectivity="STALE", calibration_due=TODAY)
    set_device(world, "A-5", firmware="0.9", warranty_end=TODAY + timedelta(days=60), calibration_due=None)
    world.conn.execute(
        "INSERT INTO firmware_record (code, device_model_id, component, version, sha256, state, created_by)"
        " SELECT 'FW-1', id, 'main', '0.9', repeat('0', 64), 'WITHDRAWN', 'test' FROM device_model WHERE key = 'PUMP'"
    )
    world.conn.execute(
        "INSERT INTO service_contract (code, customer_id, starts_on, ends_on, remind_days, covers_all)"
        " SELECT 'K-A', id, %s, %s, 60, false FROM customer WHERE code = 'C-A'",
        (TODAY - timedelta(days=300), TODAY + timedelta(days=60)),
    )
    world.conn.execute(
        "INSERT INTO service_contract_device"
        " SELECT k.id, d.id FROM service_contract k, device d WHERE d.serial <> 'A-3'"
    )
    near, far = {"due_at": hours(1), "due_soon_at": hours(-1)}, {"due_at": hours(9), "due_soon_at": hours(8)}
    add_order(world, "WO-1", "C-A", priority="P1", clocks={"RESPONSE": breached(hours(-2)), "RESOLUTION": far})
    add_order(world, "WO-2", "C-A", priority="P2", reopen_count=1, clocks={"RESPONSE": near})
    over = {"due_at": hours(-0.01), "due_soon_at": hours(-2)}  # no tick has said so yet
    add_order(world, "WO-3", "C-A", type="PREVENTIVE", clocks={"RESOLUTION": over})
    waived = breached(hours(-3), waived_at=NOW, waiver_reason="agreed")
    add_order(world, "WO-4", "C-A", state="ON_HOLD", hold_reason="ACCESS", clocks={"RESPONSE": waived})
    add_order(world, "WO-5", "C-A", state="ON_HOLD", hold_reason="PARTS", clocks={"RESOLUTION": far})
    done = {"state": "WORK_DONE", "priority": "P1"}
    add_order(world, "WO-6", "C-A", **done, clocks={"RESOLUTION": breached(hours(-90 * 24 + 1))})
    closed = {"state": "CLOSED", "priority": "P1", "closed_at": NOW}
    add_order(world, "WO-7", "C-A", **closed, clocks={"RESOLUTION": breached(hours(-90 * 24 - 1))})
    add_order(world, "WO-8", "C-A", version=2, clocks={"RESPONSE": breached(hours(-100 * 24))})  # of a version before
    for code, state, severity in (
        ("CMP-1", "RECEIVED", "CRITICAL"),
        ("CMP-2", "INVESTIGATION", "MINOR"),
        ("CMP-3", "RESOLVED", "CRITICAL"),
    ):
        world.conn.execute(
            "INSERT INTO complaint (code, state, received_at, severity, details, customer_id, created_by, created_at,"
            " updated_at) SELECT %s, %s, %s, %s, 'x', id, 'test', %s, %s FROM customer WHERE code = 'C-A'",
            (code, state, NOW, severity, NOW, NOW),
        )
    for code, kind, states in (
        ("FA-1", "RECALL", {"A-1": "NOTIFIED", "A-2": "UNREACHABLE", "A-3": "REMEDIATED"}),
        ("FA-2", "CORRECTION", {"A-4": "SCHEDULED"}),
    ):
        world.conn.execute(
            "INSERT INTO field_action (code, kind, title, device_model_id, priority, needs_visit, max_attempts,"
            " install_attempts, waves, scope, halt_p, created_by) SELECT %s, %s, 'x', min(id), 'P2', true, 3, 3, '[]',"
            " '{}', 0.01, 'test' FROM device_model",
            (code, kind),
        )
        for serial, state in states.items():
            world.conn.execute(
                "INSERT INTO field_action_item (field_action_id, device_id, wave, state, state_since)"
                " SELECT id, %s, 1, %s, %s FROM field_action WHERE code = %s",
                (world.devices[serial], state, NOW, code),
            )
    world.conn.execute("UPDATE field_action SET state = 'EXECUTING' WHERE code = 'FA-1'")  # the other is only planned
    world.conn.execute(
        "INSERT INTO capa (code, kind, state, device_model_id, scope_kind, fault_group, trigger, statistics)"
        " SELECT t.code, 'CORRECTIVE', t.state, min(m.id), 'MODEL', t.code, 'COHORT', '{}' FROM device_model m,"
        " (VALUES ('CAPA-1', 'INVESTIGATION'), ('CAPA-2', 'REJECTED'), ('CAPA-3', 'OPEN')) t (code, state)"
        " GROUP BY t.code, t.state"
    )
    for capa, order, excluded in (
        ("CAPA-1", "WO-1", None),
        ("CAPA-1", "WO-2", None),
        ("CAPA-2", "WO-1", None),
        ("CAPA-3", "WO-1", "a false alarm"),
    ):
        world.conn.execute(
            "INSERT INTO capa_member (capa_id, work_order_id, excluded_reason) SELECT q.id, w.id, %s"
            " FROM capa q, work_order w WHERE q.code = %s AND w.code = %s",
            (excluded, capa, order),
        )
    world.conn.execute(
        "INSERT INTO maintenance_plan (code, name, state, order_type, kind, anchor, device_model_id, every_count,"
        " every_unit, lead_days, priority, starts_on, created_by, created_at, updated_at) SELECT 'PM-' || t, 'Yearly',"
        " 'ACTIVE', t, 'CALENDAR', 'FIXED', min(id), 1, 'YEAR', 30, 'P3', %s, 'test', %s, %s FROM device_model,"
        " unnest(ARRAY['PREVENTIVE', 'CALIBRATION']) t GROUP BY t",
        (TODAY, NOW, NOW),
    )
    world.conn.execute(
        "INSERT INTO plan_occurrence (code, plan_id, device_id, number, state, due_on, is_simulated, created_at,"
        " updated_at) SELECT 'PO-' || p.order_type || d.serial, p.id, d.id, 1,"
        " CASE WHEN d.serial = 'A-1' THEN 'OVERDUE' ELSE 'DUE' END, %s, false, %s, %s"
        " FROM maintenance_plan p, device d",
        (TODAY, NOW, NOW),
    )
    expected = {
        T.CRITICAL_BREACH: Found(1, "A-1"),
        T.MAJOR_BREACH: Found(2, "A-1"),
        T.OPEN_BREACH: Found(3, "A-1"),
        T.SAFETY_CRITICAL_FAULT: Found(1, "A-1"),
        T.FAILURE_FORECAST: Found(1, "A-2"),
        T.FIRMWARE_WITHDRAWN: Found(1, "A-5"),
        T.DEVICE_SILENT: Found(1, "A-2"),  # in quarantine it is known to be away
        T.DATA_UNKNOWN: Found(1, "A-2"),
        T.DEVICE_QUARANTINED: Found(1, "A-4"),
        T.CALIBRATION_OVERDUE: Found(1, "A-2"),
        T.CALIBRATION_DUE: Found(2, "A-2"),
        T.CALIBRATION_UNKNOWN: Found(1, "A-5"),
        T.WARRANTY_ENDING: Found(1, "A-5"),
        T.CONTRACT_MISSING: Found(1, "A-3"),
        T.CONTRACT_ENDING: Found(1, "K-A"),
        T.URGENT_ORDER: Found(1, "WO-1"),
        T.HIGH_ORDER: Found(2, "WO-1"),
        T.OPEN_REPAIR: Found(5, "WO-1"),
        T.WAITS_FOR_CUSTOMER: Found(1, "WO-4"),
        T.CAME_BACK: Found(1, "WO-2"),
        T.SLA_BREACHED: Found(2, "WO-1"),
        T.SLA_AT_RISK: Found(3, "WO-1"),
        T.SLA_MISSED: Found(2, "WO-1"),
        T.CRITICAL_COMPLAINT: Found(1, "CMP-1"),
        T.MAJOR_COMPLAINT: Found(1, "CMP-1"),
        T.OPEN_COMPLAINT: Found(2, "CMP-1"),
        T.RECALL_OPEN: Found(2, "A-1"),
        T.RECALL_UNREACHABLE: Found(1, "A-2"),
        T.CAPA_OPEN: Found(1, "CAPA-1"),
        T.MAINTENANCE_OVERDUE: Found(1, "PO-PREVENTIVEA-1"),
    }
    found = look(world)
    assert found == {"C-A": expected}
    (customer_id,) = world.conn.execute("SELECT id FROM customer").fetchone() or (0,)
    assert look(world, customer_id=customer_id) == found
    assert look(world, is_simulated=True) == {}
    assert find_customer_risk(expected).score == (
        (100 + 35 + 5 + 30 + 20 + 20 + 8 + 5 + 15 + 25 + 3 + 1 + 3 + 25 + 20)
        + (40 + 18 + 6 + 15 + 20 + 75 + 35 + 7)
        + (80 + 30 + 15 + 55 + 60 + 10 + 15)
    )
    of_device = look(world, device_id=world.devices["A-2"])[""]
    assert {kind: there.count for kind, there in of_device.items()} == dict.fromkeys(
        {T.OPEN_BREACH, T.FAILURE_FORECAST, T.DEVICE_SILENT, T.DATA_UNKNOWN}
        | {T.CALIBRATION_OVERDUE, T.CALIBRATION_DUE, T.RECALL_OPEN, T.RECALL_UNREACHABLE},
        1,
    )
    assert find_device_risk(of_device).score == 3 + 20 + 8 + 5 + 25 + 2 + 50 + 60


def test_unknown_health_in_sql_is_what_the_pure_rule_says(world: World) -> None:
    """Every combination of what health follows from, each at a customer of its own."""
    connections = ("UNKNOWN", "ONLINE", "STALE", "OFFLINE")
    shares = (None, 0.79, 0.8)
    combinations = list(
        product(connections, (True, False), (True, False), shares, shares, ("IN_SERVICE", "UNDER_MAINTENANCE"))
    )
    world.conn.execute(
        "INSERT INTO customer (code, name, type) SELECT 'H-' || n, 'x', 'HOSPITAL' FROM generate_series(1, %s) n",
        (len(combinations),),
    )
    world.conn.execute("INSERT INTO site (customer_id, code, name) SELECT id, code, 'x' FROM customer")
    columns = [list(column) for column in zip(*combinations, strict=True)]
    world.conn.execute(
        "INSERT INTO device (device_model_id, serial, site_id, shard, connectivity, last_seen_at, lifecycle)"
        " SELECT m.id, s.code, s.id, 0, t.connectivity, CASE WHEN t.reported THEN %s END, t.lifecycle"
        " FROM unnest(%s::text[], %s::boolean[], %s::text[]) WITH ORDINALITY t (connectivity, reported, lifecycle, n)"
        " JOIN site s ON s.code = 'H-' || t.n, device_model m WHERE m.key = 'PUMP'",
        (NOW, columns[0], columns[1], columns[5]),
    )
    world.conn.execute(
        "INSERT INTO unscored_monitor (device_id, monitor, shard, reason)"
        " SELECT d.id, 'm', 0, 'x' FROM unnest(%s::boolean[]) WITH ORDINALITY t (scored, n)"
        " JOIN device d ON d.serial = 'H-' || t.n WHERE NOT t.scored",
        (columns[2],),
    )
    for back, of_day in ((0, columns[3]), (1, columns[4])):
        world.conn.execute(
            "INSERT INTO data_quality_day (day, device_id, expected, present, completeness, received,"
            " least_completeness, judged_until, is_over, judged_at)"
            " SELECT %s, d.id, 10, 9, t.share, 10, 0.8, %s, false, %s"
            " FROM unnest(%s::float8[]) WITH ORDINALITY t (share, n) JOIN device d ON d.serial = 'H-' || t.n",
            (TODAY - timedelta(days=back), NOW, NOW, of_day),
        )
    found = look(world)
    unknown = 0
    for place, (connectivity, reported, scored, today, before, lifecycle) in enumerate(combinations, start=1):
        health = find_health(
            None,
            before if today is None else today,
            0.8,
            connectivity=connectivity,
            lifecycle=lifecycle,
            has_reported=reported,
            is_scored=scored,
        )
        wanted = lifecycle == "IN_SERVICE" and health.state is HealthState.UNKNOWN
        assert (T.DATA_UNKNOWN in found[f"H-{place}"]) == wanted, combinations[place - 1]
        unknown += wanted
    assert 0 < unknown < len(combinations) / 2


def test_what_grows_worse_never_moves_a_customer_down(world: World) -> None:
    for code in ("C-A", "C-B", "C-C"):
        world.add_device(f"{code}-1", world.add_site(f"S{code}", code, contract=True))
        report_well(world, f"{code}-1")
    rows: list[tuple[str, int]] = []

    def note(step: str) -> None:
        found = look(world)
        ranked = rank_customers((code, found.get(code, {})) for code in ("C-A", "C-B", "C-C"))
        places = [code for _, _, code in ranked]
        rows.append((step, -next(score for score, _, code in ranked if code == "C-B")))
        assert places.index("C-B") == (1 if len(rows) == 1 else 0), step  # equal ones stand by code

    note("well")
    episode = world.raise_breach("C-B-1", Severity.MINOR)
    note("minor")
    world.escalate(episode, Severity.MAJOR)
    note("major")
    world.escalate(episode, Severity.CRITICAL)
    note("critical")
    add_order(world, "WO-1", "C-B", clocks={"RESPONSE": {"due_at": hours(5), "due_soon_at": hours(4)}})
    note("an order")
    for step, values in (
        ("due soon", {"due_soon_at": hours(-1)}),
        ("over", {"due_at": hours(-0.5)}),
        ("said", breached(hours(-0.5))),
    ):
        names = ", ".join(f"{name} = %s" for name in values)
        world.conn.execute(f"UPDATE sla_clock SET {names}".encode(), tuple(values.values()))
        note(step)
    for priority in ("P2", "P1"):
        world.conn.execute("UPDATE work_order SET priority = %s", (priority,))
        note(priority)
    for days in (30, 0, -1):
        set_device(world, "C-B-1", calibration_due=TODAY + timedelta(days=days))
        note(f"calibration in {days} days")
    for connectivity in ("STALE", "OFFLINE"):
        set_device(world, "C-B-1", connectivity=connectivity)
        note(connectivity)
    scores = [score for _, score in rows]
    assert scores == sorted(scores), rows
    assert len(set(scores)) == len(scores) - 2, rows  # 0 days is due as 30 are; offline is silent as stale is


def test_dates_are_those_where_the_device_stands(world: World) -> None:
    """Calibration is due on the 22nd: over in Auckland, where it is the 23rd, and not yet in Honolulu."""
    for code, zone in (("C-A", "Pacific/Auckland"), ("C-B", "Pacific/Honolulu")):
        world.add_device(f"{code}-1", world.add_site(f"S{code}", code))
        world.conn.execute("UPDATE site SET time_zone = %s WHERE code = %s", (zone, f"S{code}"))
        set_device(world, f"{code}-1", calibration_due=NOW.astimezone(UTC).date())
    found = look(world)
    assert (T.CALIBRATION_OVERDUE in found["C-A"], T.CALIBRATION_OVERDUE in found["C-B"]) == (True, False)
    assert T.CALIBRATION_DUE in found["C-B"]
