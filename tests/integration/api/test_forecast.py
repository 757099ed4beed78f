"""When a sensor reaches its limits, asked of the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg

from anomaly.detectors.contract import SlotSettings
from anomaly.detectors.forecast import ForecastDetector
from domain.forecast import find_time_to_limit
from domain.roles import Role
from tests.support.databases import Database
from tests.support.fleet import LEVEL_CRITICAL_AT, LEVEL_RAISE_AT, PROFILE, make_devices, register
from tests.support.http_api import running_api

HOURS = 14 * 24
A_DAY = 1.5


def _fill(url: str, serial: str, begin: datetime, values: Any) -> None:
    days = [(begin + timedelta(days=d)).date() for d in range(16)]
    with psycopg.connect(url) as conn:
        conn.execute("SELECT ensure_reading_partitions(%s::date[])", (days,))
        found = conn.execute(
            "SELECT s.id FROM series s JOIN device d ON d.id = s.device_id WHERE d.serial = %s AND s.sensor = 'level'",
            (serial,),
        ).fetchone()
        assert found is not None
        with conn.cursor().copy("COPY reading (series_id, flags, observed_at, value) FROM STDIN") as copy:
            for hour, value in enumerate(values):
                copy.write_row((found[0], 0, begin + timedelta(hours=hour), float(value)))


def test_a_trend_is_followed_to_the_limit_and_none_is_said_where_there_is_none(database: Database) -> None:
    register(database.url, PROFILE, make_devices(3, customers=1))
    begin = datetime.now(UTC) - timedelta(hours=HOURS - 1)
    noise = np.random.default_rng(3).normal(0.0, 0.3, HOURS)
    rising = 50.0 + A_DAY / 24.0 * np.arange(HOURS) + noise
    _fill(database.url, "T-0000", begin, rising)
    _fill(database.url, "T-0001", begin, 50.0 + noise)
    with running_api(database.url) as api:
        headers = api.token(Role.ENGINEER)

        def ask(serial: str, sensor: str = "level") -> dict[str, Any]:
            response = api.get(f"/devices/{serial}/forecast", headers=headers, params={"sensor": sensor})
            assert response.status_code == 200, response.text
            found: dict[str, Any] = response.json()
            return found

        found = ask("T-0000")
        assert [(f["monitor"], f["limit"], f["is_critical"]) for f in found["limits"]] == [
            ("level_high", LEVEL_RAISE_AT, False),
            ("level_high", LEVEL_CRITICAL_AT, True),
        ]
        first, critical = found["limits"]
        truth_h = (LEVEL_RAISE_AT - rising[0]) / A_DAY * 24.0 - HOURS
        assert (first["state"], found["history_from"]) == ("approaching", None)
        assert first["trend"]["per_day_low"] <= A_DAY <= first["trend"]["per_day_high"]
        assert first["hours_low"] <= first["hours_to_limit"] <= first["hours_high"]
        assert abs(first["hours_to_limit"] - truth_h) < 0.1 * truth_h
        assert critical["hours_to_limit"] > first["hours_to_limit"]
        assert "if the trend goes on as it is" in first["sentence"]["en"]

        # The monitor that scores the same readings as they come says the same.
        detector = ForecastDetector()
        detector.add_slots([SlotSettings(resolution=0.1, window_s=14 * 86_400.0, limit=LEVEL_RAISE_AT, lead_s=1.0)])
        slot = np.zeros(HOURS, dtype=np.int64)
        detector.score_block(slot, np.arange(HOURS, dtype=np.int64) * 3_600_000_000, rising)
        trend = detector.find_trend(0)
        assert trend is not None
        left = find_time_to_limit(
            trend,
            LEVEL_RAISE_AT,
            is_high=True,
            bucket_s=detector.find_bucket_s(0),
            elapsed_s=detector.find_elapsed_s(0, (HOURS - 1) * 3_600_000_000),
        )
        assert left is not None
        assert abs(left.hours - first["hours_to_limit"]) < 0.05 * left.hours

        still = ask("T-0001")["limits"][0]
        assert (still["state"], still["hours_to_limit"], still["trend"]) == ("no_trend", None, None)
        assert ask("T-0002")["limits"][0]["state"] == "unknown"
        assert ask("T-0000", "number")["limits"] == []
        assert api.get("/devices/T-0000/forecast", headers=headers, params={"sensor": "none"}).status_code == 404
        assert api.get("/devices/none/forecast", headers=headers, params={"sensor": "level"}).status_code == 404

        # New firmware: what was measured before it says nothing any more.
        with psycopg.connect(database.url) as conn:
            conn.execute(
                "INSERT INTO device_history (device_id, at, field, before, after, source)"
                " SELECT id, %s, 'firmware:main', '1', '2', 'test' FROM device WHERE serial = 'T-0000'",
                (datetime.now(UTC) - timedelta(hours=20),),
            )
        renewed = ask("T-0000")
        assert renewed["limits"][0]["state"] == "unknown"
        assert renewed["history_from"] is not None
