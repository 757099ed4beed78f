"""Firmware in the database is what domain/firmware.py says, in whatever order the reports come."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from domain.clock import to_micros
from domain.firmware import find_changes, find_running
from domain.report import FirmwareReport, FirmwareState
from store.firmware import (
    load_firmware_at,
    load_firmware_changes,
    load_firmware_counts,
    load_firmware_reports,
    load_main_firmware,
)
from store.pool import Connection, open_connection
from store.reports import record_firmware_report
from tests.support.databases import Database
from tests.support.fleet import MODEL, PROFILE, make_devices, register

START = datetime(2026, 11, 1, tzinfo=UTC)
DEVICES = 12
UPDATED, FAILED, DOWNLOADING = FirmwareState.UPDATED, FirmwareState.FAILED, FirmwareState.DOWNLOADING


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


@pytest.fixture
def conn(any_database: Database) -> Any:
    """A connection as the programs have it; T-0000 and so on are registered with firmware 1.0.0."""
    register(any_database.url, PROFILE, make_devices(DEVICES))
    with open_connection(any_database.url, application="ingest", autocommit=True) as opened:
        yield opened


def say(
    conn: Connection,
    device_id: int,
    minute: float,
    version: str,
    state: FirmwareState = UPDATED,
    *,
    previous: str | None = None,
    component: str = "main",
) -> bool:
    us = to_micros(at(minute))
    with conn.transaction():
        return record_firmware_report(
            conn, FirmwareReport(device_id, us, us + 5, component, version, state, previous, None)
        )


def device_ids(conn: Connection) -> list[int]:
    return [row[0] for row in conn.execute("SELECT id FROM device WHERE serial LIKE 'T-%' ORDER BY serial")]


def history(conn: Connection, device_id: int) -> list[tuple[Any, ...]]:
    rows = conn.execute(
        "SELECT at, field, before, after FROM device_history WHERE device_id = %s AND field LIKE 'firmware:%%' "
        "ORDER BY at, field",
        (device_id,),
    )
    return rows.fetchall()


def verify_against_domain(conn: Connection, device_id: int, serial: str, registered: str) -> None:
    """History, column, `firmware_at` and intervals are what the pure functions make of the stored reports."""
    reports = load_firmware_reports(conn, device_id)
    changes = find_changes(reports, registered)
    expected = [(c.at, f"firmware:{c.component}", c.before, c.after) for c in changes]
    assert sorted(history(conn, device_id), key=str) == sorted(expected, key=str)
    assert load_firmware_changes(conn, device_id, at(-99), at(999)) == changes
    for minute in (-5.0, 0.0, 2.5, 5.0, 7.0, 50.0):
        assert load_firmware_at(conn, serial, at(minute)) == find_running(reports, at(minute), registered)
        known = {r.component: r.version for r in find_running(reports, at(minute), registered)}
        assert load_main_firmware(conn, [(device_id, at(minute))]) == {(device_id, at(minute)): known.get("main", "")}
    main = [r for r in find_running(reports, at(999), registered) if r.component == "main"]
    stored = conn.execute("SELECT firmware FROM device WHERE id = %s", (device_id,)).fetchone()
    assert stored == (main[0].version if main else "",)


def test_any_order_of_arrival_gives_the_same_history(conn: Connection) -> None:
    chance = random.Random(7)
    for number, device_id in enumerate(device_ids(conn)):
        said = [
            (minute, chance.choice("123"), chance.choice([UPDATED, UPDATED, FAILED, DOWNLOADING]), chance.choice("12"))
            for minute in range(8)
        ]
        chance.shuffle(said)
        for minute, version, state, previous in said:
            component = chance.choice(["main", "main", "pump"])
            assert say(conn, device_id, minute, version, state, previous=previous, component=component)
            if chance.random() < 0.3:
                assert not say(conn, device_id, minute, version, state, previous=previous, component=component)
        verify_against_domain(conn, device_id, f"T-{number:04}", "1.0.0")


def test_a_late_report_mends_history_the_device_and_the_breaches_of_its_time(conn: Connection) -> None:
    device_id = device_ids(conn)[0]
    for minute, uuid in ((15, "0" * 31 + "1"), (25, "0" * 31 + "2"), (35, "0" * 31 + "3")):
        conn.execute(
            "INSERT INTO breach (id, device_id, monitor, profile_version, kind, severity, fault_group, state, "
            "first_seen, raised_at, last_seen, count, peak, score, firmware, reason_code, params, is_simulated) "
            "SELECT %s, id, 'm', 1, 'LIMIT', 'MAJOR', 'tank', 'ACTIVE', %s, %s, %s, 1, 1, 1, "
            "main_firmware_of(id, %s), 'limit_high', '{}', false FROM device WHERE id = %s",
            (uuid, at(minute), at(minute), at(minute), at(minute), device_id),
        )

    def firmware_of_breaches() -> list[str]:
        return [row[0] for row in conn.execute("SELECT firmware FROM breach ORDER BY first_seen")]

    say(conn, device_id, 10, "1.0.0")
    say(conn, device_id, 30, "3.0")
    assert firmware_of_breaches() == ["1.0.0", "1.0.0", "3.0"]
    assert history(conn, device_id) == [(at(30), "firmware:main", "1.0.0", "3.0")]
    say(conn, device_id, 20, "2.0")
    assert firmware_of_breaches() == ["1.0.0", "2.0", "3.0"]
    assert history(conn, device_id) == [
        (at(20), "firmware:main", "1.0.0", "2.0"),
        (at(30), "firmware:main", "2.0", "3.0"),
    ]
    assert conn.execute("SELECT firmware FROM device WHERE id = %s", (device_id,)).fetchone() == ("3.0",)
    rows = conn.execute(
        "SELECT version, since, until FROM firmware_interval WHERE device_id = %s ORDER BY since", (device_id,)
    ).fetchall()
    assert rows == [("1.0.0", at(10), at(20)), ("2.0", at(20), at(30)), ("3.0", at(30), None)]
    asked = [(device_id, at(minute)) for minute in (5, 20, 29, 99)]
    assert list(load_main_firmware(conn, asked).values()) == ["1.0.0", "2.0", "2.0", "3.0"]


def test_saying_again_what_runs_writes_nothing(conn: Connection) -> None:
    device_id = device_ids(conn)[0]
    say(conn, device_id, 1, "2.0")
    before = conn.execute("SELECT xmin::text, row_version FROM device WHERE id = %s", (device_id,)).fetchone()
    kept = history(conn, device_id)
    for minute in (2, 3, 4):
        assert say(conn, device_id, minute, "2.0")
    assert conn.execute("SELECT xmin::text, row_version FROM device WHERE id = %s", (device_id,)).fetchone() == before
    assert history(conn, device_id) == kept


def test_versions_are_counted_by_model_for_those_who_may_see_them(conn: Connection) -> None:
    first, second, *_ = device_ids(conn)
    say(conn, first, 5, "2.0")
    say(conn, second, 4, "2.0")
    counts = load_firmware_counts(conn, customer_id=None, model=MODEL)
    assert [(c.version, c.devices, c.first_updated_at) for c in counts] == [
        ("1.0.0", DEVICES - 2, None),
        ("2.0", 2, at(4)),
    ]
    assert load_firmware_counts(conn, customer_id=-1) == []
    assert load_firmware_counts(conn, customer_id=None, model="none") == []


def test_two_processes_that_report_at_once_leave_one_history(conn: Connection, any_database: Database) -> None:
    device_id = device_ids(conn)[0]
    with open_connection(any_database.url, application="ingest", autocommit=True) as other:
        other.execute("SET lock_timeout = '200ms'")
        with conn.transaction():
            us = to_micros(at(1))
            record_firmware_report(conn, FirmwareReport(device_id, us, us, "main", "2.0", UPDATED))
            with pytest.raises(psycopg.errors.LockNotAvailable):
                say(other, device_id, 2, "3.0")
        say(other, device_id, 2, "3.0")
    verify_against_domain(conn, device_id, "T-0000", "1.0.0")


def test_the_programs_role_may_not_rewrite_history(conn: Connection) -> None:
    refused: Sequence[str] = (
        "DELETE FROM device_history",
        "UPDATE device_history SET after = 'x'",
        "UPDATE firmware_report SET version = 'x'",
    )
    for statement in refused:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement)
