"""Days of devices are judged by what is stored of them; alerts are said once, and simulated ones stay here."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from domain.clock import to_micros
from domain.profile import DataQualityPolicy
from service_link.data_quality import judge_devices
from store.pool import Connection, open_connection
from store.readings import ReadingColumns, ensure_partitions, record_possible_repeats
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register

DAY = date(2026, 11, 20)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
OVER = MIDNIGHT + timedelta(days=1, minutes=20)
# Two of the three sensors report, one every ten minutes and one every hour; nothing is known of the third.
SENSORS = tuple(
    replace(sensor, interval_s={"level": 600.0, "flow": 3600.0}.get(sensor.key)) for sensor in PROFILE.sensors
)
WATCHED = replace(PROFILE, sensors=SENSORS, data_quality=DataQualityPolicy(max_missing=0.2))


@contextmanager
def prepared(database: Database) -> Iterator[Connection]:
    register(database.url, WATCHED, make_devices(3))
    with open_connection(database.url, application="test", autocommit=True) as opened:
        yield opened


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with prepared(database) as opened:
        yield opened


def store(conn: Connection, serial: str, sensor: str, times: list[datetime], seen_at: datetime | None = None) -> None:
    series_id = int(fetch(conn, """SELECT s.id FROM series s JOIN device d ON d.id = s.device_id
        WHERE d.serial = %s AND s.sensor = %s""", serial, sensor)[0][0])  # fmt: skip
    ensure_partitions(conn, {at.date() for at in times})
    count = len(times)
    readings = ReadingColumns(
        np.full(count, series_id, np.int32),
        np.array([to_micros(at) for at in times], np.int64),
        np.full(count, 50.0),
        np.zeros(count, np.int16),
    )
    with conn.transaction():
        record_possible_repeats(conn, readings)
    conn.execute("UPDATE device SET last_seen_at = %s WHERE serial = %s", (seen_at or max(times), serial))


def fetch(conn: Connection, query: str, *parameters: Any) -> list[Any]:
    return conn.execute(query, parameters).fetchall()


def count_received(conn: Connection, serial: str, day: date, **counts: int) -> None:
    names = ", ".join(counts)
    conn.execute(
        f"INSERT INTO device_day (day, device_id, {names}) SELECT %s, id, {', '.join(['%s'] * len(counts))}"
        " FROM device WHERE serial = %s",
        (day, *counts.values(), serial),
    )


def every(minutes: float, hours: float = 24.0, begin: datetime = MIDNIGHT) -> list[datetime]:
    return [begin + timedelta(minutes=minutes * i) for i in range(int(hours * 60 / minutes))]


def judged(conn: Connection, serial: str, day: date = DAY) -> dict[str, Any]:
    columns = ("expected", "present", "completeness", "missing_ratio", "duplicate_ratio", "inconsistent_ratio",
               "implausible_ratio", "received", "skew_s", "alerts", "is_over", "least_completeness")  # fmt: skip
    rows = fetch(
        conn,
        f"SELECT {', '.join(columns)} FROM data_quality_day JOIN device ON id = device_id"
        " WHERE serial = %s AND day = %s",
        serial,
        day,
    )
    return dict(zip(columns, rows[0], strict=True)) if rows else {}


def test_a_day_is_judged_by_what_was_owed_and_what_is_there(any_database: Database) -> None:
    with prepared(any_database) as conn:
        judge_one_day(conn)


def judge_one_day(conn: Connection) -> None:
    store(conn, "T-0000", "level", every(10))
    store(conn, "T-0000", "flow", every(60))
    store(conn, "T-0001", "level", every(10, hours=15))
    store(conn, "T-0001", "number", every(1, hours=1))  # of which nothing can be expected
    count_received(conn, "T-0001", DAY, received=200, stored=150, duplicates=20, rejected=30, inconsistent=20,
                   implausible=8, seq_back=2)  # fmt: skip
    assert judge_devices(conn, OVER) == (4, 4)
    good, bad = judged(conn, "T-0000"), judged(conn, "T-0001")
    assert (good["expected"], good["present"], good["completeness"], good["alerts"]) == (168, 168, 1.0, [])
    assert good["least_completeness"] == pytest.approx(0.8)
    assert (bad["expected"], bad["present"], bad["is_over"]) == (168, 90, True)
    assert bad["missing_ratio"] == pytest.approx(78 / 168)
    assert [bad[f"{kind}_ratio"] for kind in ("duplicate", "inconsistent", "implausible")] == [0.1, 0.1, 0.05]
    assert bad["alerts"] == ["missing", "duplicate", "inconsistent", "implausible"]
    assert judged(conn, "T-0002") == {}  # never reported: it owes nothing


def test_an_alert_is_said_once_for_device_day_and_kind(conn: Connection) -> None:
    store(conn, "T-0001", "level", every(10, hours=3))
    conn.execute("UPDATE device SET is_simulated = true WHERE serial = 'T-0002'")
    store(conn, "T-0002", "level", every(10, hours=3))
    assert judge_devices(conn, OVER)[1] == 2
    assert judge_devices(conn, OVER + timedelta(minutes=6)) == (2, 0)
    events = fetch(conn, "SELECT subject, body, is_simulated FROM outbox WHERE type = 'dataquality.alert' ORDER BY id")
    assert [(subject, is_simulated) for subject, _, is_simulated in events] == [("T-0001", False), ("T-0002", True)]
    data = events[0][1]["data"]
    assert data | {"value": None} == {
        "day": "2026-11-20", "kind": "missing", "value": None, "limit": 0.2, "model": "TEST-100", "expected": 168,
        "present": 18, "received": 0,
    }  # fmt: skip
    assert data["value"] == pytest.approx(150 / 168, abs=1e-5)
    assert fetch(conn, "SELECT count(*) FROM work_order") == [(0,)]


def test_two_rounds_at_once_say_it_once(conn: Connection, database: Database) -> None:
    store(conn, "T-0001", "level", every(10, hours=3))
    with open_connection(database.url, application="other", autocommit=True) as other:
        with other.transaction():
            first = judge_devices(other, OVER)  # its transaction is still open ...
            conn.execute("SET lock_timeout = '200ms'")
            with pytest.raises(Exception, match="lock timeout"):
                judge_devices(conn, OVER)
        assert first[1] == 1
        assert judge_devices(conn, OVER + timedelta(minutes=6))[1] == 0


def test_what_is_out_of_service_or_offline_owes_nothing(conn: Connection) -> None:
    store(conn, "T-0000", "level", every(10, hours=6))
    store(conn, "T-0001", "level", every(10, hours=6))
    history = (
        "INSERT INTO device_history (device_id, at, field, before, after, source) VALUES (%s, %s, %s, %s, %s, 't')"
    )
    ids = dict(fetch(conn, "SELECT serial, id FROM device"))
    six, noon = MIDNIGHT + timedelta(hours=6), MIDNIGHT + timedelta(hours=12)
    conn.execute(history, (ids["T-0000"], six, "lifecycle", "IN_SERVICE", "UNDER_MAINTENANCE"))
    conn.execute("UPDATE device SET lifecycle = 'UNDER_MAINTENANCE' WHERE serial = 'T-0000'")
    conn.execute(history, (ids["T-0001"], six, "connectivity", "ONLINE", "OFFLINE"))
    conn.execute(history, (ids["T-0001"], noon, "connectivity", "OFFLINE", "ONLINE"))
    conn.execute(history, (ids["T-0001"], OVER, "connectivity", "ONLINE", "OFFLINE"))
    judge_devices(conn, OVER)
    assert (judged(conn, "T-0000")["expected"], judged(conn, "T-0000")["present"]) == (42, 36)  # flow never came
    assert judged(conn, "T-0001")["expected"] == 42 + 84  # six hours, and the twelve after it came back


def test_a_device_owes_from_its_first_reading_on(conn: Connection) -> None:
    store(conn, "T-0000", "level", every(10, hours=2, begin=MIDNIGHT + timedelta(hours=22)))
    store(conn, "T-0000", "flow", [MIDNIGHT + timedelta(hours=22), MIDNIGHT + timedelta(hours=23)])
    judge_devices(conn, OVER)
    assert (judged(conn, "T-0000")["expected"], judged(conn, "T-0000")["completeness"]) == (14, 1.0)


def test_late_readings_mend_a_day_that_is_over(conn: Connection) -> None:
    store(conn, "T-0000", "flow", every(60))
    store(conn, "T-0000", "level", every(10, hours=12))
    judge_devices(conn, OVER)
    assert judged(conn, "T-0000")["alerts"] == ["missing"]
    store(conn, "T-0000", "level", every(10, hours=12, begin=MIDNIGHT + timedelta(hours=12)))
    # Nobody has counted them as late yet: the day stays as it was.
    judge_devices(conn, OVER + timedelta(hours=2))
    assert judged(conn, "T-0000")["completeness"] < 0.9
    count_received(conn, "T-0000", OVER.date(), received=72, stored=72, late=72)
    judge_devices(conn, OVER + timedelta(hours=3))
    mended = judged(conn, "T-0000")
    assert (mended["completeness"], mended["alerts"]) == (1.0, [])
    # It was said, and stays on record.
    assert fetch(conn, "SELECT kind FROM data_quality_alert WHERE day = %s", DAY) == [("missing",)]


def test_the_day_that_lasts_is_judged_up_to_now(conn: Connection) -> None:
    store(conn, "T-0000", "level", every(10, hours=6))
    store(conn, "T-0000", "flow", every(60, hours=6))
    at_six = MIDNIGHT + timedelta(hours=6, minutes=1)
    judge_devices(conn, at_six)
    today = judged(conn, "T-0000")
    assert (today["expected"], today["completeness"], today["is_over"]) == (42, 1.0, False)
    # Not asked again before it is due.
    assert judge_devices(conn, at_six + timedelta(minutes=1)) == (0, 0)
    judge_devices(conn, MIDNIGHT + timedelta(hours=9, minutes=1))
    assert judged(conn, "T-0000")["expected"] == 63
    assert judged(conn, "T-0000")["alerts"] == []  # a third is missing so far, and the day can still mend it


def test_the_clock_of_a_device_is_judged_on_its_day(conn: Connection) -> None:
    store(conn, "T-0000", "level", every(10))
    conn.execute(
        "INSERT INTO device_ingest_state (device_id, skew_s, skew_at) SELECT id, 75.5, %s FROM device"
        " WHERE serial = 'T-0000'",
        (MIDNIGHT + timedelta(hours=20),),
    )
    judge_devices(conn, OVER)
    assert judged(conn, "T-0000")["skew_s"] == 75.5
    assert "clock_skew" in judged(conn, "T-0000")["alerts"]
    assert judged(conn, "T-0000", OVER.date())["skew_s"] is None
