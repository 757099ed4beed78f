"""Key figures of alarms, warnings and CAPAs, each on a case that was computed by hand."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from psycopg.types.json import Jsonb

from domain.kpi import NoValue
from domain.kpi_period import PeriodUnit
from tests.support.databases import Database
from tests.support.kpis import DAY, HOUR, KpiWorld, open_kpi_world
from tests.support.service_world import NOW

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def kpis(database: Database) -> Iterator[KpiWorld]:
    with open_kpi_world(database.url) as opened:
        yield opened


@pytest.fixture
def anywhere(any_database: Database) -> Iterator[KpiWorld]:
    """The same on each flavour of the store."""
    with open_kpi_world(any_database.url) as opened:
        yield opened


def add_alarms(kpis: KpiWorld, serial: str, begin: datetime, count: int) -> None:
    """So many alarms within ten minutes, each of a monitor of its own."""
    for n in range(count):
        kpis.add_breach(serial, begin + n * 30 * SECOND, monitor=f"m-{n}")


def test_a_flood_begins_above_ten_and_ends_below_five(anywhere: KpiWorld) -> None:
    day = NOW.replace(hour=0) - DAY
    # 10:00 six, 10:10 eleven, 10:20 five, 10:30 four, 10:40 five: the flood is 10:10 to 10:30.
    for minute, count in ((0, 6), (10, 11), (20, 5), (30, 4), (40, 5)):
        add_alarms(anywhere, "SN-1", day + 10 * HOUR + minute * MINUTE, count)
    # Ten at another customer at 12:00 are none; nor are twelve that are discarded or mere INFO.
    add_alarms(anywhere, "SN-2", day + 12 * HOUR, 10)
    for n in range(12):
        hidden = {"severity": "INFO"} if n % 2 else {"state": "DISCARDED", "cleared_at": None}
        anywhere.add_breach("SN-2", day + 14 * HOUR + n * SECOND, **hidden)
    found = anywhere.ask("alarm_flood", since=day, until=day + DAY)
    assert (found.numerator, found.denominator, found.records) == (1200.0, 86400.0, 41)
    assert found.value == pytest.approx(1200 / 86400)
    # A period that begins at 10:15 has fifteen minutes of it: 10:15 to 10:30; the flood began before it.
    found = anywhere.ask("alarm_flood", since=day + 10 * HOUR + 15 * MINUTE, until=day + DAY)
    assert found.numerator == 900.0
    # One that ends at 10:22 has twelve minutes.
    assert anywhere.ask("alarm_flood", since=day, until=day + 10 * HOUR + 22 * MINUTE).numerator == 720.0
    by = anywhere.ask_by("alarm_flood", "customer", since=day, until=day + DAY)
    assert {name: (f.numerator, f.records) for name, f in by.items()} == {"C-S1": (1200.0, 31), "C-S2": (0.0, 10)}
    days = anywhere.ask_all("alarm_flood", since=day - DAY, until=day + DAY, unit=PeriodUnit.DAY)["alarm_flood"]
    assert [(f.numerator, f.denominator) for f in days] == [(0.0, 86400.0), (1200.0, 86400.0)]


def test_bad_actors_and_chatter(anywhere: KpiWorld) -> None:
    at = NOW - 5 * DAY
    # Ten monitors with two alarms an hour apart, one with three in a minute, five with one: 28 alarms of 16 origins.
    for n in range(10):
        anywhere.add_breach("SN-1", at, monitor=f"two-{n}")
        anywhere.add_breach("SN-1", at + HOUR, monitor=f"two-{n}")
    for seconds in (0, 30, 60):
        anywhere.add_breach("SN-2", at + seconds * SECOND, monitor="relay")
    for n in range(5):
        anywhere.add_breach("SN-2", at, monitor=f"one-{n}")
    # The ten that alarm most: the relay and nine of the pairs: 3 + 18 of 28.
    found = anywhere.ask("alarm_top_ten")
    assert (found.numerator, found.denominator, found.records) == (21.0, 28.0, 28)
    assert found.value == 0.75
    assert found.detail[0] == {"serial": "SN-2", "monitor": "relay", "alarms": 3}
    assert len(found.detail) == 10
    found = anywhere.ask("alarm_chattering")
    assert (found.numerator, found.denominator) == (1.0, 16.0)
    # A second more is no chatter.
    for seconds in (0, 30, 61):
        anywhere.add_breach("SN-3", at + seconds * SECOND, monitor="relay")
    by = anywhere.ask_by("alarm_chattering", "model")
    assert {name: (f.numerator, f.denominator) for name, f in by.items()} == {"PUMP": (1.0, 16.0), "LAMP": (0.0, 1.0)}


def test_alarms_that_stand_too_long(kpis: KpiWorld) -> None:
    kpis.add_breach("SN-1", NOW - 25 * HOUR, state="ACTIVE", cleared_at=None)
    kpis.add_breach("SN-1", NOW - 24 * HOUR, state="ACTIVE", cleared_at=None, monitor="a day to the second")
    kpis.add_breach("SN-2", NOW - 50 * HOUR, cleared_at=NOW - HOUR, monitor="gone")
    # Now one of two. Two hours ago the one that is gone stood as well, the others for 23 h and 22 h: one of three.
    found = kpis.ask("alarm_stale")
    assert (found.numerator, found.denominator, found.records) == (1.0, 2.0, 2)
    found = kpis.ask("alarm_stale", until=NOW - 2 * HOUR)
    assert (found.numerator, found.denominator) == (1.0, 3.0)
    assert kpis.ask("alarm_stale", until=NOW - 51 * HOUR).reason is NoValue.NO_RECORDS


def test_whose_alarms_they_are_changes_no_figure(anywhere: KpiWorld) -> None:
    """Asked for by customer they are counted in another way than for all together."""
    day = NOW - 20 * DAY
    for hour, count in ((10, 14), (11, 7), (12, 3)):
        add_alarms(anywhere, "SN-1", day + hour * HOUR, count)
    anywhere.add_breach("SN-1", day - 2 * HOUR, state="ACTIVE", cleared_at=None, monitor="stands")
    for key in ("alarm_flood", "alarm_top_ten", "alarm_chattering", "alarm_stale"):
        together = anywhere.ask(key, since=day, until=day + DAY)
        (mine,) = [
            figure for figure in anywhere.ask_by(key, "customer", since=day, until=day + DAY).values() if figure.records
        ]
        for name in ("numerator", "denominator", "records", "left_out", "value", "detail"):
            assert getattr(together, name) == getattr(mine, name), (key, name)
        assert together.records > 0


def test_share_of_the_machines_orders_that_were_confirmed(kpis: KpiWorld) -> None:
    at = NOW - 10 * DAY
    for outcome in ("CONFIRMED", "CONFIRMED", "SENSOR_FAULT", "FALSE_ALARM", "NO_FAULT_FOUND"):
        kpis.add_failure("SN-1", at, HOUR, outcome=outcome)
    kpis.add_failure("SN-1", at, HOUR, source="MANUAL")
    kpis.add_failure("SN-1", at, HOUR, state="WORK_DONE", closed_at=None)
    found = kpis.ask("alarm_confirmed")
    assert (found.numerator, found.denominator, found.value) == (2.0, 5.0, 0.4)


def test_lead_time_is_from_the_first_breach_to_the_failure(anywhere: KpiWorld) -> None:
    at = NOW - 20 * DAY
    # 1: an anomaly that was critical when it was raised, and had been there for 2 h then.
    order = anywhere.add_failure("SN-1", at, 50 * HOUR, type="PREDICTIVE")
    anywhere.add_breach("SN-1", at, order_id=order, kind="ANOMALY", severity="CRITICAL", first_seen=at - 2 * HOUR)
    # 2: a forecast, and the device's own alarm 10 h later.
    order = anywhere.add_failure("SN-2", at, 20 * HOUR, type="PREDICTIVE")
    anywhere.add_breach("SN-2", at, order_id=order, kind="FORECAST")
    anywhere.add_breach("SN-2", at + 10 * HOUR, order_id=order, kind="DEVICE_CODE", monitor="code")
    # 3: the device's alarm came first: no warning.
    order = anywhere.add_failure("SN-3", at, 20 * HOUR)
    anywhere.add_breach("SN-3", at, order_id=order, kind="DEVICE_CODE", monitor="code")
    anywhere.add_breach("SN-3", at + HOUR, order_id=order)
    # 4: a person reported it.
    anywhere.add_failure("SN-1", at, 20 * HOUR, source="MANUAL")
    # Mended before it failed: no failure. Not confirmed: none either.
    order = anywhere.add_failure("SN-1", at, 20 * HOUR, type="PREDICTIVE")
    anywhere.add_breach("SN-1", at, order_id=order, kind="ANOMALY", monitor="early")
    anywhere.add_failure("SN-1", at, 20 * HOUR, source="MANUAL", outcome="NO_FAULT_FOUND")
    # Of 4 failures 2 were warned of, 2 h and 10 h before: 6 h.
    found = anywhere.ask("warning_lead_time")
    assert (found.value, found.numerator, found.denominator, found.records) == (6.0, 12.0, 2.0, 2)
    assert found.median == 6.0
    found = anywhere.ask("failures_warned")
    assert (found.value, found.numerator, found.denominator, found.records) == (0.5, 2.0, 4.0, 4)
    by = anywhere.ask_by("warning_lead_time", "model")
    assert (by["PUMP"].value, by["LAMP"].value, by["LAMP"].reason) == (6.0, None, NoValue.NOTHING_TO_DIVIDE_BY)


def test_a_breach_that_becomes_critical_later_gave_time(kpis: KpiWorld) -> None:
    at = NOW - 20 * DAY
    order = kpis.add_failure("SN-1", at, 50 * HOUR)
    breach = kpis.add_breach("SN-1", at, order_id=order)
    kpis.world.conn.execute("UPDATE breach SET severity = 'CRITICAL' WHERE id = %s", (breach,))
    kpis.add_transition(breach, "ESCALATED", "CRITICAL", at + 30 * HOUR)
    assert kpis.ask("warning_lead_time").value == 30.0
    # A complaint 12 h after the breach: the failure began then.
    kpis.world.conn.execute(
        "INSERT INTO complaint (code, state, received_at, severity, details, device_id, fault_group, work_order_id,"
        " joined_as, created_by, created_at, updated_at)"
        " VALUES ('CMP-1', 'RECEIVED', %(at)s, 'MAJOR', 'it stopped', %(device)s, 'motor_wear', %(order)s, 'JOINED',"
        " 'mia', %(at)s, %(at)s)",
        {"at": at + 12 * HOUR, "device": kpis.world.devices["SN-1"], "order": order},
    )
    assert kpis.ask("warning_lead_time").value == 12.0


def add_capa(kpis: KpiWorld, state: str, opened_at: datetime | None, **columns: object) -> int:
    row: dict[str, object] = {"scope_kind": "MODEL", "scope_value": "", "closed_at": None, "ineffective_of": None}
    row |= {"is_simulated": False, "verdict": "MET" if state == "CLOSED" else None} | columns
    row |= {"state": state, "opened_at": opened_at, "statistics": Jsonb({}), "fault_group": f"g-{len(kpis.codes)}"}
    kpis.codes.append("CAPA")
    found = kpis.world.conn.execute(
        "INSERT INTO capa (code, kind, state, device_model_id, scope_kind, scope_value, fault_group, trigger,"
        " statistics, decided_at, closed_at, ineffective_of, is_simulated, effectiveness_verdict, round)"
        " SELECT 'CAPA-' || nextval('capa_number'), 'CORRECTIVE', %(state)s, min(id), %(scope_kind)s, %(scope_value)s,"
        " %(fault_group)s, 'COHORT', %(statistics)s, %(opened_at)s, %(closed_at)s, %(ineffective_of)s,"
        " %(is_simulated)s, %(verdict)s, 1 FROM device_model RETURNING id",
        row,
    ).fetchone()
    assert found is not None
    return int(found[0])


def test_age_of_capas_that_people_opened(kpis: KpiWorld) -> None:
    add_capa(kpis, "INVESTIGATION", NOW - 10 * DAY)
    add_capa(kpis, "EFFECTIVENESS", NOW - 40 * DAY, scope_kind="FIRMWARE", scope_value="2.0")
    add_capa(kpis, "CLOSED", NOW - 50 * DAY, closed_at=NOW - 5 * DAY)
    add_capa(kpis, "PROPOSED", None)
    add_capa(kpis, "REJECTED", NOW - 20 * DAY, closed_at=NOW - 20 * DAY)
    add_capa(kpis, "OPEN", NOW - DAY, is_simulated=True)
    # Now (10 + 40) / 2 = 25 days; 6 days ago the closed one was open as well: (4 + 34 + 44) / 3.
    found = kpis.ask("capa_age")
    assert (found.value, found.records, found.median) == (25.0, 2, 25.0)
    found = kpis.ask("capa_age", until=NOW - 6 * DAY)
    assert (found.numerator, found.records) == (82.0, 3)
    by = kpis.ask_by("capa_age", "firmware")
    assert {name: f.value for name, f in by.items() if f.value is not None} == {"": 10.0, "2.0": 40.0}


def test_effectiveness_is_what_final_checks_said_and_what_came_after(kpis: KpiWorld) -> None:
    def check(capa: int, verdict: str, *, days_ago: int = 10, final: bool = True, plan: int = 1) -> None:
        kpis.world.conn.execute(
            "INSERT INTO capa_effectiveness_result (capa_id, round, plan_version, computed_at, is_final, verdict,"
            " figures) VALUES (%s, 1, %s, %s, %s, %s, '{}')",
            (capa, plan, NOW - days_ago * DAY, final, verdict),
        )

    first, second, third = (add_capa(kpis, "EFFECTIVENESS", NOW - 90 * DAY) for _ in range(3))
    assert kpis.ask("capa_effectiveness").reason is NoValue.NO_RECORDS
    check(first, "FAILED", final=False, days_ago=30)
    check(first, "FAILED", days_ago=20)
    check(first, "MET")  # the newest final figures of the plan count: met
    check(second, "INCONCLUSIVE")  # left out; with a longer plan it failed
    check(second, "FAILED", plan=2)
    check(third, "MET")
    # Met, failed, met: 2 of 3, one left out.
    found = kpis.ask("capa_effectiveness")
    assert (found.numerator, found.denominator, found.left_out) == (2.0, 3.0, 1)
    # The trouble came back after the third.
    add_capa(kpis, "PROPOSED", None, ineffective_of=third)
    assert kpis.ask("capa_effectiveness").numerator == 1.0
