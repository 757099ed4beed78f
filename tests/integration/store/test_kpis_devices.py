"""Key figures of devices: operation, planned work, firmware, recalls and what can be traced; computed by hand."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from domain.kpi import NoValue
from domain.kpi_period import PeriodUnit
from tests.support.databases import Database
from tests.support.kpis import DAY, HOUR, KpiWorld, open_kpi_world
from tests.support.service_world import NOW


@pytest.fixture
def kpis(database: Database) -> Iterator[KpiWorld]:
    with open_kpi_world(database.url) as opened:
        yield opened


@pytest.fixture
def anywhere(any_database: Database) -> Iterator[KpiWorld]:
    """The same on each flavour of the store."""
    with open_kpi_world(any_database.url) as opened:
        yield opened


def test_operation_counts_what_overlaps_once_and_only_time_in_the_field(anywhere: KpiWorld) -> None:
    # 60 days of three devices are 4,320 h. SN-1: two failures that overlap, hours 0-10 and 5-20: down for 20 h, not 25.
    at = NOW - 40 * DAY
    anywhere.add_failure("SN-1", at, 10 * HOUR)
    anywhere.add_failure("SN-1", at + 5 * HOUR, 15 * HOUR)
    # One that began before the period: 30 h of it lie in the period. It is no failure of the period.
    anywhere.add_failure("SN-2", NOW - 60 * DAY - 10 * HOUR, 40 * HOUR)
    # SN-3: under maintenance for 48 h, of which a failure takes 24; decommissioned 10 days ago.
    anywhere.change_device("SN-3", NOW - 30 * DAY, "lifecycle", "IN_SERVICE", "UNDER_MAINTENANCE")
    anywhere.change_device("SN-3", NOW - 28 * DAY, "lifecycle", "UNDER_MAINTENANCE", "IN_SERVICE")
    anywhere.change_device("SN-3", NOW - 10 * DAY, "lifecycle", "IN_SERVICE", "DECOMMISSIONED")
    anywhere.add_failure("SN-3", NOW - 29 * DAY, 24 * HOUR)
    # In the field: 1440 + 1440 + 50 * 24 = 4080 h. Down: 20 + 30 + 48 = 98 h. Operation: 3982 h, three failures.
    found = anywhere.ask("availability")
    assert (found.numerator, found.denominator, found.records) == (3982.0, 4080.0, 3)
    assert found.value == pytest.approx(3982 / 4080)
    found = anywhere.ask("mtbf")
    assert (found.numerator, found.denominator, found.records) == (3982.0, 3.0, 3)
    assert found.value == pytest.approx(3982 / 3)
    by = anywhere.ask_by("mtbf", "model")
    assert {name: (f.numerator, f.records) for name, f in by.items()} == {"PUMP": (2830.0, 2), "LAMP": (1152.0, 1)}
    # The machine opened four orders, one of them before the period: 3 tickets on 4080 / 24 = 170 device-days.
    found = anywhere.ask("tickets_per_1000_device_days")
    assert (found.numerator, found.denominator, found.records) == (3000.0, 170.0, 3)


def test_operation_by_firmware_and_by_month(anywhere: KpiWorld) -> None:
    anywhere.change_device("SN-1", NOW - 20 * DAY, "firmware", "1.9", "2.0")
    anywhere.add_failure(
        "SN-1", NOW - 21 * DAY, 2 * DAY
    )  # a day on the old version, a day on the new one; it began on the old
    by = anywhere.ask_by("mtbf", "firmware")
    # 1.9: 40 days without the last one; 2.0: 20 days of SN-1 without the first, 60 days of SN-2. SN-3 has 1.0.
    assert {name: (f.numerator, f.records) for name, f in by.items()} == {
        "1.0": (1440.0, 0),
        "1.9": (39 * 24.0, 1),
        "2.0": (79 * 24.0, 0),
    }
    assert by["2.0"].reason is NoValue.NOTHING_TO_DIVIDE_BY
    assert anywhere.ask("availability", firmwares=("1.9",)).numerator == 39 * 24.0
    # NOW is 22 November 12:00. From 23 September 12:00: 7.5 days, then 31, then 21.5, each of three devices.
    months = anywhere.ask_all("availability", unit=PeriodUnit.MONTH)["availability"]
    assert [f.denominator for f in months] == [7.5 * 72, 31 * 72, 21.5 * 72]
    # The failure was from 1 November 12:00 to 3 November 12:00.
    assert [f.numerator for f in months] == [7.5 * 72, 31 * 72, 21.5 * 72 - 48]
    # What has not been yet is not counted.
    ahead = anywhere.ask("availability", since=NOW - DAY, until=NOW + 9 * DAY)
    assert ahead.denominator == 72.0


def test_devices_that_were_installed_in_the_period_or_never(kpis: KpiWorld) -> None:
    kpis.world.conn.execute("UPDATE device SET installed_on = '2026-11-20' WHERE serial = 'SN-1'")
    for serial, lifecycle in (("SN-4", "REGISTERED"), ("SN-5", "QUARANTINED"), ("SN-6", "DECOMMISSIONED")):
        kpis.world.conn.execute(
            "INSERT INTO device (device_model_id, serial, shard, lifecycle, lifecycle_since, created_at)"
            " SELECT min(id), %s, 0, %s, %s, %s FROM device_model",
            (serial, lifecycle, NOW - DAY, NOW - 70 * DAY),
        )
    # SN-1 since 20 November 00:00: 60 h; SN-2 and SN-3 the whole 1,440 h; SN-4 never. SN-5 and SN-6 1,416 h in use;
    # then the one is out of use for a day, the other gone.
    found = kpis.ask("availability")
    assert (found.numerator, found.denominator, found.records) == (60.0 + 2 * 1440 + 2 * 1416, 2940.0 + 1440 + 1416, 5)


def test_a_device_that_moved_was_the_first_customers_until_then(kpis: KpiWorld) -> None:
    kpis.change_device("SN-1", NOW - 20 * DAY, "customer", "C-S1", "C-S2")
    # C-S1 has SN-1 for 40 of the 60 days; C-S2 has SN-2 and SN-3 for 60 and SN-1 for 20.
    by = kpis.ask_by("availability", "customer")
    assert {name: (f.denominator, f.records) for name, f in by.items()} == {"C-S1": (960.0, 1), "C-S2": (3360.0, 3)}
    for days in (30, 10, 9):
        kpis.add_breach("SN-1", NOW - days * DAY)
    by = kpis.ask_by("alarm_top_ten", "customer")
    assert {name: f.records for name, f in by.items()} == {"C-S1": 1, "C-S2": 2}
    # What was due 30 days ago was due at C-S1, and no business of who has it now.
    add_occurrence(kpis, "SN-1", (NOW - 30 * DAY).date(), "OVERDUE")
    add_occurrence(kpis, "SN-1", (NOW - 10 * DAY).date(), "OVERDUE", type="CALIBRATION")
    by = kpis.ask_by("planned_maintenance_on_time", "customer")
    assert {name: f.records for name, f in by.items()} == {"C-S1": 1, "C-S2": 1}


def test_what_stands_is_not_said_of_days_to_come(kpis: KpiWorld) -> None:
    days = kpis.ask_all("trace_coverage", since=NOW - DAY, until=NOW + 3 * DAY, unit=PeriodUnit.DAY)["trace_coverage"]
    assert [f.records > 0 for f in days] == [True, True, False, False, False]


def add_occurrence(kpis: KpiWorld, serial: str, due_on: date | None, state: str, **columns: Any) -> None:
    kpis.world.conn.execute(
        "INSERT INTO maintenance_plan (code, name, state, order_type, kind, anchor, device_model_id, every_count,"
        " every_unit, lead_days, priority, starts_on, created_by, created_at, updated_at)"
        " SELECT 'MP-' || x, x, 'ACTIVE', x, 'CALENDAR', 'FIXED', min(m.id), 1, 'YEAR', 7, 'P3', '2026-01-01', 'test',"
        " %(now)s, %(now)s FROM device_model m, unnest(ARRAY['PREVENTIVE', 'CALIBRATION']) x GROUP BY x"
        " ON CONFLICT DO NOTHING",
        {"now": NOW},
    )
    row: dict[str, Any] = {"number": 1, "type": "PREVENTIVE", "done_on": None, "work_order_id": None} | columns
    if state == "DONE":
        row["work_order_id"] = kpis.add_order(serial, NOW - 50 * DAY, type="PREVENTIVE", source="PLAN")
    row |= {"device_id": kpis.world.devices[serial], "due_on": due_on, "state": state, "now": NOW}
    row["ended_at"] = NOW if state in ("DONE", "SKIPPED") else None
    row["skip"] = "AR-1" if state == "SKIPPED" else None
    kpis.world.conn.execute(
        "INSERT INTO plan_occurrence (code, plan_id, device_id, number, state, due_on, done_on, work_order_id,"
        " skip_request, ended_at, is_simulated, created_at, updated_at)"
        " SELECT 'PO-' || nextval('plan_occurrence_number'), id, %(device_id)s, %(number)s, %(state)s, %(due_on)s,"
        " %(done_on)s, %(work_order_id)s, %(skip)s, %(ended_at)s, false, %(now)s, %(now)s FROM maintenance_plan"
        " WHERE order_type = %(type)s",
        row,
    )


def test_planned_maintenance_on_time_and_the_first_of_each_device(kpis: KpiWorld) -> None:
    due = date(2026, 11, 1)
    # First ones: in time, late, overdue. Of 3 in time 1, done 2.
    add_occurrence(kpis, "SN-1", due, "DONE", done_on=due)
    add_occurrence(kpis, "SN-2", due, "DONE", done_on=due + DAY)
    add_occurrence(kpis, "SN-3", due, "OVERDUE")
    # Second ones: early; left out by two people. A calibration that is done, though its order is not closed yet.
    add_occurrence(kpis, "SN-1", due, "DONE", done_on=due - DAY, number=2)
    add_occurrence(kpis, "SN-2", due, "SKIPPED", number=2)
    reported = kpis.add_order(
        "SN-3", NOW - 50 * DAY, type="CALIBRATION", source="PLAN", state="WORK_DONE", resolved_at=NOW - 22 * DAY,
        close_out='{"serviced_on": "2026-10-31"}',
    )  # fmt: skip
    add_occurrence(kpis, "SN-3", due, "DUE", type="CALIBRATION", work_order_id=reported)
    # Not decided: due today. Not asked: due before the period, and without a day.
    add_occurrence(kpis, "SN-1", NOW.date(), "DUE", type="CALIBRATION")
    add_occurrence(kpis, "SN-2", date(2026, 1, 1), "DONE", done_on=due, type="CALIBRATION")
    add_occurrence(kpis, "SN-2", None, "UPCOMING", type="CALIBRATION", number=2)
    # In time: SN-1 first and second, SN-3's calibration: 3 of 5; left out: the skipped one and today's.
    found = kpis.ask("planned_maintenance_on_time")
    assert (found.numerator, found.denominator, found.left_out) == (3.0, 5.0, 2)
    found = kpis.ask("first_maintenance_completion")
    assert (found.numerator, found.denominator, found.left_out) == (2.0, 3.0, 0)
    by = kpis.ask_by("first_maintenance_completion", "customer")
    assert {name: f.value for name, f in by.items()} == {"C-S1": 1.0, "C-S2": 0.5}


def test_plans_that_ended_and_devices_that_are_gone_owe_nothing(kpis: KpiWorld) -> None:
    due = date(2026, 11, 1)
    add_occurrence(kpis, "SN-1", due, "UPCOMING")
    add_occurrence(kpis, "SN-2", due, "UPCOMING")
    found = kpis.ask("planned_maintenance_on_time")
    assert (found.value, found.records) == (0.0, 2)
    kpis.world.conn.execute("UPDATE device SET lifecycle = 'DECOMMISSIONED' WHERE serial = 'SN-1'")
    found = kpis.ask("planned_maintenance_on_time")
    assert (found.value, found.records, found.left_out) == (0.0, 1, 1)
    kpis.world.conn.execute("UPDATE maintenance_plan SET state = 'ENDED', ended_at = %s", (NOW,))
    found = kpis.ask("planned_maintenance_on_time")
    assert (found.value, found.left_out, found.reason) == (None, 2, NoValue.UNDECIDED)


def release_firmware(kpis: KpiWorld, version: str, released_at: datetime, withdrawn_at: datetime | None = None) -> None:
    kpis.world.conn.execute(
        "INSERT INTO firmware_record (code, device_model_id, component, version, sha256, state, released_at,"
        " withdrawn_at, created_by) SELECT 'FW-' || %(version)s, id, 'main', %(version)s, repeat('0', 64), 'RELEASED',"
        " %(at)s, %(until)s, 'test' FROM device_model WHERE key = 'PUMP'",
        {"version": version, "at": released_at, "until": withdrawn_at},
    )


def report_firmware(kpis: KpiWorld, serial: str, version: str, at: datetime) -> None:
    kpis.world.conn.execute(
        "INSERT INTO firmware_report (device_id, component, version, previous, state, observed_at, received_at)"
        " VALUES (%s, 'main', %s, '1.0', 'UPDATED', %s, %s)",
        (kpis.world.devices[serial], version, at, at),
    )


def test_firmware_counts_when_the_device_says_so(kpis: KpiWorld) -> None:
    assert kpis.ask("firmware_coverage").reason is NoValue.NO_RECORDS
    # Both PUMPs have 2.0 by their master data; SN-1 alone has said so. The LAMP has no released firmware: 1 of 2.
    release_firmware(kpis, "2.0", NOW - 50 * DAY)
    report_firmware(kpis, "SN-1", "2.0", NOW - 40 * DAY)
    found = kpis.ask("firmware_coverage")
    assert (found.numerator, found.denominator, found.records) == (1.0, 2.0, 2)
    # A newer one: 0 of 2; it was withdrawn after two days, and then 2.0 is the newest again.
    release_firmware(kpis, "2.1", NOW - 10 * DAY, withdrawn_at=NOW - 8 * DAY)
    assert [kpis.ask("firmware_coverage", until=NOW - days * DAY).value for days in (11, 9, 7)] == [0.5, 0.0, 0.5]
    report_firmware(kpis, "SN-2", "2.0", NOW - 5 * DAY)
    by = kpis.ask_by("firmware_coverage", "customer")
    assert {name: f.value for name, f in by.items()} == {"C-S1": 1.0, "C-S2": 1.0}
    days = kpis.ask_all("firmware_coverage", since=NOW.replace(hour=0) - 6 * DAY, unit=PeriodUnit.DAY)[
        "firmware_coverage"
    ]
    assert [f.value for f in days] == [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_answers_to_recalls(kpis: KpiWorld) -> None:
    def add_action(kind: str, state: str = "EXECUTING") -> int:
        row = kpis.world.conn.execute(
            "INSERT INTO field_action (code, kind, state, title, device_model_id, firmware_id, priority, needs_visit,"
            " max_attempts, install_attempts, waves, scope, halt_p, created_by)"
            " SELECT 'FA-' || nextval('field_action_number'), %(kind)s, 'DRAFT', 'x', min(m.id),"
            " CASE WHEN %(kind)s = 'FIRMWARE' THEN (SELECT max(id) FROM firmware_record) END, 'P2',"
            " false, 3, 2, '[]', '{}', 0.05, 'test' FROM device_model m RETURNING id",
            {"kind": kind},
        ).fetchone()
        assert row is not None
        states[int(row[0])] = state
        return int(row[0])

    def add_item(action: int, serial: str, state: str, answered: timedelta | None = None) -> None:
        notified_at = None if state == "IDENTIFIED" else NOW - 20 * DAY
        answered_at = None if notified_at is None or answered is None else notified_at + answered
        kpis.world.conn.execute(
            "INSERT INTO field_action_item (field_action_id, device_id, wave, state, state_since, notified_at,"
            " acknowledged_at) VALUES (%s, %s, 1, %s, %s, %s, %s)",
            (action, kpis.world.devices[serial], state, NOW, notified_at, answered_at),
        )

    states: dict[int, str] = {}
    release_firmware(kpis, "2.0", NOW - 50 * DAY)
    recall, correction, campaign = add_action("RECALL"), add_action("CORRECTION"), add_action("FIRMWARE")
    given_up = add_action("RECALL", "CANCELLED")
    add_item(recall, "SN-1", "ACKNOWLEDGED", 10 * HOUR)
    add_item(recall, "SN-2", "NOTIFIED")
    add_item(recall, "SN-3", "SCRAPPED")  # what became of it was said, without an acknowledgement
    add_item(correction, "SN-1", "VERIFIED", 30 * HOUR)
    add_item(correction, "SN-2", "UNREACHABLE")
    add_item(correction, "SN-3", "IDENTIFIED")  # nobody was told yet
    add_item(campaign, "SN-1", "REMEDIATED", HOUR)  # devices answer campaigns by themselves
    add_item(given_up, "SN-1", "NOTIFIED")
    for action, state in states.items():
        kpis.world.conn.execute("UPDATE field_action SET state = %s WHERE id = %s", (state, action))
    # Answered: SN-1 twice, SN-3 once; of 5 that were notified; the cancelled one is left out. Times: 10 h and 30 h.
    found = kpis.ask("recall_response")
    assert (found.numerator, found.denominator, found.left_out) == (3.0, 5.0, 1)
    found = kpis.ask("recall_response_time")
    assert (found.value, found.records, found.median) == (20.0, 2, 20.0)
    assert kpis.ask("recall_response", since=NOW - 19 * DAY).reason is NoValue.NO_RECORDS
    by = kpis.ask_by("recall_response", "customer")
    assert {name: (f.numerator, f.denominator) for name, f in by.items()} == {"C-S1": (2.0, 2.0), "C-S2": (1.0, 3.0)}


def test_what_can_be_traced(kpis: KpiWorld) -> None:
    whole = "lot = 'L1', udi = '(01)04012345000016', made_on = '2026-01-01', installed_on = '2026-02-01'"
    kpis.world.conn.execute(f"UPDATE device SET {whole} WHERE serial IN ('SN-1', 'SN-2')".encode())
    kpis.world.conn.execute("UPDATE device SET lot = '' WHERE serial = 'SN-2'")
    # SN-1 alone of three; each one thing that lacks makes it none.
    found = kpis.ask("trace_coverage")
    assert (found.numerator, found.denominator) == (1.0, 3.0)
    for lacking in ("udi = ''", "made_on = NULL", "firmware = ''"):
        with kpis.world.conn.transaction(force_rollback=True):
            kpis.world.conn.execute(f"UPDATE device SET {lacking} WHERE serial = 'SN-1'".encode())
            counted = kpis.world.conn.execute("SELECT sum(numerator) FROM kpi_trace_coverage(%s)", (NOW,)).fetchone()
            assert counted == (0.0,), lacking
    order = kpis.add_failure("SN-1", NOW - 10 * DAY, HOUR)
    for lot, serial, state, at in (
        ("L7", "", "USED", NOW - 9 * DAY),
        ("", "M-1", "USED", NOW - 9 * DAY),
        ("", "", "USED", NOW - 9 * DAY),
        ("", "", "WITHDRAWN", NOW - 9 * DAY),
        ("", "", "USED", NOW - 70 * DAY),
    ):
        kpis.world.conn.execute(
            "INSERT INTO part_usage (work_order_id, order_version, state, item, quantity, lot, serial_in,"
            " decided_by_id, decided_at) SELECT %s, 1, %s, 'motor', 1, %s, %s, min(id), %s FROM app_user",
            (order, state, lot, serial, at),
        )
    found = kpis.ask("part_trace_coverage")
    assert (found.numerator, found.denominator) == (2.0, 3.0)
